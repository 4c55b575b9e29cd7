/**
 * What is inside an archive: a manifest, then the files it lists, one after the other, packed in blocks. No paths, no
 * links, no modes: a name says by itself where its file belongs.
 */
import { createHash, type Hash } from 'node:crypto';
import {
  closeSync,
  fdatasyncSync,
  fstatSync,
  fsyncSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { type Static, Type } from 'typebox';
import { Value } from 'typebox/value';
import { GatehouseError } from '../errors.ts';
import { createSealer, type Header, type Sealed, unseal } from './seal.ts';

const BLOCK_BYTES = 1 << 20;
const MAX_MANIFEST = 1 << 20;
export const MAX_CONTENT = 4 * 2 ** 30;
/** More than a database of empty pages compresses to; beyond it an archive is made to fill a disk. */
const MAX_RATIO = 100;
const RATIO_FREE_BYTES = 64 << 20;
/** Written to the disk in such portions: one large flush would hold up the journal's own. */
const FLUSH_BYTES = 4 << 20;

const hex = Type.String({ pattern: '^[0-9a-f]{64}$' });
const manifest = Type.Object({
  format: Type.Literal(1),
  version: Type.String(),
  schema: Type.Integer(),
  gateway: Type.String(),
  epoch: Type.Integer({ minimum: 1 }),
  /** First and last place of the records in it; absent when it holds none. */
  first: Type.Optional(Type.String()),
  last: Type.Optional(Type.String()),
  head: Type.String(),
  kind: Type.Enum(['full', 'config']),
  created: Type.Integer(),
  entries: Type.Array(
    Type.Object({
      name: Type.String({ pattern: '^[a-z0-9._-]{1,64}$' }),
      size: Type.Integer({ minimum: 0, maximum: MAX_CONTENT }),
      sha256: hex,
      sm3: hex,
    }),
    { minItems: 1, maxItems: 200 },
  ),
});
export type Manifest = Static<typeof manifest>;
export type ManifestFacts = Omit<Manifest, 'entries'>;

export interface Entry {
  readonly name: string;
  /** A file, or what is in it. */
  readonly content: string | Uint8Array;
}

const damaged = (detail: string) => new GatehouseError('backup.damaged', `The archive ${detail}`);

/**
 * Writes an archive, whole or not at all. Runs on a thread of its own: it reads, packs and flushes without pause.
 * @param out a name that is free
 */
export function writeArchive(
  out: string,
  about: Header,
  dataKey: Uint8Array,
  facts: ManifestFacts,
  entries: readonly Entry[],
): void {
  const draft = `${out}.part`;
  const handle = openSync(draft, 'w', 0o600);
  try {
    let waiting = 0;
    const write = (part: Uint8Array) => {
      writeSync(handle, part);
      waiting += part.length;
      if (waiting < FLUSH_BYTES) return;
      fdatasyncSync(handle);
      waiting = 0;
    };
    const listed: Manifest = {
      ...facts,
      entries: entries.map(({ name, content }) => ({ name, ...digestsOf(content) })),
    };
    const sealer = createSealer(dataKey, about);
    write(sealer.head);
    for (const block of inBlocks(plainOf(listed, entries)))
      for (const chunk of sealer.update(packed(block))) write(chunk);
    for (const chunk of sealer.final()) write(chunk);
    fsyncSync(handle);
  } catch (error) {
    rmSync(draft, { force: true });
    throw error;
  } finally {
    closeSync(handle);
  }
  renameSync(draft, out);
  const folder = openSync(join(out, '..'), 'r');
  fsyncSync(folder);
  closeSync(folder);
}

function* plainOf(listed: Manifest, entries: readonly Entry[]): Generator<Uint8Array> {
  const text = Buffer.from(JSON.stringify(listed));
  yield lengthOf(text.length);
  yield text;
  for (const [index, { name, content }] of entries.entries()) {
    let size = 0;
    for (const part of partsOf(content)) {
      size += part.length;
      yield part;
    }
    // Hashed before it was packed: a file that changes in between would make an archive nobody can open.
    if (size !== listed.entries[index]?.size) throw new Error(`${name} changed while it was archived`);
  }
}

function* partsOf(content: string | Uint8Array): Generator<Uint8Array> {
  if (typeof content !== 'string') {
    yield content;
    return;
  }
  const handle = openSync(content, 'r');
  try {
    for (let at = 0; ; ) {
      const part = Buffer.alloc(BLOCK_BYTES);
      const length = readSync(handle, part, 0, part.length, at);
      if (length === 0) return;
      at += length;
      yield part.subarray(0, length);
    }
  } finally {
    closeSync(handle);
  }
}

function digestsOf(content: string | Uint8Array): { size: number; sha256: string; sm3: string } {
  const sha256 = createHash('sha256');
  const sm3 = createHash('sm3');
  let size = 0;
  for (const part of partsOf(content)) {
    sha256.update(part);
    sm3.update(part);
    size += part.length;
  }
  return { size, sha256: sha256.digest('hex'), sm3: sm3.digest('hex') };
}

function* inBlocks(parts: Iterable<Uint8Array>): Generator<Buffer> {
  let held: Uint8Array[] = [];
  let size = 0;
  for (const part of parts) {
    held.push(part);
    size += part.length;
    while (size >= BLOCK_BYTES) {
      const all = Buffer.concat(held);
      yield all.subarray(0, BLOCK_BYTES);
      held = [all.subarray(BLOCK_BYTES)];
      size -= BLOCK_BYTES;
    }
  }
  if (size > 0) yield Buffer.concat(held);
}

const LEVEL = { params: { [constants.ZSTD_c_compressionLevel]: 1 } };

function packed(block: Uint8Array): Buffer {
  const small = zstdCompressSync(block, LEVEL);
  return Buffer.concat([lengthOf(small.length), small]);
}

const lengthOf = (length: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(length);
  return bytes;
};

/** Takes an unbroken stream of bytes apart. */
class Bytes {
  readonly #source: Iterator<Uint8Array>;
  #held: Buffer = Buffer.alloc(0);

  constructor(source: Iterable<Uint8Array>) {
    this.#source = source[Symbol.iterator]();
  }

  /** Up to `most` bytes, none only at the end. */
  some(most: number): Buffer {
    if (this.#held.length === 0) {
      const next = this.#source.next();
      this.#held = next.done ? Buffer.alloc(0) : Buffer.from(next.value);
    }
    const part = this.#held.subarray(0, most);
    this.#held = this.#held.subarray(part.length);
    return part;
  }

  /** @throws GatehouseError `backup.damaged` if there are fewer */
  exactly(count: number): Buffer {
    const parts: Buffer[] = [];
    for (let left = count; left > 0; ) {
      const part = this.some(left);
      if (part.length === 0) throw damaged('ends too early');
      parts.push(part);
      left -= part.length;
    }
    return Buffer.concat(parts);
  }
}

function* unpacked(parts: Iterable<Uint8Array>, fileBytes: number): Generator<Buffer> {
  const source = new Bytes(parts);
  let total = 0;
  for (;;) {
    const first = source.some(1);
    if (first.length === 0) return;
    const length = Buffer.concat([first, source.exactly(3)]).readUInt32BE();
    if (length > 2 * BLOCK_BYTES) throw damaged('has a block of impossible length');
    const block = zstdDecompressSync(source.exactly(length), { maxOutputLength: BLOCK_BYTES });
    total += block.length;
    if (total > MAX_CONTENT + MAX_MANIFEST) throw damaged('unpacks to more than 4 GiB');
    if (total > RATIO_FREE_BYTES && total > fileBytes * MAX_RATIO)
      throw damaged('unpacks to more than a hundred times its size');
    yield block;
  }
}

export interface Sink {
  write(part: Uint8Array): void;
  close(): void;
}

/**
 * Reads an archive to its end: every chunk proven, the manifest first, every file held against its hashes.
 * @param accept told the manifest before any file; throws to stop
 * @param sinkOf where a file goes; without it nothing is kept
 * @throws GatehouseError `backup.damaged`, `backup.format`
 */
export function readArchive(
  file: string,
  dataKey: Uint8Array,
  sealed: Sealed,
  accept: (found: Manifest) => void,
  sinkOf?: (name: string) => Sink,
): Manifest {
  const plain = new Bytes(unpacked(unseal(file, dataKey, sealed), sizeOf(file)));
  const found = manifestIn(plain);
  const { gateway, created, kind } = sealed.header;
  if (found.gateway !== gateway || found.created !== created || found.kind !== kind)
    throw damaged('contradicts its header');
  accept(found);
  for (const entry of found.entries) readEntry(plain, entry, sinkOf?.(entry.name));
  if (plain.some(1).length > 0) throw damaged('holds more than its manifest lists');
  return found;
}

function manifestIn(plain: Bytes): Manifest {
  const length = plain.exactly(4).readUInt32BE();
  if (length > MAX_MANIFEST) throw damaged('has a manifest of impossible length');
  const found: unknown = JSON.parse(plain.exactly(length).toString());
  if (!Value.Check(manifest, found)) throw damaged('has a manifest this version cannot read');
  if (new Set(found.entries.map(({ name }) => name)).size < found.entries.length) throw damaged('lists a name twice');
  if (found.entries.reduce((sum, { size }) => sum + size, 0) > MAX_CONTENT) throw damaged('lists more than 4 GiB');
  return found;
}

function readEntry(plain: Bytes, entry: Manifest['entries'][number], sink: Sink | undefined): void {
  const hashes: [string, Hash][] = [
    [entry.sha256, createHash('sha256')],
    [entry.sm3, createHash('sm3')],
  ];
  try {
    for (let left = entry.size; left > 0; ) {
      const part = plain.some(left);
      if (part.length === 0) throw damaged(`ends inside ${entry.name}`);
      left -= part.length;
      for (const [, hash] of hashes) hash.update(part);
      sink?.write(part);
    }
  } finally {
    sink?.close();
  }
  for (const [wanted, hash] of hashes)
    if (hash.digest('hex') !== wanted) throw damaged(`has ${entry.name} with other content than its manifest says`);
}

function sizeOf(file: string): number {
  const handle = openSync(file, 'r');
  try {
    return fstatSync(handle).size;
  } finally {
    closeSync(handle);
  }
}
