/** Brokers that misbehave: whatever they do, records arrive complete and each counts once, without a hot loop. */
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { type Clock, systemClock } from '../runtime/clock.ts';
import type { Draft, JournalRecord, Lane } from '../runtime/contracts/record.ts';
import { Journal } from '../runtime/journal/journal.ts';
import { silentLog } from '../runtime/log.ts';
import { startUplink, type Uplink, type UplinkAlarm, type UplinkOptions } from '../runtime/uplink/mqtt.ts';
import { type BadBroker, startBadBroker } from './uplink-bad-broker.ts';
import { type Batch, bodyOf } from './uplink-receiver.ts';

const until = (check: () => unknown, timeout = 30_000) => vi.waitFor(check, { timeout, interval: 10 });
const BATCH_BYTES = 120 * 1024;

let directory: string;
let journal: Journal;
let broker: BadBroker;
let uplinks: Uplink[];
let alarms: UplinkAlarm[];
/** Every pause that was asked for, ms. */
let pauses: number[];
const clock: Clock = {
  ...systemClock,
  after(ms, action) {
    pauses.push(ms);
    return systemClock.after(ms, action);
  },
};
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'gh-bad-'));
  journal = await Journal.open({ directory, clock: systemClock, log: silentLog });
  broker = await startBadBroker();
  uplinks = [];
  alarms = [];
  pauses = [];
});
afterEach(async () => {
  await Promise.all(uplinks.map((uplink) => uplink.stop()));
  await broker[Symbol.asyncDispose]();
  await journal[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true, force: true });
});

function start(more: Partial<UplinkOptions> = {}): Uplink {
  const uplink = startUplink({
    id: 'main',
    url: `mqtt://127.0.0.1:${broker.port}`,
    site: 'site',
    gateway: journal.gateway,
    version: '0.0.0',
    journal,
    clock,
    log: silentLog,
    report: (alarm) => alarms.push(alarm),
    timing: { pubackMs: 300 },
    ...more,
  });
  uplinks.push(uplink);
  return uplink;
}
const draft = (lane: 'L0' | 'L1' | 'L3', data: unknown): Draft => ({
  lane,
  kind: lane === 'L3' ? 'telemetry' : 'event',
  scenario: 'vehicle-gate',
  device: 'd',
  name: 'n',
  data,
});
const mixed = (count: number) => Array.from({ length: count }, (_, n) => draft(n % 10 === 0 ? 'L1' : 'L3', n));
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
/** All there, in order, each once, and nothing left to send. */
async function complete(uplink: Uplink): Promise<void> {
  await until(() => expect(uplink.status()).toMatchObject({ state: 'online', backlog: 0 }), 60_000);
  await until(() => expect(broker.urgent.records).toEqual(written('L0', 'L1')));
  await until(() => expect(broker.bulk.records).toEqual(written('L2', 'L3')));
  expect([...broker.urgent.holes, ...broker.bulk.holes]).toEqual([]);
}
const isStatus = ({ topic }: { topic: string }) => topic.endsWith('/status');
/** Ms between one connection and the next. */
const spaces = () => broker.connections.slice(1).map((at, n) => at - (broker.connections[n] ?? 0));
const LEAST_PAUSE_MS = 100;

