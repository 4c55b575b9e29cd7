/** The reference consumer as a platform runs it: its own process, between a real broker and a real database. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import mqtt from 'mqtt';
import type pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { systemClock } from '../runtime/clock.ts';
import type { Draft, Lane } from '../runtime/contracts/record.ts';
import { Journal } from '../runtime/journal/journal.ts';
import { silentLog } from '../runtime/log.ts';
import { type Report, report } from '../runtime/platform/report.ts';
import { openDatabase } from '../runtime/platform/tables.ts';
import { batch, delivery, link, record } from '../runtime/platform/testing/gateway.ts';
import { openTestStore } from '../runtime/storage/storage.fixture.ts';
import { startUplink, type Uplink } from '../runtime/uplink/mqtt.ts';
import { type Postgres, startPostgres } from './postgres.ts';
import { type Peer, startMosquitto, startNats } from './uplink-peers.ts';

const MAIN = fileURLToPath(new URL('../runtime/platform/main.ts', import.meta.url));
const until = (check: () => unknown) => vi.waitFor(check, { timeout: 20_000, interval: 30 });

let postgres: Postgres;
let address: string;
let database: pg.Pool;
let workers: ChildProcess[];
let gateways: mqtt.MqttClient[];
beforeAll(async () => {
  postgres = await startPostgres();
});
afterAll(() => postgres[Symbol.asyncDispose]());
beforeEach(async () => {
  address = await postgres.database();
  database = await openDatabase(address);
  workers = [];
  gateways = [];
});
afterEach(async () => {
  await Promise.all(gateways.map((gateway) => gateway.endAsync(true)));
  await Promise.all(workers.map((worker) => end(worker, 'SIGKILL')));
  await database.end();
});

async function end(worker: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  if (worker.exitCode !== null || worker.signalCode !== null) return worker.exitCode;
  const gone = once(worker, 'exit');
  worker.kill(signal);
  await gone;
  return worker.exitCode;
}
/** Resolves when it listens. */
async function run(...args: string[]): Promise<ChildProcess> {
  const all = ['--disable-warning=ExperimentalWarning', MAIN, 'run', '--database', address, ...args];
  const worker = spawn(process.execPath, all, { stdio: ['ignore', 'ignore', 'pipe'] });
  workers.push(worker);
  let told = '';
  worker.stderr?.on('data', (chunk) => {
    told += String(chunk);
  });
  await until(() => expect(told).toContain('"listening"'));
  return worker;
}
function show(...args: string[]): { status: number | null; text: string } {
  const all = ['--disable-warning=ExperimentalWarning', MAIN, 'report', '--database', address, ...args];
  const { status, stdout } = spawnSync(process.execPath, all, {
    encoding: 'utf8',
    env: { ...process.env, LC_ALL: 'C' },
  });
  return { status, text: stdout };
}
async function connectGateway(port: number): Promise<mqtt.MqttClient> {
  const gateway = await mqtt.connectAsync({ host: '127.0.0.1', port, protocolVersion: 4, clientId: 'gh-1' });
  gateways.push(gateway);
  return gateway;
}
async function publish(gateway: mqtt.MqttClient, ...deliveries: ReturnType<typeof delivery>[]): Promise<void> {
  for (const { topic, payload } of deliveries) await gateway.publishAsync(topic, payload, { qos: 1 });
}
const lives = async (): Promise<Report['lives']> => (await report(database, { uplink: 'main' })).lives;
const reached = (through: number) =>
  until(async () => expect(await lives()).toMatchObject([{ gateway: 'gh-1', through, held: through }]));
const status = delivery('status', { gateway: 'gh-1', state: 'online', epoch: 1, head: 4 });
const halves = [
  [link('bulk', 0, 2, record(1)), link('urgent', 0, 2, record(2, 'L1'))],
  [link('bulk', 2, 4, record(3)), link('urgent', 2, 4, record(4, 'L0'))],
] as const;

