import { expect, test } from 'vitest';
import { alarm, record } from './fixture.ts';
import { floodFrom, foldFlood, grouped, isGroup, noFlood, unackedIn } from './flood.ts';

test('a flood lasts from the record of its beginning to that of its end', () => {
  const said = (name: string, booth: string) => record({ scenario: 'gateway', device: '', name, data: { booth } });
  const began = foldFlood(noFlood, [record({}), said('flood.began', 'east'), said('flood.began', 'west')]);
  expect([...began]).toEqual(['east', 'west']);
  expect(foldFlood(began, [record({})])).toBe(began);
  expect([...foldFlood(began, [said('flood.ended', 'east')])]).toEqual(['west']);
  const calm = { alarms: 3, urgent: [], groups: [] };
  const booths = [
    { ...calm, booth: 'east', flood: { since: 5, most: 14 } },
    { ...calm, booth: 'west' },
  ];
  expect([...floodFrom({ booths })]).toEqual(['east']);
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
