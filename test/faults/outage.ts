/**
 * The line is away for thirty days at the rate of a compound, on a disk too small for it; then it comes back. Time is
 * simulated, the journal, its storage, the uplink and the broker are real.
 */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '../../runtime/clock.ts';
import { type Lane, lanes } from '../../runtime/contracts/record.ts';
import type { Journal } from '../../runtime/journal/journal.ts';
import { markRemoved } from '../../runtime/journal/postings.ts';
import { seqOf } from '../../runtime/journal/schema.ts';
import { uuidv7 } from '../../runtime/journal/uuid.ts';
import { silentLog } from '../../runtime/log.ts';
import { draftOf, faultsOf, openTestStore, type TestStore } from '../../runtime/storage/storage.fixture.ts';
import { startUplink } from '../../runtime/uplink/mqtt.ts';
import { startMosquitto } from '../uplink-peers.ts';
import { type Receiver, startReceiver } from '../uplink-receiver.ts';
import { hold, type Size, type Trial, type TrialContext } from './trial.ts';

const MB = 2 ** 20;
const HOUR = 3_600_000;
const DAYS = 30;
const TARGET = 'city';

type Mix = Readonly<Record<'L0' | 'L1' | 'L2' | 'L3', number>>;
/** A compound of 500 devices; and one with many more facts, so that a short run gets to the end of every lane. */
const COMPOUND: Mix = { L0: 0.005, L1: 0.015, L2: 0.06, L3: 0.92 };
const EVENTFUL: Mix = { L0: 0.02, L1: 0.08, L2: 0.1, L3: 0.8 };
interface Scale {
  readonly rows: number;
  /** The part of them that is acknowledged before the line goes; rates are measured on it. */
  readonly delivered: number;
  /** Committed at once. */
  readonly batch: number;
  readonly capBytes: number;
  readonly mix: Mix;
  /** At least so many of the {@link ORDER} go. */
  readonly steps: number;
  /** After so many batches the search index is waited for: in the hours they stand for it would have had the time. */
  readonly caughtUp: number;
}
const ORDER = ['L3 thinned', 'L3 space', 'L2 space', 'L1 space'];
const FACTS_ONLY = { rows: 1_500_000, delivered: 0.06, batch: 1000, capBytes: 20 * MB, mix: COMPOUND };
const SCALES: Readonly<Record<Size, readonly Scale[]>> = {
  slice: [{ rows: 60_000, delivered: 0.1, batch: 250, capBytes: 2 * MB, mix: EVENTFUL, steps: 4, caughtUp: 40 }],
  normal: [
    { rows: 300_000, delivered: 0.1, batch: 1000, capBytes: 10 * MB, mix: EVENTFUL, steps: 4, caughtUp: 20 },
    { ...FACTS_ONLY, steps: 3, caughtUp: 20 },
  ],
  long: [
    { rows: 30_000_000, delivered: 0.02, batch: 10_000, capBytes: 2048 * MB, mix: COMPOUND, steps: 1, caughtUp: 50 },
    { ...FACTS_ONLY, steps: 3, caughtUp: 20 },
  ],
};
/** Rows of thirty days of the compound itself. */
const COMPOUND_ROWS = 30_000_000;
/** Of the whole compound: a smaller run has fewer in proportion, or every reading would have an hour of its own. */
const POINTS = 2000;
/** Multiples of it fill the range from 0 to 1 evenly: every stretch has the same mix. */
const GOLDEN = 0.618_033_988_749_894_9;
const LIVE_EVERY_MS = 10;
const LIVE_LEAST = 300;
const LIVE_P99_MS = 1000;
const DRAIN_MS = 3_600_000;
/** Of the calculator, and of a step of the simulation beside it. */
const TOLERANCE = 0.1;

/** The lane of every sequence number, a byte each. */
function watchLanes(journal: Journal, most: number) {
  const known = new Uint8Array(most * 2).fill(255);
  journal.onCommit((records) => {
    for (const { seq, lane } of records) known[seq] = lanes.indexOf(lane);
  });
  return (seq: number): Lane | undefined => lanes[known[seq] ?? 255];
}

function uplinkOf({ journal }: TestStore, port: number) {
  return startUplink({
    id: TARGET,
    url: `mqtt://127.0.0.1:${port}`,
    site: 'site',
    gateway: journal.gateway,
    version: '0.0.0',
    journal,
    clock: systemClock,
    log: silentLog,
    report() {},
  });
}

interface Arrivals {
  /** The same for the same record, 0 where none with this number has come. */
  readonly marks: Uint32Array;
  twice: number;
  /** Told of every record, also of one that comes ahead of its turn. */
  onRecord: (id: string) => void;
}

/** An odd number for each id. */
const markOf = (id: string): number => (Number.parseInt(id.slice(-8), 16) | 1) >>> 0;

