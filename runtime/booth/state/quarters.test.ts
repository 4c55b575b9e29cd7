import { expect, test } from 'vitest';
import { quarters } from './quarters.ts';

test('the next full quarter-hours within the longest hold, not one that is nearly here', () => {
  const at = (time: string) => Date.parse(`2026-08-01T${time}:00Z`);
  expect(quarters(at('14:01'), 1_800_000)).toEqual([at('14:15'), at('14:30')]);
  expect(quarters(at('14:14'), 1_800_000)).toEqual([at('14:30')]);
  expect(quarters(at('14:15'), 1_800_000)).toEqual([at('14:30'), at('14:45')]);
});
