import { expect, test } from 'vitest';
import { delayBounds, watchLoopDelay } from './loop-delay.ts';

test('a main thread that is held up for a tenth of a second is late by that much, once', async () => {
  const delay = watchLoopDelay();
  const turns = async (count: number) => {
    for (const before = delay.buckets().at(-1) ?? 0; (delay.buckets().at(-1) ?? 0) < before + count; )
      await new Promise((resolve) => setTimeout(resolve, 5));
  };
  await turns(3);
  const place = delayBounds.indexOf(0.05);
  const late = () => (delay.buckets().at(-1) ?? 0) - (delay.buckets()[place] ?? 0);
  const before = late();
  const sum = delay.sum();
  for (const end = performance.now() + 100; performance.now() < end; );
  await turns(3);
  delay.close();
  expect(late()).toBe(before + 1);
  expect(delay.sum() - sum).toBeGreaterThanOrEqual(0.09);
  expect(delay.buckets()).toEqual(delay.buckets().toSorted((a, b) => a - b));
});
