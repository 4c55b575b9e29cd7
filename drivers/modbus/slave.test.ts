import { beforeEach, describe, expect, test } from 'vitest';
import { type ManualClock, manualClock } from '../../test/manual-clock.ts';
import type { Profile } from '../driver.ts';
import { barrierProfile, sensorProfile } from './rig.ts';
import type { Address } from './schema.ts';
import { Slave } from './slave.ts';

let clock: ManualClock;
let said: string[];
beforeEach(() => {
  clock = manualClock();
  said = [];
});
const tcp: Address = { host: 'h', timeoutMs: 1000 };
const rtu: Address = { transport: 'serial', path: '/dev/ttyS1', timeoutMs: 1000 };
const slave = (profile: Profile, address: Address = tcp) =>
  new Slave({ id: 'd', address, profile }, address, clock, {
    readings: () => {},
    online: () => said.push('online'),
    offline: (reason) => said.push(reason),
  });
const waitOf = (one: Slave): number => {
  const [group] = one.groups;
  return group ? one.dueAt(group) - clock.mono() : Number.NaN;
};
const fail = (one: Slave, times: number, alone = false) => {
  for (let i = 0; i < times; i++) one.failed('no answer', alone);
};

describe('a silent device', () => {
  test('is offline when it has said nothing for as long as its profile allows, with the reason', async () => {
    const one = slave(sensorProfile(100, 3000));
    one.answered(5);
    await clock.advance(1000);
    one.failed('no answer within 1000 ms', false);
    await clock.advance(1900);
    expect(said).toEqual(['online']);
    one.failed('no answer within 1000 ms', false);
    await clock.advance(200);
    expect(said).toEqual(['online', 'no answer within 1000 ms, 2 tries']);
    one.answered(5);
    expect(said.at(-1)).toBe('online');
  });

  test('that never answered is offline too', async () => {
    slave(sensorProfile(100, 3000));
    await clock.advance(3100);
    expect(said).toEqual(['no answer, 0 tries']);
  });

  test('is offline at once when its line is down, and asked at once when the line is back', () => {
    const one = slave(sensorProfile(100));
    one.answered(5);
    fail(one, 9);
    one.lineDown('h:502: ECONNREFUSED');
    one.lineDown('h:502: ECONNREFUSED');
    expect(said).toEqual(['online', 'h:502: ECONNREFUSED']);
    one.lineUp();
    expect(waitOf(one)).toBeLessThanOrEqual(0);
  });

  test('is asked ever more rarely: 5 s after five failures, doubling to 5 min', () => {
    const one = slave(sensorProfile(100));
    fail(one, 4);
    expect(waitOf(one)).toBeLessThanOrEqual(0);
    const waits = Array.from({ length: 9 }, () => {
      fail(one, 1);
      return waitOf(one);
    });
    expect(waits).toEqual([5000, 10_000, 20_000, 40_000, 80_000, 160_000, 300_000, 300_000, 300_000]);
    one.answered(5);
    expect(waitOf(one)).toBeLessThanOrEqual(0);
  });

  test('is asked every 2 s if it takes commands, or has the line to itself', () => {
    const gate = slave(barrierProfile(100));
    fail(gate, 20);
    expect(waitOf(gate)).toBe(2000);
    const alone = slave(sensorProfile(100));
    fail(alone, 20, true);
    expect(waitOf(alone)).toBe(2000);
  });

  test('that was quick before is not waited for as long as a slow one', () => {
    const one = slave(sensorProfile(100));
    expect(one.pollTimeoutMs).toBe(1000);
    one.answered(60);
    fail(one, 4);
    expect(one.pollTimeoutMs).toBe(1000);
    fail(one, 1);
    expect(one.pollTimeoutMs).toBe(240);
    const never = slave(sensorProfile(100));
    fail(never, 9);
    expect(never.pollTimeoutMs).toBe(1000);
  });

  test('on RTU is left alone until a late answer would have come', async () => {
    const one = slave(sensorProfile(100), rtu);
    one.failed('no answer', false);
    expect(waitOf(one)).toBe(1000);
    expect(one.quietMs).toBe(1000);
    await clock.advance(1000);
    expect(one.quietMs).toBe(0);
    const overTcp = slave(sensorProfile(100));
    overTcp.failed('no answer', false);
    expect(overTcp.quietMs).toBe(0);
  });
});

test('a round that was late does not make the next ones pile up', async () => {
  const one = slave(sensorProfile(100));
  const [group] = one.groups;
  if (!group) throw new Error('no group');
  await clock.advance(1050);
  one.takeBlock(group);
  expect(waitOf(one)).toBe(0);
  one.takeBlock(group);
  expect(waitOf(one)).toBe(100);
});
