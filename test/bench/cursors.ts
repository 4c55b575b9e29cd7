/**
 * How long after its commit a record is with each kind of cursor: a flow on the unix socket, a booth over TCP, a platform
 * behind Mosquitto, and somebody who pulls pages as fast as they are answered. Beside each, what the line alone takes.
 */
import { once } from 'node:events';
import { type ClientRequest, get, type IncomingMessage } from 'node:http';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import mqtt from 'mqtt';
import { openTestGateway, type TestGateway } from '../../runtime/api/gateway.fixture.ts';
import { systemClock as clock } from '../../runtime/clock.ts';
import type { RecordsPage } from '../../runtime/contracts/api.ts';
import type { JournalRecord } from '../../runtime/contracts/record.ts';
import { silentLog as log } from '../../runtime/log.ts';
import { startUplink } from '../../runtime/uplink/mqtt.ts';
import { startMosquitto } from '../uplink-peers.ts';
import { type Benchmark, percentile, type Result } from './measure.ts';
import { messageOf, openSubscriber } from './mqtt-wire.ts';

const HOST = '127.0.0.1';
const RECORDS_A_ROUND = 100;
const EVERY_MS = 10;
const ARRIVES_MS = 10_000;

/** Times by sequence number, on one monotonic clock. */
type Times = Map<number, number>;

const passage = (n: number) => ({
  lane: 'L1' as const,
  kind: 'event' as const,
  scenario: 'vehicle-gate',
  device: 'gate-east-in',
  name: 'passage',
  data: { direction: 'in', plate: `粤B${String(n).padStart(5, '0')}`, occupiedMs: n },
});

/** Follows the stream; notes each record when its frame is there. */
async function follow(target: object, headers: Record<string, string>, times: Times): Promise<() => void> {
  const request: ClientRequest = get({ ...target, path: '/api/v1/stream', headers });
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  if (response.statusCode !== 200) throw new Error(`stream: ${response.statusCode}`);
  let rest = '';
  response.setEncoding('utf8').on('data', (chunk: string) => {
    const frames = (rest + chunk).split('\n\n');
    rest = frames.pop() ?? '';
    for (const frame of frames) {
      const place = /^id: \d+:(\d+)$/m.exec(frame)?.[1];
      if (place !== undefined) times.set(Number(place), performance.now());
    }
  });
  return () => void request.destroy();
}

/** Asks for what came after the last page, again and again. */
function pull(gateway: TestGateway, port: number, headers: Record<string, string>, times: Times): () => void {
  let open = true;
  let after = `1:${gateway.journal.head().seq}`;
  const run = async () => {
    while (open) {
      const response = await fetch(`http://${HOST}:${port}/api/v1/records?limit=100&after=${after}`, { headers });
      const { items, head } = (await response.json()) as RecordsPage;
      const now = performance.now();
      for (const { seq } of items) times.set(seq, now);
      after = items.length > 0 ? `1:${items.at(-1)?.seq}` : head;
    }
  };
  void run();
  return () => {
    open = false;
  };
}

/** The same text over TCP and back out of the socket, with nothing else around it. */
async function bareLine(text: string): Promise<number[]> {
  const server = createServer({ noDelay: true });
  server.listen(0, HOST);
  await once(server, 'listening');
  const accepted = once(server, 'connection') as Promise<[Socket]>;
  const reader = connect({ host: HOST, port: (server.address() as AddressInfo).port, noDelay: true });
  const [writer] = await accepted;
  const waits: number[] = [];
  for (let n = 0; n < RECORDS_A_ROUND; n++) {
    const there = once(reader, 'data');
    const sentAt = performance.now();
    writer.write(text);
    await there;
    waits.push(performance.now() - sentAt);
    await pause(EVERY_MS);
  }
  reader.destroy();
  server.close();
  return waits;
}

/** mqtt.js to Mosquitto to a subscriber. */
async function bareBroker(port: number, text: string): Promise<number[]> {
  const publisher = await mqtt.connectAsync({ host: HOST, port });
  let there = () => {};
  const end = await openSubscriber(HOST, port, (body) => {
    if (messageOf(body).topic === 'bare') there();
  });
  const waits: number[] = [];
  for (let n = 0; n < RECORDS_A_ROUND; n++) {
    const arrived = new Promise<void>((resolve) => {
      there = resolve;
    });
    const sentAt = performance.now();
    publisher.publish('bare', text, { qos: 1 });
    await arrived;
    waits.push(performance.now() - sentAt);
    await pause(EVERY_MS);
  }
  end();
  await publisher.endAsync();
  return waits;
}

