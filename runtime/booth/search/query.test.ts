import { expect, test } from 'vitest';
import { alarm, alarmRecord, commandRecord, record } from '../state/fixture.ts';
import { firstSearch, isRow, queryOf, relaxed } from './query.ts';

const HOUR = 3_600_000;
const midnight = 1_000 * HOUR;
const now = midnight + 14 * HOUR;
const nowhere = () => undefined;

test("today's passages, by default", () => {
  expect(queryOf(firstSearch, midnight, now).toString()).toBe(`kind=event&name=passage&from=${midnight}`);
});

test('ranges and part of a plate', () => {
  const query = queryOf({ ...firstSearch, range: 'yesterday', plate: 'B12' }, midnight, now);
  expect(query.get('from')).toBe(String(midnight - 24 * HOUR));
  expect(query.get('to')).toBe(String(midnight - 1));
  expect(query.get('text')).toBe('B12');
  expect(queryOf({ ...firstSearch, range: 'hour' }, midnight, now).get('from')).toBe(String(now - HOUR));
});

test('one row per command, with its last word; by hand means by a person', () => {
  const commands = { ...firstSearch, preset: 'commands' as const };
  const manual = { ...firstSearch, preset: 'manual' as const };
  expect(isRow(commands, commandRecord('c1', 'open', 'executing'), nowhere)).toBe(false);
  expect(isRow(commands, commandRecord('c1', 'open', 'succeeded', {}, 'flow:x'), nowhere)).toBe(true);
  expect(isRow(manual, commandRecord('c1', 'open', 'succeeded', {}, 'flow:x'), nowhere)).toBe(false);
  expect(isRow(manual, commandRecord('c1', 'open', 'succeeded'), nowhere)).toBe(true);
});

test('one row per alarm: when it was raised', () => {
  const alarms = { ...firstSearch, preset: 'alarms' as const };
  expect(isRow(alarms, alarmRecord(alarm(), 'raised'), nowhere)).toBe(true);
  expect(isRow(alarms, alarmRecord(alarm(), 'acked'), nowhere)).toBe(false);
});

test('a lane is a zone', () => {
  const search = { ...firstSearch, zone: 'east-in' };
  expect(isRow(search, record({}), () => 'east-in')).toBe(true);
  expect(isRow(search, record({}), () => 'east-out')).toBe(false);
});

test('what may be left out when nothing is found', () => {
  expect(relaxed({ ...firstSearch, plate: 'B', zone: 'z' }).map(({ filter }) => filter)).toEqual([
    'plate',
    'zone',
    'range',
  ]);
  expect(relaxed({ ...firstSearch, range: 'week' })).toEqual([]);
});
