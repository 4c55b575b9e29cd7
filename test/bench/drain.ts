/**
 * A backlog of 200,000 records on its way to a Mosquitto above, at QoS 1, from the first message that arrives there to the
 * last: ours out of the journal, against a Mosquitto bridge with its limits lifted, which holds the same texts, and against
 * mqtt.js with one message per record. Bytes are what the server above has received.
 */
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import mqtt from 'mqtt';
import { systemClock as clock } from '../../runtime/clock.ts';
import type { Draft } from '../../runtime/contracts/record.ts';
import { Journal } from '../../runtime/journal/journal.ts';
import { silentLog as log } from '../../runtime/log.ts';
import { startUplink } from '../../runtime/uplink/mqtt.ts';
import { freePort, type Peer, startMosquitto, startMosquittoAt } from '../uplink-peers.ts';
import type { Arrived, SinkData } from './drain-sink.ts';
import { openFarLine } from './far-line.ts';
import { type Benchmark, compare, percentile, type Result } from './measure.ts';
import { openPublisher, publish } from './mqtt-wire.ts';
import { openFolder } from './scratch.ts';

const HOST = '127.0.0.1';
const RECORDS = 200_000;
const DEVICES = 500;
const FILL_WINDOW = 500;
/** Unacknowledged messages of mqtt.js and of the bridge. */
const WINDOW = 1000;
const URGENT_EVERY_MS = 5;
const ARRIVES_MS = 120_000;
const FAR_MS = 40;
const PUBACK_BYTES = 4;
const tuned = ['set_tcp_nodelay true', 'max_inflight_messages 0', 'memory_limit 0', 'sys_interval 1'];

interface Drained {
  /** Records a second. */
  readonly rate: number;
  /** Bytes of a record on the wire. */
  readonly bytes: number;
  readonly waits: readonly number[];
}

const passage = (n: number): Draft => ({
  lane: 'L1',
  kind: 'event',
  scenario: 'vehicle-gate',
  device: `camera-${n % 20}`,
  name: 'passage',
  data: { direction: 'in', plate: `粤B${n}`, lane: 'east-in' },
});
const reading = (n: number): Draft => ({
  lane: 'L3',
  kind: 'telemetry',
  scenario: 'environment-monitoring',
  device: `station-${n % DEVICES}`,
  name: n % 3 ? 'pm25' : 'temperature',
  at: Date.now() - RECORDS + n,
  data: Math.round(Math.random() * 10_000) / 100,
});

/** A server above with its one subscriber. */
async function openCloud(port?: number) {
  const cloud = await startMosquittoAt(port ?? (await freePort()), ...tuned);
  const sink = new Worker(new URL('./drain-sink.ts', import.meta.url), {
    workerData: { host: HOST, port: cloud.port } satisfies SinkData,
  });
  await once(sink, 'message');
  const ask = async () => {
    const answer = once(sink, 'message') as Promise<[Arrived]>;
    sink.postMessage('report');
    return (await answer)[0];
  };
  return {
    port: cloud.port,
    /** @throws when they do not all arrive */
    async all(records: number): Promise<Arrived> {
      for (const until = performance.now() + ARRIVES_MS; ; ) {
        const arrived = await ask();
        if (arrived.records >= records) return arrived;
        if (performance.now() > until) throw new Error(`${arrived.records} of ${records} records arrived`);
        await pause(500);
      }
    },
    /** What the server has received, but for the acknowledgements of its subscriber. */
    async received(messages: number): Promise<number> {
      const client = await mqtt.connectAsync({ host: HOST, port: cloud.port });
      const told = new Promise<string>((resolve) => client.once('message', (_topic, count) => resolve(`${count}`)));
      await pause(2100); // it counts once a second
      await client.subscribeAsync('$SYS/broker/bytes/received');
      const count = await told;
      await client.endAsync();
      return Number(count) - messages * PUBACK_BYTES;
    },
    async [Symbol.asyncDispose]() {
      await sink.terminate();
      await cloud[Symbol.asyncDispose]();
    },
  };
}

