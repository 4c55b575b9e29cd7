/**
 * The envelope of an archive: a clear header, then AES-256-GCM in chunks, so that any size is written and read in little
 * memory and nothing is believed before it is proven. Construction: STREAM (Hoang, Reyhanitabar, Rogaway, Vizár 2015):
 * nonce = random prefix, chunk number, last-chunk flag. A chunk changed, moved, left out, repeated or cut off is found.
 */
import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { type Static, Type } from 'typebox';
import { Value } from 'typebox/value';
import { GatehouseError } from '../errors.ts';
import { wrap } from './keys.ts';

const MAGIC = Buffer.from('GHB1');
const CHUNK_BYTES = 64 * 1024;
const TAG_BYTES = 16;
const PREFIX_BYTES = 7;
const MAX_HEADER = 16 * 1024;

/** In the clear, and proven with every chunk: what a list of archives shows, and who can open it. */
export const header = Type.Object({
  format: Type.Literal(1),
  /** Version of the program that made it. */
  version: Type.String({ maxLength: 64 }),
  gateway: Type.String({ pattern: '^[a-z0-9-]{4,32}$' }),
  /** Head of the journal when it was made, `epoch:seq`. */
  head: Type.String({ pattern: String.raw`^\d{1,4}:\d{1,12}$` }),
  created: Type.Integer({ minimum: 0 }),
  /** `config`: everything but the records. */
  kind: Type.Enum(['full', 'config']),
  origin: Type.Enum(['schedule', 'demand', 'epoch']),
  nonce: Type.String({ pattern: '^[A-Za-z0-9_-]{10}$' }),
  wraps: Type.Array(wrap, { minItems: 1, maxItems: 4 }),
});
export type Header = Static<typeof header>;

const damaged = (detail: string) => new GatehouseError('backup.damaged', `The archive ${detail}`);

export const newNonce = (): string => randomBytes(PREFIX_BYTES).toString('base64url');

export interface Sealer {
  /** First bytes of the file. */
  readonly head: Buffer;
  /** @returns what is complete now */
  update(plain: Uint8Array): Buffer[];
  final(): Buffer[];
}

export function createSealer(dataKey: Uint8Array, about: Header): Sealer {
  const text = Buffer.from(JSON.stringify(about));
  const head = Buffer.concat([MAGIC, lengthOf(text.length), text]);
  const proof = createHash('sha256').update(head).digest();
  const prefix = Buffer.from(about.nonce, 'base64url');
  let count = 0;
  let held: Buffer[] = [];
  let size = 0;
  const seal = (plain: Uint8Array, last: boolean): Buffer => {
    const cipher = createCipheriv('aes-256-gcm', dataKey, nonceOf(prefix, count++, last));
    cipher.setAAD(proof);
    return Buffer.concat([cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
  };
  return {
    head,
    update(plain) {
      held.push(Buffer.from(plain));
      size += plain.length;
      if (size <= CHUNK_BYTES) return [];
      const all = Buffer.concat(held);
      const done: Buffer[] = [];
      let at = 0;
      // The last chunk is told by being last: at least a byte is always held back.
      for (; all.length - at > CHUNK_BYTES; at += CHUNK_BYTES)
        done.push(seal(all.subarray(at, at + CHUNK_BYTES), false));
      held = [all.subarray(at)];
      size = all.length - at;
      return done;
    },
    final: () => [seal(Buffer.concat(held), true)],
  };
}

const lengthOf = (length: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(length);
  return bytes;
};

function nonceOf(prefix: Uint8Array, count: number, last: boolean): Buffer {
  const tail = Buffer.alloc(5);
  tail.writeUInt32BE(count);
  tail[4] = last ? 1 : 0;
  return Buffer.concat([prefix, tail]);
}

export interface Sealed {
  readonly header: Header;
  /** Bytes of the file before the first chunk. */
  readonly head: Buffer;
}

/** Reads the clear part only; it is proven by {@link unseal}. @throws GatehouseError `backup.format`, `backup.damaged` */
export function readHeader(file: string): Sealed {
  const handle = openSync(file, 'r');
  try {
    const first = Buffer.alloc(MAGIC.length + 4);
    if (readSync(handle, first, 0, first.length, 0) < first.length || !first.subarray(0, MAGIC.length).equals(MAGIC)) {
      throw new GatehouseError('backup.format', `${file} is not a Gatehouse archive`);
    }
    const length = first.readUInt32BE(MAGIC.length);
    if (length > MAX_HEADER) throw damaged('has a header of impossible length');
    const text = Buffer.alloc(length);
    if (readSync(handle, text, 0, length, first.length) < length) throw damaged('ends in its header');
    return { header: parseHeader(text, file), head: Buffer.concat([first, text]) };
  } finally {
    closeSync(handle);
  }
}

function parseHeader(text: Buffer, file: string): Header {
  let found: unknown;
  try {
    found = JSON.parse(text.toString());
  } catch {
    throw damaged('has a header that cannot be read');
  }
  if (Value.Check(header, found)) return found;
  const { format } = found as { format?: unknown };
  if (typeof format === 'number' && format > 1) {
    throw new GatehouseError('backup.format', `${file} was made by a newer version (format ${format})`);
  }
  throw damaged('has a header that says nothing');
}

/** The plain content, chunk by proven chunk. @throws GatehouseError `backup.damaged` at the first that does not fit */
export function* unseal(file: string, dataKey: Uint8Array, sealed: Sealed): Generator<Buffer> {
  const proof = createHash('sha256').update(sealed.head).digest();
  const prefix = Buffer.from(sealed.header.nonce, 'base64url');
  const handle = openSync(file, 'r');
  try {
    const { size } = fstatSync(handle);
    let at = sealed.head.length;
    for (let count = 0; ; count++) {
      const length = Math.min(CHUNK_BYTES + TAG_BYTES, size - at);
      if (length < TAG_BYTES) throw damaged('is cut off');
      const chunk = Buffer.alloc(length);
      readSync(handle, chunk, 0, length, at);
      at += length;
      const last = at === size;
      yield opened(dataKey, nonceOf(prefix, count, last), proof, chunk);
      if (last) return;
    }
  } finally {
    closeSync(handle);
  }
}

function opened(dataKey: Uint8Array, nonce: Uint8Array, proof: Uint8Array, chunk: Buffer): Buffer {
  const cipher = createDecipheriv('aes-256-gcm', dataKey, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(proof);
  cipher.setAuthTag(chunk.subarray(-TAG_BYTES));
  try {
    return Buffer.concat([cipher.update(chunk.subarray(0, -TAG_BYTES)), cipher.final()]);
  } catch {
    throw damaged('was changed, cut off or put together from others');
  }
}
