import { expect, test } from 'vitest';
import { scenarios } from '../../contracts/index.ts';
import { alarmsFrom, noAlarms } from './alarms.ts';
import { askOf, commandsFor, forbiddenBy, needsValues } from './asks.ts';
import { alarm, device, point } from './fixture.ts';

test('what a tap asks is as the table of commands says', () => {
  expect(askOf('vehicle-gate', 'open')).toBe('reason');
  expect(askOf('pedestrian-gate', 'open')).toBe('reason');
  expect(askOf('vehicle-gate', 'close')).toBe('now');
  expect(askOf('vehicle-gate', 'endHold')).toBe('now');
  expect(askOf('public-broadcast', 'stop')).toBe('now');
  expect(askOf('vehicle-gate', 'lockOpen')).toBe('hold');
  expect(askOf('ebike-elevator-alarm', 'release')).toBe('confirm');
  expect(askOf('ebike-charging', 'cutZone')).toBe('confirm');
  expect(askOf('public-broadcast', 'evacuate')).toBe('confirm');
});

test('what only a leader may send asks for the captain, in every contract', () => {
  for (const scenario of scenarios)
    for (const [name, kind] of Object.entries(scenario.commands))
      if (kind.allow.includes('shift-leader') && !kind.allow.includes('guard') && !needsValues(kind))
        expect(askOf(scenario.id, name), `${scenario.id} ${name}`).toBe('captain');
});

test("a guard is offered what the captain's PIN allows; an auditor nothing more than is his", () => {
  expect(commandsFor('ebike-charging', ['cutZone'], 'guard')).toEqual(['cutZone', 'restore']);
  expect(commandsFor('ebike-charging', [], 'auditor')).toEqual([]);
  // A threshold has to be typed.
  expect(commandsFor('environment-monitoring', ['setThreshold'], 'shift-leader')).toEqual([]);
});

test('an interlock, or an alarm that stands in the zone, forbids it in words; a reset one does not', () => {
  const lift = device({
    id: 'lift',
    scenario: 'ebike-elevator-alarm',
    zone: 'lift-zone',
    points: { atFloor: point(true) },
  });
  const moving = { ...lift, points: { atFloor: point(false) } };
  const trapped = alarm({ scenario: 'elevator-monitoring', kind: 'trapped', zone: 'lift-zone', latching: true });
  const book = (...views: ReturnType<typeof alarm>[]) => alarmsFrom(views, '1:0');
  const words = (view: typeof lift, alarms = noAlarms) =>
    forbiddenBy(new Map([['lift', view]]), alarms, 'lift', 'hold');
  expect(words(lift)).toBeUndefined();
  expect(words(moving)?.zh).toBe('轿厢不在平层，不能停用');
  expect(words(lift, book(trapped))?.zh).toBe('电梯困人，不能停用');
  expect(words(lift, book({ ...trapped, returnedAt: 5 }))?.zh).toBe('电梯困人，不能停用');
  expect(words(lift, book({ ...trapped, zone: 'other' }))).toBeUndefined();
  expect(words(lift, book({ ...trapped, process: 'NORMAL', handling: 'acked' }))).toBeUndefined();
});

test('close is held back while a vehicle is on the loop', () => {
  const gate = (value: boolean) => new Map([['gate-east-in', device({ points: { loopOccupied: point(value) } })]]);
  expect(forbiddenBy(gate(true), noAlarms, 'gate-east-in', 'close')?.zh).toContain('地感有车');
  expect(forbiddenBy(gate(false), noAlarms, 'gate-east-in', 'close')).toBeUndefined();
  expect(forbiddenBy(gate(true), noAlarms, 'gate-east-in', 'open')).toBeUndefined();
});
