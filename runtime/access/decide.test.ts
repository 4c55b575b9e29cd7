import { describe, expect, test } from 'vitest';
import { instantOf, wallTime } from '../devices/site-time.ts';
import { isWithin, judge, type Moment, type Pass, type Reason } from './decide.ts';
import { explainReason } from './explain.ts';

const ZONE = 'Asia/Shanghai';
const NOW = Date.parse('2026-03-04T10:00:00+08:00'); // a Wednesday
const HOUR = 3_600_000;
const moment = (at: number, more: Partial<Moment> = {}): Moment => ({
  at,
  timeZone: ZONE,
  zones: ['east-in', 'compound'],
  ...more,
});
const resident: Pass = { kind: 'resident' };
const everyDay = [1, 2, 3, 4, 5, 6, 7];

describe('who may pass', () => {
  const cases: [Pass | undefined, Reason][] = [
    [undefined, 'unknown'],
    [resident, 'resident'],
    [{ kind: 'visitor', validFrom: NOW - 1, validTo: NOW + 1 }, 'visitor'],
    [{ kind: 'staff', zones: ['compound'] }, 'staff'],
    [{ kind: 'credential', zones: ['west-in', 'east-in'] }, 'credential'],
    [{ kind: 'staff', zones: ['west-in'] }, 'wrong-gate'],
    [{ kind: 'visitor', validTo: NOW - HOUR, zones: ['west-in'] }, 'expired'],
    [{ kind: 'visitor', validFrom: NOW + HOUR }, 'not-yet-valid'],
    [{ kind: 'staff', schedule: { days: [4], from: '00:00', to: '24:00' } }, 'outside-schedule'],
    [{ kind: 'blocked' }, 'blocked'],
    [{ kind: 'blocked', zones: ['west-in'], schedule: { days: [1], from: '01:00', to: '02:00' } }, 'blocked'],
    [{ kind: 'blocked', validTo: NOW - HOUR }, 'unknown'],
    [{ kind: 'blocked', validFrom: NOW + HOUR }, 'unknown'],
  ];
  test.each(cases)('%j: %s', (pass, reason) => expect(judge(pass, moment(NOW))).toBe(reason));

  test('validity: its first millisecond counts, the one after its last does not', () => {
    for (const from of [NOW - 90 * 24 * HOUR, NOW - 1, NOW, NOW + 1]) {
      for (const length of [1, 2, 60_000, 24 * HOUR]) {
        const pass: Pass = { kind: 'visitor', validFrom: from, validTo: from + length };
        expect(judge(pass, moment(from - 1))).toBe('not-yet-valid');
        expect(judge(pass, moment(from))).toBe('visitor');
        expect(judge(pass, moment(from + length - 1))).toBe('visitor');
        expect(judge(pass, moment(from + length))).toBe('expired');
      }
    }
  });
});

describe('schedules', () => {
  const minuteText = (minute: number) =>
    `${String(Math.floor(minute / 60)).padStart(2, '0')}:${String(minute % 60).padStart(2, '0')}`;

  /** Walks back minute by minute to the last opening and asks whether a closing came since: another way to the answer. */
  function walked(days: readonly number[], from: number, to: number, day: number, minute: number): boolean {
    if (from === to) return days.includes(day);
    for (let back = 0; back < 1440; back++) {
      const at = ((((day - 1) * 1440 + minute - back) % 10_080) + 10_080) % 10_080;
      if (at % 1440 === from) return days.includes(Math.floor(at / 1440) + 1);
      if (at % 1440 === to % 1440) return false;
    }
    return false;
  }

  test('agrees with walking back through the week, for windows by day, over midnight and to its end', () => {
    const windows: [number, number][] = [
      [420, 1140],
      [1320, 360],
      [0, 1440],
      [0, 1],
      [1439, 1440],
      [1439, 0],
      [1439, 1],
      [600, 599],
      [600, 600],
      [720, 0],
    ];
    const weeks = [[1, 2, 3, 4, 5], [7], [6, 7, 1], everyDay];
    const monday = instantOf('2026-03-02', ZONE) ?? 0;
    for (const [from, to] of windows) {
      for (const days of weeks) {
        const schedule = { days, from: minuteText(from), to: minuteText(to) };
        for (let day = 1; day <= 7; day++) {
          for (const near of [from, to, 0, 720]) {
            for (const minute of [near - 1, near, near + 1].map((m) => (m + 1440) % 1440)) {
              const at = monday + ((day - 1) * 1440 + minute) * 60_000;
              const expected = walked(days, from, to, day, minute);
              const about = `${JSON.stringify(schedule)} on day ${day} at ${minuteText(minute)}`;
              expect(isWithin(schedule, { at, timeZone: ZONE }), about).toBe(expected);
              expect(isWithin(schedule, { at: at + 59_999, timeZone: ZONE }), about).toBe(expected);
            }
          }
        }
      }
    }
  });

  test('Friday night 22:00 to 06:00 ends on Saturday morning, and Saturday night is closed', () => {
    const schedule = { days: [5], from: '22:00', to: '06:00' };
    const at = (text: string) => isWithin(schedule, { at: instantOf(text, ZONE) ?? 0, timeZone: ZONE });
    expect([at('2026-03-06T21:59'), at('2026-03-06T22:00'), at('2026-03-07T05:59'), at('2026-03-07T06:00')]).toEqual([
      false,
      true,
      true,
      false,
    ]);
    expect([at('2026-03-06T05:59'), at('2026-03-07T22:00')]).toEqual([false, false]);
  });

  test('the hour is that of the site, whatever its zone and the season', () => {
    const schedule = { days: everyDay, from: '07:00', to: '19:00' };
    for (const timeZone of [ZONE, 'Europe/Berlin', 'America/New_York', 'Asia/Kathmandu', 'Pacific/Kiritimati', 'UTC']) {
      for (let at = Date.parse('2026-01-01T00:00Z'); at < Date.parse('2027-01-01T00:00Z'); at += 41 * 60_000 * 7) {
        const { time } = wallTime(at, timeZone);
        expect(isWithin(schedule, { at, timeZone })).toBe(time >= '07:00' && time < '19:00');
      }
    }
  });
});

