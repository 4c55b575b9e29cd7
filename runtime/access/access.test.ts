import { Value } from 'typebox/value';
import { describe, expect, test } from 'vitest';
import type { Clock } from '../clock.ts';
import { accessDecision, type Vehicle } from '../contracts/api.ts';
import { vehicleGate } from '../contracts/vehicle-gate.ts';
import { ACTOR, barrier, furnish, openSite, type TestSite } from '../devices/inventory.fixture.ts';
import { createAccess } from './access.ts';

const NOW = Date.parse('2026-03-04T10:00:00+08:00');
const clock: Clock = { now: () => NOW, mono: () => 0, after: () => () => {} };

async function gatehouse() {
  const site = await openSite({ clock });
  await furnish(site.inventory);
  return {
    ...site,
    access: createAccess({ ...site, clock }),
    [Symbol.asyncDispose]: () => site[Symbol.asyncDispose](),
  };
}
const list = (site: TestSite, ...vehicles: Vehicle[]) =>
  site.inventory.putAll(
    vehicles.map((entry) => ({ kind: 'vehicle', entry })),
    ACTOR,
  );

describe('decisions', () => {
  test('a resident is let in, however the camera writes the plate', async () => {
    await using site = await gatehouse();
    await list(site, { plate: '粤B12345', kind: 'resident', person: 'zhang' });
    for (const plate of ['粤B12345', '粤b·12345', ' 粤Ｂ12345 ']) {
      expect(site.access.decide({ gate: 'gate-east-in', plate })).toEqual({
        allow: true,
        reason: 'resident',
        gate: 'gate-east-in',
        explanation: { zh: '业主车辆', en: 'resident vehicle' },
        plate: '粤B12345',
        subject: 'vehicle:粤B12345',
        person: 'zhang',
      });
    }
  });

  test('nobody else is: unknown, unread, nothing asked, blocked, expired, early, wrong gate, wrong hour', async () => {
    await using site = await gatehouse();
    await list(
      site,
      { plate: '粤B00001', kind: 'blocked' },
      { plate: '粤B00002', kind: 'visitor', validTo: NOW - 24 * 3_600_000 },
      { plate: '粤B00003', kind: 'visitor', validFrom: NOW + 1 },
      { plate: '粤B00004', kind: 'resident', zones: ['west-in'] },
      { plate: '粤B00005', kind: 'staff', schedule: { days: [1, 2, 3, 4, 5], from: '22:00', to: '06:00' } },
    );
    const ask = (plate?: string) => {
      const decision = site.access.decide({ gate: 'camera-east-in', ...(plate === undefined ? {} : { plate }) });
      expect(decision.gate).toBe('gate-east-in');
      expect(Value.Check(accessDecision, decision)).toBe(true);
      return [decision.allow, decision.reason, decision.explanation.zh];
    };
    expect(ask('京A12345')).toEqual([false, 'unknown', '不在白名单']);
    expect(ask()).toEqual([false, 'unread', '没有识别到号牌']);
    expect(ask('_无_')).toEqual([false, 'unread', '没有识别到号牌']);
    expect(ask(' ')).toEqual([false, 'unread', '没有识别到号牌']);
    expect(ask('粤B00001')).toEqual([false, 'blocked', '黑名单']);
    expect(ask('粤B00002')).toEqual([false, 'expired', '昨天已过期']);
    expect(ask('粤B00003')).toEqual([false, 'not-yet-valid', '今天 10:00起有效']);
    expect(ask('粤B00004')).toEqual([false, 'wrong-gate', '只限西门进']);
    expect(ask('粤B00005')).toEqual([false, 'outside-schedule', '只限周一至周五 22:00-次日 06:00']);
  });

  test('a plate that is SQL, very long or full of control characters is only unknown', async () => {
    await using site = await gatehouse();
    await list(site, { plate: '粤B12345', kind: 'resident' });
    for (const plate of [
      "' OR 1=1 --",
      "粤B12345' --",
      '%',
      '粤B1234_',
      'x'.repeat(1_000_000),
      '\u0000',
      '粤B12345\u0000',
    ]) {
      const { allow, reason } = site.access.decide({ gate: 'east-in', plate });
      expect({ allow, reason }).toEqual({ allow: false, reason: 'unknown' });
      expect(site.access.decide({ gate: 'east-in', credential: { kind: plate, value: plate } }).allow).toBe(false);
    }
  });

  test('cards and faces by kind and value; a block on either card or plate wins', async () => {
    await using site = await gatehouse();
    const { inventory, access } = site;
    await list(site, { plate: '粤B00001', kind: 'blocked' }, { plate: '粤B12345', kind: 'resident' });
    await inventory.putCredential({ id: 'card-1', kind: 'card', value: '0012345678', person: 'zhang' }, ACTOR);
    await inventory.putCredential({ id: 'card-2', kind: 'card', value: '99', person: 'zhang', blocked: true }, ACTOR);
    const card = { kind: 'card', value: '0012345678' };
    const ask = (question: object) => access.decide({ gate: 'east-in', ...question }).reason;
    expect(access.decide({ gate: 'east-in', credential: card })).toMatchObject({
      allow: true,
      reason: 'credential',
      subject: 'credential:card-1',
      person: 'zhang',
    });
    expect(ask({ credential: { kind: 'face', value: '0012345678' } })).toBe('unknown');
    expect(ask({ credential: { kind: 'card', value: '99' } })).toBe('blocked');
    expect(ask({ credential: card, plate: '粤B00001' })).toBe('blocked');
    expect(ask({ credential: { kind: 'card', value: '99' }, plate: '粤B12345' })).toBe('blocked');
    expect(ask({ credential: card, plate: '京A00000' })).toBe('credential');
    expect(ask({ credential: { kind: 'card', value: '?' }, plate: '粤B12345' })).toBe('resident');
    expect(ask({ credential: { kind: 'card', value: '?' }, plate: '_无_' })).toBe('unknown');
  });
});

