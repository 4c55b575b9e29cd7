import { expect, test } from 'vitest';
import type { JournalRecord } from '../../contracts/record.ts';
import { devicesFrom } from './devices.ts';
import { commandRecord, device, point, record, zone } from './fixture.ts';
import { foldLanes, type LaneBook, type LaneMemory, laneViews } from './lanes.ts';

const zoneOf = (id: string) => (id.endsWith('-in') ? 'east-in' : undefined);
const after = (...records: JournalRecord[]): LaneMemory => {
  const lane = foldLanes(new Map(), records, zoneOf).get('east-in');
  if (!lane) throw new Error('no lane');
  return lane;
};
const read = (plate: string | undefined, more: object = {}) =>
  record({
    device: 'camera-east-in',
    name: 'plate.read',
    data: { ...(plate === undefined ? {} : { plate }), colour: 'blue', trigger: 'video', stored: false, ...more },
  });
const refused = (plate?: string) =>
  record({ name: 'vehicle.unrecognised', data: { ...(plate === undefined ? {} : { plate }), reason: 'unknown' } });
const granted = (plate: string) => record({ name: 'access.granted', data: { plate, reason: 'resident' } });
const passage = (command: string) =>
  record({ data: { direction: 'in', plate: 'A1', gate: 'gate-east-in', openedBy: 'user:guard', command } });

test('an unknown plate waits until it has passed', () => {
  const waiting = after(read('A1'), refused('A1'));
  expect(waiting.waiting).toMatchObject({ plate: 'A1', reason: 'unknown', allow: false });
  const gone = after(read('A1'), refused('A1'), passage('c1'));
  expect(gone.waiting).toBeUndefined();
  expect(gone.decision).toMatchObject({ allow: false });
});

test('it stops waiting when the gate is opened for it, when it turns back, when another vehicle takes its place', () => {
  const start = [read('A1'), refused('A1')];
  expect(after(...start, commandRecord('c1', 'open', 'executing')).waiting).toBeUndefined();
  expect(after(...start, read('A1', { trigger: 'turned-back' })).waiting).toBeUndefined();
  expect(after(...start, read('B2')).waiting).toBeUndefined();
  expect(after(...start, read('A1')).waiting).toMatchObject({ plate: 'A1' });
});

test('a command that was only accepted lets nobody in', () => {
  expect(after(read('A1'), refused('A1'), commandRecord('c1', 'open', 'accepted')).waiting).toBeDefined();
});

test('an unread plate waits too', () => {
  expect(after(read(undefined), refused()).waiting).toMatchObject({ reason: 'unknown' });
});

test('a reading sent late from the memory of the camera changes nothing', () => {
  const lane = after(read('A1'), granted('A1'), read('Z9', { stored: true }));
  expect(lane.seen?.plate).toBe('A1');
  expect(lane.decision?.allow).toBe(true);
});

test('a new plate has no decision until it is made', () => {
  expect(after(read('A1'), granted('A1'), read('B2')).decision).toBeUndefined();
});

test('the last three passages, newest first, with the reason that was named before or after', () => {
  const lane = after(
    passage('c0'),
    commandRecord('c1', 'open', 'succeeded', { reason: 'visitor' }),
    passage('c1'),
    passage('c2'),
    passage('c3'),
    record({ kind: 'state', name: 'command.reason', data: { command: 'c3', reason: 'delivery' } }),
  );
  expect(lane.passages.map((entry) => [entry.command, entry.reason])).toEqual([
    ['c3', 'delivery'],
    ['c2', undefined],
    ['c1', 'visitor'],
  ]);
});

test('a hold runs from the moment it was executed and ends with end hold, close, or time', () => {
  const hold = commandRecord('c1', 'lockOpen', 'executing', { input: { holdSeconds: 300 } });
  const held = after(hold);
  expect(held.holdUntil).toBe(hold.received + 300_000);
  expect(after(hold, commandRecord('c2', 'endHold', 'succeeded')).holdUntil).toBeUndefined();
  expect(after(hold, commandRecord('c2', 'close', 'succeeded')).holdUntil).toBeUndefined();
  expect(after(hold, commandRecord('c1', 'lockOpen', 'failed')).holdUntil).toBeUndefined();
  const view = (now: number) => viewOf(new Map([['east-in', held]]), now)?.memory.holdUntil;
  expect(view(hold.received + 299_000)).toBeDefined();
  expect(view(hold.received + 300_000)).toBeUndefined();
});

