/** The calendar: announced years are whole, a site's own list wins, and a time of a schedule is told once. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openTestGateway, type TestGateway } from '../api/gateway.fixture.ts';
import type { CalendarView, OccurrenceView } from '../contracts/calendar.ts';
import { yearOf } from './calendar.ts';
import { announced, chinaDays } from './china.ts';

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await openTestGateway();
});
afterAll(() => gateway[Symbol.asyncDispose]());

const weekday = (date: string) => new Date(`${date}T00:00:00Z`).getUTCDay();

describe.each(Object.keys(announced).map(Number))('%d', (year) => {
  const days = chinaDays(year) ?? [];

  test('names its notice; make-up workdays are weekend days, and no day is listed twice', () => {
    expect(announced[year]?.notice).toMatch(/国办发明电/);
    expect(new Set(days.map(({ date }) => date)).size).toBe(days.length);
    for (const { date } of days.filter(({ off }) => !off)) expect([0, 6], date).toContain(weekday(date));
  });

  test('weekdays off less weekend days worked are the thirteen statutory days: no slip of the pen', () => {
    const weekdaysOff = days.filter(({ date, off }) => off && ![0, 6].includes(weekday(date))).length;
    expect(weekdaysOff - days.filter(({ off }) => !off).length).toBe(13);
  });
});

test('a year that nobody has announced is known as unknown', () => {
  expect(yearOf(2031)).toEqual({ year: 2031, source: 'none', days: [] });
});

test('the site replaces a year by its own list, and can go back', async () => {
  const own = { days: [{ date: '2027-01-01', off: true, name: '元旦' }] };
  const years = async () =>
    (await gateway.call('GET', '/api/v1/calendar?from=2026&to=2027', { as: 'flow' })).json<CalendarView>().years;
  expect((await years()).map(({ source }) => source)).toEqual(['built-in', 'none']);
  const put = await gateway.call('PUT', '/api/v1/calendar/2027', { as: 'installer', body: own });
  expect(put.json()).toMatchObject({ year: 2027, source: 'site', ...own });
  expect((await years()).map(({ source }) => source)).toEqual(['built-in', 'site']);
  const wrong = await gateway.call('PUT', '/api/v1/calendar/2028', { as: 'installer', body: own });
  expect(wrong.json()).toMatchObject({ code: 'inventory.invalid' });
  const never = { days: [{ date: '2027-02-30', off: true }] };
  expect((await gateway.call('PUT', '/api/v1/calendar/2027', { as: 'installer', body: never })).status).toBe(422);
  await gateway.call('DELETE', '/api/v1/calendar/2027', { as: 'installer' });
  expect((await years()).map(({ source }) => source)).toEqual(['built-in', 'none']);
});

test('the place of the site is set once, audited, and told with the calendar', async () => {
  const place = { latitude: 22.54, longitude: 114.06 };
  expect((await gateway.call('PUT', '/api/v1/calendar/location', { as: 'installer', body: place })).status).toBe(200);
  expect((await gateway.call('GET', '/api/v1/calendar', { as: 'flow' })).json()).toMatchObject({
    timeZone: 'Asia/Shanghai',
    location: place,
  });
  const far = { latitude: 91, longitude: 0 };
  expect((await gateway.call('PUT', '/api/v1/calendar/location', { as: 'installer', body: far })).status).toBe(400);
});

test('a time of a schedule is on record once, whoever asks again', async () => {
  const tell = (body: object) => gateway.call('POST', '/api/v1/schedules/occurrences', { as: 'flow', body });
  const time = { node: 'n1', name: '开灯', due: 1_793_000_000_000 };
  const first = (await tell({ ...time, missed: false })).json<OccurrenceView>();
  expect(first).toMatchObject({ first: true, missed: false });
  expect((await tell({ ...time, missed: true })).json()).toEqual({ ...first, first: false });
  expect((await tell({ ...time, due: time.due + 60_000, missed: true })).json()).toMatchObject({ first: true });
  const told = gateway.records().filter(({ name }) => name.startsWith('schedule.'));
  expect(told.map(({ id, name, data }) => [id === first.record, name, data])).toEqual([
    [true, 'schedule.due', { node: 'n1', flow: 'lane-1', due: time.due, name: '开灯' }],
    [false, 'schedule.missed', { node: 'n1', flow: 'lane-1', due: time.due + 60_000, name: '开灯' }],
  ]);
});
