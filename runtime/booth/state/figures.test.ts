import { expect, test } from 'vitest';
import { alarmRate, foldFigures, isYesterday, merged, noFigures, unreasoned } from './figures.ts';
import { alarm, alarmRecord, commandRecord, record } from './fixture.ts';

const dayOf = (ms: number) => (ms < 1_000_000 ? '2026-08-01' : '2026-08-02');
const today = noFigures('2026-08-01');

test('passages, openings by a person and alarms are counted once each', () => {
  const figures = foldFigures(
    today,
    [
      record({}),
      record({}),
      commandRecord('c1', 'open', 'accepted'),
      commandRecord('c1', 'open', 'executing'),
      commandRecord('c1', 'open', 'succeeded'),
      commandRecord('c2', 'lockOpen', 'executing'),
      commandRecord('c3', 'open', 'executing', {}, 'flow:lane'),
      commandRecord('c4', 'open', 'expired'),
      alarmRecord(alarm(), 'raised'),
      alarmRecord(alarm({ process: 'ACTIVE_ACK' }), 'acked'),
    ],
    dayOf,
  );
  expect(figures).toMatchObject({ passages: 2, alarms: 1 });
  expect([...figures.manual.keys()]).toEqual(['c1', 'c2']);
});

test('a new day begins at zero; a record of the day before does not count', () => {
  const counted = foldFigures(today, [record({ received: 5 }), record({ received: 1_000_001 })], dayOf);
  expect(counted).toMatchObject({ day: '2026-08-02', passages: 1 });
  expect(foldFigures(counted, [record({ received: 6 })], dayOf).passages).toBe(1);
  expect(isYesterday(today, '2026-08-02')).toBe(true);
});

test('the rate is of the last ten minutes', () => {
  const at = (received: number) => alarmRecord(alarm(), 'raised', { received });
  const figures = foldFigures(today, [at(1000), at(2000), at(500_000)], dayOf);
  expect(alarmRate(figures, 500_000)).toBe(3);
  expect(alarmRate(figures, 601_500)).toBe(2);
});

test('what was counted from the journal and what was heard since add up, on the same day only', () => {
  const one = foldFigures(today, [record({ received: 1 })], dayOf);
  expect(merged(one, one).passages).toBe(2);
  expect(merged(one, noFigures('2026-08-02')).passages).toBe(0);
});

test('an opening by a person wants a reason until one is named, with it or afterwards, here or elsewhere', () => {
  const opened = [
    commandRecord('c1', 'open', 'executing'),
    commandRecord('c2', 'open', 'executing'),
    commandRecord('c3', 'lockOpen', 'executing', { reason: 'delivery' }),
    commandRecord('c4', 'open', 'executing', {}, 'flow:lane'),
  ];
  const figures = foldFigures(today, opened, dayOf);
  expect(unreasoned(figures).map(({ command }) => command)).toEqual(['c2', 'c1']);
  const named = record({ kind: 'state', name: 'command.reason', data: { command: 'c2', reason: 'visitor' } });
  expect(unreasoned(foldFigures(figures, [named], dayOf)).map(({ command }) => command)).toEqual(['c1']);
  // Named while the day was still being counted: the two halves know together.
  const heard = foldFigures(today, [named], dayOf);
  expect(unreasoned(merged(figures, heard)).map(({ command }) => command)).toEqual(['c1']);
});
