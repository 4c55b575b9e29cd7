import { describe, expect, test } from 'vitest';
import { instantOf, isTimeZone, wallTime } from './site-time.ts';

const SHANGHAI = 'Asia/Shanghai';
const utc = (text: string) => Date.parse(text);

describe('wall time', () => {
  test('a Monday just after midnight in Shanghai is still Sunday in UTC', () => {
    expect(wallTime(utc('2026-03-01T16:00:00Z'), SHANGHAI)).toMatchObject({
      date: '2026-03-02',
      time: '00:00',
      day: 1,
      minute: 0,
    });
    expect(wallTime(utc('2026-03-01T15:59:59.999Z'), SHANGHAI)).toMatchObject({
      date: '2026-03-01',
      time: '23:59',
      day: 7,
      minute: 1439,
    });
  });

  test('agrees with a plain +08:00 computation at every quarter hour of three years', () => {
    for (let at = utc('2024-01-01T00:00:00Z'); at < utc('2027-01-01T00:00:00Z'); at += 15 * 60_000 * 37) {
      const local = new Date(at + 8 * 3600_000);
      expect(wallTime(at, SHANGHAI)).toEqual({
        date: local.toISOString().slice(0, 10),
        time: local.toISOString().slice(11, 16),
        day: ((local.getUTCDay() + 6) % 7) + 1,
        minute: local.getUTCHours() * 60 + local.getUTCMinutes(),
        dayNumber: Math.floor(local.getTime() / 86_400_000),
      });
    }
  });

  test('before 1970 and in zones west of Greenwich', () => {
    expect(wallTime(utc('1969-12-31T12:00:00Z'), 'America/New_York')).toMatchObject({
      date: '1969-12-31',
      time: '07:00',
      day: 3,
      dayNumber: -1,
    });
  });
});

describe('instants', () => {
  test.each([
    ['2026-05-01T08:00', '2026-05-01T00:00:00Z'],
    ['2026-05-01 08:00:30', '2026-05-01T00:00:30Z'],
    ['2026-05-01T08:00Z', '2026-05-01T08:00:00Z'],
    ['2026-05-01T08:00:00.123+02:00', '2026-05-01T06:00:00Z'],
    ['2026-05-01', '2026-04-30T16:00:00Z'],
  ])('%s is %s', (text, expected) => expect(instantOf(text, SHANGHAI)).toBe(utc(expected)));

  test('a date alone as an end includes its day', () => {
    expect(instantOf('2026-05-01', SHANGHAI, 'end')).toBe(utc('2026-05-01T16:00:00Z'));
    expect(instantOf('2026-12-31', SHANGHAI, 'end')).toBe(utc('2026-12-31T16:00:00Z'));
    expect(instantOf('2026-05-01T08:00', SHANGHAI, 'end')).toBe(utc('2026-05-01T00:00:00Z'));
  });

  test.each([
    '2026-02-30',
    '2026-13-01',
    '2026-05-01T25:00',
    '2026-05-01T08:60',
    '01.05.2026',
    '',
    '2026-05',
    '20260501',
    'x'.repeat(10_000),
  ])('%j is none', (text) => expect(instantOf(text, SHANGHAI)).toBeUndefined());

  test.each([SHANGHAI, 'Europe/Berlin', 'America/New_York', 'Asia/Kathmandu', 'Australia/Lord_Howe', 'UTC'])(
    'in %s reading the wall clock and setting it are inverse, through every change of the clocks',
    (zone) => {
      for (let at = utc('2026-01-01T00:00:00Z'); at < utc('2027-01-01T00:00:00Z'); at += 37 * 60_000) {
        const { date, time } = wallTime(at, zone);
        const back = instantOf(`${date}T${time}`, zone) ?? 0;
        const again = wallTime(back, zone);
        expect(`${again.date} ${again.time}`).toBe(`${date} ${time}`);
        expect(Math.abs(back - Math.floor(at / 60_000) * 60_000)).toBeLessThanOrEqual(3600_000);
      }
    },
  );

  test('knows time zones', () => {
    expect(isTimeZone(SHANGHAI)).toBe(true);
    expect(isTimeZone('Asia/Shanghi')).toBe(false);
    expect(isTimeZone('')).toBe(false);
  });
});
