import { expect, test } from 'vitest';
import { manualClock } from '../test/manual-clock.ts';
import { watchClock } from './clock-quality.ts';

test('T4 a step of the wall clock is told once, with its size; slow drift is not', async () => {
  const clock = manualClock();
  const steps: number[] = [];
  const watched = watchClock(
    clock,
    (delta) => steps.push(delta),
    () => true,
  );
  await clock.advance(5000);
  clock.step(1500);
  await clock.advance(5000);
  clock.step(-60_000);
  await clock.advance(5000);
  expect(steps).toEqual([-60_000]);
  expect(watched.quality()).toBe('synced');
  watched.stop();
});

test('T5 after a step of more than an hour the clock is doubtful for an hour', async () => {
  const clock = manualClock();
  const watched = watchClock(
    clock,
    () => {},
    () => false,
  );
  expect(watched.quality()).toBe('unsynced');
  clock.step(2 * 3600_000);
  await clock.advance(2000);
  expect(watched.quality()).toBe('stepped');
  await clock.advance(3600_000);
  expect(watched.quality()).toBe('unsynced');
  watched.stop();
});
