/** Durable ingest against stock Node-RED with its SQLite node: what each sustains, and what a kill -9 loses of it. */
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import Database from 'better-sqlite3';
import { startBenchGateway } from './bench-site.ts';
import { HOST, hasMosquitto, startMosquitto } from './brokers.ts';
import { ours } from './ingest.ts';
import { startLoad } from './load.ts';
import { type Benchmark, compare, type Result } from './measure.ts';
import { openPublisher, publish } from './mqtt-wire.ts';
import { openFolder } from './scratch.ts';
import { type StockFlow, startStockFlow } from './stock-flow.ts';

/** Pushed at once, so that the flow is busy with nothing but storing. */
const BURST = { delete: 4000, wal: 12_000 } as const;
const FIRST_PART = 0.2;
const WAIT_MS = 120_000;
const STILL_MS = 4000;
const LOOK_MS = 200;
const KILLED_AFTER_MS = 3000;
const DRIP_PER_SECOND = 300;
const TICK_MS = 5;
const DETECTORS = 50;
const OURS_PER_SECOND = 2000;
const WORDS = { delete: 'as created', wal: 'with WAL' } as const;
type Mode = keyof typeof BURST;

interface Sender {
  /** Which messages were acknowledged. */
  readonly acked: readonly number[];
  stop(): Promise<void>;
}

/** One device that numbers its messages. @param perSecond at most so many */
async function startSender(port: number, count: number, perSecond: number): Promise<Sender> {
  const device = await openPublisher(HOST, port, `sender-${port}`, 'none');
  const acked: number[] = [];
  let sent = 0;
  let stopped = false;
  device.onAck = () => acked.push(acked.length); // a broker acknowledges in order
  const began = performance.now();
  const done = (async () => {
    while (!stopped && sent < count) {
      for (const due = ((performance.now() - began) * perSecond) / 1000; sent < Math.min(due, count); sent++) {
        const values = { smokeDetected: false, smoke: (sent % 8) / 2, battery: 92, tampered: false };
        device.socket.write(publish('site/smoke-1/up', (sent % 60_000) + 1, JSON.stringify({ n: sent, values })));
      }
      await pause(TICK_MS);
    }
  })();
  return {
    acked,
    async stop() {
      stopped = true;
      await done;
      for (const until = performance.now() + WAIT_MS; acked.length < sent && performance.now() < until; )
        await pause(TICK_MS);
      device.socket.removeAllListeners().destroy();
    },
  };
}

/** Looks seldom: a reader can make the flow's own write fail. @returns ms and rows of every look until nothing more came */
async function settle(flow: StockFlow): Promise<{ readonly at: number; readonly rows: number }[]> {
  const looks = [{ at: performance.now(), rows: flow.count() }];
  for (let grown = performance.now(); performance.now() - grown < STILL_MS; ) {
    await pause(LOOK_MS);
    const look = { at: performance.now(), rows: flow.count() };
    if (look.rows === looks.at(-1)?.rows) continue;
    grown = look.at;
    looks.push(look);
  }
  return looks;
}

/** Rows a second while it has more than enough to do. */
async function stockRate(mode: Mode): Promise<number> {
  using folder = openFolder();
  await using broker = await startMosquitto();
  await using flow = await startStockFlow(folder.path, broker.port, mode);
  const sender = await startSender(broker.port, BURST[mode], Number.MAX_SAFE_INTEGER);
  const looks = await settle(flow);
  await sender.stop();
  const last = looks.at(-1);
  const first = looks.find(({ rows }) => rows >= (last?.rows ?? 0) * FIRST_PART);
  if (!first || !last || first === last) throw new Error('the flow stored nothing');
  return ((last.rows - first.rows) * 1000) / (last.at - first.at);
}

/** Messages that were acknowledged and are not there after a kill -9 and a new start. */
async function stockLoss(mode: Mode, perSecond: number): Promise<number> {
  using folder = openFolder();
  await using broker = await startMosquitto();
  await using flow = await startStockFlow(folder.path, broker.port, mode);
  const sender = await startSender(broker.port, Number.MAX_SAFE_INTEGER, perSecond);
  await pause(KILLED_AFTER_MS);
  await flow.killAndRestart();
  await sender.stop();
  await settle(flow);
  const stored = flow.stored();
  return sender.acked.filter((n) => !stored.has(n)).length;
}

/** The same of ours: the whole gateway, killed while devices publish. */
async function ourLoss(): Promise<number> {
  using data = openFolder();
  await using site = await startBenchGateway({ lanes: [], detectors: DETECTORS, vehicles: 1, data: data.path });
  const load = await startLoad({ ...site.detectors, pace: { perSecond: OURS_PER_SECOND } });
  await pause(KILLED_AFTER_MS);
  await site.gateway.kill('SIGKILL');
  const { acked } = await load.count();
  await load.stop().catch(() => undefined); // what was on its way is not acknowledged
  const db = new Database(join(data.path, 'gatehouse.db'), { readonly: true });
  // Every message of the load carries one changed level and is one record; the first of a device carries three more.
  const stored = db.prepare<[], number>(`SELECT count(*) FROM record WHERE kind = 0 AND name = 'smoke'`).pluck().get();
  db.close();
  return Math.max(0, acked - (stored ?? 0));
}

export const ingestStock: Benchmark = {
  name: 'ingest-stock',
  about:
    'durable MQTT ingest against stock Node-RED with mqtt-in and SQLite node behind Mosquitto (installed into a cache and compiled when first asked for): rows a second, and acknowledged messages lost by a kill -9',
  asked: true,
  async run(rounds) {
    if (!hasMosquitto()) throw new Error('this comparison needs Mosquitto: sudo apt-get install mosquitto');
    const results: Result[] = [];
    const lost: number[] = [];
    for (let round = 0; round < rounds; round++) lost.push(await ourLoss());
    for (const mode of ['delete', 'wal'] as const) {
      const peer = `stock Node-RED with SQLite node, ${WORDS[mode]}`;
      const rates: [number, number][] = [];
      const losses: Record<'drip' | 'full', [number, number][]> = { drip: [], full: [] };
      for (let round = 0; round < rounds; round++) {
        const rate = await stockRate(mode);
        rates.push([(await ours()).rate, rate]);
        losses.drip.push([lost[round] ?? Number.NaN, await stockLoss(mode, DRIP_PER_SECOND)]);
        losses.full.push([lost[round] ?? Number.NaN, await stockLoss(mode, rate)]);
      }
      results.push(
        compare('durable MQTT ingest', 'msg/s', peer, rates),
        compare('acknowledged and lost by kill -9', 'msg', `${peer}, at ${DRIP_PER_SECOND}/s`, losses.drip),
        compare('acknowledged and lost by kill -9', 'msg', `${peer}, at its sustained rate`, losses.full),
      );
    }
    return results;
  },
};
