/** The main job end to end, over the real protocols of the demo compound: plate, decision, barrier, loop, passage. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { AlarmView, CommandView, DeviceView } from '../runtime/contracts/api.ts';
import type { JournalRecord } from '../runtime/contracts/record.ts';
import { compoundStats } from './compound.ts';
import { type Gateway, startGateway } from './site.ts';

let gateway: Gateway;
beforeAll(async () => {
  gateway = await startGateway();
  await flowsRunning();
});
afterAll(() => gateway?.[Symbol.asyncDispose]());

const flowsRunning = () =>
  gateway.record((record) => record.name === 'flows' && (record.data as { state: string }).state === 'running');
const head = async () => (await gateway.json<{ head: string }>('/status')).head;
const arrival = (plate?: string) =>
  gateway.api('/demo/arrival', { method: 'POST', as: 'demo-guard', ...json(plate === undefined ? {} : { plate }) });
const play = (action: string) => gateway.api(`/demo/${action}`, { method: 'POST', as: 'demo-guard', ...json({}) });
const json = (body: object) => ({ headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
const act = (id: string, action: string, body: object = {}) =>
  gateway.post<AlarmView>(`/alarms/${id}/${action}`, body, 'demo-guard');
const isEvent = (name: string, plate?: string) => (record: JournalRecord) =>
  record.kind === 'event' &&
  record.name === name &&
  (plate === undefined || (record.data as { plate?: string }).plate === plate);
const knownPlate = async () => {
  const vehicles = await gateway.json<{ plate: string; kind: string; schedule?: object; zones?: string[] }[]>(
    '/vehicles?limit=100',
    { as: 'demo-admin' },
  );
  const free = vehicles.find((vehicle) => vehicle.kind === 'resident' && !vehicle.schedule && !vehicle.zones);
  if (!free) throw new Error('the demo site has no plain resident vehicle');
  return free.plate;
};
/** A lane with nobody in it. */
async function quiet(device: string): Promise<DeviceView> {
  for (;;) {
    const view = await gateway.device(device);
    if (view.points.barrierState?.value === 'closed' && view.points.loopOccupied?.value === false) return view;
    await gateway.record((record) => record.device === device && record.kind === 'telemetry', await head());
  }
}

describe('a car at the gate', () => {
  test('a resident passes: every step is recorded, in order, each with its cause', { timeout: 60_000 }, async () => {
    const plate = await knownPlate();
    const from = await head();
    expect((await arrival(plate)).status).toBe(204);
    const passage = await gateway.record(isEvent('passage', plate), from);
    const records = (await gateway.records()).filter((record) => record.seq > Number(from.split(':')[1]));
    const gate = passage.device;
    const read = records.find(isEvent('plate.read', plate));
    const granted = records.find(isEvent('access.granted', plate));
    const command = records.filter((record) => record.kind === 'command' && record.device === gate);
    expect(command.map((record) => (record.data as CommandView).state)).toEqual(['accepted', 'executing', 'succeeded']);
    expect(command.at(-1)?.data).toMatchObject({ proven: true, actor: expect.stringMatching(/^flow:/) });
    expect(granted?.cause).toBe(read?.id);
    expect(passage).toMatchObject({ cause: read?.id, data: { openedBy: expect.stringMatching(/^flow:/), gate } });
    expect(read?.data).toMatchObject({ picture: expect.stringMatching(/^[0-9a-f]{64}$/) });
    const order = [read, granted, ...command, passage].map((record) => record?.seq ?? 0);
    expect([...order].sort((a, b) => a - b)).toEqual(order);
    const { items } = await gateway.json<{ items: JournalRecord[] }>(`/records/${passage.id}/chain`);
    expect(items.map((record) => record.name)).toContain('plate.read');
  });

  test('an unknown plate stays outside until the guard opens with one tap and a reason', {
    timeout: 60_000,
  }, async () => {
    const from = await head();
    await arrival('京A00X01');
    const refused = await gateway.record(isEvent('vehicle.unrecognised', '京A00X01'), from);
    expect(refused.data).toMatchObject({ reason: 'unknown' });
    const pulses = (await compoundStats(gateway.data)).pulses[refused.device]?.[0];
    const view = await gateway.post<CommandView>(
      '/commands?wait=10000',
      { device: refused.device, command: 'open', cause: refused.id },
      'demo-guard',
      { 'idempotency-key': 'tap-1' },
    );
    expect(view).toMatchObject({ state: 'succeeded', proven: true, actor: 'user:demo-guard' });
    await gateway.post(`/commands/${view.id}/reason`, { reason: 'visitor' }, 'demo-guard');
    const passage = await gateway.record(isEvent('passage', '京A00X01'), from);
    expect(passage.data).toMatchObject({ openedBy: 'user:demo-guard', command: view.id });
    expect((await compoundStats(gateway.data)).pulses[refused.device]?.[0]).toBe((pulses ?? 0) + 1);
  });

  test('C1 the same tap sent twice is one pulse', { timeout: 60_000 }, async () => {
    const { id } = await quiet('gate-east-out');
    const before = (await compoundStats(gateway.data)).pulses[id]?.[0] ?? 0;
    const [one, two] = await Promise.all([gateway.open(id, 'twice'), gateway.open(id, 'twice')]);
    expect(two.id).toBe(one.id);
    expect((await compoundStats(gateway.data)).pulses[id]?.[0]).toBe(before + 1);
  });

  test('a forced arm raises an alarm that the guard acknowledges and resolves', { timeout: 90_000 }, async () => {
    await quiet('gate-east-in');
    const from = await head();
    await play('forced-arm');
    const raised = await gateway.record((record) => record.kind === 'alarm' && record.name === 'forced', from);
    const { alarm } = raised.data as { alarm: string };
    expect(await act(alarm, 'ack')).toMatchObject({ handling: 'acked', ackedBy: 'user:demo-guard' });
    await gateway.record(
      (record) =>
        record.kind === 'alarm' &&
        (record.data as { change: string }).change === 'returned' &&
        record.name === 'forced',
      from,
    );
    expect(await act(alarm, 'resolve', { disposition: 'real', note: '已复位' })).toMatchObject({
      process: 'NORMAL',
      handling: 'closed',
    });
    const open = await gateway.json<{ items: AlarmView[] }>('/alarms?state=open', { as: 'demo-guard' });
    expect(open.items.map((one) => one.id)).not.toContain(alarm);
  });

  test('smoke, intrusion and noise raise their alarms beside it', { timeout: 90_000 }, async () => {
    const from = await head();
    for (const action of ['smoke', 'intrusion', 'noise']) await play(action);
    for (const [device, name] of [
      ['smoke-b3-1-5f', 'smoke'],
      ['zone-east-2', 'intrusion'],
      ['station-garden', 'noiseHigh'],
    ]) {
      await gateway.record(
        (record) => record.kind === 'alarm' && record.device === device && record.name === name,
        from,
      );
    }
    await play('clear');
  });
});

describe('who may do what', () => {
  test('a platform cannot open, an auditor cannot acknowledge, a stranger sees nothing', async () => {
    const body = json({ device: 'gate-east-in', command: 'open' });
    const headers = { ...body.headers, 'idempotency-key': crypto.randomUUID() };
    for (const as of [undefined, 'demo-auditor']) {
      const response = await gateway.api('/commands', {
        method: 'POST',
        body: body.body,
        headers,
        ...(as === undefined ? {} : { as }),
      });
      expect(response.status, as).toBe(403);
      expect(response.headers.get('content-type')).toContain('application/problem+json');
    }
    expect((await fetch(`${gateway.url}/api/v1/devices`)).status).toBe(401);
  });
});