describe.each([
  ['Mosquitto', startMosquitto, (port: number) => ['--mqtt', `mqtt://127.0.0.1:${port}`]],
  [
    'Mosquitto, MQTT 5',
    startMosquitto,
    (port: number) => ['--mqtt', `mqtt://127.0.0.1:${port}`, '--mqtt-version', '5'],
  ],
  ['NATS by MQTT', startNats, (port: number) => ['--mqtt', `mqtt://127.0.0.1:${port}`]],
] as const)('from %s', (_name, startPeer, source) => {
  let peer: Peer;
  beforeEach(async () => {
    peer = await startPeer();
  });
  afterEach(() => peer[Symbol.asyncDispose]());

  test('R3 what comes while the consumer is dead waits for it; what was not committed comes again', async () => {
    const worker = await run(...source(peer.port));
    const gateway = await connectGateway(peer.port);
    await publish(gateway, status, ...halves[0]);
    await reached(2);
    await end(worker, 'SIGKILL');
    await publish(gateway, ...halves[1]);
    expect(await lives()).toMatchObject([{ through: 2 }]);
    expect(show('--to-end')).toMatchObject({ status: 1, text: expect.stringMatching(/INCOMPLETE|不完整/) });
    await run(...source(peer.port));
    await reached(4);
    expect(show('--to-end', '--json').status).toBe(0);
  });

  test('a database that is away is waited for, with the broker keeping what is not acknowledged', async () => {
    await run(...source(peer.port));
    const gateway = await connectGateway(peer.port);
    await publish(gateway, ...halves[0]);
    await reached(2);
    await postgres.kill();
    await publish(gateway, ...halves[1]);
    await postgres.start();
    await reached(4);
  });

  test('a gateway is told that we read zstd, and is asked for a hole', async () => {
    const gateway = await connectGateway(peer.port);
    const down: { name: string; body: { encoding?: string[]; id?: string } }[] = [];
    gateway.on('message', (topic, payload) => {
      down.push({ name: topic.split('/').slice(4).join('/'), body: JSON.parse(payload.toString()) });
    });
    await gateway.subscribeAsync('gatehouse/v1/site/gh-1/down/+', { qos: 1 });
    const worker = await run(...source(peer.port), '--hole-grace', '0');
    await publish(gateway, status, halves[0][0], ...halves[1]);
    await until(() => expect(down).toContainEqual({ name: 'down/accept', body: { encoding: ['zstd'] } }));
    const asked = () => down.find(({ name }) => name === 'down/replay')?.body;
    await until(() => expect(asked()).toMatchObject({ epoch: 1, after: 0, through: 2, lanes: ['L0', 'L1'] }));
    const answer = batch({ after: 0, through: 2, records: [record(2, 'L1')] });
    await publish(gateway, delivery('up/reply', { ...answer, replay: asked()?.id }));
    await reached(4);
    expect(await end(worker, 'SIGTERM')).toBe(0);
  });
});

test('several consumers share the messages of one broker by a shared subscription; the share of a dead one waits for it', async () => {
  await using peer = await startMosquitto();
  const address = ['--mqtt', `mqtt://127.0.0.1:${peer.port}`, '--share', 'platform'];
  const first = await run(...address, '--name', 'a');
  await run(...address, '--name', 'b');
  const gateway = await connectGateway(peer.port);
  await publish(gateway, ...halves[0]);
  await reached(2);
  await end(first, 'SIGKILL');
  await publish(gateway, ...halves[1]);
  await run(...address, '--name', 'a');
  await reached(4);
  expect(await lives()).toMatchObject([{ complete: true }]);
});

