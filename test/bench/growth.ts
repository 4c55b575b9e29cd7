/** What the journal still does in time when it has grown: appends, starts, and searches with every filter, both ways. */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { createExports } from '../../runtime/api/export.ts';
import { parsePosition } from '../../runtime/contracts/record.ts';
import { Journal, type RecordQuery } from '../../runtime/journal/journal.ts';
import { silentLog } from '../../runtime/log.ts';
import { clockAt, DEVICES, deviceOf, draftOf, fill, nameOf, plateOf, timeOf } from './growth-data.ts';
import { alternate, type Benchmark, compare, percentile, type Result } from './measure.ts';
import { openFolder } from './scratch.ts';

const MILLION = 1_000_000;
/** Records; `GATEHOUSE_BENCH_GROWTH=1,5` for fewer. 15 million take some 6 GB and a quarter of an hour. */
const SIZES = (process.env.GATEHOUSE_BENCH_GROWTH ?? '1,5,15').split(',').map((text) => Number(text) * MILLION);
const APPEND_MS = 2000;
const IN_FLIGHT = 2000;
const LIMIT = 100;
/** Different questions per filter and direction. */
const TRIES = 10;

const openJournal = (directory: string, n: () => number) =>
  Journal.open({ directory, clock: clockAt(n), log: silentLog });

/** Records a second with `IN_FLIGHT` waiting at any time, and the number of the record that would be next. */
async function append(directory: string, from: number): Promise<{ rate: number; next: number }> {
  let n = from;
  await using journal = await openJournal(directory, () => n);
  await journal.indexed();
  let durable = 0;
  const start = performance.now();
  const end = start + APPEND_MS;
  const one = async () => {
    while (performance.now() < end) {
      await journal.append(draftOf(n++));
      durable++;
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, one));
  return { rate: (durable * 1000) / (performance.now() - start), next: n };
}

async function startMs(directory: string, n: number): Promise<number> {
  const began = performance.now();
  await using _journal = await openJournal(directory, () => n);
  return performance.now() - began;
}

/** Questions somebody asks; `k` makes each a different one. */
const questions: Record<string, (size: number, k: number) => RecordQuery> = {
  'no filter': () => ({}),
  lane: (_size, k) => ({ lane: [k % 2 === 0 ? 'L0' : 'L2'] }),
  kind: (_size, k) => ({ kind: [k % 2 === 0 ? 'alarm' : 'command'] }),
  scenario: () => ({ scenario: 'vehicle-gate' }),
  device: (_size, k) => ({ device: deviceOf(k) }),
  'device, facts': (_size, k) => ({ device: deviceOf(k), kind: ['event', 'alarm', 'command'] }),
  'device that has none': (_size, k) => ({ device: `device-${DEVICES + k}` }),
  'name of telemetry': (_size, k) => ({ name: 'pm25', device: deviceOf(k) }),
  'name of an event': () => ({ name: 'arm.forced' }),
  'an hour': (size, k) => ({ from: timeOf((size / TRIES) * k), to: timeOf((size / TRIES) * k + 3600) }),
  'a week, device': (size, k) => ({
    device: deviceOf(k),
    from: timeOf((size / TRIES) * k),
    to: timeOf((size / TRIES) * k + 7 * 86_400),
  }),
  'a plate': (size, k) => ({ text: plateOf(Math.floor((size / TRIES) * k)) }),
  'part of a plate': (size, k) => ({ text: plateOf(Math.floor((size / TRIES) * k)).slice(-4) }),
  'a visitor': (size, k) => ({ text: nameOf(Math.floor((size / TRIES) * k)) }),
  'part of a visitor': (_size, k) => ({ text: nameOf(k).slice(1) }),
  'text nobody has': (_size, k) => ({ text: `Q9${k}Z` }),
};

interface Times {
  readonly first: number[];
  readonly next: number[];
}

async function ask(journal: Journal, query: RecordQuery, times: Times): Promise<void> {
  const began = performance.now();
  let { items, next } = await journal.search({ ...query, limit: LIMIT });
  times.first.push(performance.now() - began);
  for (let page = 0; page < 3 && next !== undefined && items.length > 0; page++) {
    const place = parsePosition(next);
    if (!place) return;
    const start = performance.now();
    ({ items, next } = await journal.search({
      ...query,
      limit: LIMIT,
      [query.order === 'desc' ? 'before' : 'after']: place,
    }));
    times.next.push(performance.now() - start);
  }
}

