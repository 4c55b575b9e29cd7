/** The uplink when things break: nothing missing, nothing twice, seen by a receiver that checks every batch. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { systemClock } from '../runtime/clock.ts';
import type { Draft, JournalRecord, Lane } from '../runtime/contracts/record.ts';
import { Journal } from '../runtime/journal/journal.ts';
import { silentLog } from '../runtime/log.ts';
import { startUplink, type Uplink, type UplinkTiming } from '../runtime/uplink/mqtt.ts';
import { isPuback, startLine, startMosquitto, startNats } from './uplink-peers.ts';
import { startReceiver, type Track } from './uplink-receiver.ts';

const until = (check: () => unknown, timeout = 20_000) => vi.waitFor(check, { timeout, interval: 10 });
const CONNACK = 2;
const CHILD = new URL('./uplink-child.ts', import.meta.url).pathname;

let directory: string;
let journal: Journal;
let uplink: Uplink | undefined;
const openJournal = () => Journal.open({ directory, clock: systemClock, log: silentLog });
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'gh-uplink-'));
  journal = await openJournal();
});
afterEach(async () => {
  await uplink?.stop();
  uplink = undefined;
  await journal[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true, force: true });
});

function start(port: number, timing: Partial<UplinkTiming> = {}): void {
  uplink = startUplink({
    id: 'main',
    url: `mqtt://127.0.0.1:${port}`,
    site: 'site',
    gateway: journal.gateway,
    version: '0.0.0',
    journal,
    clock: systemClock,
    log: silentLog,
    report: () => {},
    timing,
  });
}
const reading = (value: number): Draft => ({
  lane: 'L3',
  kind: 'telemetry',
  scenario: 'environment-monitoring',
  device: 'station-garden',
  name: 'pm25',
  data: value,
});
const passage = (plate: string): Draft => ({
  lane: 'L1',
  kind: 'event',
  scenario: 'vehicle-gate',
  device: 'gate-east-in',
  name: 'passage',
  data: { plate, direction: 'in' },
});
const mixed = (count: number) =>
  Array.from({ length: count }, (_, n) => (n % 10 === 0 ? passage(`粤B${n}`) : reading(n)));

function written(...lane: Lane[]): JournalRecord[] {
  const all: JournalRecord[] = [];
  for (let after = { epoch: 0, seq: 0 }; ; ) {
    const { items, next } = journal.read({ after, lane, limit: 500 });
    all.push(...items);
    const last = items.at(-1);
    if (!next || !last) return all;
    after = { epoch: last.epoch, seq: last.seq };
  }
}
/** All there, in order, each once, and the batches prove it. */
async function complete(urgent: Track, bulk: Track): Promise<void> {
  const expected = [written('L0', 'L1'), written('L2', 'L3')] as const;
  await until(() => {
    expect(urgent.records.length).toBeGreaterThanOrEqual(expected[0].length);
    expect(bulk.records.length).toBeGreaterThanOrEqual(expected[1].length);
  });
  expect(urgent.records).toEqual(expected[0]);
  expect(bulk.records).toEqual(expected[1]);
  expect([...urgent.holes, ...bulk.holes]).toEqual([]);
}

