import { expect, test } from 'vitest';
import { manualClock } from '../test/manual-clock.ts';
import { recordSteps, watchClock } from './clock-quality.ts';
import type { Draft } from './contracts/record.ts';
import { silentLog } from './log.ts';

test('T4 a step of the wall clock is told once, with its size; slow drift is not', async () => {
  const clock = manualClock();
  const steps: number[] = [];
  const watched = watchClock(clock, () => true);
  watched.onStep((delta) => steps.push(delta));
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
  const watched = watchClock(clock, () => false);
  expect(watched.quality()).toBe('unsynced');
  clock.step(2 * 3600_000);
  await clock.advance(2000);
  expect(watched.quality()).toBe('stepped');
  await clock.advance(3600_000);
  expect(watched.quality()).toBe('unsynced');
  watched.stop();
});

test('T4 a clock that is set while the gateway starts is told as soon as there is a journal', async () => {
  const clock = manualClock();
  const watched = watchClock(clock, () => true);
  clock.step(-60_000);
  await clock.advance(3000);
  const records: Draft[] = [];
  const journal = {
    append: async (...drafts: Draft[]) => {
      records.push(...drafts);
      return [];
    },
  };
  const stop = recordSteps(watched, { journal, clock, log: silentLog });
  clock.step(5000);
  await clock.advance(1000);
  expect(records.map(({ name, data }) => [name, data])).toEqual([
    ['clock.stepped', { delta: -60_000 }],
    ['clock.stepped', { delta: 5000 }],
  ]);
  stop();
  watched.stop();
});

test('T4 a step that the disk does not take is told when it does, and ends nothing meanwhile', async () => {
  const clock = manualClock();
  const watched = watchClock(clock, () => true);
  const records: Draft[] = [];
  let full = true;
  const journal = {
    append: async (...drafts: Draft[]) => {
      if (full) throw new Error('no space left');
      records.push(...drafts);
      return [];
    },
  };
  const stop = recordSteps(watched, { journal, clock, log: silentLog });
  clock.step(60_000);
  await clock.advance(5000);
  expect(records).toEqual([]);
  full = false;
  await clock.advance(2000);
  expect(records).toMatchObject([{ name: 'clock.stepped', data: { delta: 60_000 } }]);
  stop();
  watched.stop();
});
