import { expect, test } from 'vitest';
import { patterns } from '../sound-patterns.ts';
import { type AlarmBook, alarmsFrom } from './alarms.ts';
import { alarm } from './fixture.ts';
import { silence, soundDue, soundingFrom } from './sounds.ts';

const book = (...alarms: ReturnType<typeof alarm>[]) => alarmsFrom(alarms, '1:0');
const empty = book();

/** When each sound is played, stepping 250 ms from 0 to `until`. */
function played(alarms: AlarmBook, until: number, start = soundingFrom(empty), flood = false): [number, string][] {
  let sounding = start;
  const out: [number, string][] = [];
  for (let mono = 0; mono <= until; mono += 250) {
    const step = soundDue(sounding, alarms, mono, flood);
    sounding = step.sounding;
    if (step.play) out.push([mono, step.play]);
  }
  return out;
}

test('P1 every 5 s until answered', () => {
  expect(played(book(alarm()), 11_000)).toEqual([
    [0, 'p1'],
    [5000, 'p1'],
    [10_000, 'p1'],
  ]);
  expect(played(book(alarm({ process: 'ACTIVE_ACK' })), 11_000)).toEqual([]);
});

test('P2 every 15 s, at most ten minutes', () => {
  const times = played(book(alarm({ priority: 2 })), 700_000).map(([at]) => at);
  expect(times.slice(0, 3)).toEqual([0, 15_000, 30_000]);
  expect(times.at(-1)).toBe(585_000);
});

test('P3 once, P4 never; what was there at log-in is not news', () => {
  const p3 = book(alarm({ id: 'x', priority: 3 }), alarm({ id: 'y', priority: 4 }));
  expect(played(p3, 60_000)).toEqual([[0, 'p3']]);
  expect(played(p3, 60_000, soundingFrom(p3))).toEqual([]);
});

test('in a flood P3 is silent, and each of three P1 at once is announced by itself', () => {
  expect(played(book(alarm({ priority: 3 })), 10_000, soundingFrom(empty), true)).toEqual([]);
  const three = book(alarm({ id: 'a' }), alarm({ id: 'b' }), alarm({ id: 'c' }));
  expect(played(three, 9000, soundingFrom(empty), true).map(([at]) => at)).toEqual([0, 1500, 3000, 8000]);
});

test('silence lasts a minute for what sounds now; a new P1 breaks it', () => {
  const one = book(alarm({ id: 'a' }));
  const quiet = silence(soundingFrom(one), one, 0, 60_000);
  expect(played(one, 61_000, quiet)[0]).toEqual([60_000, 'p1']);
  const two = book(alarm({ id: 'a' }), alarm({ id: 'b' }));
  expect(played(two, 2000, quiet)[0]).toEqual([0, 'p1']);
});

test('the pulse pattern carries the priority: 5+5 rapid, 3, a soft double tone', () => {
  expect(patterns.p1).toHaveLength(10);
  const gaps = patterns.p1.slice(1).map((pulse, index) => pulse.at - (patterns.p1[index]?.at ?? 0));
  expect(Math.max(...gaps)).toBe(gaps[4]);
  expect(patterns.p2).toHaveLength(3);
  expect(patterns.p3).toHaveLength(2);
  const [high, low] = patterns.lost;
  expect(high && low && high.hz > low.hz).toBe(true);
});
