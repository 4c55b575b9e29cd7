import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Profile } from '../../drivers/driver.ts';
import { driverOf } from '../../drivers/index.ts';
import { ModbusSimulator, RelayBoard, table } from '../../drivers/modbus/simulator.ts';
import { type Alarms, createAlarms, schema } from '../alarms/alarms.ts';
import { systemClock } from '../clock.ts';
import type { JournalRecord } from '../contracts/record.ts';
import { GatehouseError } from '../errors.ts';
import { Journal } from '../journal/journal.ts';
import { silentLog } from '../log.ts';
import { openEvidence } from './evidence.ts';
import { createHost, type DeviceHost } from './host.ts';
import { loadProfiles } from './profiles.ts';
import { schema as repeatSchema } from './repeats.ts';

let directory: string;
let journal: Journal;
let alarms: Alarms;
let host: DeviceHost;
const profiles = loadProfiles();
const profile = (id: string): Profile => {
  const found = profiles.get(id);
  if (!found) throw new Error(`no profile ${id}`);
  return found;
};

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'gh-host-'));
  journal = await Journal.open({ directory, clock: systemClock, log: silentLog, schema: [schema, repeatSchema] });
  alarms = createAlarms({ journal, clock: systemClock });
  const evidence = openEvidence(join(directory, 'evidence'));
  host = createHost({ journal, alarms, evidence, driverOf, clock: systemClock, log: silentLog });
});
afterEach(async () => {
  await host.close();
  alarms.stop();
  await journal[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true, force: true });
});

/** Waits for the first record from now on, or already there, that fits. */
function record(fits: (record: JournalRecord) => boolean): Promise<JournalRecord> {
  const there = journal.read({ limit: 500 }).items.find(fits);
  if (there) return Promise.resolve(there);
  return new Promise((resolve) => {
    const end = journal.onCommit((records) => {
      const found = records.find(fits);
      if (!found) return;
      end();
      resolve(found);
    });
  });
}
const camera = {
  id: 'camera-east-in',
  scenario: 'vehicle-gate',
  role: 'camera',
  zone: 'east-in',
  profile: profile('vzenith/lpr-http'),
  address: {},
};
const plateMessage = (license: string, serial = '8f1-1', more: object = {}) => ({
  contentType: 'application/json',
  body: Buffer.from(
    JSON.stringify({
      AlarmInfoPlate: {
        channel: 0,
        deviceName: 'IVS',
        ipaddr: '127.0.0.1',
        result: {
          PlateResult: {
            license,
            colorType: 1,
            type: 1,
            triggerType: 1,
            confidence: 97,
            direction: 0,
            timeStamp: { Timeval: { sec: 1_795_233_600, usec: 0 } },
            ...more,
          },
        },
        serialno: serial,
      },
    }),
  ),
});

test('R1 a pushed plate is in the journal before the camera is answered, and the answer opens nothing', async () => {
  host.attach(camera);
  const answer = await host.pushed('camera-east-in', plateMessage('粤B12345'));
  const { items } = journal.read({ kind: ['event'] });
  expect(items).toMatchObject([
    { device: 'camera-east-in', name: 'plate.read', data: { plate: '粤B12345', stored: false } },
  ]);
  expect(answer?.body).not.toMatch(/"info"\s*:\s*"ok"/);
  expect(host.view('camera-east-in')).toMatchObject({ state: 'online' });
});

test('the same push again is the same event; another car is another', async () => {
  host.attach(camera);
  await host.pushed('camera-east-in', plateMessage('粤B12345'));
  await host.pushed('camera-east-in', plateMessage('粤B12345'));
  await host.pushed('camera-east-in', plateMessage('粤B54321'));
  expect(journal.read({ name: 'plate.read' }).items).toHaveLength(2);
});

test('C4 killed between commit and answer, the gateway knows the push when the camera sends it again', async () => {
  host.attach(camera);
  await host.pushed('camera-east-in', plateMessage('粤B12345'));
  await host.close();
  const evidence = openEvidence(join(directory, 'evidence'));
  host = createHost({ journal, alarms, evidence, driverOf, clock: systemClock, log: silentLog });
  host.attach(camera);
  await host.pushed('camera-east-in', plateMessage('粤B12345'));
  expect(journal.read({ name: 'plate.read' }).items).toHaveLength(1);
});

test('what cannot be read is refused, and nothing stops or opens', async () => {
  host.attach(camera);
  for (const body of ['', '{', '[]', '"x"', '{"AlarmInfoPlate":7}', `{"AlarmInfoPlate":"${'x'.repeat(1_000_000)}"}`]) {
    await expect(
      host.pushed('camera-east-in', { body: Buffer.from(body), contentType: 'application/json' }),
      body.slice(0, 40),
    ).rejects.toMatchObject({
      code: expect.stringMatching(/^(push\.unreadable|driver\.frame|record\.invalid)$/),
    });
  }
  expect(journal.read({ kind: ['event'] }).items).toEqual([]);
  const told = journal.read({ kind: ['state'], name: 'rejected' }).items;
  expect(told.map((one) => one.data)).toMatchObject([{ point: 'message', value: 'push.unreadable' }]);
  expect(host.refusal('camera-east-in')?.body ?? '').not.toMatch(/"info"\s*:\s*"ok"/);
  await host.pushed('camera-east-in', plateMessage('粤B12345'));
  expect(journal.read({ name: 'plate.read' }).items).toHaveLength(1);
});

test('a message for a device nobody knows is refused by name', async () => {
  await expect(host.pushed('nobody', plateMessage('粤B12345'))).rejects.toMatchObject({ code: 'device.not_found' });
});