/** First pages and pages far behind them, ms, of one filter. */
async function searchTimes(journal: Journal, size: number, name: string): Promise<Times> {
  const times: Times = { first: [], next: [] };
  const { epoch, seq } = journal.head();
  for (let k = 0; k < TRIES; k++) {
    const query = questions[name]?.(size, k) ?? {};
    for (const order of ['asc', 'desc'] as const) {
      await ask(journal, { ...query, order }, times);
      const middle = { epoch, seq: Math.floor(seq * ((k + 0.5) / TRIES)) };
      await ask(
        journal,
        { ...query, order, [order === 'desc' ? 'before' : 'after']: middle },
        {
          first: times.next,
          next: times.next,
        },
      );
    }
  }
  return times;
}

async function searches(directory: string, size: number): Promise<Result[]> {
  await using journal = await openJournal(directory, () => size);
  await journal.search({ device: 'nobody', limit: 1 }); // starts the thread
  const results: Result[] = [];
  for (const name of Object.keys(questions)) {
    const { first, next } = await searchTimes(journal, size, name);
    const pair = [percentile(next.length > 0 ? next : first, 0.95), percentile(first, 0.95)] as const;
    results.push(compare(`${size / MILLION} M: next page p95, ${name}`, 'ms', 'first page p95', [pair]));
  }
  return results;
}

/** MiB this process has more while it exports everything, late in the export and early in it; and its speed. */
async function exportAll(directory: string, size: number): Promise<Result[]> {
  await using journal = await openJournal(directory, () => size);
  const peaks: [number, number] = [0, 0];
  const before = process.memoryUsage().rss;
  let bytes = 0;
  const started = performance.now();
  for await (const piece of createExports(journal).text({}, 'ndjson', 'none')) {
    bytes += piece.length;
    const late = bytes > size * EARLY_BYTES ? 1 : 0;
    peaks[late] = Math.max(peaks[late] ?? 0, (process.memoryUsage().rss - before) / 2 ** 20);
  }
  const rate = (size * 1000) / (performance.now() - started);
  return [
    compare(`${size / MILLION} M: export, memory it takes`, 'MiB', 'the same early in it', [[peaks[1], peaks[0]]]),
    compare(`${size / MILLION} M: export as NDJSON`, 'records/s', 'at 100,000/s', [[rate, 100_000]]),
  ];
}
/** Of each record: the first tenth of the export. */
const EARLY_BYTES = 25;

export const growth: Benchmark = {
  name: 'growth',
  asked: true,
  about: `appends, start and searches at ${SIZES.map((size) => size / MILLION).join(', ')} million records, against an empty journal and the first page`,
  async run(rounds) {
    const results: Result[] = [];
    using folder = openFolder();
    await startMs(folder.path, 0);
    let filled = 0;
    for (const size of SIZES) {
      const began = performance.now();
      fill(folder.path, filled, size);
      const made = performance.now();
      {
        await using journal = await openJournal(folder.path, () => size);
        await journal.indexed();
      }
      filled = size;
      const bytes = statSync(join(folder.path, 'gatehouse.db')).size;
      console.log(
        `  ${size / MILLION} M: ${(bytes / 1e9).toFixed(2)} GB, made in ${Math.round((made - began) / 1000)} s, indexed in ${Math.round((performance.now() - made) / 1000)} s`,
      );
      results.push(...(await searches(folder.path, size)), ...(await exportAll(folder.path, size)));
      const onEmpty = async (measure: (directory: string) => Promise<number>) => {
        using empty = openFolder();
        await startMs(empty.path, 0);
        return await measure(empty.path); // the folder goes after it
      };
      const start = (directory: string) => startMs(directory, size);
      const starts = await alternate(
        rounds,
        () => start(folder.path),
        () => onEmpty(start),
      );
      results.push(compare(`${size / MILLION} M: start`, 'ms', 'an empty journal', starts));
      const rates = await alternate(
        rounds,
        async () => {
          const { rate, next } = await append(folder.path, filled);
          filled = next; // they are in it: the next size counts them
          return rate;
        },
        () => onEmpty(async (directory) => (await append(directory, filled)).rate),
      );
      results.push(compare(`${size / MILLION} M: append rate`, 'rows/s', 'an empty journal', rates));
    }
    return results;
  },
};
