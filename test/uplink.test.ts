/** The uplink against real brokers: what arrives, in which shape, and what may come down. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import mqtt from 'mqtt';
import { generate as selfSigned } from 'selfsigned';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { systemClock } from '../runtime/clock.ts';
import type { Draft, JournalRecord, Lane } from '../runtime/contracts/record.ts';
import { Journal } from '../runtime/journal/journal.ts';
import { silentLog } from '../runtime/log.ts';
import { startUplink, type Uplink, type UplinkAlarm, type UplinkOptions } from '../runtime/uplink/mqtt.ts';
import { freePort, type Peer, startMosquitto, startNats } from './uplink-peers.ts';
import { type Receiver, startReceiver, type Track } from './uplink-receiver.ts';

const until = (check: () => unknown, timeout = 25_000) => vi.waitFor(check, { timeout, interval: 10 });

let directory: string;
let journal: Journal;
let uplink: Uplink | undefined;
let alarms: UplinkAlarm[];
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'gh-uplink-'));
  journal = await Journal.open({ directory, clock: systemClock, log: silentLog });
  alarms = [];
});
afterEach(async () => {
  await uplink?.stop();
  uplink = undefined;
  await journal[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true, force: true });
});

function start(port: number, more: Partial<UplinkOptions> = {}): Uplink {
  uplink = startUplink({
    id: 'main',
    url: `mqtt://127.0.0.1:${port}`,
    site: 'site',
    gateway: journal.gateway,
    version: '0.0.0',
    journal,
    clock: systemClock,
    log: silentLog,
    report: (alarm) => alarms.push(alarm),
    ...more,
  });
  return uplink;
}

const kindOf = { L0: 'audit', L1: 'event', L2: 'state', L3: 'telemetry', L4: 'state' } as const;
const draft = (lane: Lane, data: unknown = { value: 1 }): Draft => ({
  lane,
  kind: kindOf[lane],
  scenario: 'vehicle-gate',
  device: 'gate-east-in',
  name: lane === 'L3' ? 'pm25' : 'something',
  data: lane === 'L3' ? 12.5 : data,
});
const many = (lane: Lane, count: number, data?: unknown) => Array.from({ length: count }, () => draft(lane, data));
const written = (...lanes: Lane[]): JournalRecord[] => {
  const all: JournalRecord[] = [];
  for (let after = { epoch: 0, seq: 0 }; ; ) {
    const { items, next } = journal.read({ after, lane: lanes, limit: 500 });
    all.push(...items);
    const last = items.at(-1);
    if (!next || !last) return all;
    after = { epoch: last.epoch, seq: last.seq };
  }
};
/** The journal may still be writing (a refused command is audited on its own time), so both sides are read until they agree. */
async function complete(track: Track, ...lanes: Lane[]): Promise<void> {
  await until(() => expect(track.records).toEqual(written(...lanes)));
  expect(track.holes).toEqual([]);
}

