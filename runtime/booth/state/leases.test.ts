import { expect, test } from 'vitest';
import { record } from './fixture.ts';
import { foldLeases, leaseOf } from './leases.ts';

const lease = (name: string, data: object, actor: string, received: number) =>
  record({
    kind: 'state',
    scenario: 'ebike-elevator-alarm',
    device: 'lift',
    name: `lease.${name}`,
    data: { command: 'c1', device: 'lift', ...data },
    actor,
    received,
  });

test('what is held counts down to its own end, renewing moves it, letting go ends it', () => {
  const held = foldLeases(new Map(), [lease('held', { until: 30_000 }, 'linkage:L18', 1)]);
  expect(held.get('c1')).toMatchObject({ device: 'lift', until: 30_000, actor: 'linkage:L18' });
  const renewed = foldLeases(held, [lease('renewed', { until: 60_000 }, 'user:wang', 20_000)]);
  expect(renewed.get('c1')).toMatchObject({ until: 60_000, actor: 'linkage:L18', renewedAt: 20_000 });
  expect(foldLeases(renewed, [record({})])).toBe(renewed);
  expect(foldLeases(renewed, [lease('released', { reason: 'expired' }, 'system:lease', 61_000)]).size).toBe(0);
});

test('the contract says what lets go', () => {
  expect(leaseOf('ebike-elevator-alarm')).toEqual({ name: 'hold', release: 'release' });
  expect(leaseOf('vehicle-gate')).toEqual({ name: 'lockClosed', release: 'endLock' });
  expect(leaseOf('smoke-alarm')).toBeUndefined();
});
