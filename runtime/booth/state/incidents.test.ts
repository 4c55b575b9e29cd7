import { expect, test } from 'vitest';
import { alarmsFrom } from './alarms.ts';
import { alarm } from './fixture.ts';
import { arrived, closed, dismissed, noIncidents, opened, released, settled } from './incidents.ts';

const panel = { wide: false, busy: false };
const wide = { wide: true, busy: false };
const p1 = (id: string) => alarm({ id });
const p2 = alarm({ id: 'p2', priority: 2 });
const book = (...alarms: ReturnType<typeof alarm>[]) => alarmsFrom(alarms, '1:0');

test('P1 opens the area by itself; further ones queue behind what is worked on', () => {
  const first = arrived(noIncidents, [p1('a')], panel);
  expect(first).toMatchObject({ active: 'a', popped: true });
  const second = arrived(first, [p1('b'), p1('c')], panel);
  expect(second).toMatchObject({ active: 'a', tabs: ['a', 'b', 'c'] });
});

test('P2 takes the area only if it is free and beside the list, else it is a card; P3 never', () => {
  expect(arrived(noIncidents, [p2], wide).active).toBe('p2');
  expect(arrived(noIncidents, [p2], panel).active).toBeUndefined();
  expect(arrived(opened(noIncidents, 'x'), [p2], wide)).toMatchObject({ tabs: ['x'], cards: ['p2'] });
  expect(arrived(noIncidents, [p2], panel).cards).toEqual(['p2']);
  expect(arrived(noIncidents, [alarm({ priority: 3 })], wide)).toBe(noIncidents);
});

test('an open input is never covered: the incident comes up when it is closed', () => {
  const held = arrived(noIncidents, [p1('a')], { wide: false, busy: true });
  expect(held.active).toBeUndefined();
  expect(held.deferred).toEqual(['a']);
  expect(released(held, book(p1('a')))).toMatchObject({ active: 'a', popped: true, deferred: [] });
});

test('answered meanwhile by somebody else, it does not come up', () => {
  const held = arrived(noIncidents, [p1('a')], { wide: false, busy: true });
  expect(released(held, book(alarm({ id: 'a', process: 'ACTIVE_ACK' }))).active).toBeUndefined();
});

test('closing without an answer leaves a tag until it is answered', () => {
  const shut = closed(arrived(noIncidents, [p1('a')], panel), 'a', book(p1('a')));
  expect(shut).toMatchObject({ tabs: [], tagged: ['a'] });
  expect(released(shut, book(p1('a'))).active).toBeUndefined();
  expect(settled(shut, book(alarm({ id: 'a', process: 'ACTIVE_ACK' })), false).tagged).toEqual([]);
});

test('an area that came up by itself goes when its alarm is answered, unless it has a place of its own', () => {
  const answered = book(alarm({ id: 'a', process: 'ACTIVE_ACK', handling: 'acked' }));
  const popped = arrived(noIncidents, [p1('a')], panel);
  expect(settled(popped, answered, false).active).toBeUndefined();
  expect(settled(popped, answered, true).active).toBe('a');
  expect(settled(opened(noIncidents, 'a'), answered, false).active).toBe('a');
});

test('the next queued one follows the answered one', () => {
  const two = arrived(noIncidents, [p1('a'), p1('b')], panel);
  const next = settled(two, book(alarm({ id: 'a', process: 'ACTIVE_ACK' }), p1('b')), false);
  expect(next).toMatchObject({ active: 'b', tabs: ['b'], popped: true });
});

test('a card goes when its alarm is answered or opened; put away without an answer it leaves a tag', () => {
  const card = arrived(noIncidents, [p2], panel);
  expect(opened(card, 'p2').cards).toEqual([]);
  expect(settled(card, book({ ...p2, process: 'ACTIVE_ACK' }), false).cards).toEqual([]);
  expect(dismissed(card, 'p2', book(p2))).toMatchObject({ cards: [], tagged: ['p2'] });
  expect(dismissed(card, 'p2', book({ ...p2, process: 'ACTIVE_ACK' }))).toMatchObject({ cards: [], tagged: [] });
});
