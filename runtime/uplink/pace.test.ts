import { expect, test } from 'vitest';
import { createPace } from './pace.ts';

test('a fast line soon gets the whole window, a slow one ever less, and neither ever nothing', () => {
  const pace = createPace(120 * 1024, 20);
  expect(pace.bytes).toBe(240 * 1024);
  for (let n = 0; n < 20; n++) pace.acked(5);
  expect(pace.bytes).toBe(20 * 120 * 1024);
  expect(pace.batch).toBe(120 * 1024);
  for (let n = 0; n < 30; n++) pace.acked(3000);
  expect([pace.bytes, pace.batch]).toEqual([4096, 4096]);
  pace.acked(600); // neither quick nor slow: stays
  expect(pace.bytes).toBe(4096);
});

test('a batch that is never acknowledged makes the next ones as small as can be', () => {
  const pace = createPace(120 * 1024, 20);
  pace.lost();
  expect(pace.batch).toBe(4096);
});
