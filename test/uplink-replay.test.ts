/** Replays up to a real broker: what is asked for again, by MQTT or by an operator, beside what is live. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { systemClock } from '../runtime/clock.ts';
import type { Draft, JournalRecord, Lane } from '../runtime/contracts/record.ts';
import { Journal } from '../runtime/journal/journal.ts';
import { positionNumber } from '../runtime/journal/schema.ts';
import { silentLog } from '../runtime/log.ts';
import { startUplink, type Uplink, type UplinkOptions } from '../runtime/uplink/mqtt.ts';
import { openReplayStore, schema } from '../runtime/uplink/replay-store.ts';
import { type Line, type Peer, startLine, startMosquitto } from './uplink-peers.ts';
import { type Receiver, startReceiver } from './uplink-receiver.ts';

const until = (check: () => unknown, timeout = 30_000) => vi.waitFor(check, { timeout, interval: 10 });
const ACTOR = 'user:chen';

let directory: string;
let journal: Journal;
let uplink: Uplink | undefined;
let peer: Peer;
let line: Line;
let receiver: Receiver;
const open = async () => {
  journal = await Journal.open({ directory, clock: systemClock, log: silentLog, schema: [schema] });
};
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'gh-replay-'));
  await open();
  peer = await startMosquitto();
  line = await startLine(peer.port);
  receiver = await startReceiver(peer.port, journal.gateway);
});
afterEach(async () => {
  await uplink?.stop();
  uplink = undefined;
  await receiver[Symbol.asyncDispose]();
  await line[Symbol.asyncDispose]();
  await peer[Symbol.asyncDispose]();
  await journal[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true, force: true });
});

function start(more: Partial<UplinkOptions> = {}): Uplink {
  uplink = startUplink({
    id: 'main',
    url: `mqtt://127.0.0.1:${line.port}`,
    site: 'site',
    gateway: journal.gateway,
    version: '0.0.0',
    journal,
    clock: systemClock,
    log: silentLog,
    replays: openReplayStore(journal, 'main'),
    report: () => {},
    ...more,
  });
  return uplink;
}
const kindOf = { L0: 'audit', L1: 'event', L2: 'state', L3: 'telemetry', L4: 'state' } as const;
const draft = (lane: Lane, data: unknown = 1): Draft => ({
  lane,
  kind: kindOf[lane],
  scenario: 'vehicle-gate',
  device: 'd',
  name: 'n',
  data,
});
const many = (lane: Lane, count: number) => Array.from({ length: count }, (_, n) => draft(lane, n));
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
const batches = (id: string) => receiver.replies.filter((reply) => reply.replay === id && reply.records);
const finished = (id: string) => receiver.replies.find((reply) => reply.replay === id && reply.state === 'done');
/** The stretches of a replay join without a hole from `after` to `through`; begun again after an interruption, they overlap. */
function joined(id: string, after: number, through: number): JournalRecord[] {
  const records = new Map<number, JournalRecord>();
  let reached = after;
  for (const batch of batches(id)) {
    expect(batch.after).toBeLessThanOrEqual(reached);
    reached = Math.max(reached, batch.through);
    for (const record of batch.records) records.set(record.seq, record);
  }
  expect(reached).toBe(through);
  return [...records.values()].sort((a, b) => a.seq - b.seq);
}