describe('it is far away', () => {
  const isBacklog = ({ topic }: { topic: string }) => /up\/(urgent|bulk)$/.test(topic);
  /** Acknowledges so many batches, then holds everything back, as a long line does for a round trip. */
  const holdAfter = (most: number) => {
    let batches = 0;
    broker.publish = (message) => (isBacklog(message) && ++batches > most ? 'silent' : 'ack');
  };
  const fill = async (lane: 'L1' | 'L3', count: number) => {
    for (let n = 0; n < count; n += 1000)
      await journal.append(...Array.from({ length: 1000 }, (_, i) => draft(lane, { n: n + i })));
  };

  test('B5 what one round trip carries: the window but for a reserve, of batches that are full', async () => {
    await fill('L3', 30_000);
    holdAfter(30);
    const uplink = start({ timing: { pubackMs: 60_000 } });
    await until(() => expect(broker.mostOpen.messages).toBeGreaterThanOrEqual(16));
    const open = broker.publishes.filter(isBacklog).slice(30);
    const records = open.reduce((sum, { payload }) => sum + (bodyOf(payload) as Batch).records.length, 0);
    // At a round trip of 40 ms: 25 of them a second.
    expect(records * 25).toBeGreaterThan(150_000);
    broker.publish = () => 'ack';
    await uplink.stop();
  }, 60_000);

  test('B5 an urgent record passes a backlog of urgent ones, and comes again in its turn', async () => {
    await fill('L1', 20_000);
    holdAfter(4);
    const uplink = start({ timing: { pubackMs: 5000 } });
    await until(() => expect(broker.publishes.filter(isBacklog).length).toBeGreaterThan(4));
    const [alarm] = await journal.append(draft('L0', { smoke: true }));
    await until(() => expect(broker.replies).toHaveLength(1));
    const seq = alarm?.seq ?? 0;
    expect(broker.replies[0]).toEqual({
      ...{ gateway: journal.gateway, epoch: 1, after: seq - 1, through: seq, replay: 'ahead', records: [alarm] },
    });
    expect(broker.urgent.through).toBeLessThan(20_000);
    broker.publish = () => 'ack';
    await complete(uplink);
    expect(broker.urgent.records.at(-1)).toEqual(alarm);
    // With nothing before it, it goes in its turn at once.
    await journal.append(draft('L0', { smoke: false }));
    await complete(uplink);
    expect(broker.replies).toHaveLength(1);
  }, 60_000);
});

describe('it accepts and never acknowledges', () => {
  test('U1 the window is never exceeded, whatever is written meanwhile, and mqtt.js never sends by itself', async () => {
    broker.publish = (message) => (isStatus(message) ? 'ack' : 'silent');
    await journal.append(...mixed(2000));
    const uplink = start();
    await until(() => expect(broker.connections.length).toBeGreaterThan(1));
    for (let n = 0; n < 10; n++) await journal.append(...mixed(1000));
    await until(() => expect(broker.connections.length).toBeGreaterThan(2));
    expect(uplink.status().backlog).toBeGreaterThan(11_000);
    expect(broker.mostOpen.messages).toBeLessThanOrEqual(20);
    expect(broker.mostOpen.bytes).toBeLessThanOrEqual(20 * BATCH_BYTES);
    expect(broker.publishes.some(({ dup }) => dup)).toBe(false);
    // Every connection began with the status, and with the first record that is not acknowledged.
    for (let connection = 1; connection < broker.connections.length; connection++) {
      const own = broker.publishes.filter((message) => message.connection === connection);
      expect(own.slice(0, 1).every(isStatus)).toBe(true);
    }
    expect(Math.min(...spaces())).toBeGreaterThanOrEqual(300 + LEAST_PAUSE_MS - 50);
    broker.publish = () => 'ack';
    await complete(uplink);
    expect(broker.urgent.again).toBeGreaterThan(0);
  }, 150_000);

  test('U2 not even the status: the connection is dropped after its time, and nothing else was sent', async () => {
    broker.publish = () => 'silent';
    await journal.append(...mixed(100));
    const uplink = start({ timing: { pubackMs: 300, offlineMs: 500 } });
    await until(() => expect(broker.connections.length).toBeGreaterThan(2));
    expect(broker.publishes.every(isStatus)).toBe(true);
    expect(broker.mostOpen.messages).toBe(1);
    await until(() => expect(alarms.map(({ kind, active }) => [kind, active])).toEqual([['uplinkOffline', true]]));
    expect(uplink.status().reason).toContain('no PUBACK');
    broker.publish = () => 'ack';
    await complete(uplink);
  }, 60_000);

  test('R6 a slow target never blocks another: one is stuck, the other has everything', async () => {
    await using stuck = await startBadBroker();
    stuck.publish = (message) => (isStatus(message) ? 'ack' : 'silent');
    const slow = start({ id: 'slow', url: `mqtt://127.0.0.1:${stuck.port}`, timing: { pubackMs: 60_000 } });
    const quick = start({ id: 'quick' });
    for (let n = 0; n < 5; n++) await journal.append(...mixed(1000));
    await complete(quick);
    expect(slow.status().backlog).toBeGreaterThan(4000);
    const [record] = await journal.append(draft('L0', 'alarm'));
    await until(() => expect(broker.urgent.through).toBeGreaterThanOrEqual(record?.seq ?? 0));
    expect(stuck.connections).toHaveLength(1);
  }, 60_000);
});