describe('which gate', () => {
  test('the barrier itself, its camera or its lane; with two barriers the one the camera shows', async () => {
    await using site = await gatehouse();
    const { inventory, access } = site;
    const gate = (name: string) => access.decide({ gate: name, plate: '粤B1' }).gate;
    expect(gate('east-in')).toBe('gate-east-in');
    expect(gate('camera-east-in')).toBe('gate-east-in');
    await inventory.putDevice(
      { ...barrier('gate-east-second', 'east-in', { host: '10.0.0.8' }), cameras: ['camera-east-in'] },
      ACTOR,
    );
    expect(gate('camera-east-in')).toBe('gate-east-second');
    expect(gate('gate-east-in')).toBe('gate-east-in');
    expect(() => gate('east-in')).toThrow(/several gates: gate-east-in, gate-east-second/);
  });

  test.each(['', 'nowhere', 'compound', "east-in' --", '__proto__'])('%j leads to no gate', async (name) => {
    await using site = await gatehouse();
    expect(() => site.access.decide({ gate: name })).toThrow(expect.objectContaining({ code: 'access.gate_unknown' }));
    await expect(site.access.ask({ gate: name }, ACTOR)).rejects.toMatchObject({ code: 'access.gate_unknown' });
  });
});

describe('asking for real', () => {
  test('the decision is an event of the gate, by the contract, caused by what was asked about', async () => {
    await using site = await gatehouse();
    await list(site, { plate: '粤B12345', kind: 'resident' });
    const granted = await site.access.ask(
      { gate: 'camera-east-in', plate: '粤B·12345', cause: 'record-7' },
      'flow:lane',
    );
    const refused = await site.access.ask(
      { gate: 'camera-east-in', plate: '京A12345', cause: 'record-8' },
      'flow:lane',
    );
    const unread = await site.access.ask({ gate: 'camera-east-in', plate: 'x'.repeat(500) }, 'flow:lane');
    const { items } = site.journal.read({ kind: ['event'] });
    expect(items.map(({ id }) => id)).toEqual([granted.record, refused.record, unread.record]);
    expect(items).toMatchObject([
      {
        lane: 'L1',
        scenario: 'vehicle-gate',
        device: 'gate-east-in',
        name: 'access.granted',
        actor: 'flow:lane',
        cause: 'record-7',
        data: { plate: '粤B12345', reason: 'resident', subject: 'vehicle:粤B12345' },
      },
      { name: 'vehicle.unrecognised', data: { plate: '京A12345', reason: 'unknown' }, cause: 'record-8' },
      { name: 'vehicle.unrecognised', data: { reason: 'unknown' } },
    ]);
    for (const { name, data } of items) {
      expect(Value.Check(vehicleGate.events[name as 'access.granted'].data, data)).toBe(true);
    }
  });

  test('the time a caller gives answers "what if", and never opens a gate', async () => {
    await using site = await gatehouse();
    const yesterday = NOW - 24 * 3_600_000;
    await list(site, { plate: '粤B12345', kind: 'visitor', validTo: NOW - 1 });
    const question = { gate: 'east-in', plate: '粤B12345', at: yesterday };
    const before = site.journal.head();
    expect(site.access.decide(question).allow).toBe(true);
    expect(site.journal.head()).toEqual(before);
    expect(await site.access.ask(question, ACTOR)).toMatchObject({ allow: false, reason: 'expired' });
    for (const at of [-1, 1e300, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(site.access.decide({ ...question, at }).reason).toBe('expired');
    }
  });

  test('what was changed a moment ago counts', async () => {
    await using site = await gatehouse();
    const ask = () => site.access.decide({ gate: 'east-in', plate: '粤B12345' }).reason;
    await list(site, { plate: '粤B12345', kind: 'resident' });
    expect(ask()).toBe('resident');
    await list(site, { plate: '粤B12345', kind: 'blocked' });
    expect(ask()).toBe('blocked');
    await site.inventory.deleteVehicle('粤B12345', ACTOR);
    expect(ask()).toBe('unknown');
  });
});
