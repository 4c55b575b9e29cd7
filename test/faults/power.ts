/** What a power cut leaves behind, rebuilt from a trace of everything a process did to its disk (shim/disk.c). */
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pick } from './trial.ts';

/** In the order of the numbers in disk.c, which begin at 1. */
const whats = ['write', 'truncate', 'flush', 'flushed', 'create', 'rename', 'unlink', 'ack', 'mkdir', 'link'] as const;

export interface Step {
  readonly what: (typeof whats)[number];
  /** Below the root; '' is the root itself. */
  readonly path: string;
  /** The kernel's number; it may be used again for another file later. */
  readonly file: number;
  /** Of a write or truncation; for a flush, what joins its two ends. */
  readonly offset: number;
  /** Of a flush: it is a folder's. */
  readonly folder: boolean;
  /** Of a write or an acknowledgement; of a renaming or a link the new path. */
  readonly data: Buffer;
  /** Where it ends in the trace: a trace that was so long or longer contains it. */
  readonly end: number;
}

/** What has data of its own behind the path. */
const CARRYING: readonly Step['what'][] = ['write', 'ack', 'rename', 'link'];
const HEAD_BYTES = 32;
/** What a disk writes whole or not at all. */
const SECTOR = 512;

export function readTrace(path: string): Step[] {
  const bytes = readFileSync(path);
  const steps: Step[] = [];
  for (let at = 0; at + HEAD_BYTES <= bytes.length; ) {
    const what = whats[bytes.readUInt32LE(at) - 1];
    if (what === undefined) throw new Error(`the trace is not one: operation ${bytes.readUInt32LE(at)} at ${at}`);
    const name = at + HEAD_BYTES;
    const data = name + bytes.readUInt32LE(at + 4);
    const length = Number(bytes.readBigUInt64LE(at + 24));
    const end = data + (CARRYING.includes(what) ? length : 0);
    steps.push({
      what,
      path: bytes.toString('utf8', name, data),
      file: Number(bytes.readBigUInt64LE(at + 8)),
      offset: Number(bytes.readBigUInt64LE(at + 16)),
      folder: what.startsWith('flush') && length === 1,
      data: bytes.subarray(data, end),
      end,
    });
    at = end;
  }
  return steps;
}

/** Files of a directory and those below it: path below the directory → content. */
export type Image = ReadonlyMap<string, Buffer>;
/** An image as it lies in a directory, with the kernel's numbers of the files. */
export type Placed = ReadonlyMap<string, { readonly file: number; readonly bytes: Buffer }>;

export function readPlaced(directory: string): Placed {
  const files = new Map<string, { file: number; bytes: Buffer }>();
  for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || entry.name.endsWith('-shm')) continue;
    const path = join(entry.parentPath, entry.name);
    files.set(path.slice(directory.length + 1), { file: statSync(path).ino, bytes: readFileSync(path) });
  }
  return files;
}

export function writeImage(image: Image, directory: string): void {
  for (const [path, bytes] of image) {
    mkdirSync(dirname(join(directory, path)), { recursive: true, mode: 0o700 });
    writeFileSync(join(directory, path), bytes, { mode: 0o600 });
  }
}

/** How much of what was not flushed a cut leaves: nothing, all of it, or each sector with this probability. */
export type Luck = 'none' | 'all' | number;
const lucks: readonly Luck[] = ['none', 'none', 'all', 0.1, 0.5, 0.9];
export const someLuck = (random: () => number): Luck => lucks[pick(random, lucks.length)] ?? 'none';

/** Bytes that are written to in place. */
interface Content {
  bytes: Buffer;
  length: number;
}
interface Inode {
  readonly content: Content;
  /** Writes and truncations not yet flushed. */
  pending: Step[];
}
/** A change of a folder. */
interface Entry {
  readonly what: 'create' | 'rename' | 'unlink' | 'link';
  readonly path: string;
  readonly to: string;
  readonly inode: Inode | undefined;
}

const newInode = (bytes: Buffer = Buffer.alloc(0)): Inode => ({
  content: { bytes: Buffer.from(bytes), length: bytes.length },
  pending: [],
});