describe('it acknowledges badly', () => {
  test('U2 every seventh PUBACK is dropped: sent again and recognised, until all are there', async () => {
    let count = 0;
    broker.publish = (message) => (!isStatus(message) && ++count % 7 === 0 ? 'silent' : 'ack');
    const uplink = start();
    await until(async () => {
      await journal.append(...mixed(200));
      expect(broker.connections.length).toBeGreaterThan(2);
    }, 60_000);
    broker.publish = () => 'ack';
    await complete(uplink);
    expect(broker.urgent.again + broker.bulk.again).toBeGreaterThan(0);
    expect(Math.min(...spaces())).toBeGreaterThanOrEqual(LEAST_PAUSE_MS - 50);
  }, 150_000);

  test('every PUBACK comes twice: the place moves once, and nothing is skipped', async () => {
    broker.publish = () => 'twice';
    await journal.append(...mixed(3000));
    const uplink = start();
    await complete(uplink);
    for (let n = 0; n < 20; n++) await journal.append(draft('L1', n));
    await complete(uplink);
    expect(broker.connections).toHaveLength(1);
    expect(broker.urgent.again + broker.bulk.again).toBe(0);
  }, 60_000);

  test('what comes down twice is done once: a replay is not repeated, a command is refused each time', async () => {
    await journal.append(...mixed(600));
    const uplink = start();
    await complete(uplink);
    const down = `gatehouse/v1/site/${journal.gateway}/down`;
    broker.send(`${down}/replay`, { id: 'again', after: 0, through: 600 }, 2);
    broker.send(`${down}/command`, { id: 'c-1', device: 'gate', command: 'open' }, 2);
    await until(() => expect(broker.replies.some(({ state }) => state === 'done')).toBe(true));
    const parts = broker.replies.filter(({ replay, records }) => replay === 'again' && records);
    expect(parts.slice(1).map(({ after }) => after)).toEqual(parts.slice(0, -1).map(({ through }) => through));
    await until(() => expect(broker.replies.filter(({ command }) => command === 'c-1')).toHaveLength(2));
    expect(written('L0').filter(({ name }) => name === 'uplink.replay.requested')).toHaveLength(1);
    expect(written('L0').some(({ kind }) => kind === 'command')).toBe(false);
    await complete(uplink);
  }, 60_000);

  test.each<[string, Partial<Pick<BadBroker, 'receiveMaximum' | 'maximumPacketSize'>>]>([
    ['one message at a time', { receiveMaximum: 1 }],
    ['packets of 2 KiB', { maximumPacketSize: 2048 }],
  ])(
    'it takes %s: it gets no more',
    async (_what, limits) => {
      Object.assign(broker, limits);
      await journal.append(...mixed(500), draft('L1', 'x'.repeat(5000)), ...mixed(50));
      const uplink = start();
      await until(() => expect(uplink.status()).toMatchObject({ state: 'online', backlog: 0 }), 60_000);
      if (limits.receiveMaximum) expect(broker.mostOpen.messages).toBe(1);
      else expect(Math.max(...broker.publishes.map(({ payload }) => payload.length))).toBeLessThan(2048);
      const seqs = (records: readonly JournalRecord[]) => records.map(({ seq }) => seq);
      expect(seqs(broker.urgent.records)).toEqual(seqs(written('L0', 'L1')));
      expect(seqs(broker.bulk.records)).toEqual(seqs(written('L2', 'L3')));
      expect([...broker.urgent.holes, ...broker.bulk.holes]).toEqual([]);
    },
    60_000,
  );
});

