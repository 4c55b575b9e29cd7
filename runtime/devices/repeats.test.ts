import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type ManualClock, manualClock } from '../../test/manual-clock.ts';
import { Journal } from '../journal/journal.ts';
import { silentLog } from '../log.ts';
import { createRepeats, schema } from './repeats.ts';

const MINUTE = 60_000;
let directory: string;
let clock: ManualClock;
let journal: Journal;
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'gh-repeats-'));
  clock = manualClock();
  journal = await Journal.open({ directory, clock, log: silentLog, schema: [schema] });
});
afterEach(async () => {
  await journal[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true, force: true });
});
const camera = () => createRepeats(journal, clock, 'camera');

describe('sent again', () => {
  test('a key counts once within ten minutes, and again after them', async () => {
    const repeats = camera();
    expect([repeats.isRepeat('a'), repeats.isRepeat('a'), repeats.isRepeat('b')]).toEqual([false, true, false]);
    await clock.advance(11 * MINUTE);
    expect(repeats.isRepeat('a')).toBe(false);
  });

  test('R3 a restart between the commit and the answer: what the camera then repeats is known', async () => {
    const before = camera();
    before.isRepeat('a');
    await journal.commit({ writes: before.writes(['a']) });
    await clock.advance(5 * MINUTE);
    expect(camera().isRepeat('a')).toBe(true);
    expect(createRepeats(journal, clock, 'other').isRepeat('a')).toBe(false);
    await clock.advance(6 * MINUTE);
    expect(camera().isRepeat('a')).toBe(false);
  });

  test('what was not committed may come again', () => {
    const repeats = camera();
    repeats.isRepeat('a');
    repeats.forget('a');
    expect(repeats.isRepeat('a')).toBe(false);
  });
});

describe('sent late', () => {
  test('T7 a clock that is wrong is no delay; a message held back for a minute is', () => {
    const repeats = camera();
    const hourFast = clock.now() + 60 * MINUTE;
    expect([repeats.isLate(hourFast), repeats.isLate(hourFast - 2000), repeats.isLate(hourFast - MINUTE)]).toEqual([
      false,
      false,
      true,
    ]);
  });

  test('T1 a step of the gateway clock makes no message late', async () => {
    const repeats = camera();
    const device = clock.now();
    repeats.isLate(device);
    clock.step(60 * MINUTE);
    await clock.advance(1000);
    expect(repeats.isLate(device + 1000)).toBe(false);
    clock.step(-120 * MINUTE);
    expect([repeats.isLate(device + 1000), repeats.isLate(device - MINUTE)]).toEqual([false, true]);
  });

  test('what is usual is known again after a restart', async () => {
    const before = camera();
    before.isLate(clock.now() - 500);
    await journal.commit({ writes: before.writes([]) });
    expect(before.writes([])).toEqual([]);
    expect([camera().isLate(clock.now() - MINUTE), camera().isLate(clock.now() - 1000)]).toEqual([true, false]);
    expect(createRepeats(journal, clock, 'other').isLate(clock.now() - MINUTE)).toBe(false);
  });

  test('a clock that was set is believed after three messages of one delay; a backlog is not', async () => {
    const repeats = camera();
    repeats.isLate(clock.now());
    const backlog = [9, 7, 5, 3].map((minutes) => repeats.isLate(clock.now() - minutes * MINUTE));
    expect(backlog).toEqual([true, true, true, true]);
    const hourSlow = [];
    for (let n = 0; n < 4; n++) {
      await clock.advance(10_000);
      hourSlow.push(repeats.isLate(clock.now() - 60 * MINUTE));
    }
    expect(hourSlow).toEqual([true, true, false, false]);
  });
});
