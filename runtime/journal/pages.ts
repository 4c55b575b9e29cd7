/**
 * Rows out of a SQLite file by its pages alone, without its trees: what is left when an inner page or the head is gone.
 * File format: https://www.sqlite.org/fileformat2.html, sections 1.5, 1.6, 2.1 and 4.
 */
import { closeSync, existsSync, fstatSync, openSync, readSync } from 'node:fs';

export type Cell = string | number | Uint8Array | null;
export interface FoundRow {
  readonly rowid: number;
  readonly cells: readonly Cell[];
}
export interface Pages {
  readonly count: number;
  /** Rows of one page if it is a leaf of a table, as far as they make sense; `torn` counts those that do not. */
  rows(page: number): { rows: FoundRow[]; torn: number };
  close(): void;
}

const PLAIN_SIZE = 4096;
const FILE_HEAD = 100;
const TABLE_LEAF = 0x0d;
const WAL_HEAD = 32;
const FRAME_HEAD = 24;
const MAX_PAYLOAD = 16 << 20;

/** Opens a database and the WAL beside it; what the WAL has committed stands for the page in the file. */
export function openPages(file: string): Pages {
  const handle = openSync(file, 'r');
  const wal = existsSync(`${file}-wal`) ? openSync(`${file}-wal`, 'r') : undefined;
  const head = readAt(handle, FILE_HEAD, 0);
  const size = pageSizeIn(head);
  const reserved = head.length === FILE_HEAD && (head[20] ?? 0) < 64 ? (head[20] ?? 0) : 0;
  const newer = wal === undefined ? new Map<number, number>() : framesOf(wal, size);
  const count = Math.max(Math.ceil(fstatSync(handle).size / size), ...newer.keys(), 0);
  const page = (number: number): Buffer => {
    const at = newer.get(number);
    return at === undefined || wal === undefined ? readAt(handle, size, (number - 1) * size) : readAt(wal, size, at);
  };
  return {
    count,
    rows: (number) => rowsOf(page(number), number === 1 ? FILE_HEAD : 0, size - reserved, page),
    close() {
      closeSync(handle);
      if (wal !== undefined) closeSync(wal);
    },
  };
}

function readAt(handle: number, length: number, at: number): Buffer {
  const bytes = Buffer.alloc(length);
  return bytes.subarray(0, readSync(handle, bytes, 0, length, at));
}

function pageSizeIn(head: Buffer): number {
  if (head.length < FILE_HEAD || !head.toString('latin1', 0, 15).startsWith('SQLite format 3')) return PLAIN_SIZE;
  const size = head.readUInt16BE(16);
  if (size === 1) return 65_536;
  return size >= 512 && (size & (size - 1)) === 0 ? size : PLAIN_SIZE;
}

/** Page → where its last committed copy begins in the WAL. Ends at the first frame whose checksum is wrong. */
function framesOf(wal: number, pageSize: number): Map<number, number> {
  const committed = new Map<number, number>();
  const head = readAt(wal, WAL_HEAD, 0);
  if (head.length < WAL_HEAD || (head.readUInt32BE(0) & ~1) >>> 0 !== 0x377f0682) return committed;
  const bigEndian = (head.readUInt32BE(0) & 1) === 1;
  if (head.readUInt32BE(8) !== pageSize) return committed;
  let sum = checksum([0, 0], head.subarray(0, 24), bigEndian);
  if (sum[0] !== head.readUInt32BE(24) || sum[1] !== head.readUInt32BE(28)) return committed;
  const pending = new Map<number, number>();
  for (let at = WAL_HEAD; ; at += FRAME_HEAD + pageSize) {
    const frame = readAt(wal, FRAME_HEAD + pageSize, at);
    if (frame.length < FRAME_HEAD + pageSize || !frame.subarray(8, 16).equals(head.subarray(16, 24))) return committed;
    sum = checksum(checksum(sum, frame.subarray(0, 8), bigEndian), frame.subarray(FRAME_HEAD), bigEndian);
    if (sum[0] !== frame.readUInt32BE(16) || sum[1] !== frame.readUInt32BE(20)) return committed;
    pending.set(frame.readUInt32BE(0), at + FRAME_HEAD);
    if (frame.readUInt32BE(4) === 0) continue;
    for (const [page, place] of pending) committed.set(page, place);
    pending.clear();
  }
}