describe('the broker dies', () => {
  test.each([
    ['Mosquitto', startMosquitto, 5],
    ['NATS', startNats, 4],
  ] as const)(
    '%s with kill -9, and is back later: what was written meanwhile arrives',
    async (_name, startPeer, version) => {
      await using peer = await startPeer();
      await using line = await startLine(peer.port);
      await using receiver = await startReceiver(peer.port, journal.gateway, version);
      start(line.port, { connectMs: 300 });
      await journal.append(...mixed(500));
      await complete(receiver.urgent, receiver.bulk);
      await until(() => expect(uplink?.status().backlog).toBe(0));
      await peer.kill();
      await until(() => expect(uplink?.status().state).toBe('offline'));
      await journal.append(...mixed(3000));
      expect(uplink?.status().backlog).toBe(3000);
      // A broker that forgot its subscribers must have them back before the records come.
      line.frozen = true;
      await receiver.client.endAsync(true);
      await peer.start();
      receiver.client.reconnect();
      await until(() => expect(receiver.client.connected).toBe(true));
      await receiver.client.subscribeAsync(`gatehouse/v1/site/${journal.gateway}/up/+`, { qos: 1 });
      line.frozen = false;
      await complete(receiver.urgent, receiver.bulk);
      await until(() => expect(uplink?.status()).toMatchObject({ state: 'online', backlog: 0 }));
    },
    60_000,
  );

  test('in the middle of a drain, with records it had acknowledged: the receiver sees the hole and has it filled', async () => {
    await using peer = await startMosquitto();
    await using line = await startLine(peer.port);
    const receiver = await startReceiver(line.port, journal.gateway);
    await using _receiver = receiver;
    await journal.append(...mixed(4000));
    // The receiver's line stands still while the broker goes on acknowledging: then the broker dies with what it holds.
    await until(() => expect(receiver.client.connected).toBe(true));
    line.frozen = true;
    start(peer.port);
    await until(() => expect(uplink?.status().backlog).toBe(0));
    await peer.kill();
    line.frozen = false;
    line.cut();
    await peer.start();
    await until(() => expect(receiver.client.connected).toBe(true));
    await receiver.client.subscribeAsync(`gatehouse/v1/site/${journal.gateway}/up/+`, { qos: 1 });
    await until(() => expect(uplink?.status().state).toBe('online'));
    await journal.append(...mixed(100));
    await until(() => expect(receiver.bulk.holes).toHaveLength(1));
    await until(() => expect(receiver.urgent.holes).toHaveLength(1));
    for (const [name, track] of [
      ['urgent', receiver.urgent],
      ['bulk', receiver.bulk],
    ] as const) {
      const [hole] = track.holes.splice(0);
      if (!hole) throw new Error('no hole');
      receiver.replies.length = 0;
      await receiver.ask(name, hole, { lanes: name === 'urgent' ? ['L0', 'L1'] : ['L2', 'L3'] });
      await until(() => expect(receiver.replies.at(-1)).toMatchObject({ replay: name, state: 'done' }));
      track.records.unshift(...receiver.replies.flatMap(({ records = [] }) => records));
    }
    await complete(receiver.urgent, receiver.bulk);
  }, 60_000);
});