describe('a real gateway', () => {
  const draft: Draft = {
    ...{ lane: 'L3', kind: 'telemetry', scenario: 'environment-monitoring', device: 'env-1', name: 'pm25', data: 12.5 },
  };
  const many = (count: number, lane: Lane): Draft[] => Array.from({ length: count }, () => ({ ...draft, lane }));
  const send = (journal: Journal, port: number): Uplink =>
    startUplink({
      ...{ id: 'main', url: `mqtt://127.0.0.1:${port}`, site: 'site', gateway: journal.gateway, version: '0.0.0' },
      ...{ journal, clock: systemClock, log: silentLog, report: () => {} },
    });

  test('R5 what was lost above the gateway is asked for again, and the gateway closes every hole', async () => {
    await using peer = await startMosquitto();
    const directory = mkdtempSync(join(tmpdir(), 'gh-platform-'));
    await using stack = new AsyncDisposableStack();
    stack.defer(() => rmSync(directory, { recursive: true, force: true }));
    const journal = stack.use(await Journal.open({ directory, clock: systemClock, log: silentLog }));
    const uplink = send(journal, peer.port);
    stack.defer(() => uplink.stop());
    await journal.append(...many(700, 'L3'), ...many(20, 'L1'));
    // Nobody subscribes yet: the broker acknowledges and forgets.
    await until(() => expect(uplink.status()).toMatchObject({ state: 'online', backlog: 0 }));
    await run('--mqtt', `mqtt://127.0.0.1:${peer.port}`, '--hole-grace', '0');
    await journal.append(...many(300, 'L3'), ...many(20, 'L0'), ...many(1, 'L3'));
    await until(async () => expect((await lives())[0]?.through).toBeGreaterThan(1000));
    const [life] = await lives();
    expect(life).toMatchObject({ holes: [], held: life?.through, unexplained: 0, conflicts: [], complete: true });
    const { rows } = await database.query<{ json: string }>(
      'SELECT record::text AS json FROM gatehouse.record ORDER BY seq LIMIT 500',
    );
    expect(rows.map(({ json }) => json)).toEqual(journal.read({ limit: 500 }).items.map((one) => JSON.stringify(one)));
  });

  test('R5 what the gateway had to drop before it could send it is explained to the last record', {
    timeout: 60_000,
  }, async () => {
    await using store = await openTestStore({ capBytes: 2 << 20 });
    const { journal, storage, clock, world } = store;
    world.targets = [{ id: 'main', lanes: ['L0', 'L1', 'L2', 'L3'] }];
    const gaps = () => journal.read({ kind: ['gap'], limit: 500 }).items;
    for (let round = 0; gaps().length < 3 && round < 100; round++) {
      await journal.append(...many(300, 'L3'), ...many(50, 'L1'));
      await clock.advance(60_000);
      await storage.look();
    }
    await using peer = await startMosquitto();
    await run('--mqtt', `mqtt://127.0.0.1:${peer.port}`);
    const uplink = send(journal, peer.port);
    await using stack = new AsyncDisposableStack();
    stack.defer(() => uplink.stop());
    await journal.append(...many(1, 'L3'), ...many(1, 'L1'));
    const end = journal.head().seq;
    await until(async () => expect((await lives())[0]?.through).toBeGreaterThanOrEqual(end - 1));
    const gone = gaps().reduce((sum, { data }) => sum + (data as { count: number }).count, 0);
    const [life] = await lives();
    expect(gone).toBeGreaterThan(500);
    expect(life).toMatchObject({ removed: gone, unexplained: 0, falseGaps: [], holes: [], complete: true });
    expect(life?.held).toBe((life?.through ?? 0) - gone);
  });
});

test('used wrongly it says how it is used; without a database it says why it fails', () => {
  const start = (...args: string[]) =>
    spawnSync(process.execPath, ['--disable-warning=ExperimentalWarning', MAIN, ...args], { encoding: 'utf8' });
  for (const args of [
    [],
    ['other'],
    ['run'],
    ['run', '--mqtt', 'mqtt://a', '--nats', 'nats://a'],
    ['report', '--what'],
  ]) {
    expect(start(...args)).toMatchObject({ status: 2, stderr: expect.stringContaining('Usage') });
  }
  const failed = start('report', '--database', 'postgresql://postgres@localhost/none?host=/nowhere');
  expect(failed).toMatchObject({ status: 2, stderr: expect.stringContaining('"failed"') });
});
