import { expect, test } from 'vitest';
import { manualClock } from '../test/manual-clock.ts';
import { watchMemory } from './memory.ts';

test('V4 the core: an alarm beyond 512 MiB for half a minute, over when it is over, and one order to start afresh at 1 GiB', async () => {
  const clock = manualClock();
  const told: string[] = [];
  let megabytes = 200;
  const stop = watchMemory({
    clock,
    rss: () => megabytes * 2 ** 20,
    onHigh: (high) => told.push(high ? 'high' : 'well'),
    onFull: () => told.push('full'),
  });
  megabytes = 600;
  await clock.advance(20_000);
  megabytes = 200; // an export
  await clock.advance(10_000);
  expect(told).toEqual([]);
  megabytes = 600;
  await clock.advance(30_000);
  expect(told).toEqual(['high']);
  megabytes = 1100;
  await clock.advance(60_000);
  expect(told).toEqual(['high', 'full']);
  megabytes = 200;
  await clock.advance(30_000);
  expect(told).toEqual(['high', 'full', 'well']);
  stop();
  megabytes = 600;
  await clock.advance(60_000);
  expect(told).toHaveLength(3);
});
