/** How much comes in: rows of each class by hours of the wall clock, kept across restarts. */
import type { Clock } from '../clock.ts';
import { type JournalRecord, kinds, lanes } from '../contracts/record.ts';
import type { Journal, Write } from '../journal/journal.ts';
import { type Class, classes, proofKinds } from './schema.ts';

const HOUR_MS = 3_600_000;
const SAVE_MS = 60_000;
const KEPT_HOURS = 48;

/** Rows per hour. */
export type Rates = Readonly<Record<Class, number>>;
export interface Measurement {
  /** Over the last day, or what is known of it, and over the last hour. */
  readonly day: Rates;
  readonly hour: Rates;
  /** Hours the first was measured over. */
  readonly hours: number;
}

export const rateSql = {
  add: `INSERT INTO storage_rate VALUES (?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET rows = rows + excluded.rows, ms = ms + excluded.ms`,
  forget: 'DELETE FROM storage_rate WHERE hour < ?',
  read: 'SELECT hour, class, rows, ms FROM storage_rate WHERE hour >= ? ORDER BY hour DESC',
};

export interface RateRow {
  readonly hour: number;
  readonly class: number;
  readonly rows: number;
  readonly ms: number;
}

const placeOf = classes.map((_, place) => place);
const proof = classes.indexOf('proof');
const proofPlaces = new Set(proofKinds.map((kind) => kinds.indexOf(kind)));

/** Rates from the saved hours, newest first. */
export function ratesOf(rows: readonly RateRow[]): Measurement {
  const sum = (part: readonly RateRow[]): { rates: Rates; hours: number } => {
    const of = placeOf.map((place) => {
      const mine = part.filter((row) => row.class === place);
      const ms = mine.reduce((total, row) => total + row.ms, 0);
      const count = mine.reduce((total, row) => total + row.rows, 0);
      return { ms, rate: ms === 0 ? 0 : (count / ms) * HOUR_MS };
    });
    const rate = (one: Class) => of[classes.indexOf(one)]?.rate ?? 0;
    return {
      rates: { L0: rate('L0'), L1: rate('L1'), L2: rate('L2'), L3: rate('L3'), L4: rate('L4'), proof: rate('proof') },
      hours: Math.max(...of.map(({ ms }) => ms)) / HOUR_MS,
    };
  };
  const hours = [...new Set(rows.map(({ hour }) => hour))];
  const last = (count: number) => {
    const wanted = new Set(hours.slice(0, count));
    return sum(rows.filter(({ hour }) => wanted.has(hour)));
  };
  const day = last(24);
  return { day: day.rates, hour: last(2).rates, hours: day.hours };
}

const MIX_CHANGE = 0.1;

/** Other kinds of records come in than did, by a tenth of all. */
export function mixChanged(before: Rates, now: Rates): boolean {
  const sum = (of: Rates) =>
    Math.max(
      1,
      Object.values(of).reduce((total, rate) => total + rate, 0),
    );
  const moved = classes.reduce((total, one) => total + Math.abs(before[one] / sum(before) - now[one] / sum(now)), 0);
  return moved / 2 > MIX_CHANGE;
}

export function watchRates(journal: Pick<Journal, 'commit' | 'db' | 'onCommit'>, clock: Clock) {
  const counts = new Float64Array(classes.length);
  let since = clock.mono();
  const stored = journal.db.prepare<[number], RateRow>(rateSql.read);
  const unfollow = journal.onCommit((records: readonly JournalRecord[]) => {
    for (const { lane, kind } of records) {
      const place = proofPlaces.has(kinds.indexOf(kind)) ? proof : lanes.indexOf(lane);
      counts[place] = (counts[place] ?? 0) + 1;
    }
  });

  /** Writes that save what was counted; it counts as saved from now on. */
  function take(): Write[] {
    const now = clock.mono();
    const ms = Math.round(now - since);
    const hour = Math.floor(clock.now() / HOUR_MS);
    if (ms <= 0) return [];
    since = now;
    const writes = placeOf.map((place) => ({ sql: rateSql.add, params: [hour, place, counts[place] ?? 0, ms] }));
    counts.fill(0);
    return [...writes, { sql: rateSql.forget, params: [hour - KEPT_HOURS] }];
  }
  return {
    now: (): Measurement => ratesOf(stored.all(Math.floor(clock.now() / HOUR_MS) - KEPT_HOURS)),
    /** Saves what was counted, at most once a minute unless told so. */
    async save(anyway = false): Promise<void> {
      if (!anyway && clock.mono() - since < SAVE_MS) return;
      const writes = take();
      if (writes.length > 0) await journal.commit({ writes });
    },
    stop: unfollow,
  };
}
