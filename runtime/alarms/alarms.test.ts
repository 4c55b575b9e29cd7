import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type ManualClock, manualClock } from '../../test/manual-clock.ts';
import { Journal } from '../journal/journal.ts';
import { silentLog } from '../log.ts';
import { type Alarms, createAlarms, schema } from './alarms.ts';

let directory: string;
let clock: ManualClock;
let journal: Journal;
let alarms: Alarms;
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'gh-alarms-'));
  clock = manualClock();
  await start();
});
afterEach(async () => {
  await stop();
  rmSync(directory, { recursive: true, force: true });
});
async function start() {
  journal = await Journal.open({ directory, clock, log: silentLog, schema: [schema] });
  alarms = createAlarms({ journal, clock });
}
async function stop() {
  alarms.stop();
  await journal[Symbol.asyncDispose]();
}

const guard = { actor: 'user:demo-guard', role: 'guard' } as const;
const leader = { actor: 'user:demo-leader', role: 'shift-leader' } as const;
const forced = {
  device: 'gate-east-in',
  scenario: 'vehicle-gate',
  zone: 'east-in',
  kind: 'forced',
  actor: 'system:rules',
};
const smoke = { device: 'smoke-1', scenario: 'smoke-alarm', zone: 'b3-1', kind: 'smoke', actor: 'system:rules' };
const clear = (input: { device: string; kind: string }) =>
  alarms.clear(input.device, input.kind, undefined, 'system:rules');
const changes = () =>
  journal.read({ kind: ['alarm'] }).items.map((record) => (record.data as { change: string }).change);

describe('process state', () => {
  test('raised, acknowledged, gone, resolved: each a record, and closed at the end', async () => {
    const { id } = await alarms.raise(forced);
    expect(alarms.open()).toMatchObject([{ id, process: 'ACTIVE_UNACK', handling: 'waiting', priority: 2 }]);
    expect(await alarms.act(id, 'ack', {}, guard)).toMatchObject({
      process: 'ACTIVE_ACK',
      handling: 'acked',
      ackedBy: 'user:demo-guard',
    });
    expect(await clear(forced)).toMatchObject({ process: 'NORMAL', handling: 'acked' });
    expect(await alarms.act(id, 'resolve', { disposition: 'real', note: '闸杆已复位' }, guard)).toMatchObject({
      handling: 'closed',
    });
    expect(alarms.open()).toEqual([]);
    expect(changes()).toEqual(['raised', 'acked', 'returned', 'resolved']);
  });

  test('who was sent is in the record', async () => {
    const { id } = await alarms.raise(forced);
    await alarms.act(id, 'ack', {}, guard);
    expect(await alarms.act(id, 'dispatch', { to: '巡逻二组' }, guard)).toMatchObject({ handling: 'dispatched' });
    expect(journal.read({ kind: ['alarm'] }).items.at(-1)?.data).toMatchObject({
      change: 'dispatched',
      detail: { to: '巡逻二组' },
    });
  });

  test('gone before anybody saw it: it waits for acknowledgement all the same', async () => {
    const { id } = await alarms.raise(forced);
    expect(await clear(forced)).toMatchObject({ process: 'RTN_UNACK' });
    expect(alarms.open()).toHaveLength(1);
    expect(await alarms.act(id, 'ack', {}, guard)).toMatchObject({ process: 'NORMAL', handling: 'acked' });
  });

  test('a P3 closes by itself once seen and gone; P1 and P2 need a disposition', async () => {
    const held = await alarms.raise({ ...forced, kind: 'heldOpen' });
    await alarms.act(held.id, 'ack', {}, guard);
    await clear({ ...forced, kind: 'heldOpen' });
    expect(alarms.get(held.id)).toMatchObject({ handling: 'closed' });
    const { id } = await alarms.raise(forced);
    await alarms.act(id, 'ack', {}, guard);
    await clear(forced);
    expect(alarms.get(id)).toMatchObject({ handling: 'acked' });
  });

  test('the same condition raises one alarm; back again it needs a new acknowledgement and counts', async () => {
    const { id } = await alarms.raise(forced);
    await alarms.raise(forced);
    expect(changes()).toEqual(['raised']);
    await alarms.act(id, 'ack', {}, guard);
    await clear(forced);
    expect(await alarms.raise(forced)).toMatchObject({ id, count: 2, process: 'ACTIVE_UNACK', handling: 'waiting' });
  });

  test('what grows worse is heavier and asks for a new acknowledgement; what eases keeps its weight', async () => {
    const full = { device: '', scenario: 'gateway', zone: '', kind: 'storageFull', actor: 'system:storage' };
    const weigh = (priority: number, severity: 'minor' | 'major' | 'critical') =>
      alarms.raise({ ...full, weight: { priority, severity } });
    const { id } = await weigh(3, 'minor');
    await alarms.act(id, 'ack', {}, guard);
    expect(await weigh(2, 'major')).toMatchObject({ id, priority: 2, severity: 'major', process: 'ACTIVE_UNACK' });
    expect(await weigh(3, 'minor')).toMatchObject({ id, priority: 2, count: 2 });
    expect(await weigh(1, 'critical')).toMatchObject({ id, priority: 1, count: 3 });
    expect(journal.read({ kind: ['alarm'] }).items.map(({ lane }) => lane)).toEqual(['L1', 'L1', 'L1', 'L0']);
  });

  test('smoke latches: it stays until it is gone, acknowledged and reset by a named person', async () => {
    const { id } = await alarms.raise(smoke);
    await expect(alarms.act(id, 'reset', {}, guard)).rejects.toMatchObject({ code: 'alarm.wrong_state' });
    await alarms.act(id, 'ack', {}, guard);
    await clear(smoke);
    expect(alarms.get(id)).toMatchObject({ process: 'ACTIVE_ACK' });
    expect(await alarms.act(id, 'reset', {}, guard)).toMatchObject({ process: 'NORMAL', handling: 'acked' });
    expect(await alarms.act(id, 'resolve', { disposition: 'false', note: '油烟' }, guard)).toMatchObject({
      handling: 'closed',
    });
  });
});

