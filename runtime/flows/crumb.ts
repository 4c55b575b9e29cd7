/**
 * Who has the flow process in hand, written where the core still finds it after a kill: a few bytes of shared memory that
 * the child gets as an open file. A hanging main thread can say nothing any more, but what it wrote last is there.
 */
import { closeSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A tab of the flow file (or `global`) and the node on it. */
export interface Owner {
  readonly tab: string;
  readonly node: string;
}

/** Where the child finds it among its open files: after stdin, stdout, stderr and the IPC channel. */
export const CRUMB_FD = 4;
/** Now, then the one before, each an id of a tab and of a node; then the last words of a process that ended itself. */
const PLACE_BYTES = 96;
const WORDS_AT = 2 * PLACE_BYTES;
const WORDS_BYTES = 1024;

const ID = /^[\w.:-]{1,40}$/;

/** @returns the bytes that say so, to be written as they are; undefined for ids that Node-RED does not make */
export function crumbOf({ tab, node }: Owner): Buffer | undefined {
  if (!ID.test(tab) || !ID.test(node)) return undefined;
  const place = Buffer.alloc(PLACE_BYTES, ' ');
  place.write(`${tab} ${node}`);
  return Buffer.concat([place, place]);
}

const nobody = Buffer.alloc(PLACE_BYTES, ' ');

/** Child side: somebody's code begins, or (undefined) nobody's. About a microsecond. */
export function dropCrumb(crumb: Buffer | undefined): void {
  const bytes = crumb ?? nobody;
  writeSync(CRUMB_FD, bytes, 0, bytes.length, 0);
}

/** Child side: why it ends. */
export function dropWords(owner: Owner | undefined, text: string): void {
  const words = Buffer.alloc(WORDS_BYTES, ' ');
  words.write(`${owner?.tab ?? '-'} ${owner?.node ?? '-'} ${text.replace(/\s+/g, ' ')}`);
  writeSync(CRUMB_FD, words, 0, words.length, WORDS_AT);
}

export interface LastSigns {
  /** Whose code ran when the process stopped; undefined: nobody's. */
  readonly inHand?: Owner;
  /** Whose code ran last, however long ago. */
  readonly before?: Owner;
  /** What the process said of its own end. */
  readonly words?: { readonly owner?: Owner; readonly text: string };
}

export interface CrumbFile {
  readonly fd: number;
  read(): LastSigns;
  close(): void;
}

/** A function node that got out may write here what it likes: only what looks like ids is one. */
function ownerOf(tab: string | undefined, node: string | undefined): Owner | undefined {
  return tab !== undefined && node !== undefined && ID.test(tab) && ID.test(node) && tab !== '-'
    ? { tab, node }
    : undefined;
}

function open(): number {
  for (const folder of ['/dev/shm', tmpdir()]) {
    const path = join(folder, `gatehouse-crumb-${process.pid}-${performance.now()}`);
    try {
      const fd = openSync(path, 'wx+', 0o600);
      rmSync(path); // lives on as an open file, and is gone with the last of us
      return fd;
    } catch (error) {
      if (folder === tmpdir()) throw error;
    }
  }
  throw new Error('no folder for temporary files');
}

/** Core side: one for each life of the flow process. */
export function openCrumbs(): CrumbFile {
  const fd = open();
  return {
    fd,
    read() {
      const bytes = Buffer.alloc(WORDS_AT + WORDS_BYTES);
      readSync(fd, bytes, 0, bytes.length, 0);
      const textOf = (from: number, size: number) =>
        bytes
          .subarray(from, from + size)
          .toString()
          .replaceAll('\0', ' ')
          .trim();
      const placeOf = (from: number) => {
        const [tab, node] = textOf(from, PLACE_BYTES).split(' ');
        return ownerOf(tab, node);
      };
      const inHand = placeOf(0);
      const before = placeOf(PLACE_BYTES);
      const [tab, node, ...text] = textOf(WORDS_AT, WORDS_BYTES).split(' ');
      const owner = ownerOf(tab, node);
      return {
        ...(inHand ? { inHand } : {}),
        ...(before ? { before } : {}),
        ...(text.length > 0 ? { words: { ...(owner ? { owner } : {}), text: text.join(' ').slice(0, 500) } } : {}),
      };
    },
    close: () => closeSync(fd),
  };
}