describe('what the guard reads', () => {
  const told = (pass: Pass, at = NOW) => {
    const { zh, en } = explainReason(judge(pass, moment(at)), pass, moment(at), (id) => `«${id}»`);
    return [zh, en];
  };
  const to = (text: string): Pass => ({ kind: 'visitor', validTo: instantOf(text, ZONE, 'end') ?? 0 });
  const from = (text: string): Pass => ({ kind: 'visitor', validFrom: instantOf(text, ZONE) ?? 0 });
  const only = (days: number[], start: string, end: string): Pass => ({
    kind: 'staff',
    schedule: { days, from: start, to: end },
  });

  test.each([
    [to('2026-03-03'), '昨天已过期', 'expired yesterday'],
    [to('2026-03-03T18:00'), '昨天已过期', 'expired yesterday'],
    [to('2026-03-04T08:30'), '今天 08:30 已过期', 'expired today at 08:30'],
    [to('2026-03-02'), '2 天前已过期', 'expired 2 days ago'],
    [to('2025-12-31'), '2025-12-31 已过期', 'expired on 2025-12-31'],
    [from('2026-03-04T12:00'), '今天 12:00起有效', 'valid from today 12:00'],
    [from('2026-03-05T08:00'), '明天 08:00起有效', 'valid from tomorrow 08:00'],
    [from('2026-04-01T08:00'), '2026-04-01 08:00起有效', 'valid from 2026-04-01 08:00'],
    [to('2026-03-04T18:00'), '访客车辆，有效至今天 18:00', 'visitor, valid until today 18:00'],
    [only(everyDay, '19:00', '07:00'), '只限 19:00-次日 07:00', 'only 19:00-07:00 the next day'],
    [only(everyDay, '12:00', '19:00'), '只限 12:00-19:00', 'only 12:00-19:00'],
    [
      only([1, 2, 4, 5, 6], '07:00', '19:00'),
      '只限周一、周二、周四至周六 07:00-19:00',
      'only Mon, Tue, Thu to Sat 07:00-19:00',
    ],
    [only([6, 7], '00:00', '00:00'), '只限周六、周日', 'only Sat, Sun'],
    [{ kind: 'staff', zones: ['west-in', 'garage'] }, '只限«west-in»、«garage»', 'only for «west-in», «garage»'],
    [{ kind: 'blocked' }, '黑名单', 'on the block list'],
    [resident, '业主车辆', 'resident vehicle'],
  ] as const)('%j: %s', (pass, zh, en) => expect(told(pass)).toEqual([zh, en]));

  test('no word is left unfilled, in either language, for any of the above at any hour of a week', () => {
    const passes: (Pass | undefined)[] = [
      undefined,
      resident,
      to('2026-03-05'),
      from('2026-03-05'),
      only([1], '22:00', '06:00'),
      { kind: 'staff', zones: ['x'] },
    ];
    for (const pass of passes) {
      for (let at = NOW - 84 * HOUR; at < NOW + 84 * HOUR; at += HOUR) {
        const { zh, en } = explainReason(judge(pass, moment(at)), pass, moment(at), (id) => id);
        expect(`${zh}${en}`).not.toMatch(/[{}]|undefined|NaN/);
        expect(zh).not.toBe('');
      }
    }
  });
});