describe('a replay', () => {
  test('asked for by an operator comes like one asked for by the platform, and its state is seen', async () => {
    await journal.append(...many('L3', 900), ...many('L1', 20));
    const link = start();
    const { id } = await link.replay({ id: 'op-1', after: 10, through: 800 }, ACTOR);
    await until(() => expect(link.replays()).toMatchObject([{ id, state: 'running', actor: ACTOR }]));
    await until(() => expect(finished(id)).toMatchObject({ epoch: 1, through: 800 }));
    const wanted = written('L0', 'L1', 'L2', 'L3').filter(({ seq }) => seq > 10 && seq <= 800);
    expect(joined(id, 10, 800)).toEqual(wanted);
    await until(() => expect(link.replays()).toMatchObject([{ id, state: 'done', reached: 800 }]));
    expect(journal.db.prepare('SELECT * FROM replay').all()).toEqual([]);
  });

  test('asked for while there is no connection begins when there is one', async () => {
    await journal.append(...many('L3', 50));
    const link = start({ url: 'mqtt://127.0.0.1:1' });
    await link.replay({ id: 'early', after: 0, through: 40 }, ACTOR);
    expect(link.replays()).toMatchObject([{ state: 'waiting' }]);
    await link.stop();
    start();
    await until(() => expect(finished('early')).toBeDefined());
    expect(joined('early', 0, 40)).toHaveLength(40);
  });

  test('goes on where it was after a lost connection and after a restart of the gateway', async () => {
    await journal.append(...many('L3', 1000), ...many('L3', 1000), ...many('L3', 1000));
    start();
    await until(() => expect(uplink?.status()).toMatchObject({ state: 'online', backlog: 0 }));
    await uplink?.replay({ id: 'long', after: 0, through: 3000 }, ACTOR);
    await until(() => expect(batches('long').length).toBeGreaterThan(1));
    line.cut();
    const before = batches('long').length;
    await until(() => expect(batches('long').length).toBeGreaterThan(before + 1));
    await uplink?.stop();
    await journal[Symbol.asyncDispose]();
    await open();
    expect(finished('long')).toBeUndefined();
    start();
    await until(() => expect(finished('long')).toBeDefined());
    expect(joined('long', 0, 3000)).toHaveLength(3000);
  }, 60_000);

  test('never disturbs what is live', async () => {
    for (let n = 0; n < 5; n++) await journal.append(...many('L3', 1000));
    start();
    await until(() => expect(uplink?.status()).toMatchObject({ state: 'online', backlog: 0 }));
    await uplink?.replay({ id: 'all', after: 0, through: 5000 }, ACTOR);
    await until(() => expect(batches('all').length).toBeGreaterThan(1));
    const waits: number[] = [];
    while (!finished('all') && waits.length < 100) {
      const sentAt = performance.now();
      const [record] = await journal.append(draft('L0', 'alarm'));
      await until(() => expect(receiver.urgent.through).toBeGreaterThanOrEqual(record?.seq ?? 0));
      waits.push(performance.now() - sentAt);
    }
    expect(waits.length).toBeGreaterThan(3);
    expect(Math.max(...waits)).toBeLessThan(2000);
    expect([receiver.urgent.again, receiver.bulk.again, receiver.urgent.holes, receiver.bulk.holes]).toEqual([
      0,
      0,
      [],
      [],
    ]);
    await until(() => expect(finished('all')).toBeDefined());
  }, 60_000);

  test('R5 tells what is not there any more by the gap records that cover it', async () => {
    await journal.append(...many('L3', 600), ...many('L1', 5), ...many('L3', 600));
    const gone = (lane: Lane, from: number, to: number, count: number): Draft => ({
      ...draft('L0', { lane, epoch: 1, from, to, count, reason: 'space', firstAt: 0, lastAt: 0 }),
      kind: 'gap',
      scenario: 'gateway',
      device: '',
      name: 'buffer.gap',
      actor: 'system:storage',
    });
    const remove = (from: number, to: number) => ({
      sql: 'DELETE FROM record WHERE pos BETWEEN ? AND ?',
      params: [positionNumber(1, from), positionNumber(1, to)],
    });
    await journal.commit({ records: [gone('L3', 2, 601, 600)], writes: [remove(2, 601)] });
    await journal.commit({ records: [gone('L3', 700, 709, 10)], writes: [remove(700, 709)] });
    start();
    await until(() => expect(uplink?.status()).toMatchObject({ state: 'online', backlog: 0 }));
    await receiver.ask('holes', { epoch: 1, after: 0, through: 1200 });
    await until(() => expect(finished('holes')).toBeDefined());
    const records = joined('holes', 0, 1200);
    expect(records.map(({ seq }) => seq)).toEqual([
      1,
      ...Array.from({ length: 98 }, (_, n) => 602 + n),
      ...Array.from({ length: 491 }, (_, n) => 710 + n),
    ]);
    // Every place of every batch is a record, or a gap record of the batch covers it.
    for (const { after, through, records: own, gaps = [] } of batches('holes')) {
      const there = new Set(own.map(({ seq }) => seq));
      const covers = (gaps as unknown as JournalRecord[]).map(({ data }) => data as { from: number; to: number });
      for (let seq = after + 1; seq <= through; seq++) {
        expect(there.has(seq) || covers.some(({ from, to }) => seq >= from && seq <= to)).toBe(true);
      }
    }
    await receiver.ask('whole', { epoch: 1, after: 710, through: 1200 });
    await until(() => expect(finished('whole')).toBeDefined());
    expect(batches('whole').some(({ gaps }) => gaps !== undefined)).toBe(false);
  });

  test('over a stretch of which nothing is left still answers, and says why', async () => {
    await journal.append(...many('L3', 300));
    await journal.commit({
      records: [{ ...draft('L0', { lane: 'L3', epoch: 1, from: 2, to: 301, count: 300 }), kind: 'gap' }],
      writes: [
        { sql: 'DELETE FROM record WHERE pos BETWEEN ? AND ?', params: [positionNumber(1, 2), positionNumber(1, 301)] },
      ],
    });
    start();
    await until(() => expect(uplink?.status()).toMatchObject({ state: 'online', backlog: 0 }));
    await receiver.ask('nothing', { epoch: 1, after: 100, through: 200 });
    await until(() => expect(finished('nothing')).toBeDefined());
    expect(joined('nothing', 100, 200)).toEqual([]);
    expect(batches('nothing')[0]?.gaps).toMatchObject([{ kind: 'gap', data: { from: 2, to: 301 } }]);
  });
});

describe('B5 the pace of an uplink', () => {
  test('is never exceeded, while what is urgent goes ahead of the backlog', async () => {
    for (let n = 0; n < 20; n++) await journal.append(...many('L3', 1000));
    const times: number[] = [];
    receiver.client.on('message', (topic) => {
      if (topic.includes('/up/')) times.push(performance.now());
    });
    const before = performance.now();
    start({ pace: { messagesPerSecond: 8, inFlight: 2 } });
    await until(() => expect(receiver.bulk.batches).toBeGreaterThan(2));
    for (let n = 0; n < 3; n++) {
      const [record] = await journal.append(draft('L1', n));
      await until(() => expect(receiver.urgent.through).toBeGreaterThanOrEqual(record?.seq ?? 0));
      expect(receiver.bulk.through).toBeLessThan(20_000);
    }
    await until(() => expect(times.length).toBeGreaterThan(20));
    const seconds = (performance.now() - before) / 1000;
    expect(times.length).toBeLessThanOrEqual(8 * seconds + 5);
  }, 60_000);
});