test('a command that ends late does not replace a newer one', () => {
  const lane = after(
    commandRecord('c1', 'open', 'executing'),
    commandRecord('c2', 'close', 'accepted'),
    commandRecord('c1', 'open', 'succeeded'),
  );
  expect(lane.command).toMatchObject({ id: 'c2', name: 'close' });
});

const devices = devicesFrom([
  device({ id: 'gate-b', zone: 'b', settings: { direction: 'out' } }),
  device(),
  device({ id: 'camera-east-in', role: 'camera' }),
  device({ id: 'station', scenario: 'environment-monitoring', role: 'station' }),
]);
const sources = { zones: [zone('east-in'), zone('b')], devices, lanes: new Map(), held: new Map() };
const viewOf = (lanes: LaneBook, now: number) => laneViews({ ...sources, lanes }, now)[0];

test('one card per barrier, in the order of the zones', () => {
  const views = laneViews({ ...sources, zones: [zone('b'), zone('east-in')] }, 0);
  expect(views.map((view) => [view.barrier.id, view.direction, view.cameras.length])).toEqual([
    ['gate-b', 'out', 0],
    ['gate-east-in', 'in', 1],
  ]);
});

test('of a board that does not answer nothing is known', () => {
  const arm = (over: Parameters<typeof device>[0]) =>
    laneViews({ ...sources, devices: devicesFrom([device(over)]) }, 0)[0]?.arm;
  expect(arm({})).toBe('closed');
  expect(arm({ link: { state: 'offline', since: 0 } })).toBe('unknown');
  expect(arm({ points: { barrierState: { ...point('open'), quality: 'stale' } } })).toBe('unknown');
  expect(arm({ points: {} })).toBe('unknown');
});

test('a vehicle nobody heard of for two minutes does not wait any more', () => {
  const memory = after(read('A1'), refused('A1'));
  const since = memory.waiting?.at ?? 0;
  const book = new Map([['east-in', memory]]);
  expect(viewOf(book, since + 119_000)?.memory.waiting).toBeDefined();
  expect(viewOf(book, since + 121_000)?.memory.waiting).toBeUndefined();
});

test('doors are lanes after the gates, called by their own names, each with its own memory and what holds it', () => {
  const door = (id: string, points: Parameters<typeof device>[0]) =>
    device({ id, name: id, scenario: 'pedestrian-gate', role: 'door', zone: 'b', ...points });
  const shut = { doorOpen: point(false), lockState: point('locked') };
  const book = devicesFrom([
    door('door-2', { points: { doorOpen: point(true), lockState: point('unlocked') } }),
    door('door-1', { points: shut }),
    device(),
  ]);
  const opened = commandRecord('c1', 'open', 'succeeded');
  const lanes = foldLanes(new Map(), [{ ...opened, scenario: 'pedestrian-gate', device: 'door-2' }], () => 'b');
  const lease = { command: 'c9', device: 'door-1', scenario: 'pedestrian-gate', actor: 'user:chief', until: 9000 };
  const views = laneViews({ ...sources, devices: book, lanes, held: new Map([['c9', lease]]) }, 0);
  expect(views.map((view) => [view.kind, view.name, view.arm, view.memory.command?.id, view.held?.until])).toEqual([
    ['vehicle', 'east-in', 'closed', undefined, undefined],
    ['door', 'door-1', 'locked', undefined, 9000],
    ['door', 'door-2', 'open', 'c1', undefined],
  ]);
  const state = (over: Parameters<typeof device>[0]) =>
    laneViews({ ...sources, devices: devicesFrom([door('d', over)]) }, 0)[0]?.arm;
  expect(state({ points: { ...shut, lockState: point('released') } })).toBe('released');
  expect(state({ points: shut, link: { state: 'offline', since: 0 } })).toBe('unknown');
});
