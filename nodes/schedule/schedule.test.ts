/** Times of a schedule: sun, calendar, date ranges, and a keeper that starts nothing twice or late. */
import { describe, expect, test } from 'vitest';
import { manualClock } from '../../test/manual-clock.ts';
import { createKeeper, type KeeperParts } from './keeper.ts';
import type { Reached } from './memory.ts';
import { sunTime } from './sun.ts';
import { type Due, duesBetween, isDaylight, isWorkday, nextDue, type Place, readEntries } from './times.ts';
import { dateOf, instantOf } from './wall-clock.ts';

const zone = 'Asia/Shanghai';
const shanghai = { latitude: 31.23, longitude: 121.47 };
const place: Place = {
  timeZone: zone,
  location: shanghai,
  special: new Map([
    ['2026-10-01', { off: true, name: '国庆节' }],
    ['2026-10-10', { off: false, name: '国庆节' }],
  ]),
  known: new Set([2026]),
};
const at = (text: string) => Date.parse(`${text}+08:00`);
const entriesOf = (...times: object[]) => readEntries(times).entries;
const within = (times: object[], from: string, to: string, where: Place = place) =>
  duesBetween(entriesOf(...times), at(from), at(to), where).map((due) =>
    new Date(due.at + 8 * 3_600_000).toISOString().slice(0, 16),
  );

describe('the sun', () => {
  // Published by observatories, rounded to the minute.
  test.each([
    ['Beijing', { latitude: 39.9042, longitude: 116.4074 }, '2026-06-21', '2026-06-20T20:46Z', '2026-06-21T11:46Z'],
    ['Shanghai', { latitude: 31.2304, longitude: 121.4737 }, '2026-12-22', '2026-12-21T22:48Z', '2026-12-22T08:56Z'],
    ['London', { latitude: 51.5074, longitude: -0.1278 }, '2026-06-21', '2026-06-21T03:43Z', '2026-06-21T20:21Z'],
  ])('rises and sets at %s within two minutes', (_city, where, date, rise, set) => {
    for (const [which, expected] of [
      ['sunrise', rise],
      ['sunset', set],
    ] as const) {
      const found = sunTime(which, date, where) ?? Number.NaN;
      expect(Math.abs(found - Date.parse(expected)), `${which} ${new Date(found).toISOString()}`).toBeLessThan(120_000);
    }
  });

  test('does not cross the horizon in the polar day', () => {
    const north = { latitude: 78, longitude: 15 };
    expect(sunTime('sunset', '2026-06-21', north)).toBeUndefined();
    const polar: Place = { timeZone: 'UTC', location: north, special: new Map(), known: new Set() };
    expect(isDaylight(Date.UTC(2026, 5, 21), polar)).toBe(true);
    expect(isDaylight(Date.UTC(2026, 11, 21), polar)).toBe(false);
  });

  test('is up at noon, down at midnight, and unknown where nobody said where the site lies', () => {
    expect(isDaylight(at('2026-11-21T12:00'), place)).toBe(true);
    expect(isDaylight(at('2026-11-21T23:59'), place)).toBe(false);
    expect(
      isDaylight(at('2026-11-21T12:00'), { timeZone: zone, special: new Map(), known: new Set() }),
    ).toBeUndefined();
  });
});

