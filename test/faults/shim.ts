/** The simulated disk (shim/disk.c): compiled when it is needed, preloaded into a child, controlled from here. */
import { spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readSync, realpathSync, rmSync, writeSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export type ShimName = 'disk' | 'clock';

const compiled = new Map<ShimName, string>();

/** @returns path of the shared object. @throws with the remedy where there is no compiler */
export function compile(name: ShimName): string {
  const known = compiled.get(name);
  if (known !== undefined) return known;
  const folder = mkdtempSync(join(tmpdir(), 'gh-shim-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  const source = fileURLToPath(new URL(`./shim/${name}.c`, import.meta.url));
  const target = join(folder, `${name}.so`);
  const flags = ['-O1', '-shared', '-fPIC', '-o', target, source, '-ldl', '-lpthread'];
  const { status, error, stderr } = spawnSync('gcc', flags, { encoding: 'utf8' });
  if (status !== 0) {
    throw new Error(
      `the simulated ${name} could not be compiled (${error?.message ?? stderr.trim()}). ` +
        'It needs a C compiler: sudo apt-get install gcc libc6-dev',
    );
  }
  compiled.set(name, target);
  return target;
}

/** Environment of a child whose changes below `root` are written to the file `trace`. */
export const traced = (root: string, trace: string): Readonly<Record<string, string>> => ({
  LD_PRELOAD: compile('disk'),
  GATEHOUSE_FAULTS_ROOT: realpathSync(root),
  GATEHOUSE_FAULTS_TRACE: trace,
});

/** What the disk does from now on. The default of everything is a sound disk. */
export interface Fault {
  readonly error?: 'ENOSPC' | 'EIO' | 'EROFS';
  /** Where it strikes; default: everywhere. A disk can take writes and lose them at the flush. */
  readonly at?: readonly (keyof typeof PLACES)[];
  /** So many operations still succeed. */
  readonly after?: number;
  /** Every flush takes so many milliseconds more. */
  readonly flushMs?: number;
}

const PLACES = { write: 1, flush: 2, create: 4, entry: 8 } as const;
/** struct control of disk.c: error, mask, pass, sync_delay, struck, syncs, limited, unused; room and total of 8 bytes. */
const BYTES = 48;
const COMMANDED = 4;
const LIMITED_AT = 24;
const ROOM_AT = 32;

export interface FaultyDisk extends Disposable {
  /** For the child, or the whole tree of processes, that is to have this disk. */
  readonly environment: Readonly<Record<string, string>>;
  set(fault: Fault): void;
  /** Files below the root may grow by so many bytes in all from now on; whoever asks is told so, of a disk of `total`. */
  limit(room: number, total: number): void;
  /** Bytes by which files may still grow. */
  room(): number;
  /** Operations refused so far. */
  struck(): number;
  /** Flushes asked for so far. */
  flushes(): number;
}

/** A disk under everything below `root`, sound until told otherwise. */
export function faultyDisk(root: string): FaultyDisk {
  const preload = compile('disk');
  const folder = mkdtempSync(join(tmpdir(), 'gh-disk-'));
  const path = join(folder, 'control');
  const file = openSync(path, 'w+');
  writeSync(file, Buffer.alloc(BYTES), 0, BYTES, 0);
  const field = (index: number) => {
    const bytes = Buffer.alloc(4);
    readSync(file, bytes, 0, 4, index * 4);
    return bytes.readUInt32LE();
  };
  return {
    environment: {
      LD_PRELOAD: preload,
      GATEHOUSE_FAULTS_ROOT: realpathSync(root),
      GATEHOUSE_FAULTS_CONTROL: path,
    },
    set({ error, at = ['write', 'flush', 'create', 'entry'], after = 0, flushMs = 0 }) {
      const mask = at.reduce((sum, place) => sum | PLACES[place], 0);
      const values = Uint32Array.of(error === undefined ? 0 : constants.errno[error], mask, after, flushMs);
      // The error comes last: until it is there, the rest means nothing.
      const bytes = Buffer.from(values.buffer);
      writeSync(file, Buffer.alloc(4), 0, 4, 0);
      writeSync(file, bytes, 4, (COMMANDED - 1) * 4, 4);
      writeSync(file, bytes, 0, 4, 0);
    },
    limit(room, total) {
      const bytes = Buffer.alloc(16);
      bytes.writeBigInt64LE(BigInt(room), 0);
      bytes.writeBigInt64LE(BigInt(total), 8);
      writeSync(file, bytes, 0, 16, ROOM_AT);
      writeSync(file, Uint8Array.of(1), 0, 1, LIMITED_AT);
    },
    room() {
      const bytes = Buffer.alloc(8);
      readSync(file, bytes, 0, 8, ROOM_AT);
      return Number(bytes.readBigInt64LE());
    },
    struck: () => field(4),
    flushes: () => field(5),
    [Symbol.dispose]() {
      closeSync(file);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

export interface SettableClock extends Disposable {
  readonly environment: Readonly<Record<string, string>>;
  /** The wall clock is this far from the true time from now on, ms. */
  set(offsetMs: number): void;
}

/** A wall clock for a child, or a tree of processes, that can be set while they run. */
export function settableClock(): SettableClock {
  const preload = compile('clock');
  const folder = mkdtempSync(join(tmpdir(), 'gh-clock-'));
  const path = join(folder, 'offset');
  const file = openSync(path, 'w+');
  const set = (offsetMs: number) => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(BigInt(offsetMs));
    writeSync(file, bytes, 0, 8, 0);
  };
  set(0);
  return {
    environment: { LD_PRELOAD: preload, GATEHOUSE_FAULTS_CLOCK: path },
    set,
    [Symbol.dispose]() {
      closeSync(file);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