describe.each([
  ['Mosquitto, MQTT 5', startMosquitto, 5],
  ['NATS, MQTT 3.1.1 only', startNats, 4],
] as const)('up to %s', (_name, startPeer, version) => {
  let peer: Peer;
  let receiver: Receiver;
  beforeEach(async () => {
    peer = await startPeer();
    receiver = await startReceiver(peer.port, journal.gateway, version);
  });
  afterEach(async () => {
    await receiver[Symbol.asyncDispose]();
    await peer[Symbol.asyncDispose]();
  });

  test('R3 every record of L0 to L3 arrives once and in order, history first, and the two integers prove it', async () => {
    await journal.append(...many('L3', 1500), ...many('L1', 30), ...many('L4', 5), ...many('L0', 3));
    start(peer.port);
    await complete(receiver.urgent, 'L0', 'L1');
    await complete(receiver.bulk, 'L2', 'L3');
    await journal.append(draft('L1', { plate: '粤B12345' }), draft('L2'), draft('L3'), draft('L4'));
    await complete(receiver.urgent, 'L0', 'L1');
    await complete(receiver.bulk, 'L2', 'L3');
    expect(receiver.urgent.again + receiver.bulk.again).toBe(0);
    expect(receiver.urgent.records.at(-1)?.data).toEqual({ plate: '粤B12345' });
    expect(receiver.bulk.records.some(({ lane }) => lane === 'L4')).toBe(false);
    await until(() => expect(uplink?.status()).toMatchObject({ state: 'online', backlog: 0 }));
    expect(uplink?.status().oldestAt).toBeUndefined();
  });

  test('a restart goes on where the acknowledgements ended', async () => {
    await journal.append(...many('L1', 10));
    start(peer.port);
    await complete(receiver.urgent, 'L0', 'L1');
    await uplink?.stop();
    const batches = receiver.urgent.batches;
    await journal.append(...many('L1', 7));
    start(peer.port);
    await complete(receiver.urgent, 'L0', 'L1');
    expect(receiver.urgent.again).toBe(0);
    expect(receiver.urgent.batches).toBe(batches + 1);
  });

  test('the status is retained, says how far the journal is, and a will takes it back', async () => {
    await journal.append(draft('L1'));
    start(peer.port);
    await until(() => expect(receiver.statuses).toHaveLength(1));
    expect(receiver.statuses[0]).toMatchObject({ gateway: journal.gateway, state: 'online', epoch: 1, head: 2 });
    await uplink?.stop();
    await until(() => expect(receiver.statuses.at(-1)).toMatchObject({ state: 'offline', reason: 'stopped' }));
    const late = await startReceiver(peer.port, `${journal.gateway}`, version);
    await until(() => expect(late.statuses.at(-1)).toMatchObject({ state: 'offline' }));
    await late[Symbol.asyncDispose]();
  });

  test('C8 an uplink that takes no commands says so', async () => {
    const topic = `gatehouse/v1/site/${journal.gateway}/down/command`;
    start(peer.port);
    await until(() => expect(receiver.statuses).toHaveLength(1));
    await receiver.client.publishAsync(topic, JSON.stringify({ id: 'c-1', device: 'gate-east-in' }), { qos: 1 });
    await until(() => expect(receiver.replies).toHaveLength(1));
    expect(receiver.replies[0]).toMatchObject({ command: 'c-1', state: 'refused', code: 'command.forbidden' });
    expect(written('L0').some(({ kind }) => kind === 'command')).toBe(false);
  });

  test('a platform asks for a stretch again and gets exactly that, beside the live records', async () => {
    await journal.append(...many('L3', 700), ...many('L1', 10), ...many('L3', 100));
    start(peer.port);
    await complete(receiver.bulk, 'L2', 'L3');
    const batches = receiver.bulk.batches;
    await receiver.ask('again-1', { epoch: 1, after: 100, through: 720 });
    await until(() => expect(receiver.replies.at(-1)).toMatchObject({ state: 'done' }));
    const done = receiver.replies.pop();
    expect(done).toMatchObject({ replay: 'again-1', epoch: 1, through: 720 });
    expect(receiver.replies.every(({ replay }) => replay === 'again-1')).toBe(true);
    const stretches = receiver.replies.map(({ after, through }) => [after, through]);
    expect(stretches[0]?.[0]).toBe(100);
    expect(stretches.at(-1)?.[1]).toBe(720);
    expect(stretches.slice(1).map(([after]) => after)).toEqual(stretches.slice(0, -1).map(([, through]) => through));
    const wanted = written('L0', 'L1', 'L2', 'L3').filter(({ seq }) => seq > 100 && seq <= 720);
    expect(receiver.replies.flatMap(({ records }) => records)).toEqual(wanted);
    receiver.replies.length = 0;
    await receiver.ask('again-2', { epoch: 1, after: 100, through: 800 }, { lanes: ['L1'] });
    await until(() => expect(receiver.replies.at(-1)).toMatchObject({ state: 'done' }));
    expect(receiver.replies.flatMap(({ records = [] }) => records)).toEqual(written('L1'));
    expect(receiver.bulk.batches).toBe(batches);
    await until(() => expect(written('L0').filter(({ name }) => name === 'uplink.replay.requested')).toHaveLength(2));
  });

  test.each([
    ['beyond the head', { epoch: 1, after: 0, through: 5000 }, 'ends at'],
    ['backwards', { epoch: 1, after: 3, through: 3 }, 'not before'],
    ['in another life of the journal', { epoch: 7, after: 0, through: 3 }, 'not in this journal'],
    ['that is no stretch', { epoch: 1, after: -1, through: 3 }, 'not {'],
  ])('a replay %s is refused politely', async (_what, stretch, detail) => {
    await journal.append(...many('L1', 5));
    start(peer.port);
    await until(() => expect(uplink?.status().state).toBe('online'));
    await complete(receiver.urgent, 'L0', 'L1');
    await receiver.ask('bad', stretch);
    await until(() => expect(receiver.replies).toHaveLength(1));
    expect(receiver.replies[0]).toMatchObject({ replay: 'bad', state: 'refused' });
    expect(receiver.replies[0]?.detail).toContain(detail);
  });

  test('zstd is used once the receiver announces it, and saves most of the bytes', async () => {
    await receiver.client.publishAsync(
      `gatehouse/v1/site/${journal.gateway}/down/accept`,
      JSON.stringify({ encoding: ['zstd'] }),
      { qos: 1, retain: true },
    );
    start(peer.port);
    await until(() => expect(uplink?.status().state).toBe('online'));
    await complete(receiver.urgent, 'L0', 'L1');
    await until(async () => {
      await journal.append(...many('L1', 50));
      expect(receiver.compressed).toBeGreaterThan(0);
    });
    await complete(receiver.urgent, 'L0', 'L1');
    const before = receiver.bytes;
    const all = many('L3', 500);
    await journal.append(...all);
    await complete(receiver.bulk, 'L2', 'L3');
    const plain = JSON.stringify(written('L3')).length;
    expect(receiver.bytes - before).toBeLessThan(0.35 * plain);
  });

  test('junk on every way down stops nothing', async () => {
    start(peer.port);
    await until(() => expect(uplink?.status().state).toBe('online'));
    const base = `gatehouse/v1/site/${journal.gateway}/down`;
    for (const junk of [
      '',
      'null',
      '[]',
      '{"id":',
      '{"id":{}}',
      'x'.repeat(60_000),
      JSON.stringify({ id: 'x'.repeat(9999) }),
    ]) {
      for (const name of ['command', 'replay', 'accept']) {
        await receiver.client.publishAsync(`${base}/${name}`, junk, { qos: 1 });
      }
    }
    await journal.append(draft('L1', 'after the junk'));
    await complete(receiver.urgent, 'L0', 'L1');
    expect(receiver.urgent.records.filter(({ name }) => name.startsWith('uplink.')).length).toBeLessThan(31);
    expect(uplink?.status().state).toBe('online');
  });
});

