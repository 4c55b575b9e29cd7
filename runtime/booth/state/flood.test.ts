import { expect, test } from 'vitest';
import { alarm, record } from './fixture.ts';
import { foldFlood, grouped, isGroup, unackedIn } from './flood.ts';

test('a flood lasts from the record of its beginning to that of its end', () => {
  const said = (name: string, received: number) => record({ scenario: 'gateway', device: '', name, received });
  const began = foldFlood(undefined, [record({}), said('flood.began', 5)]);
  expect(began).toEqual({ since: 5 });
  expect(foldFlood(began, [record({})])).toBe(began);
  expect(foldFlood(began, [said('flood.ended', 9)])).toBeUndefined();
});

test('equal alarms of one place are one row, where the first stood; P1 is never grouped and nothing is dropped', () => {
  const offline = (id: string, zone: string) => alarm({ id, zone, kind: 'offline', priority: 3 });
  const rows = [
    alarm({ id: 'p1-a' }),
    alarm({ id: 'p1-b' }),
    offline('a', 'garden'),
    alarm({ id: 'other', kind: 'lowVoltage', zone: 'garden', priority: 3 }),
    offline('b', 'garden'),
    offline('c', 'wall'),
    { ...offline('d', 'garden'), process: 'ACTIVE_ACK' as const },
  ];
  const out = grouped(rows);
  expect(out.map((row) => (isGroup(row) ? row.rows.map(({ id }) => id) : row.id))).toEqual([
    'p1-a',
    'p1-b',
    ['a', 'b', 'd'],
    'other',
    'c',
  ]);
  const [group] = out.filter(isGroup);
  expect(group && unackedIn(group)).toBe(2);
});