/** Millions come: of each only that it came is kept. */
function watchArrivals({ client, urgent, bulk, replies }: Receiver, rows: number): Arrivals {
  const arrivals: Arrivals = { marks: new Uint32Array(rows * 2), twice: 0, onRecord() {} };
  client.on('message', () => {
    for (const { records = [] } of replies.splice(0)) for (const { id } of records) arrivals.onRecord(id);
    for (const { seq, id } of [...urgent.records.splice(0), ...bulk.records.splice(0)]) {
      if (arrivals.marks[seq] !== 0) arrivals.twice++;
      arrivals.marks[seq] = markOf(id);
      arrivals.onRecord(id);
    }
  });
  return arrivals;
}

/** Everything that is in the journal now has arrived; a lane with nothing new is not told of for a while. */
function arrival({ db }: Journal, { urgent, bulk }: Receiver): () => boolean {
  const last = (from: number, to: number) =>
    db
      .prepare<[number, number], { pos: number }>(
        'SELECT pos FROM record WHERE lane BETWEEN ? AND ? ORDER BY pos DESC LIMIT 1',
      )
      .get(from, to);
  const [high, low] = [seqOf(last(0, 1)?.pos ?? 0), seqOf(last(2, 3)?.pos ?? 0)];
  return () => urgent.through >= high && bulk.through >= low;
}

async function until(holds: () => boolean, withinMs: number): Promise<boolean> {
  for (const end = performance.now() + withinMs; !holds(); await sleep(20)) if (performance.now() > end) return false;
  return true;
}

export const outage: Trial = {
  id: 'outage',
  promises: ['R3', 'R5', 'B1', 'B5', 'B6', 'U1'],
  about: 'thirty days without the platform on a small disk: lanes go in order, every loss is counted, the rest arrives',
  async run(context) {
    for (const scale of SCALES[context.size]) await thirtyDays(scale, context);
  },
};

async function thirtyDays(scale: Scale, { random, say }: TrialContext): Promise<void> {
  const { rows, delivered, batch, capBytes, mix, steps, caughtUp } = scale;
  const alsoRemove = (from: number, to: number) => [markRemoved(from, to)];
  await using store = await openTestStore({ capBytes, lookMs: HOUR, alsoRemove });
  const { journal, storage, clock, world } = store;
  world.targets = [{ id: TARGET, lanes: ['L0', 'L1', 'L2', 'L3'] }];
  const laneAt = watchLanes(journal, rows);
  const stepMs = (DAYS * 24 * HOUR * batch) / rows;
  const points = Math.ceil((POINTS * rows) / COMPOUND_ROWS);
  const offset = random();
  let made = 0;
  let looks = 0;
  let urgent = 0;
  const laneOf = (share: number): Lane => {
    if (share < mix.L3) return 'L3';
    if (share < mix.L3 + mix.L2) return 'L2';
    return share < mix.L3 + mix.L2 + mix.L1 ? 'L1' : 'L0';
  };
  async function live(): Promise<void> {
    const drafts = Array.from({ length: batch }, () => {
      const draft = draftOf(laneOf((offset + made * GOLDEN) % 1), made++);
      return { ...draft, device: `device-${made % points}` };
    });
    urgent += drafts.filter(({ lane }) => lane === 'L0').length;
    await journal.append(...drafts);
    await clock.advance(stepMs);
    if (++looks % caughtUp === 0) await journal.indexed();
    await storage.look();
  }

  await using broker = await startMosquitto();
  await using receiver = await startReceiver(broker.port, journal.gateway);
  const arrived = watchArrivals(receiver, rows);
  const before = uplinkOf(store, broker.port);
  while (made < rows * delivered) await live();
  hold('B5', await until(arrival(journal, receiver), 60_000), 'what came before the outage did not arrive');
  await before.stop();
  await broker.kill();

  await clock.advance(HOUR);
  await storage.look();

  const away = clock.now();
  const hours = () => (clock.now() - away) / HOUR;
  const predicted = new Map<string, number>(
    storage
      .view()
      .lanes.flatMap(({ lane, outageSeconds }) => (outageSeconds === undefined ? [] : [[lane, outageSeconds / 3600]])),
  );
  const happened = new Map<string, number>();
  const first: string[] = [];
  let largest = 0;
  let lastPos = 0;
  const gaps = journal.db.prepare<[number], { pos: number; data: string }>(
    "SELECT pos, data FROM record WHERE kind = 6 AND pos > ? AND name = 'buffer.gap' ORDER BY pos",
  );
  const began = performance.now();
  while (made < rows) {
    await live();
    const view = storage.view();
    largest = Math.max(largest, statSync(join(store.directory, 'gatehouse.db')).size);
    hold('B1', view.fill < 0.97, () => `${(view.fill * 100).toFixed(1)} % full: removal did not keep up`);
    for (const { pos, data } of gaps.all(lastPos)) {
      lastPos = pos;
      const gap = JSON.parse(data) as { lane: Lane; reason: string; undelivered?: Record<string, number> };
      const what = `${gap.lane} ${gap.reason}`;
      if (!first.includes(what)) first.push(what);
      if (gap.undelivered?.[TARGET] !== undefined && !happened.has(gap.lane)) happened.set(gap.lane, hours());
    }
  }
  const seconds = (performance.now() - began) / 1000;
  say(`${rows} records of ${DAYS} days in ${seconds.toFixed(0)} s, ${Math.round(rows / seconds)} a second`);
  const inOrder = first.every((what, place) => what === ORDER[place]);
  hold('B1', inOrder && first.length >= steps, () => `lanes went as ${first.join(', ')}`);
  say(`what went, in this order: ${first.join(', ')}; the file grew to ${(largest / MB).toFixed(0)} MiB`);
  hold('B1', largest <= capBytes, () => `the file grew to ${largest} bytes of ${capBytes}`);
  const faults = faultsOf(journal.db, journal.epoch, laneAt);
  hold('R5', faults.length === 0, () => faults.slice(0, 5).join('; '));
  const kept = journal.db.prepare<[], number>('SELECT count(*) FROM record WHERE lane = 0 AND kind = 2').pluck().get();
  hold('R5', kept === urgent, () => `${kept} of ${urgent} urgent records are left`);
  for (const [lane, real] of happened) {
    const told = predicted.get(lane);
    say(`${lane}: first undelivered record dropped after ${real.toFixed(1)} h, told ${told?.toFixed(1)} h`);
    const off = Math.abs((told ?? 0) - real);
    hold(
      'B6',
      off <= TOLERANCE * real + (2 * stepMs) / HOUR,
      () => `${lane} was dropped after ${real} h, the calculator said ${told} h`,
    );
  }
  const target = storage.view().targets.reduce((sum, { dropped }) => sum + dropped, 0);
  const lost = journal.db
    .prepare<[], number>("SELECT sum(data ->> '$.undelivered.city') FROM record WHERE kind = 6")
    .pluck()
    .get();
  hold('B6', target === lost, () => `${lost} undelivered records were dropped, the counters say ${target}`);

  await broker.start();
  await comeBack({ store, receiver, arrived, port: broker.port, say });
}

