import { randomFillSync } from 'node:crypto';

const ID_BYTES = 16;
const pool = Buffer.alloc(ID_BYTES * 256);
let used = pool.length;
/** A clock set back by more than this is followed; a smaller wobble keeps ids in order. */
const STEPPED_BACK_MS = 1000;
let lastMs = 0;
let counter = 0;

const text = Buffer.from('00000000-0000-7000-8000-000000000000');
const hexDigits = Buffer.from('0123456789abcdef');
/** Where the two digits of each byte stand in the text. */
const places = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34];

function write(index: number, byte: number): void {
  const place = places[index] ?? 0;
  text[place] = hexDigits[byte >> 4] ?? 0;
  text[place + 1] = hexDigits[byte & 0xf] ?? 0;
}

function writeTime(ms: number): void {
  const [high, low] = [Math.floor(ms / 2 ** 32), ms >>> 0];
  write(0, (high >> 8) & 0xff);
  write(1, high & 0xff);
  for (let index = 2; index < 6; index++) write(index, (low >>> (8 * (5 - index))) & 0xff);
}

/**
 * UUIDv7 (RFC 9562 5.7): 48 bits of Unix ms, then a 12-bit counter so that ids of one process and ms sort in the order
 * they were made, then random bits.
 */
export function uuidv7(now: number): string {
  if (used === pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  const at = used;
  used += ID_BYTES;
  if (now > lastMs || lastMs - now > STEPPED_BACK_MS) {
    lastMs = now;
    counter = pool.readUInt16BE(at + 6) & 0x7ff;
    writeTime(lastMs);
  } else if (++counter > 0xfff) {
    lastMs++;
    counter = 0;
    writeTime(lastMs);
  }
  write(6, 0x70 | (counter >> 8));
  write(7, counter & 0xff);
  write(8, ((pool[at + 8] ?? 0) & 0x3f) | 0x80);
  for (let index = 9; index < ID_BYTES; index++) write(index, pool[at + index] ?? 0);
  return text.toString('latin1');
}

/** The ms a UUIDv7 carries; NaN for anything that is not one. */
export const timeOfUuid = (id: string): number =>
  /^[0-9a-f]{8}-[0-9a-f]{4}-7/.test(id) ? Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16) : Number.NaN;
