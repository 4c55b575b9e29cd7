import { expect, test } from 'vitest';
import {
  addPlaces,
  BLOCK,
  blockOf,
  countBits,
  encodePlaces,
  keepCommon,
  lastOf,
  markRemoved,
  noBits,
  placesOf,
  termsOf,
} from './postings.ts';
import { positionNumber } from './schema.ts';

const every = (step: number, from = 0) =>
  Array.from({ length: Math.ceil((BLOCK - from) / step) }, (_, n) => from + n * step);
const bitsOf = (places: readonly number[]) => {
  const bits = noBits();
  addPlaces(bits, encodePlaces(places));
  return bits;
};

test.each([
  ['none', []],
  ['the first', [0]],
  ['the last', [BLOCK - 1]],
  ['both ends', [0, BLOCK - 1]],
  ['all', every(1)],
  ['every second', every(2, 1)],
  ['every seventh', every(7)],
  ['every eighth: as many bytes as a bitmap', every(8)],
  ['every ninth', every(9)],
  ['every 130th: two bytes each', every(130)],
  ['every 31st', every(31, 30)],
  ['every 32nd', every(32, 31)],
])('places are the same after they were stored: %s', (_name, places) => {
  expect(encodePlaces(places).length).toBeLessThanOrEqual(1024);
  const bits = bitsOf(places);
  expect(placesOf(bits)).toEqual(places);
  expect(countBits(bits)).toBe(places.length);
});

test('the common places of two sets', () => {
  const bits = bitsOf(every(6));
  expect(keepCommon(bits, bitsOf(every(31)))).toBe(every(186).length);
  expect(placesOf(bits)).toEqual(every(186));
});

test('a union gathers', () => {
  const bits = bitsOf(every(64, 31));
  addPlaces(bits, encodePlaces(every(64, 63)));
  expect(placesOf(bits)).toEqual(every(32, 31));
});

test('an epoch begins a block of its own, and a block ends where the next begins', () => {
  for (const epoch of [1, 2, 8191]) {
    const first = positionNumber(epoch, 0);
    expect(blockOf(first)).toBe(blockOf(first - 1) + 1);
    expect(blockOf(lastOf(blockOf(first)))).toBe(blockOf(first));
    expect(blockOf(lastOf(blockOf(first)) + 1)).toBe(blockOf(first) + 1);
  }
});

test('the terms of a block, and when it was received, although the clock was set back', () => {
  const pos = positionNumber(3, 5 * BLOCK);
  const { low, high, terms } = termsOf([
    [pos + 1, 500, 'gate', 'passage', 'vehicle-gate', 1, 1],
    [pos + 2, 400, 'gate', 'barrierState', 'vehicle-gate', 0, 3],
    [pos + 9, 450, '', 'passage', 'vehicle-gate', 1, 1],
  ]);
  expect([low, high]).toEqual([400, 500]);
  expect(Object.fromEntries(terms.map(([term, places]) => [term, placesOf(setOf(places))]))).toEqual({
    'd:': [9],
    'd:gate': [1, 2],
    'k:0': [2],
    'k:1': [1, 9],
    'l:1': [1, 9],
    'l:3': [2],
    'n:barrierState': [2],
    'n:passage': [1, 9],
    's:vehicle-gate': [1, 2, 9],
  });
});
const setOf = (places: Uint8Array) => {
  const bits = noBits();
  addPlaces(bits, places);
  return bits;
};

test('a removal marks every block it touches', () => {
  const first = positionNumber(1, BLOCK - 1);
  expect(markRemoved(first, first + 1).params).toEqual([blockOf(first), blockOf(first) + 1]);
});