describe('addresses, rights and refusals', () => {
  test('R4 a new life of the journal begins a new batch, and the old one is told to its end', async () => {
    await journal.append(...many('L1', 3), ...many('L3', 2));
    await journal[Symbol.asyncDispose]();
    rmSync(join(directory, 'identity.json'));
    writeFileSync(join(directory, 'identity.json'), JSON.stringify({ gateway: journal.gateway, epoch: 4 }));
    journal = await Journal.open({ directory, clock: systemClock, log: silentLog });
    expect(journal.epoch).toBe(5);
    await journal.append(...many('L1', 2), ...many('L3', 2));
    await using peer = await startMosquitto();
    await using receiver = await startReceiver(peer.port, journal.gateway);
    start(peer.port);
    await complete(receiver.urgent, 'L0', 'L1');
    await complete(receiver.bulk, 'L2', 'L3');
    expect(new Set(receiver.urgent.records.map(({ epoch }) => epoch))).toEqual(new Set([1, 5]));
    expect(receiver.urgent.records.filter(({ kind }) => kind === 'epoch')).toHaveLength(2);
    await receiver.ask('old', { epoch: 1, after: 0, through: 6 });
    await until(() => expect(receiver.replies.at(-1)).toMatchObject({ state: 'done', epoch: 1 }));
    expect(receiver.replies.flatMap(({ records = [] }) => records)).toHaveLength(6);
  });

  test('a platform gets what its filter says and no more, a replay included', async () => {
    await using peer = await startMosquitto();
    await using receiver = await startReceiver(peer.port, journal.gateway);
    await journal.append(...many('L1', 4), { ...draft('L1'), scenario: 'smoke-alarm' }, ...many('L3', 4));
    start(peer.port, { filter: { lanes: ['L1'], scenarios: ['smoke-alarm'] } });
    await until(() => expect(receiver.urgent.through).toBe(10));
    expect(receiver.urgent.records.map(({ scenario }) => scenario)).toEqual(['smoke-alarm']);
    await receiver.ask('all', { epoch: 1, after: 0, through: 10 });
    await until(() => expect(receiver.replies.at(-1)).toMatchObject({ state: 'done' }));
    expect(receiver.replies.flatMap(({ records = [] }) => records)).toHaveLength(1);
    expect(receiver.bulk.batches).toBe(0);
    expect(receiver.statuses[0]).toMatchObject({ filter: { lanes: ['L1'], scenarios: ['smoke-alarm'] } });
  });

  test('U6 wrong credentials are an alarm and a long pause, not a hot loop; the alarm ends when they are right', async () => {
    const passwords = join(directory, 'passwords');
    writeFileSync(passwords, '');
    execFileSync('mosquitto_passwd', ['-b', passwords, 'gateway', 'right-one']);
    await using peer = await startMosquitto('allow_anonymous false', `password_file ${passwords}`);
    start(peer.port, { credentials: () => ({ username: 'gateway', password: 'wrong' }) });
    await until(() => expect(uplink?.status()).toMatchObject({ state: 'refused' }));
    expect(uplink?.status().reason).toMatch(/not authori[sz]ed|bad user/i);
    expect(alarms).toEqual([
      { kind: 'uplinkRefused', active: true, detail: { uplink: 'main', reason: uplink?.status().reason } },
    ]);
    await uplink?.stop();
    start(peer.port, { url: `mqtt://gateway:right-one@127.0.0.1:${peer.port}` });
    await until(() => expect(uplink?.status()).toMatchObject({ state: 'online' }));
  });

  test('U6 a broker that refuses the topic is an alarm too', async () => {
    const acl = join(directory, 'acl');
    writeFileSync(acl, 'topic read #\n');
    await using peer = await startMosquitto(`acl_file ${acl}`);
    start(peer.port);
    await until(() => expect(uplink?.status()).toMatchObject({ state: 'refused' }));
    expect(uplink?.status().reason).toMatch(/not authorized/i);
    expect(alarms.map(({ kind, active }) => [kind, active])).toEqual([['uplinkRefused', true]]);
  });

  test('several servers are tried in turn, and nobody at home is an alarm after a while', async () => {
    await using peer = await startMosquitto();
    await using receiver = await startReceiver(peer.port, journal.gateway);
    const [dead, gone] = [await freePort(), await freePort()];
    start(0, { url: `mqtt://127.0.0.1:${dead},127.0.0.1:${gone},127.0.0.1:${peer.port}` });
    await complete(receiver.urgent, 'L0', 'L1');
    await uplink?.stop();
    start(dead, { timing: { offlineMs: 300 } });
    await until(() => expect(alarms).toHaveLength(1));
    expect(alarms[0]).toMatchObject({ kind: 'uplinkOffline', active: true });
    expect(alarms[0]?.detail.reason).toContain('ECONNREFUSED');
    await journal.append(...many('L1', 3), ...many('L3', 3));
    expect(uplink?.status()).toMatchObject({ state: 'offline', backlog: 6 });
    const [first] = await journal.append(draft('L1'));
    expect(uplink?.status().oldestAt).toBeLessThanOrEqual(first?.received ?? 0);
  });

  test('N2 TLS checks the name and the authority', async () => {
    const pems = await selfSigned([{ name: 'commonName', value: 'localhost' }], {
      keySize: 2048,
      extensions: [{ name: 'subjectAltName', altNames: [{ type: 2, value: 'localhost' }] }],
    });
    writeFileSync(join(directory, 'key.pem'), pems.private);
    writeFileSync(join(directory, 'cert.pem'), pems.cert);
    await using peer = await startMosquitto(
      `certfile ${join(directory, 'cert.pem')}`,
      `keyfile ${join(directory, 'key.pem')}`,
    );
    start(0, { url: `mqtts://localhost:${peer.port}` });
    await until(() => expect(uplink?.status().reason).toMatch(/self.signed/i));
    await uplink?.stop();
    start(0, { url: `mqtts://127.0.0.1:${peer.port}`, ca: () => pems.cert });
    await until(() => expect(uplink?.status().reason).toMatch(/altnames|does not match/i));
    await uplink?.stop();
    start(0, { url: `mqtts://localhost:${peer.port}`, ca: () => pems.cert });
    await until(() => expect(uplink?.status()).toMatchObject({ state: 'online' }));
  });

  test.each(['a/b', 'a.b', 'a b', '门房', '', '#'])('a site id %j that is no topic level is refused', (site) => {
    expect(() => start(1, { site })).toThrow(expect.objectContaining({ code: 'uplink.topic' }));
  });

  test('U5 two clients with our id throw each other out: an alarm, and longer and longer pauses', async () => {
    await using peer = await startMosquitto();
    start(peer.port);
    const twin = mqtt.connect({
      host: '127.0.0.1',
      port: peer.port,
      protocolVersion: 5,
      clientId: `gh-${journal.gateway}-main`,
      reconnectPeriod: 50,
      reconnectOnConnackError: true,
    });
    twin.on('error', () => {});
    try {
      await until(() => expect(alarms.map(({ kind }) => kind)).toContain('duplicateClient'), 25_000);
      expect(alarms.find(({ kind }) => kind === 'duplicateClient')).toMatchObject({ active: true });
    } finally {
      await twin.endAsync(true);
    }
  });
});