describe('times', () => {
  test('fall on the days of the calendar: a holiday Thursday rests, a worked Saturday works', () => {
    expect(isWorkday('2026-10-01', place)).toBe(false);
    expect(isWorkday('2026-10-10', place)).toBe(true);
    expect(isWorkday('2026-10-11', place)).toBe(false);
    const days = (kind: string) =>
      within([{ at: 'time', time: '08:00', days: kind }], '2026-09-30T00:00', '2026-10-12T00:00');
    expect(days('workdays')).toEqual(
      ['09-30', '10-02', '10-05', '10-06', '10-07', '10-08', '10-09', '10-10'].map((day) => `2026-${day}T08:00`),
    );
    expect(days('restdays')).toEqual(['10-01', '10-03', '10-04', '10-11'].map((day) => `2026-${day}T08:00`));
    expect(days('1,7')).toEqual(['10-04', '10-05', '10-11'].map((day) => `2026-${day}T08:00`));
  });

  test('follow the sun with an offset, and date ranges that run over new year', () => {
    expect(within([{ at: 'sunset', offset: 10 }], '2026-12-22T00:00', '2026-12-23T00:00')).toEqual([
      '2026-12-22T17:06',
    ]);
    const heating = [{ at: 'time', time: '06:00', from: '11-15', to: '03-15' }];
    expect(within(heating, '2026-11-13T00:00', '2026-11-17T00:00')).toEqual(['2026-11-15T06:00', '2026-11-16T06:00']);
    expect(within(heating, '2026-03-14T00:00', '2026-03-18T00:00')).toEqual(['2026-03-14T06:00', '2026-03-15T06:00']);
    const once = [{ at: 'time', time: '06:00', from: '2026-11-20', to: '2026-11-20' }];
    expect(within(once, '2026-11-01T00:00', '2027-12-01T00:00')).toEqual(['2026-11-20T06:00']);
  });

  test('are the clock on the wall, where a change of the clock skips or repeats an hour too', () => {
    const berlin: Place = { timeZone: 'Europe/Berlin', special: new Map(), known: new Set() };
    const entries = entriesOf({ at: 'time', time: '02:30' });
    const days = (from: string, to: string) => duesBetween(entries, Date.parse(from), Date.parse(to), berlin);
    for (const day of ['2026-03-29', '2026-10-25'])
      expect(days(`${day}T00:00:00Z`, `${day}T12:00:00Z`), day).toHaveLength(1);
    expect(dateOf(instantOf('2026-03-29', 150, 'Europe/Berlin'), 'Europe/Berlin')).toBe('2026-03-29');
  });

  test('that are none are counted, and never due', () => {
    const bad = [
      { at: 'time', time: '25:00' },
      { at: 'time', time: '8' },
      { at: 'sunset', days: '8' },
      { at: 'time', time: '08:00', from: 'May' },
      'x',
    ];
    expect(readEntries(bad)).toEqual({ entries: [], faulty: 5 });
    expect(readEntries(undefined)).toEqual({ entries: [], faulty: 0 });
  });

  test('the next one is found over months, and is none when there is none', () => {
    const entries = entriesOf({ at: 'time', time: '09:00', from: '05-01', to: '05-01' });
    expect(nextDue(entries, at('2026-05-01T09:00'), place)).toBe(at('2027-05-01T09:00'));
    expect(nextDue(entries, at('2026-05-01T08:59'), place)).toBe(at('2026-05-01T09:00'));
    expect(nextDue([], at('2026-05-01T08:59'), place)).toBeUndefined();
  });
});

/** A keeper on a clock moved by hand, with a gateway's memory of what was told. */
function rig(start: string, times: object[] = [{ at: 'time', time: '18:00', value: 'on' }]) {
  const clock = manualClock(at(start));
  const told = new Map<number, boolean>();
  const events: string[] = [];
  let reached: Reached | undefined;
  const world = { clock, told, events, away: false, reached: () => reached };
  const stamp = ({ at: due }: Due) => new Date(due + 8 * 3_600_000).toISOString().slice(5, 16);
  const parts = (plan = 'a'): KeeperParts => ({
    entries: entriesOf(...times),
    plan,
    graceMs: 30_000,
    clock,
    place: () => place,
    reached: () => reached,
    save: async (next) => {
      reached = next;
    },
    tell: async (due, missed) => {
      if (world.away) throw new Error('away');
      const before = told.get(due);
      if (before === undefined) told.set(due, missed);
      return { record: `r${due}`, missed: before ?? missed, first: before === undefined };
    },
    fire: (due) => events.push(`fire ${stamp(due)}`),
    missed: (due, because) => events.push(`${because} ${stamp(due)}`),
    failed: () => events.push('failed'),
    next: () => {},
  });
  return { ...world, world, start: (plan?: string) => createKeeper(parts(plan)) };
}

