/** Durable append: our journal against better-sqlite3 alone with the same schema and the same durability. */
import { setTimeout as pause } from 'node:timers/promises';
import { systemClock } from '../../runtime/clock.ts';
import type { Draft } from '../../runtime/contracts/record.ts';
import { Journal } from '../../runtime/journal/journal.ts';
import { journalSchema, positionNumber } from '../../runtime/journal/schema.ts';
import { uuidv7 } from '../../runtime/journal/uuid.ts';
import { silentLog } from '../../runtime/log.ts';
import { alternate, type Benchmark, compare, percentile } from './measure.ts';
import { openBare, openFolder } from './scratch.ts';

const SECONDS = 2;
const BARE_BATCH = 1000;
const IN_FLIGHT = 4000;
const PACED_PER_SECOND = 20_000;

const note =
  'lane east in, resident vehicle, read by camera, arm open by limit switch, loop free again, no alarm standing here';
const event = (n: number): Draft => ({
  lane: 'L1',
  kind: 'event',
  scenario: 'vehicle-gate',
  device: `gate-${n % 200}`,
  name: 'passage',
  data: {
    direction: 'in',
    plate: `粤B${String(n % 100_000).padStart(5, '0')}`,
    gate: `gate-${n % 200}`,
    occupiedMs: n % 4000,
    note,
  },
});

const openJournal = (directory: string) => Journal.open({ directory, clock: systemClock, log: silentLog });

/** Rows per second with `IN_FLIGHT` appends waiting at any time. */
async function journalRate(): Promise<number> {
  using folder = openFolder();
  await using journal = await openJournal(folder.path);
  let durable = 0;
  let n = 0;
  const start = performance.now();
  const end = start + SECONDS * 1000;
  const one = async () => {
    while (performance.now() < end) {
      await journal.append(event(n++));
      durable++;
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, one));
  return (durable * 1000) / (performance.now() - start);
}

/** Rows per second of a loop that does nothing else. */
async function bareRate(): Promise<number> {
  using folder = openFolder();
  const db = openBare(folder.path);
  db.exec(journalSchema);
  const insert = db.prepare('INSERT INTO record VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)');
  const batch = db.transaction((first: number) => {
    for (let n = first; n < first + BARE_BATCH; n++) {
      const { scenario, device, name, data } = event(n);
      const now = Date.now();
      insert.run(
        positionNumber(1, n + 1),
        uuidv7(now),
        now,
        now,
        1,
        1,
        1,
        scenario,
        device,
        name,
        JSON.stringify(data),
        0,
        null,
        null,
      );
    }
  });
  let n = 0;
  const start = performance.now();
  for (const end = start + SECONDS * 1000; performance.now() < end; n += BARE_BATCH) batch(n);
  const rate = (n * 1000) / (performance.now() - start);
  db.close();
  return rate;
}

/** Append to durable, ms, at a steady rate. */
async function pacedLatency(): Promise<number[]> {
  using folder = openFolder();
  await using journal = await openJournal(folder.path);
  const times: number[] = [];
  const waiting: Promise<unknown>[] = [];
  const start = performance.now();
  for (let n = 0; performance.now() - start < SECONDS * 1000; ) {
    for (const due = ((performance.now() - start) * PACED_PER_SECOND) / 1000; n < due; n++) {
      const began = performance.now();
      waiting.push(journal.append(event(n)).then(() => times.push(performance.now() - began)));
    }
    await pause(1);
  }
  await Promise.all(waiting);
  return times;
}

/** One bare row and its commit, ms: what the disk asks for. */
function bareCommit(): number[] {
  using folder = openFolder();
  const db = openBare(folder.path);
  db.exec('CREATE TABLE t (n INTEGER PRIMARY KEY, text TEXT)');
  const insert = db.prepare('INSERT INTO t VALUES (?, ?)');
  const times = Array.from({ length: 2000 }, (_, n) => {
    const began = performance.now();
    insert.run(n, note);
    return performance.now() - began;
  });
  db.close();
  return times;
}

export const append: Benchmark = {
  name: 'append',
  about:
    'durable events per second, and append to durable at 20,000/s, against better-sqlite3 alone with synchronous=FULL',
  async run(rounds) {
    const p50: [number, number][] = [];
    const p99: [number, number][] = [];
    for (let round = 0; round < rounds; round++) {
      const own = await pacedLatency();
      const bare = bareCommit();
      p50.push([percentile(own, 0.5), percentile(bare, 0.5)]);
      p99.push([percentile(own, 0.99), percentile(bare, 0.99)]);
    }
    // Last: it leaves a heap behind whose collection would be taken for latency.
    const rates = await alternate(rounds, journalRate, bareRate);
    return [
      compare('append rate', 'rows/s', 'better-sqlite3 alone, same schema, batches of 1000', rates),
      compare('append to durable p50 at 20,000/s', 'ms', 'one bare row committed', p50),
      compare('append to durable p99 at 20,000/s', 'ms', 'one bare row committed', p99),
    ];
  },
};
