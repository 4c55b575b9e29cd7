import { expect, test } from 'vitest';
import { commandRecord, record } from './fixture.ts';
import { answered, asksReason, caughtUp, foldOrders, type Order, phaseOf, tapped } from './orders.ts';

let keys = 0;
const newKey = () => {
  keys += 1;
  return `k${keys}`;
};
const tap = (mono: number, last?: Order, name = 'open', input: Record<string, unknown> = {}): Order =>
  tapped(last, { device: 'gate-east-in', name, input, mono, before: 'closed', newKey });

test('a second tap within two seconds is the same command, later or another button is a new one', () => {
  const first = tap(1000);
  expect(tap(2900, first).key).toBe(first.key);
  expect(tap(3000, first).key).not.toBe(first.key);
  expect(tap(1500, first, 'close').key).not.toBe(first.key);
  const hold = tap(1000, undefined, 'lockOpen', { holdSeconds: 300 });
  expect(tap(1500, hold, 'lockOpen', { holdSeconds: 900 }).key).not.toBe(hold.key);
});

test('pressed, sent, executed, confirmed: each only when it is known', () => {
  let order = tap(0);
  expect(phaseOf(order, 50)).toBe('pressed');
  order = answered(order, { id: 'c1', state: 'accepted' });
  expect(phaseOf(order, 100)).toBe('sent');
  const fold = (...records: Parameters<typeof foldOrders>[1]) => {
    order = foldOrders(new Map([['gate-east-in', order]]), records).get('gate-east-in') ?? order;
  };
  fold(commandRecord('c1', 'open', 'executing'));
  expect(phaseOf(order, 200)).toBe('sent');
  fold(record({ kind: 'telemetry', name: 'barrierState', data: 'between' }));
  expect(phaseOf(order, 300)).toBe('executed');
  fold(commandRecord('c1', 'open', 'succeeded', { proven: true }));
  expect(phaseOf(order, 400)).toBe('confirmed');
});

test('done without a position input is executed, never confirmed', () => {
  expect(phaseOf(answered(tap(0), { id: 'c1', state: 'succeeded' }), 100)).toBe('executed-unproven');
});

test('three seconds without a sign is not confirmed; a moving arm is a sign', () => {
  const order = answered(tap(0), { id: 'c1', state: 'executing' });
  expect(phaseOf(order, 2900)).toBe('sent');
  expect(phaseOf(order, 3100)).toBe('unknown');
  expect(phaseOf({ ...order, moved: true }, 3100)).toBe('executed');
  expect(phaseOf({ ...tap(0), unanswered: true }, 10)).toBe('unknown');
});

test('refused, expired and unknown by the gateway are said as such', () => {
  expect(phaseOf({ ...tap(0), code: 'command.offline' }, 10)).toBe('refused');
  expect(phaseOf(answered(tap(0), { id: 'c1', state: 'failed', code: 'command.unproven' }), 10)).toBe('refused');
  expect(phaseOf(answered(tap(0), { id: 'c1', state: 'expired' }), 10)).toBe('expired');
  expect(phaseOf(answered(tap(0), { id: 'c1', state: 'unknown' }), 10)).toBe('unknown');
});

test('a final state is never taken back by an earlier one that comes late', () => {
  const done = answered(tap(0), { id: 'c1', state: 'succeeded', proven: true });
  expect(answered(done, { id: 'c1', state: 'accepted' }).state).toBe('succeeded');
  expect(answered(done, { id: 'other', state: 'failed' })).toBe(done);
});

test("somebody else's command does not change mine", () => {
  const orders = new Map([['gate-east-in', answered(tap(0), { id: 'c1', state: 'accepted' })]]);
  expect(foldOrders(orders, [commandRecord('c9', 'open', 'failed')])).toBe(orders);
});

test('the reason is asked for half a minute, once, and only of openings that were accepted', () => {
  const opened = answered(tap(0), { id: 'c1', state: 'accepted' });
  expect(asksReason(opened, 29_000)).toBe(true);
  expect(asksReason(opened, 30_000)).toBe(false);
  expect(asksReason({ ...opened, reason: 'visitor' }, 1000)).toBe(false);
  expect(asksReason(tap(0), 1000)).toBe(false);
  expect(asksReason(answered(tap(0, undefined, 'close'), { id: 'c2', state: 'accepted' }), 1000)).toBe(false);
  expect(asksReason(answered(opened, { id: 'c1', state: 'failed' }), 1000)).toBe(false);
});

test('a reason named before the command is sent goes with it and is not asked for again', () => {
  const order = tapped(undefined, {
    device: 'gate-east-in',
    name: 'open',
    input: {},
    reason: 'visitor',
    mono: 0,
    before: undefined,
    newKey: () => 'k',
  });
  expect(order.reason).toBe('visitor');
  expect(asksReason(answered(order, { id: 'c1', state: 'accepted' }), 1000)).toBe(false);
});

test('a device quicker than the answer to the request: the end heard before is not lost', () => {
  const heard = [
    commandRecord('c1', 'open', 'accepted'),
    commandRecord('c1', 'open', 'executing'),
    commandRecord('c1', 'open', 'succeeded', { proven: true }),
    commandRecord('c9', 'open', 'failed'),
  ];
  const before = foldOrders(new Map([['gate-east-in', tap(0)]]), heard).get('gate-east-in') ?? tap(0);
  expect(before.state).toBeUndefined();
  const after = caughtUp(answered(before, { id: 'c1', state: 'accepted' }), heard);
  expect(phaseOf(after, 10_000)).toBe('confirmed');
});
