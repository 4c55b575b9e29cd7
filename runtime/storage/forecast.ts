/**
 * How long the line may be down (issue 3, outage calculator): plays the levels of levels.ts forward with the site's own
 * rates, on amounts instead of records.
 */
import { type Step, steps, THIN_TO } from './levels.ts';

export const forecastClasses = ['L0', 'L1', 'L2', 'L3', 'proof'] as const;
export type ForecastClass = (typeof forecastClasses)[number];
export type PerClass = Readonly<Record<ForecastClass, number>>;

/** A stretch of the journal, oldest first in {@link Measured.stock}. */
export interface Part {
  /** Rows in it. */
  readonly rows: PerClass;
  /** Its L3 has been thinned already. */
  readonly thinned: boolean;
  /** Every target that takes it has it. */
  readonly delivered: boolean;
  /** Age of its first and last record, hours. */
  readonly age: readonly [number, number];
}
export interface Measured {
  /** What the database may grow to, and what it takes now. */
  readonly roomBytes: number;
  readonly usedBytes: number;
  /** Rows per hour. */
  readonly rates: PerClass;
  /** Bytes of the database one row takes, pages and indexes included. */
  readonly rowBytes: PerClass;
  /** What grows beside the records. */
  readonly otherBytesPerHour: number;
  readonly stock: readonly Part[];
  /** Hours after which rows are removed anyway; absent: they are not, as the clock is not trusted. */
  readonly keepHours?: PerClass;
  /** There is nobody to deliver to, so nothing is kept longer for that. */
  readonly alone?: boolean;
}
/** Hours until the first record that was not delivered is dropped; absent: not within {@link HORIZON_HOURS}. */
export interface Outage {
  readonly L3?: number;
  readonly L2?: number;
  readonly L1?: number;
}

export const HORIZON_HOURS = 10 * 366 * 24;

/**
 * Pages are shared: what stays among removed rows fills its pages only in part. Measured with SQLite's own merging of
 * pages, a stretch that was thinned, and one whose L3 or more has gone.
 */
const DENSITY_THINNED = 0.74;
const DENSITY_SWEPT = 0.55;
/** Resolution of the play, as a part of the room. */
const GRAIN = 0.0025;
const MAX_TURNS = 40_000;

interface Run {
  rows: Record<ForecastClass, number>;
  thinned: boolean;
  swept: boolean;
  delivered: boolean;
  /** Ages at the start of the play, hours; below zero: yet to come. */
  from: number;
  to: number;
}

const none = (): Record<ForecastClass, number> => ({ L0: 0, L1: 0, L2: 0, L3: 0, proof: 0 });

export function forecast(measured: Measured): Outage {
  const { roomBytes, rates, rowBytes, otherBytesPerHour, keepHours } = measured;
  const bytesOf = ({ rows, thinned, swept }: Run): number => {
    const content = forecastClasses.reduce((sum, one) => sum + rows[one] * rowBytes[one], 0);
    return content / (swept ? DENSITY_SWEPT : thinned ? DENSITY_THINNED : 1);
  };
  // What is there goes in pieces, as it does in reality.
  const runs = measured.stock.flatMap(({ rows, thinned, delivered, age }) => {
    const run = {
      rows: { ...rows },
      thinned,
      swept: thinned && rows.L3 === 0,
      delivered,
      from: age[0],
      to: age[1],
    };
    return split(run, Math.ceil(bytesOf(run) / (GRAIN * roomBytes)));
  });
  let used = measured.usedBytes;
  let hours = 0;
  const found: { L3?: number; L2?: number; L1?: number } = {};
  const perHour = forecastClasses.reduce((sum, one) => sum + rates[one] * rowBytes[one], otherBytesPerHour);
  if (perHour <= 0) return found;
  const grainHours = (GRAIN * roomBytes) / perHour;

  function arrive(span: number): void {
    const rows = none();
    for (const one of forecastClasses) rows[one] = rates[one] * span;
    const run = { rows, thinned: false, swept: false, delivered: false, from: -hours, to: -hours - span };
    runs.push(run);
    hours += span;
    used += bytesOf(run) + otherBytesPerHour * span;
  }

  function change(run: Run, action: () => void): void {
    const before = bytesOf(run);
    action();
    used += bytesOf(run) - before;
  }

  /** Everything goes oldest first, so each kind of removal has a place up to which it has gone. */
  const places = { thin: 0, L0: 0, L1: 0, L2: 0, L3: 0, proof: 0 };

  /** Delivered rows that are older than they are kept, piece by piece. */
  function expire(): void {
    if (!keepHours) return;
    for (const one of forecastClasses) {
      for (let run = runs[places[one]]; run; run = runs[++places[one]]) {
        if (run.rows[one] === 0) continue;
        if ((!run.delivered && !measured.alone) || run.to + hours < keepHours[one]) break;
        sweep(run, one);
      }
    }
  }

  function sweep(run: Run, one: ForecastClass): void {
    change(run, () => {
      run.rows[one] = 0;
      run.swept = true;
    });
  }

  function thin(run: Run): void {
    change(run, () => {
      run.rows.L3 /= THIN_TO;
      run.thinned = true;
    });
  }

  function remove(what: Step['what'], target: number): void {
    if (what === 'L4' || what === 'rollup') return;
    const one = what === 'thin' ? 'L3' : what;
    for (let run = runs[places[what]]; run && used > target; run = runs[++places[what]]) {
      if (run.rows[one] === 0 || (what === 'thin' && run.thinned)) continue;
      if (!run.delivered) found[one] ??= hours;
      if (what === 'thin') thin(run);
      else sweep(run, one);
    }
  }

  for (let turn = 0; turn < MAX_TURNS && hours < HORIZON_HOURS; turn++) {
    for (const { what, from, until } of steps) {
      if (used >= from * roomBytes) remove(what, until * roomBytes);
    }
    if (found.L1 !== undefined) break;
    const gap = (steps[1]?.from ?? 0) * roomBytes - used;
    arrive(Math.max(grainHours, gap > 0 && !keepHours ? gap / perHour : 0));
    expire();
  }
  return found;
}

function split(run: Run, parts: number): Run[] {
  const count = Math.min(1000, Math.max(1, parts));
  const span = (run.from - run.to) / count;
  return Array.from({ length: count }, (_, index) => {
    const rows = none();
    for (const one of forecastClasses) rows[one] = run.rows[one] / count;
    return { ...run, rows, from: run.from - span * index, to: run.from - span * (index + 1) };
  });
}