describe('the line breaks', () => {
  test('U2 a lost PUBACK on a live connection: dropped after its time, sent again and recognised', async () => {
    await using peer = await startMosquitto();
    await using line = await startLine(peer.port);
    await using receiver = await startReceiver(peer.port, journal.gateway);
    start(line.port, { pubackMs: 400 });
    await until(() => expect(uplink?.status().state).toBe('online'));
    await journal.append(...mixed(50));
    await until(() => expect(uplink?.status().backlog).toBe(0));
    let swallowed = 0;
    line.swallow = (type) => isPuback(type) && swallowed++ < 1;
    await journal.append(passage('粤BLOST1'));
    await until(() => expect(receiver.urgent.records.at(-1)?.data).toMatchObject({ plate: '粤BLOST1' }));
    await until(() => expect(receiver.urgent.again).toBeGreaterThan(0));
    await complete(receiver.urgent, receiver.bulk);
    expect(line.connections).toBe(2);
    await until(() => expect(uplink?.status().backlog).toBe(0));
  });

  test('U2 every PUBACK lost for a while: records arrive again and again, each is kept once', async () => {
    await using peer = await startMosquitto();
    await using line = await startLine(peer.port);
    await using receiver = await startReceiver(peer.port, journal.gateway);
    let pubacks = 0;
    line.onPacket = (type) => {
      pubacks = type === CONNACK ? 0 : pubacks + Number(isPuback(type));
    };
    line.swallow = (type) => isPuback(type) && pubacks > 1; // the first is the status
    await journal.append(...mixed(2000));
    start(line.port, { pubackMs: 300 });
    await until(() => expect(line.connections).toBeGreaterThan(2));
    expect(uplink?.status().backlog).toBeGreaterThan(1900);
    line.swallow = () => false;
    await complete(receiver.urgent, receiver.bulk);
    expect(receiver.urgent.again).toBeGreaterThan(0);
    await until(() => expect(uplink?.status().backlog).toBe(0));
  });

  test('U2 U4 a half-open line under load is given up by the missing PUBACK, an idle one by the keep-alive', async () => {
    await using peer = await startMosquitto();
    await using line = await startLine(peer.port);
    await using receiver = await startReceiver(peer.port, journal.gateway);
    start(line.port, { pubackMs: 400, connectMs: 400 });
    await until(() => expect(uplink?.status().state).toBe('online'));
    line.frozen = true;
    await journal.append(...mixed(100));
    await until(() => expect(uplink?.status()).toMatchObject({ state: 'offline' }));
    expect(uplink?.status().reason).toContain('no PUBACK');
    line.frozen = false;
    await complete(receiver.urgent, receiver.bulk);
    await until(() => expect(uplink?.status()).toMatchObject({ state: 'online', backlog: 0 }));
    await uplink?.stop();
    start(line.port, { connectMs: 400, keepaliveSeconds: 1 });
    await until(() => expect(uplink?.status()).toMatchObject({ state: 'online', backlog: 0 }));
    line.frozen = true;
    await until(() => expect(uplink?.status()).toMatchObject({ state: 'offline' }));
    expect(uplink?.status().reason).toMatch(/keepalive|connack/i);
    line.frozen = false;
    await journal.append(...mixed(10));
    await complete(receiver.urgent, receiver.bulk);
  });

  test('a line that is cut again and again brings everything through', async () => {
    await using peer = await startMosquitto();
    await using line = await startLine(peer.port);
    await using receiver = await startReceiver(peer.port, journal.gateway);
    start(line.port);
    let pubacks = 0;
    line.onPacket = (type) => {
      if (isPuback(type) && ++pubacks % 7 === 0) line.cut();
    };
    await until(async () => {
      await journal.append(...mixed(200));
      expect(line.connections).toBeGreaterThan(3);
    }, 60_000);
    line.onPacket = () => {};
    await complete(receiver.urgent, receiver.bulk);
  }, 120_000);

  test('on a slow line an urgent record does not wait behind a backlog of bulk', async () => {
    await using peer = await startMosquitto();
    await using line = await startLine(peer.port);
    await using receiver = await startReceiver(peer.port, journal.gateway);
    line.bytesPerSecond = 50_000;
    for (let n = 0; n < 10; n++) await journal.append(...Array.from({ length: 1000 }, (_, i) => reading(i)));
    start(line.port);
    await until(() => expect(receiver.bulk.batches).toBeGreaterThan(8)); // the pace has settled
    const waits: number[] = [];
    for (let n = 0; n < 5; n++) {
      const sentAt = performance.now();
      const [record] = await journal.append(passage(`粤B${n}`));
      await until(() => expect(receiver.urgent.through).toBeGreaterThanOrEqual(record?.seq ?? 0));
      waits.push(performance.now() - sentAt);
    }
    expect(uplink?.status().backlog).toBeGreaterThan(1000);
    expect(Math.max(...waits)).toBeLessThan(2500);
    line.bytesPerSecond = undefined;
    await complete(receiver.urgent, receiver.bulk);
  }, 60_000);
});

describe('the gateway dies', () => {
  test('R3 with kill -9 between PUBACK and the saved place: sent again, recognised, nothing twice', async () => {
    await using peer = await startMosquitto();
    await using line = await startLine(peer.port);
    await using receiver = await startReceiver(peer.port, journal.gateway);
    await journal.append(...mixed(3000));
    await journal[Symbol.asyncDispose]();
    let killed = 0;
    for (let life = 0; life < 3; life++) {
      const child = spawn(process.execPath, [CHILD, directory, String(line.port)], { stdio: 'inherit' });
      const gone = once(child, 'exit');
      let pubacks = 0;
      line.onPacket = (type) => {
        if (!isPuback(type) || ++pubacks !== 3 + 2 * life) return;
        killed++;
        child.kill('SIGKILL'); // the broker has it, the gateway never hears of it
      };
      line.swallow = (type) => isPuback(type) && pubacks >= 3 + 2 * life;
      await gone;
    }
    expect(killed).toBe(3);
    line.onPacket = () => {};
    line.swallow = () => false;
    journal = await openJournal();
    start(peer.port);
    await complete(receiver.urgent, receiver.bulk);
    expect(receiver.urgent.again + receiver.bulk.again).toBeGreaterThan(0);
  }, 60_000);
});