describe('what is not allowed says why', () => {
  test('no resolution before acknowledgement or without a disposition, no second acknowledgement', async () => {
    const { id } = await alarms.raise(forced);
    await expect(alarms.act(id, 'resolve', { disposition: 'real' }, guard)).rejects.toThrow('acknowledge it first');
    await alarms.act(id, 'ack', {}, guard);
    await expect(alarms.act(id, 'ack', {}, guard)).rejects.toMatchObject({ code: 'alarm.wrong_state' });
    await expect(alarms.act(id, 'resolve', {}, guard)).rejects.toThrow('disposition');
    await expect(alarms.act('nothing', 'ack', {}, guard)).rejects.toMatchObject({ code: 'alarm.not_found' });
  });

  test('P1 is never shelved, P2 only by a shift leader and with a reason', async () => {
    const p1 = await alarms.raise(smoke);
    const p2 = await alarms.raise(forced);
    await expect(alarms.act(p1.id, 'shelve', { minutes: 5, note: 'x' }, leader)).rejects.toMatchObject({
      code: 'auth.forbidden',
    });
    await expect(alarms.act(p2.id, 'shelve', { minutes: 5, note: 'x' }, guard)).rejects.toMatchObject({
      code: 'auth.forbidden',
    });
    await expect(alarms.act(p2.id, 'shelve', { minutes: 5 }, leader)).rejects.toThrow('reason');
    await expect(alarms.act(p2.id, 'shelve', { minutes: 31, note: 'x' }, leader)).rejects.toThrow('30');
  });

  test('a kind the contract does not have is refused', async () => {
    await expect(alarms.raise({ ...forced, kind: 'nonsense' })).rejects.toMatchObject({ code: 'record.invalid' });
  });
});

describe('shelving and restarts', () => {
  test('a shelved alarm comes back by itself at its end, still active', async () => {
    const { id } = await alarms.raise(forced);
    await alarms.act(id, 'shelve', { minutes: 10, note: '施工' }, leader);
    expect(alarms.get(id)).toMatchObject({ process: 'SHELVED' });
    await clock.advance(10 * 60_000);
    await journal.append(); // the writer answers in order: what was before it is done
    expect(alarms.get(id)).toMatchObject({ process: 'ACTIVE_UNACK' });
  });

  test('R2 a restart changes nothing', async () => {
    await alarms.raise(smoke);
    const { id } = await alarms.raise(forced);
    await alarms.act(id, 'ack', {}, guard);
    const before = alarms.open();
    await stop();
    await start();
    expect(alarms.open()).toEqual(before);
    expect(alarms.isActive('smoke-1', 'smoke')).toBe(true);
    await alarms.raise(smoke);
    expect(alarms.open()).toHaveLength(2);
  });

  test('R2 what became durable after the disk had refused something before it is not forgotten', async () => {
    const { id } = await alarms.raise(forced);
    alarms.saveWithChanges(() => [{ sql: 'INSERT INTO alarm VALUES (NULL, NULL, NULL, NULL)', params: [] }]);
    const refused = alarms.act(id, 'ack', {}, guard);
    await Promise.resolve(); // that is on its way to the disk
    await Promise.resolve();
    const others = [smoke, { ...smoke, device: 'smoke-2' }].map((one) => journal.commit(alarms.planRaise(one)));
    await expect(refused).rejects.toThrow();
    await Promise.all(others);
    const standing = alarms.open().map(({ device, process }) => `${device} ${process}`);
    expect(standing.toSorted((a, b) => (a < b ? -1 : 1))).toEqual([
      'gate-east-in ACTIVE_UNACK',
      'smoke-1 ACTIVE_UNACK',
      'smoke-2 ACTIVE_UNACK',
    ]);
  });
});