describe('a schedule', () => {
  test('fires once at its time, not at its start', async () => {
    const { clock, events, start } = rig('2026-11-21T12:00');
    start();
    await clock.advance(6 * 3_600_000 - 1000);
    expect(events).toEqual([]);
    await clock.advance(2000);
    expect(events).toEqual(['fire 11-21T18:00']);
    await clock.advance(24 * 3_600_000);
    expect(events).toEqual(['fire 11-21T18:00', 'fire 11-22T18:00']);
  });

  test('after an outage, what was missed leaves apart and starts nothing; a short restart is in time', async () => {
    const { clock, events, start } = rig('2026-11-21T12:00');
    const first = start();
    await clock.advance(1000);
    first.close();
    await clock.advance(2 * 86_400_000);
    start();
    await clock.advance(1000);
    expect(events).toEqual(['late 11-21T18:00', 'late 11-22T18:00']);
    await clock.advance(6 * 3_600_000);
    expect(events.at(-1)).toBe('fire 11-23T18:00');
  });

  test('a restart within the grace fires what is just due, and never what is on record already', async () => {
    const { clock, events, start } = rig('2026-11-21T17:59:50');
    const first = start();
    await clock.advance(1000);
    first.close();
    await clock.advance(20_000);
    start().close();
    await clock.advance(0);
    const second = start();
    await clock.advance(1000);
    expect(events).toEqual(['fire 11-21T18:00']);
    second.close();
    start();
    await clock.advance(60_000);
    expect(events).toEqual(['fire 11-21T18:00']);
  });

  test('a crash between the record and the message is told as uncertain, never fired again', async () => {
    const { clock, events, told, start } = rig('2026-11-21T17:00');
    const first = start();
    await clock.advance(1000);
    first.close();
    told.set(at('2026-11-21T18:00'), false);
    await clock.advance(3_605_000);
    start();
    await clock.advance(1000);
    expect(events).toEqual(['uncertain 11-21T18:00']);
  });

  test('a clock set back passes a time twice and fires it once; one set forward misses what it jumped over', async () => {
    const { clock, events, start } = rig('2026-11-21T17:59');
    start();
    await clock.advance(120_000);
    clock.step(-600_000);
    await clock.advance(1_200_000);
    expect(events).toEqual(['fire 11-21T18:00']);
    clock.step(86_400_000);
    await clock.advance(60_000);
    expect(events).toEqual(['fire 11-21T18:00', 'late 11-22T18:00']);
  });

  test('other times count from their deploy on', async () => {
    const { clock, events, start } = rig('2026-11-21T12:00');
    const first = start();
    await clock.advance(1000);
    first.close();
    await clock.advance(86_400_000);
    start('b');
    await clock.advance(1000);
    expect(events).toEqual([]);
  });

  test('what cannot be put on record starts nothing', async () => {
    const { clock, events, world, start } = rig('2026-11-21T17:59');
    start();
    world.away = true;
    await clock.advance(120_000);
    expect(events).toEqual(['failed', 'unrecorded 11-21T18:00']);
  });

  test('after weeks without power the last twenty times are told', async () => {
    const { clock, events, start } = rig('2026-11-01T00:00', [
      { at: 'time', time: '06:00' },
      { at: 'time', time: '07:00' },
      { at: 'time', time: '08:00' },
      { at: 'time', time: '09:00' },
    ]);
    const first = start();
    await clock.advance(1000);
    first.close();
    await clock.advance(20 * 86_400_000);
    start();
    await clock.advance(1000);
    expect(events).toHaveLength(20);
    expect(events.at(-1)).toBe('late 11-20T09:00');
  });
});
