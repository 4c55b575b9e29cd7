/**
 * The search index beside the records: for every block of positions, which of them a device, scenario, name, kind or lane
 * has. A row of `search_block` says that the block's postings are complete and when its records were received; a block without
 * one is searched record by record, so the index may lag behind and may be thrown away at any time.
 */
import type { SqlValue } from './writer.ts';

/** Positions of one block; an epoch begins a new block, as 2^40 is a multiple of it. */
export const BLOCK = 8192;
export const blockOf = (position: number): number => Math.floor(position / BLOCK);
const firstOf = (block: number): number => block * BLOCK;
export const lastOf = (block: number): number => firstOf(block) + BLOCK - 1;

/**
 * Blocks whose postings of one term lie beside each other. More of them make a search read fewer pages and a block touch
 * more pages when it is written.
 */
const STRETCH = 8;
export const stretchOf = (block: number): number => Math.floor(block / STRETCH);

/** Keys begin with the stretch, so that rows go near the right edge together and leave together. */
export const postingsSchema = `
CREATE TABLE IF NOT EXISTS search_block (
  block INTEGER PRIMARY KEY,
  low INTEGER NOT NULL,
  high INTEGER NOT NULL,
  grams INTEGER NOT NULL,
  stale INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS search_term (
  stretch INTEGER NOT NULL,
  term TEXT NOT NULL,
  block INTEGER NOT NULL,
  places BLOB NOT NULL,
  PRIMARY KEY (stretch, term, block)
) WITHOUT ROWID, STRICT;
CREATE TABLE IF NOT EXISTS search_gram (
  stretch INTEGER NOT NULL,
  gram INTEGER NOT NULL,
  block INTEGER NOT NULL,
  places BLOB NOT NULL,
  PRIMARY KEY (stretch, gram, block)
) WITHOUT ROWID, STRICT;
`;

export interface BlockRow {
  readonly block: number;
  /** Smallest and largest time of receipt, ms UTC. */
  readonly low: number;
  readonly high: number;
  /** 0 until the texts are indexed too. */
  readonly grams: number;
}
/** Values of `grams`: whether a record of the block has more text than is indexed. */
export const GRAMS = 1;
export const GRAMS_AND_LONG = 2;

export interface Write {
  readonly sql: string;
  readonly params: readonly SqlValue[];
}

/** To be committed with, or after, the removal of records in this range of positions: their postings go away later. */
export const markRemoved = (first: number, last: number): Write => ({
  sql: 'UPDATE search_block SET stale = 1 WHERE block BETWEEN ? AND ?',
  params: [blockOf(first), blockOf(last)],
});

/** A set of places of one block, one bit each. */
export type Bits = Uint32Array;
const WORDS = BLOCK / 32;
const BITMAP_BYTES = BLOCK / 8;
export const noBits = (): Bits => new Uint32Array(WORDS);

/** @param places ascending, below BLOCK @returns steps as varints, or a bitmap (always of 1024 bytes) when that is shorter. */
export function encodePlaces(places: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(Math.min(places.length * 2, BITMAP_BYTES));
  let at = 0;
  let before = -1;
  for (const place of places) {
    const step = place - before - 1;
    before = place;
    const size = step < 128 ? 1 : 2;
    if (at + size >= BITMAP_BYTES) return bitmapOf(places);
    if (size === 2) bytes[at++] = 128 | (step & 127);
    bytes[at++] = size === 1 ? step : step >> 7;
  }
  return bytes.slice(0, at);
}

function bitmapOf(places: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(BITMAP_BYTES);
  for (const place of places) bytes[place >> 3] = (bytes[place >> 3] ?? 0) | (1 << (place & 7));
  return bytes;
}

/** Adds the encoded places to the set. */
export function addPlaces(bits: Bits, encoded: Uint8Array): void {
  if (encoded.length === BITMAP_BYTES) {
    for (let word = 0, byte = 0; word < WORDS; word++, byte += 4) {
      bits[word] =
        (bits[word] ?? 0) |
        (encoded[byte] ?? 0) |
        ((encoded[byte + 1] ?? 0) << 8) |
        ((encoded[byte + 2] ?? 0) << 16) |
        ((encoded[byte + 3] ?? 0) << 24);
    }
    return;
  }
  let place = -1;
  for (let at = 0; at < encoded.length; at++) {
    let step = encoded[at] ?? 0;
    if (step >= 128) step = (step & 127) | ((encoded[++at] ?? 0) << 7);
    place += step + 1;
    bits[place >> 5] = (bits[place >> 5] ?? 0) | (1 << (place & 31));
  }
}

/** Keeps what is in both. @returns how many are left */
export function keepCommon(bits: Bits, other: Bits): number {
  let count = 0;
  for (let word = 0; word < WORDS; word++) {
    const both = (bits[word] ?? 0) & (other[word] ?? 0);
    bits[word] = both;
    if (both !== 0) count += countOf(both);
  }
  return count;
}

export function countBits(bits: Bits): number {
  let count = 0;
  for (const word of bits) if (word !== 0) count += countOf(word);
  return count;
}

function countOf(word: number): number {
  const pairs = word - ((word >>> 1) & 0x55555555);
  const fours = (pairs & 0x33333333) + ((pairs >>> 2) & 0x33333333);
  return (((fours + (fours >>> 4)) & 0x0f0f0f0f) * 0x01010101) >>> 24;
}

/** The places of the set, ascending. */
export function placesOf(bits: Bits): number[] {
  const places: number[] = [];
  bits.forEach((word, index) => {
    for (let left = word; left !== 0; left &= left - 1) places.push(index * 32 + 31 - Math.clz32(left & -left));
  });
  return places;
}

/** The columns that are indexed, as their place among the enumerations or as text. */
export const TERM_COLUMNS = ['device', 'name', 'scenario', 'kind', 'lane'] as const;
export type TermColumn = (typeof TERM_COLUMNS)[number];
export const termOf = (column: TermColumn, value: string | number): string => `${column[0]}:${value}`;

/** pos, received, then the indexed columns in their order. */
export type TermRow = readonly [number, number, string, string, string, number, number];
export const TERM_ROWS = `SELECT pos, received, ${TERM_COLUMNS.join(', ')} FROM record WHERE pos BETWEEN ? AND ? ORDER BY pos`;

export interface BlockTerms {
  readonly low: number;
  readonly high: number;
  readonly terms: readonly (readonly [string, Uint8Array])[];
}

/** @param rows all records of one block, by position */
export function termsOf(rows: readonly TermRow[]): BlockTerms {
  const columns = TERM_COLUMNS.map(() => new Map<string | number, number[]>());
  let low = Number.MAX_SAFE_INTEGER;
  let high = 0;
  for (const row of rows) {
    const place = row[0] % BLOCK;
    low = Math.min(low, row[1]);
    high = Math.max(high, row[1]);
    columns.forEach((found, index) => {
      const value = row[index + 2] ?? '';
      const places = found.get(value);
      if (places) places.push(place);
      else found.set(value, [place]);
    });
  }
  const terms = columns.flatMap((found, index) =>
    [...found].map(
      ([value, places]) => [termOf(TERM_COLUMNS[index] ?? 'device', value), encodePlaces(places)] as const,
    ),
  );
  return { low, high, terms: terms.sort(([a], [b]) => (a < b ? -1 : 1)) };
}
