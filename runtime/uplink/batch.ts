/** What one message on the way up looks like. */
import { constants, zstdCompressSync } from 'node:zlib';

/** All records of a filter in `(after, through]` of one epoch, as JSON texts. */
export interface Stretch {
  readonly epoch: number;
  readonly after: number;
  readonly through: number;
  readonly records: readonly string[];
}

/** @param replay id of the request this answers. */
export function stretchText(gateway: string, stretch: Stretch, replay?: string): string {
  const { epoch, after, through } = stretch;
  const head = JSON.stringify({ gateway, epoch, after, through, ...(replay === undefined ? {} : { replay }) });
  return `${head.slice(0, -1)},"records":[${stretch.records.join(',')}]}`;
}

/** Bytes below which compressing costs more than it saves. */
const WORTH_BYTES = 1024;
const params = { [constants.ZSTD_c_compressionLevel]: 1 };

/** @returns UTF-8 JSON, or one zstd frame (it begins with 28 B5 2F FD, JSON with `{`). */
export function encode(text: string, zstd: boolean): Buffer {
  const plain = Buffer.from(text);
  return zstd && plain.length >= WORTH_BYTES ? zstdCompressSync(plain, { params }) : plain;
}

/**
 * A record that is larger than the receiver's broker takes keeps its place, without its data: nothing is lost silently.
 * @param most bytes of a record
 */
export function fitted(record: string, most: number): string {
  const omittedBytes = Buffer.byteLength(record);
  if (omittedBytes <= most) return record;
  return JSON.stringify({ ...(JSON.parse(record) as object), data: { omittedBytes }, quality: 'bad' });
}
