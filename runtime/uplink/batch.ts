/** What one message on the way up looks like. */
import { constants, zstdCompressSync } from 'node:zlib';

/** A batch tells of everything of a filter in `(after, through]` of one epoch. */
export interface Stretch {
  readonly epoch: number;
  readonly after: number;
  readonly through: number;
}
/** Beside the stretch, where a batch repeats what was asked for again. */
export interface Repeated {
  /** Id of the request. */
  readonly replay: string;
  /** JSON texts, with commas between them, of the gap records about this stretch: what is not there any more. */
  readonly gaps?: string;
}

const begin = (gateway: string, { epoch, after, through }: Stretch, repeated?: Repeated): string => {
  const replay = repeated === undefined ? {} : { replay: repeated.replay };
  const head = JSON.stringify({ gateway, epoch, after, through, ...replay }).slice(0, -1);
  return `${head}${repeated?.gaps ? `,"gaps":[${repeated.gaps}]` : ''},"records":[`;
};

/** @param records JSON texts */
export const batchText = (gateway: string, stretch: Stretch, records: readonly string[], repeated?: Repeated): string =>
  `${begin(gateway, stretch, repeated)}${records.join(',')}]}`;

/** @param records JSON texts with commas between them, UTF-8 */
export const batchBytes = (gateway: string, stretch: Stretch, records: Uint8Array, repeated?: Repeated): Buffer =>
  Buffer.concat([Buffer.from(begin(gateway, stretch, repeated)), records, Buffer.from(']}')]);

/** Bytes below which compressing costs more than it saves. */
const WORTH_BYTES = 1024;
const params = { [constants.ZSTD_c_compressionLevel]: 1 };

/** @returns UTF-8 JSON, or one zstd frame (it begins with 28 B5 2F FD, JSON with `{`). */
export function encode(content: string | Buffer, zstd: boolean): Buffer {
  const plain = typeof content === 'string' ? Buffer.from(content) : content;
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