/** @param since L0 records of an earlier turn are history, which comes again */
async function measured(cloud: Awaited<ReturnType<typeof openCloud>>, since = 0): Promise<Drained> {
  const arrived = await cloud.all(RECORDS);
  const bytes = await cloud.received(arrived.messages);
  return {
    rate: ((arrived.records - arrived.first) * 1000) / arrived.tookMs,
    bytes: bytes / arrived.records,
    waits: arrived.waits.filter(({ sentAt }) => sentAt >= since && sentAt < arrived.lastAt).map(({ ms }) => ms),
  };
}

interface Way {
  /** Beside the backlog, records of L0 come at this pace, ms. */
  readonly urgentEveryMs?: number;
  /** Of a round trip to the server above; absent: it is as near as can be. */
  readonly roundTripMs?: number;
}
/** What an uplink or a bridge dials to reach the port. */
async function lineTo(port: number, { roundTripMs }: Way): Promise<AsyncDisposable & { readonly port: number }> {
  return roundTripMs === undefined ? { port, async [Symbol.asyncDispose]() {} } : openFarLine(port, roundTripMs);
}

let turns = 0;
async function ours(journal: Journal, way: Way = {}): Promise<Drained> {
  const { urgentEveryMs } = way;
  const since = performance.timeOrigin + performance.now();
  await using cloud = await openCloud();
  await using line = await lineTo(cloud.port, way);
  const platform = await mqtt.connectAsync({ host: HOST, port: cloud.port });
  const accept = `gatehouse/v1/bench/${journal.gateway}/down/accept`;
  await platform.publishAsync(accept, '{"encoding":["zstd"]}', { qos: 1, retain: true });
  await platform.endAsync();
  const uplink = startUplink({
    id: `bench-${turns++}`,
    url: `mqtt://${HOST}:${line.port}`,
    filter: { lanes: ['L0', 'L1', 'L3'] },
    site: 'bench',
    gateway: journal.gateway,
    version: '0.0.0',
    journal,
    clock,
    log,
    report: () => {},
  });
  try {
    while (uplink.status().state !== 'online') await pause(1);
    let drained = false;
    const found = measured(cloud, since).finally(() => {
      drained = true;
    });
    while (urgentEveryMs !== undefined && !drained) {
      const data = { sentAt: performance.timeOrigin + performance.now() };
      await journal.append({ lane: 'L0', kind: 'event', scenario: 'smoke-alarm', device: 'd', name: 'alarm', data });
      await pause(urgentEveryMs);
    }
    return await found;
  } finally {
    await uplink.stop();
  }
}

async function oneByOne(texts: readonly string[], way: Way = {}): Promise<Drained> {
  await using cloud = await openCloud();
  await using line = await lineTo(cloud.port, way);
  const client = await mqtt.connectAsync({ host: HOST, port: line.port, keepalive: 0 });
  let next = 0;
  const { promise: done, resolve } = Promise.withResolvers<void>();
  let acked = 0;
  const send = () => {
    const text = texts[next++];
    if (text === undefined) return;
    client.publish('up/one', text, { qos: 1 }, () => {
      if (++acked === texts.length) resolve();
      else send();
    });
  };
  for (let n = 0; n < WINDOW; n++) send();
  await done;
  const found = await measured(cloud);
  await client.endAsync();
  return found;
}

/** The server below holds the backlog and stands still until the one above has its subscriber. */
async function bridge(texts: readonly string[], way: Way = {}): Promise<Drained> {
  const above = await freePort();
  await using line = await lineTo(above, way);
  await using below = await startMosquitto(
    ...['set_tcp_nodelay true', `max_inflight_messages ${WINDOW}`, 'memory_limit 0', 'persistence false'],
    ...['connection up', `address ${HOST}:${line.port}`, 'topic up/# out 1', 'cleansession false'],
    ...['restart_timeout 1', 'try_private false', 'notifications false', 'bridge_attempt_unsubscribe false'],
    ...['bridge_protocol_version mqttv311', 'remote_clientid below', 'keepalive_interval 60'],
  );
  await fill(below, texts);
  below.pause(true);
  await using cloud = await openCloud(above);
  below.pause(false);
  return await measured(cloud);
}