/**
 * The disk after a power cut just before `steps[cut]`. Each file is as of its last flush, plus a part of what came
 * after, torn at sectors. Folder entries not flushed are lost from a random one on: file systems keep their order.
 * @param before the disk on which the trace began, all of it flushed
 */
export function imageAt(before: Placed, steps: readonly Step[], cut: number, luck: Luck, random: () => number): Image {
  const entries = new Map<string, Inode>();
  const inodes = new Map<number, Inode>();
  let unsure: Entry[] = [];
  const flushing = new Map<number, { pending: number; unsure: readonly Entry[] }>();
  for (const [path, { file, bytes }] of before) {
    const inode = newInode(bytes);
    inodes.set(file, inode);
    entries.set(path, inode);
  }
  const inodeOf = ({ file, path }: Step): Inode => {
    const inode = inodes.get(file);
    if (!inode) throw new Error(`the trace does not tell where ${path} comes from`);
    return inode;
  };

  for (const step of steps.slice(0, cut)) {
    const { what, path, offset: flush, folder } = step;
    if (what === 'write' || what === 'truncate') inodeOf(step).pending.push(step);
    else if (what === 'create') {
      const inode = newInode();
      inodes.set(step.file, inode);
      unsure.push({ what, path, to: '', inode });
    } else if (what === 'rename' || what === 'unlink' || what === 'link') {
      unsure.push({ what, path, to: step.data.toString(), inode: undefined });
    } else if (what === 'flush') {
      flushing.set(flush, {
        pending: folder ? 0 : inodeOf(step).pending.length,
        unsure: folder ? unsure.filter((one) => folderOf(one) === path) : [],
      });
    } else if (what === 'flushed') {
      const begun = flushing.get(flush) ?? { pending: 0, unsure: [] };
      for (const one of begun.unsure) enter(entries, one);
      unsure = unsure.filter((one) => !begun.unsure.includes(one));
      if (folder) continue;
      const inode = inodeOf(step);
      for (const one of inode.pending.splice(0, begun.pending)) apply(inode.content, one);
    }
  }

  const kept = luck === 'none' ? 0 : luck === 'all' ? unsure.length : pick(random, unsure.length + 1);
  for (const one of unsure.slice(0, kept)) enter(entries, one);
  const image = new Map<string, Buffer>();
  for (const [path, { content, pending }] of entries) {
    for (const step of pending) for (const part of torn(step, luck, random)) apply(content, part);
    image.set(path, content.bytes.subarray(0, content.length));
  }
  return image;
}

const folderOf = ({ path }: Entry): string => (path.includes('/') ? dirname(path) : '');

function enter(entries: Map<string, Inode>, { what, path, to, inode }: Entry): void {
  const moved = entries.get(path);
  if (what === 'rename' || what === 'unlink') entries.delete(path);
  if (what === 'create' && inode) entries.set(path, inode);
  if ((what === 'rename' || what === 'link') && moved) entries.set(to, moved);
}

function apply(content: Content, { what, offset, data }: Step): void {
  const end = what === 'truncate' ? offset : offset + data.length;
  if (end > content.bytes.length) {
    const larger = Buffer.alloc(2 * end);
    content.bytes.copy(larger, 0, 0, content.length);
    content.bytes = larger;
  }
  if (what === 'truncate') {
    content.bytes.fill(0, end, Math.max(end, content.length));
    content.length = end;
  } else {
    data.copy(content.bytes, offset);
    content.length = Math.max(content.length, end);
  }
}

/** The sectors of a write that reached the disk. */
function torn(step: Step, luck: Luck, random: () => number): Step[] {
  if (luck === 'none') return [];
  if (luck === 'all') return [step];
  if (step.what === 'truncate') return random() < luck ? [step] : [];
  const parts: Step[] = [];
  const end = step.offset + step.data.length;
  for (let from = step.offset, to = from; from < end; from = to) {
    to = Math.min((Math.floor(from / SECTOR) + 1) * SECTOR, end);
    const data = step.data.subarray(from - step.offset, to - step.offset);
    if (random() < luck) parts.push({ ...step, offset: from, data });
  }
  return parts;
}