interface Return {
  readonly store: TestStore;
  readonly receiver: Receiver;
  readonly arrived: Arrivals;
  readonly port: number;
  say(text: string): void;
}

/** The line is there again: what is left arrives, live urgent records ahead of it. */
async function comeBack({ store, receiver, arrived, port, say }: Return): Promise<void> {
  const { journal } = store;
  const drained = arrival(journal, receiver);
  const sentAt = new Map<string, number>();
  const waits: number[] = [];
  arrived.onRecord = (id) => {
    const at = sentAt.get(id);
    if (at !== undefined) waits.push(performance.now() - at);
    sentAt.delete(id);
  };
  const uplink = uplinkOf(store, port);
  const began = performance.now();
  try {
    hold('B5', await until(() => receiver.statuses.length > 1, 60_000), 'the uplink did not come back');
    for (let n = 0; n < LIVE_LEAST || !drained(); n++) {
      const at = performance.now();
      hold('B5', at - began < DRAIN_MS, 'the backlog did not drain');
      const id = uuidv7(Date.now());
      sentAt.set(id, at);
      await journal.append({ ...draftOf('L0', n), id });
      await sleep(LIVE_EVERY_MS);
    }
    hold('B5', await until(arrival(journal, receiver), 60_000), 'the last records did not arrive');
  } finally {
    await uplink.stop();
  }
  const seconds = (performance.now() - began) / 1000;
  waits.sort((a, b) => a - b);
  const p99 = waits[Math.floor(waits.length * 0.99)] ?? Number.POSITIVE_INFINITY;
  hold('R3', arrived.twice === 0, () => `${arrived.twice} records are there twice after dedupe`);
  let left = 0;
  for (const { pos, id } of journal.db
    .prepare<[], { pos: number; id: string }>('SELECT pos, id FROM record ORDER BY pos')
    .iterate()) {
    const seq = seqOf(pos);
    hold('B5', arrived.marks[seq] === markOf(id), () => `${seq} is in the journal and did not arrive`);
    left++;
  }
  hold(
    'U1',
    receiver.urgent.holes.length + receiver.bulk.holes.length === 0,
    'a batch did not begin where the last ended',
  );
  say(
    `${left} records arrived in ${seconds.toFixed(1)} s, ${waits.length} live ones beside them, p99 ${p99.toFixed(0)} ms`,
  );
  hold('B5', sentAt.size === 0, () => `${sentAt.size} live records did not arrive`);
  hold('B5', p99 <= LIVE_P99_MS, () => `a live urgent record took ${p99.toFixed(0)} ms at p99`);
}