async function round(): Promise<{ kinds: Map<string, number[]>; line: number[]; broker: number[] }> {
  await using gateway = await openTestGateway({ parts: { checkAnswers: false } });
  await using above = await startMosquitto('set_tcp_nodelay true', 'max_inflight_messages 0');
  const { journal, api } = gateway;
  const { port } = await api.listen();
  const committed: Times = new Map();
  journal.onCommit((records) => {
    for (const { seq } of records) committed.set(seq, performance.now());
  });
  const kinds = new Map<string, Times>(
    ['flow, unix socket', 'booth, TCP', 'platform, Mosquitto', 'pull, one page after the other'].map((name) => [
      name,
      new Map(),
    ]),
  );
  const [flow, booth, platform, pulled] = [...kinds.values()];
  if (!flow || !booth || !platform || !pulled) throw new Error('four kinds');
  const ends = [
    await follow({ socketPath: api.socketPath }, await gateway.login('flow'), flow),
    await follow({ host: HOST, port }, await gateway.login('guard'), booth),
    await openSubscriber(HOST, above.port, (body) => {
      const { topic, payload } = messageOf(body);
      if (!topic.endsWith('/up/urgent')) return;
      const { records } = JSON.parse(payload.toString()) as { records: JournalRecord[] };
      for (const { seq } of records) platform.set(seq, performance.now());
    }),
    pull(gateway, port, await gateway.login('platform'), pulled),
  ];
  const uplink = startUplink({
    id: 'bench',
    url: `mqtt://${HOST}:${above.port}`,
    site: 'bench',
    gateway: journal.gateway,
    version: '0.0.0',
    journal,
    clock,
    log,
    report: () => {},
  });
  const arrived = async (seqs: readonly number[]) => {
    for (const until = performance.now() + ARRIVES_MS; ; await pause(20)) {
      if ([...kinds.values()].every((times) => seqs.every((seq) => times.has(seq)))) return;
      if (performance.now() > until) throw new Error('a record did not arrive');
    }
  };
  const append = async (n: number) => (await journal.append(passage(n)))[0]?.seq ?? 0;
  await arrived([await append(0)]); // everybody is there and has nothing left to catch up with
  const seqs: number[] = [];
  for (let n = 0; n < RECORDS_A_ROUND; n++) {
    seqs.push(await append(n));
    await pause(EVERY_MS);
  }
  await arrived(seqs);
  for (const end of ends) end();
  await uplink.stop();
  const text = JSON.stringify(journal.read({ limit: 1, order: 'desc' }).items[0]);
  const waits = (times: Times) => seqs.map((seq) => (times.get(seq) ?? Number.NaN) - (committed.get(seq) ?? 0));
  return {
    kinds: new Map([...kinds].map(([name, times]) => [name, waits(times)])),
    line: await bareLine(text),
    broker: await bareBroker(above.port, text),
  };
}

export const cursors: Benchmark = {
  name: 'cursors',
  about: 'from the commit of a record to each kind of cursor, with all of them at once, beside the line alone',
  async run(rounds) {
    const found: Awaited<ReturnType<typeof round>>[] = [];
    for (let n = 0; n < rounds; n++) found.push(await round());
    const results: Result[] = [];
    for (const name of found[0]?.kinds.keys() ?? []) {
      const own = found.flatMap(({ kinds }) => kinds.get(name) ?? []);
      const toBroker = name.includes('Mosquitto');
      const peer = found.flatMap(({ line, broker }) => (toBroker ? broker : line));
      for (const share of [0.5, 0.99]) {
        const [value, peerValue] = [percentile(own, share), percentile(peer, share)];
        results.push({
          name: `${name}, p${share * 100}`,
          unit: 'ms',
          value,
          peer: toBroker ? 'mqtt.js to Mosquitto to a subscriber' : 'the same text over a socket',
          peerValue,
          ratio: value / peerValue,
          min: Math.min(...own),
          max: Math.max(...own),
          runs: own.length,
        });
      }
    }
    return results;
  },
};