test('values are recorded when they change, alarms rise when the board falls silent and go when it is back', {
  timeout: 30_000,
}, async () => {
  const inputs = table(0, [false, true, false, false, false, false, false, false]);
  const slave = new RelayBoard(8, inputs);
  const server = new ModbusSimulator([[1, slave]]);
  const port = await server.listenTcp();
  try {
    host.attach({
      id: 'gate-east-in',
      scenario: 'vehicle-gate',
      role: 'barrier',
      zone: 'east-in',
      profile: { ...profile('waveshare/relay-8ch-barrier'), offlineAfterMs: 1500 },
      address: { transport: 'tcp', host: '127.0.0.1', port, unit: 1 },
    });
    await record((one) => one.name === 'barrierState' && one.data === 'closed');
    inputs.set(0, true);
    inputs.set(1, false);
    await record((one) => one.name === 'barrierState' && one.data === 'open');
    expect(journal.read({ name: 'barrierState' }).items.map((one) => one.data)).toEqual(['closed', 'open']);
    expect(journal.read({ name: 'barrierState' }).items[0]?.lane).toBe('L2');

    slave.behaviour.silent = true;
    await record((one) => one.kind === 'alarm' && one.name === 'offline');
    expect(host.view('gate-east-in')).toMatchObject({ state: 'offline' });
    slave.behaviour.silent = false;
    await record((one) => one.kind === 'alarm' && (one.data as { change: string }).change === 'returned');
    expect(host.view('gate-east-in')).toMatchObject({ state: 'online' });
  } finally {
    await host.detach('gate-east-in');
    await server.close();
  }
});

test('a value outside its contract is not recorded as one; it is counted and told once', async () => {
  host.attach({
    id: 'smoke-1',
    scenario: 'smoke-alarm',
    role: 'detector',
    zone: 'b3',
    profile: profile('gatehouse/smoke-mqtt'),
    address: {},
  });
  const topic = 'gatehouse/devices/smoke-1/up/telemetry';
  const say = (values: object) => host.pushed('smoke-1', { topic, body: Buffer.from(JSON.stringify({ values })) });
  await say({ battery: 900 });
  await say({ battery: 901 });
  await say({ battery: 55, smokeDetected: false });
  expect(journal.read({ kind: ['telemetry'] }).items.map((one) => [one.name, one.data])).toEqual([
    ['battery', 55],
    ['smokeDetected', false],
  ]);
  expect(journal.read({ kind: ['state'], name: 'rejected' }).items).toHaveLength(1);
});

const detector = {
  id: 'smoke-1',
  scenario: 'smoke-alarm',
  role: 'detector',
  zone: 'b3-1',
  profile: profile('gatehouse/smoke-mqtt'),
  address: {},
};
const UP = 'gatehouse/devices/smoke-1/up';
const says = (channel: 'telemetry' | 'event', message: object) => ({
  topic: `${UP}/${channel}`,
  body: Buffer.from(JSON.stringify(message)),
});
const taken = (message: { topic: string; body: Uint8Array }, device = 'smoke-1') =>
  new Promise<unknown>((resolve) => host.take(device, message, resolve));

test('R1 what comes over the broker in one turn is committed together, in its order, before any of it is answered', async () => {
  host.attach(detector);
  const batches: string[][] = [];
  journal.onCommit((records) => batches.push(records.map((one) => `${one.name} ${JSON.stringify(one.data)}`)));
  const before = journal.head().seq;
  const heads: number[] = [];
  const answers = [
    says('telemetry', { smoke: 1 }),
    says('telemetry', { smoke: 2, battery: 90 }),
    says('telemetry', { smoke: 2 }), // nothing new, and not answered before what it repeats
    says('event', { name: 'self-test', data: { passed: true } }),
    { topic: `${UP}/telemetry`, body: Buffer.from('{"smoke":') },
  ].map((message) => taken(message).finally(() => heads.push(journal.head().seq - before)));
  expect(journal.head().seq).toBe(before);
  expect(await Promise.all(answers)).toEqual([
    undefined,
    undefined,
    undefined,
    undefined,
    expect.objectContaining({ code: 'driver.frame' }),
  ]);
  const written = batches.flat();
  expect(written.slice(0, 5)).toEqual([
    'link {"state":"online"}',
    'smoke 1',
    'smoke 2',
    'battery 90',
    'self-test {"passed":true}',
  ]);
  expect(written[5]).toContain('rejected');
  expect(Math.min(...heads)).toBeGreaterThanOrEqual(4);
});

test('R1 a reading the disk refused is news when it is said again, and what repeated it meanwhile is not answered', async () => {
  host.attach(detector);
  expect(await taken(says('telemetry', { smoke: 1 }))).toBeUndefined();
  const commit = journal.commit.bind(journal);
  let refusals = 1;
  const refusing: Journal['commit'] = (unit) =>
    refusals-- > 0 ? Promise.reject(new GatehouseError('journal.full', 'no space')) : commit(unit);
  Object.assign(journal, { commit: refusing });
  const first = taken(says('telemetry', { smoke: 5 }));
  await new Promise<void>((resolve) => setImmediate(resolve)); // the first turn is over, its refusal not yet told
  const again = taken(says('telemetry', { smoke: 5 }));
  expect(await first).toMatchObject({ code: 'journal.full' });
  await again;
  expect(await taken(says('telemetry', { smoke: 5 }))).toBeUndefined();
  const values = journal.read({ name: 'smoke' }).items.map((one) => one.data);
  expect(values.filter((value) => value === 5)).toHaveLength(1);
});

test('an unknown device over the broker is told apart', async () => {
  expect(await taken(says('telemetry', { smoke: 1 }), 'nobody')).toMatchObject({ code: 'device.not_found' });
});
