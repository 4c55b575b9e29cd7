/**
 * Text search: which records of a block have two characters beside each other in one of their texts. What the index
 * finds is looked at again, so it may find too much, never too little.
 */
import { BLOCK, encodePlaces } from './postings.ts';

/** Records with more text than this are not indexed but always looked at. */
const MAX_INDEXED = 8192;
/** As are those of a block after so many characters: so that no block takes more memory than it should. */
const MOST_UNITS = 2_000_000;
/** The records that are always looked at. */
export const LONG = 0;

const gramOf = (first: number, second: number): number => (first << 16) | second;
/** Stands behind the last character of a text, so that a single character is always the first of a pair. */
const END = 0;

/** What is compared: without regard to upper and lower case. */
export const folded = (text: string): string => text.toLowerCase();

/** The texts among the values of a record's data: keys and numbers are not searched. */
function eachText(value: unknown, visit: (text: string) => void): void {
  if (typeof value === 'string') visit(value);
  else if (typeof value === 'object' && value !== null)
    for (const inner of Object.values(value)) eachText(inner, visit);
}

/** @param data JSON of the record @param wanted as {@link folded} made it */
export function hasText(data: string, wanted: string): boolean {
  let found = false;
  eachText(JSON.parse(data), (text) => {
    found ||= folded(text).includes(wanted);
  });
  return found;
}

/**
 * A pattern for `data LIKE ? ESCAPE '\\'` that everything with this text fits; undefined where LIKE knows less about upper
 * and lower case than we do.
 */
export function likePattern(wanted: string): string | undefined {
  if (/[^\0-\x7f]/.test(wanted) && wanted.toUpperCase() !== wanted.replaceAll(/[a-z]/g, (c) => c.toUpperCase())) {
    return undefined;
  }
  return `%${JSON.stringify(wanted)
    .slice(1, -1)
    .replaceAll(/[\\%_]/g, '\\$&')}%`;
}

/** Collects the pairs of a block's records. */
export function createGrams() {
  const found = new Map<number, number[]>();
  let units = 0;
  const add = (gram: number, place: number) => {
    const places = found.get(gram);
    if (!places) found.set(gram, [place]);
    else if (places[places.length - 1] !== place) places.push(place);
  };
  return {
    /** In the order of positions. @param data JSON of the record */
    add(position: number, data: string): void {
      const place = position % BLOCK;
      units += data.length;
      if (data.length > MAX_INDEXED || units > MOST_UNITS) {
        add(LONG, place);
        return;
      }
      eachText(JSON.parse(data), (text) => {
        const plain = folded(text);
        for (let at = 0; at < plain.length; at++) {
          add(gramOf(plain.charCodeAt(at), at + 1 < plain.length ? plain.charCodeAt(at + 1) : END), place);
        }
      });
    },
    encoded: (): (readonly [number, Uint8Array])[] =>
      [...found].sort(([a], [b]) => a - b).map(([gram, places]) => [gram, encodePlaces(places)] as const),
  };
}

/** A record with this text has each of `pairs`, or one of `range` (both ends included). */
export interface Grams {
  readonly pairs: readonly number[];
  readonly range: readonly [number, number] | undefined;
}

export function gramsFor(wanted: string): Grams {
  const units = Array.from({ length: wanted.length }, (_, at) => wanted.charCodeAt(at));
  const [only = 0] = units;
  if (units.length < 2) return { pairs: [], range: [gramOf(only, 0), gramOf(only, 0xffff)] };
  const pairs = new Set(units.slice(1).map((unit, at) => gramOf(units[at] ?? 0, unit)));
  return { pairs: [...pairs], range: undefined };
}