describe('it ends connections', () => {
  test('U3 in the middle of a batch, again and again: every attempt later, all of it in the end', async () => {
    broker.cutAfter = 150_000; // inside the second or third batch
    for (let n = 0; n < 5; n++) await journal.append(...mixed(1000));
    const uplink = start();
    await until(() => expect(broker.connections.length).toBeGreaterThan(3), 60_000);
    broker.cutAfter = undefined;
    await complete(uplink);
    expect(Math.min(...spaces())).toBeGreaterThanOrEqual(LEAST_PAUSE_MS - 50);
  }, 120_000);

  test('U1 with a window of messages open and the keep-alive over: nothing breaks, all of it comes again', async () => {
    let stuck: number | undefined;
    broker.publish = (message, connection) => {
      if (broker.mostOpen.messages > 5) stuck ??= connection;
      return isStatus(message) || (stuck !== undefined && stuck !== connection) ? 'ack' : 'silent';
    };
    broker.deaf = (connection) => connection === stuck;
    for (let n = 0; n < 5; n++) await journal.append(...mixed(1000));
    const uplink = start({ timing: { pubackMs: 60_000, keepaliveSeconds: 1 } });
    await until(() => expect(broker.connections.length).toBeGreaterThan(stuck ?? Number.POSITIVE_INFINITY));
    await complete(uplink);
  }, 60_000);

  test('U5 another client takes over the id, three times: an alarm, and pauses between', async () => {
    broker.publish = (message, connection) => (connection <= 3 && !isStatus(message) ? { disconnect: 0x8e } : 'ack');
    await journal.append(...mixed(50));
    const uplink = start({ timing: { pubackMs: 300, offlineMs: 1000 } });
    await until(() =>
      expect(alarms).toContainEqual(expect.objectContaining({ kind: 'duplicateClient', active: true })),
    );
    await complete(uplink);
    expect(broker.connections.length).toBeLessThanOrEqual(5);
    expect(Math.min(...spaces())).toBeGreaterThanOrEqual(LEAST_PAUSE_MS - 50);
  }, 60_000);
});

describe('it refuses', () => {
  test.each([
    [
      'bad credentials (CONNACK 0x86)',
      () => {
        broker.connect = () => 0x86;
      },
    ],
    [
      'not authorised (CONNACK 0x87)',
      () => {
        broker.connect = () => 0x87;
      },
    ],
    [
      'quota exceeded (CONNACK 0x97)',
      () => {
        broker.connect = () => 0x97;
      },
    ],
    [
      'banned (CONNACK 0x8a)',
      () => {
        broker.connect = () => 0x8a;
      },
    ],
    [
      'not authorised to publish (PUBACK 0x87)',
      () => {
        broker.publish = () => ({ code: 0x87 });
      },
    ],
    [
      'quota exceeded (PUBACK 0x97)',
      () => {
        broker.publish = (message) => (isStatus(message) ? 'ack' : { code: 0x97 });
      },
    ],
    [
      'quota exceeded (DISCONNECT 0x97)',
      () => {
        broker.publish = (message) => (isStatus(message) ? 'ack' : { disconnect: 0x97 });
      },
    ],
  ])('U6 %s: an alarm, one attempt, and then a long pause', async (_what, misbehave) => {
    misbehave();
    await journal.append(...mixed(50));
    const uplink = start();
    await until(() => expect(uplink.status().state).toBe('refused'));
    expect(alarms).toMatchObject([{ kind: 'uplinkRefused', active: true, detail: { uplink: 'main' } }]);
    await until(() => expect(pauses.some((ms) => ms >= 5000 && ms <= 10_000 && ms !== 5000)).toBe(true));
    expect(broker.connections).toHaveLength(1);
    expect(uplink.status().backlog).toBeGreaterThan(40);
  });

  test('to let us listen: records go up all the same', async () => {
    broker.subscribe = () => 0x87;
    await journal.append(...mixed(100));
    await complete(start());
  });
});

describe('U4 the times of a connection are ours', () => {
  /** Takes connections and never says a word. @returns what the first one sent */
  async function startMute(): Promise<{ port: number; first: Promise<Buffer>; close: () => void }> {
    const { promise: first, resolve } = Promise.withResolvers<Buffer>();
    const sockets: Socket[] = [];
    const server = createServer((socket) => {
      sockets.push(socket);
      socket.on('error', () => {});
      socket.once('data', resolve);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const close = () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    };
    return { port: (server.address() as AddressInfo).port, first, close };
  }

  test('keep-alive of 30 s, and a session that begins clean', async () => {
    const mute = await startMute();
    start({ url: `mqtt://127.0.0.1:${mute.port}` });
    const connect = await mute.first;
    const at = connect.indexOf('MQTT') + 4;
    expect(connect[at]).toBe(5);
    expect((connect[at + 1] ?? 0) & 2).toBe(2);
    expect(connect.readUInt16BE(at + 2)).toBe(30);
    mute.close();
  });

  test('a server that never answers is given up', async () => {
    const mute = await startMute();
    const uplink = start({ url: `mqtt://127.0.0.1:${mute.port}`, timing: { connectMs: 300 } });
    await until(() => expect(uplink.status()).toMatchObject({ state: 'offline' }));
    expect(uplink.status().reason).toMatch(/connack/i);
    mute.close();
  });
});