async function fill({ port }: Peer, texts: readonly string[]): Promise<void> {
  const publisher = await openPublisher(HOST, port, 'fill', '');
  const { promise, resolve } = Promise.withResolvers<void>();
  let sent = 0;
  let acked = 0;
  const send = () => {
    const text = texts[sent++];
    if (text !== undefined) publisher.socket.write(publish('up/one', (sent % 65_535) + 1, text));
  };
  publisher.onAck = () => {
    if (++acked === texts.length) resolve();
    else send();
  };
  for (let n = 0; n < FILL_WINDOW; n++) send();
  await promise;
  publisher.socket.destroy();
}

/** A backlog, and the texts of its records for those who have no journal. */
async function backlog(journal: Journal, draft: (n: number) => Draft): Promise<string[]> {
  const texts: string[] = [];
  for (let n = 0; n < RECORDS; n += 1000) {
    const records = await journal.append(...Array.from({ length: 1000 }, (_, i) => draft(n + i)));
    for (const record of records) texts.push(JSON.stringify(record));
  }
  return texts;
}

async function paired(rounds: number, way: Way): Promise<Result[]> {
  using folder = openFolder();
  await using journal = await Journal.open({ directory: folder.path, clock, log });
  const texts = await backlog(journal, reading);
  const pairs: [Drained, Drained, Drained][] = [];
  const waits: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const found = new Map<string, Drained>();
    const turns = [
      ['ours', () => ours(journal, way)],
      ['bridge', () => bridge(texts, way)],
      ['oneByOne', () => oneByOne(texts, way)],
    ] as const;
    for (const [name, run] of round % 2 === 0 ? turns : turns.toReversed()) found.set(name, await run());
    waits.push(...(await ours(journal, { ...way, urgentEveryMs: URGENT_EVERY_MS })).waits);
    const [own, bridged, single] = turns.map(([name]) => found.get(name));
    if (own && bridged && single) pairs.push([own, bridged, single]);
  }
  const where = way.roundTripMs === undefined ? '' : ` over ${way.roundTripMs} ms`;
  const against = (peer: 1 | 2, name: string): Result[] => [
    compare(
      `drain${where}`,
      'records/s',
      name,
      pairs.map((all) => [all[0].rate, all[peer].rate]),
    ),
    compare(
      `drain${where}, on the wire`,
      'bytes/record',
      name,
      pairs.map((all) => [all[0].bytes, all[peer].bytes]),
    ),
  ];
  return [
    ...against(1, 'Mosquitto bridge, limits lifted'),
    ...against(2, 'mqtt.js, one message per record'),
    waited(`an L0 record upstream during the drain${where}, p99`, waits),
  ];
}

function waited(name: string, waits: readonly number[]): Result {
  const p99 = percentile(waits, 0.99);
  return {
    ...{ name, unit: 'ms', value: p99, peer: 'the bar of a second', peerValue: 1000, ratio: p99 / 1000 },
    ...{ min: Math.min(...waits), max: Math.max(...waits), runs: waits.length },
  };
}

export const drain: Benchmark = {
  name: 'drain',
  about: `a backlog of ${RECORDS} records to a Mosquitto above, at QoS 1, and how long a record of L0 waits meanwhile`,
  run: (rounds) => paired(rounds, {}),
};

export const drainFar: Benchmark = {
  name: 'drain-far',
  about: `the same over a line with a round trip of ${FAR_MS} ms`,
  run: (rounds) => paired(rounds, { roundTripMs: FAR_MS }),
};

export const drainUrgent: Benchmark = {
  name: 'drain-urgent',
  about: `a record of L0 beside a backlog of ${RECORDS} passages, which go by the same cursor: near, and ${FAR_MS} ms away`,
  async run(rounds) {
    using folder = openFolder();
    await using journal = await Journal.open({ directory: folder.path, clock, log });
    await backlog(journal, passage);
    const results: Result[] = [];
    for (const roundTripMs of [undefined, FAR_MS]) {
      const waits: number[] = [];
      const way = { urgentEveryMs: URGENT_EVERY_MS, ...(roundTripMs === undefined ? {} : { roundTripMs }) };
      for (let round = 0; round < rounds; round++) waits.push(...(await ours(journal, way)).waits);
      const where = roundTripMs === undefined ? '' : ` over ${roundTripMs} ms`;
      results.push(waited(`an L0 record upstream beside passages${where}, p99`, waits));
    }
    return results;
  },
};
