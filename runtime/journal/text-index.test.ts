import Database from 'better-sqlite3';
import { describe, expect, test } from 'vitest';
import { addPlaces, noBits, placesOf } from './postings.ts';
import { createGrams, folded, gramsFor, hasText, LONG, likePattern } from './text-index.ts';

const records = [
  { plate: '粤B12345', trigger: 'video' },
  { plate: '粤bd1234', owner: '李四' },
  { note: 'A "quoted" \\ path\nline two', deep: [{ er: ['Straße', '100%', 'a_b'] }] },
  'plate',
  { plate: 12345 },
  { emoji: '🚗car', end: '李' },
  { long: `${'x'.repeat(9000)}needle` },
  null,
  { odd: '\u0000\u0000', lone: '\ud800' },
];

/** Records that the index names for a text. */
function named(text: string): number[] {
  const grams = createGrams();
  records.forEach((data, place) => {
    grams.add(place, JSON.stringify(data));
  });
  const stored = grams.encoded();
  const { pairs, range } = gramsFor(folded(text));
  const wanted = range ? [range] : pairs.map((pair) => [pair, pair] as const);
  const sets = wanted.map(([first, last]) => {
    const bits = noBits();
    for (const [gram, places] of stored) {
      if ((gram >= first && gram <= last) || gram === LONG) addPlaces(bits, places);
    }
    return new Set(placesOf(bits));
  });
  return records.map((_, place) => place).filter((place) => sets.every((set) => set.has(place)));
}
const holding = (text: string) =>
  records.flatMap((data, place) => (hasText(JSON.stringify(data), folded(text)) ? [place] : []));

describe.each([
  ['12345', [0]],
  ['粤B', [0, 1]],
  ['B1', [0]],
  ['bD12', [1]],
  ['李', [1, 5]],
  ['李四', [1]],
  ['plate', [3]],
  ['"quoted" \\', [2]],
  ['path\nline', [2]],
  ['STRASSE', []],
  ['straße', [2]],
  ['0%', [2]],
  ['A_B', [2]],
  ['%', [2]],
  ['🚗', [5]],
  ['🚗C', [5]],
  ['needle', [6]],
  ['video ', []],
  ['o', [0, 2]],
  ['\u0000', [8]],
  ['\ud800', [8]],
])('%j', (text, found) => {
  test('is found in the texts, not in keys and numbers', () => {
    expect(holding(text)).toEqual(found);
  });
  test('the index names every record that has it', () => {
    expect(named(text)).toEqual(expect.arrayContaining(found));
  });
  test('and so does the pattern, where there is one', () => {
    const pattern = likePattern(folded(text));
    const db = new Database(':memory:');
    const like = db.prepare<[string, string], number>(`SELECT ? LIKE ? ESCAPE '\\'`).pluck();
    for (const place of found) {
      expect(pattern === undefined || like.get(JSON.stringify(records[place]), pattern) === 1).toBe(true);
    }
    db.close();
  });
});

test('what is named beyond that is little: pairs of the text, and the long and the odd ones in any case', () => {
  expect(named('12')).toEqual([0, 1, 6, 8]);
  expect(named('45')).toEqual([0, 6, 8]);
  expect(named('四李')).toEqual([6, 8]);
});