function checksum([a, b]: readonly [number, number], bytes: Buffer, bigEndian: boolean): [number, number] {
  let one = a;
  let two = b;
  for (let at = 0; at + 8 <= bytes.length; at += 8) {
    one = (one + (bigEndian ? bytes.readUInt32BE(at) : bytes.readUInt32LE(at)) + two) >>> 0;
    two = (two + (bigEndian ? bytes.readUInt32BE(at + 4) : bytes.readUInt32LE(at + 4)) + one) >>> 0;
  }
  return [one, two];
}

function rowsOf(
  page: Buffer,
  start: number,
  usable: number,
  pageOf: (number: number) => Buffer,
): { rows: FoundRow[]; torn: number } {
  const rows: FoundRow[] = [];
  if (page.length < usable || page[start] !== TABLE_LEAF) return { rows, torn: 0 };
  const cells = page.readUInt16BE(start + 3);
  const first = start + 8;
  if (first + 2 * cells > usable) return { rows, torn: 1 };
  let torn = 0;
  for (let index = 0; index < cells; index++) {
    try {
      const at = page.readUInt16BE(first + 2 * index);
      if (at < first + 2 * cells || at >= usable) throw new RangeError('a cell outside its page');
      rows.push(cellAt(page, at, usable, pageOf));
    } catch {
      torn++; // what is left of a damaged row is no row
    }
  }
  return { rows, torn };
}

function cellAt(page: Buffer, at: number, usable: number, pageOf: (number: number) => Buffer): FoundRow {
  const length = varint(page, at);
  const rowid = varint(page, length.next);
  const size = length.value;
  if (size > MAX_PAYLOAD) throw new RangeError('a row of impossible length');
  const most = usable - 35;
  const least = Math.floor(((usable - 12) * 32) / 255) - 23;
  const spilt = least + ((size - least) % (usable - 4));
  const local = size <= most ? size : spilt <= most ? spilt : least;
  if (rowid.next + local > usable) throw new RangeError('a row beyond its page');
  const parts = [page.subarray(rowid.next, rowid.next + local)];
  let left = size - local;
  let next = left > 0 ? page.readUInt32BE(rowid.next + local) : 0;
  while (left > 0) {
    const more = pageOf(next);
    if (next === 0 || more.length < usable) throw new RangeError('a chain of pages that ends');
    const part = more.subarray(4, Math.min(4 + left, usable));
    parts.push(part);
    left -= part.length;
    next = more.readUInt32BE(0);
  }
  return { rowid: rowid.value, cells: cellsIn(Buffer.concat(parts)) };
}

function cellsIn(payload: Buffer): Cell[] {
  const head = varint(payload, 0);
  const cells: Cell[] = [];
  let body = head.value;
  for (let at = head.next; at < head.value; ) {
    const type = varint(payload, at);
    at = type.next;
    const length = lengthOf(type.value);
    if (body + length > payload.length) throw new RangeError('a value beyond its row');
    cells.push(decoded(type.value, payload.subarray(body, body + length)));
    body += length;
  }
  return cells;
}

const INTEGER_BYTES = [0, 1, 2, 3, 4, 6, 8];
const lengthOf = (type: number): number =>
  type >= 12 ? Math.floor((type - 12) / 2) : type === 7 ? 8 : (INTEGER_BYTES[type] ?? 0);

function decoded(type: number, bytes: Buffer): Cell {
  if (type === 0) return null;
  if (type <= 4) return bytes.readIntBE(0, bytes.length);
  if (type === 5) return bytes.readIntBE(0, 6);
  if (type === 6) return Number(bytes.readBigInt64BE());
  if (type === 7) return bytes.readDoubleBE();
  if (type === 8 || type === 9) return type - 8;
  if (type < 12) throw new RangeError('a type SQLite does not write');
  return type % 2 === 1 ? bytes.toString() : Uint8Array.from(bytes);
}

/** SQLite's own: seven bits a byte, the ninth byte whole. Values beyond 2^53 do not occur in our files. */
function varint(bytes: Buffer, start: number): { value: number; next: number } {
  let value = 0;
  for (let index = 0; index < 9; index++) {
    const byte = bytes[start + index];
    if (byte === undefined) throw new RangeError('a number beyond its page');
    if (index === 8) return { value: value * 256 + byte, next: start + 9 };
    value = value * 128 + (byte & 0x7f);
    if (byte < 0x80) return { value, next: start + index + 1 };
  }
  return { value, next: start + 9 };
}
