/**
 * How long the line may be down (issue 3, outage calculator): plays the levels of levels.ts forward with the site's own
 * rates, on amounts instead of records.
 */
import { leastRows, type Step, steps, THIN_TO } from './levels.ts';

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
  /** Bytes one row takes in the table itself, and in the indexes beside it. */
  readonly rowBytes: PerClass;
  readonly indexBytes?: PerClass;
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
 * Pages are shared, so what stays among removed rows fills its pages only in part: SQLite joins a page with its
 * neighbours when it is less than a third full. Measured with rows removed at random: how full the pages are by the part
 * of the stretch that is still there, after its L3 was thinned, and after it was dropped.
 */
const THINNED: readonly (readonly [left: number, full: number])[] = [
  [0.25, 0.8],
  [0.33, 0.71],
  [0.37, 0.63],
  [0.46, 0.5],
];
const SWEPT: typeof THINNED = [
  [0.1, 0.48],
  [0.15, 0.53],
  [0.2, 0.58],
  [0.25, 0.62],
  [0.3, 0.62],
  [0.4, 0.54],
];
/** After another lane was dropped from it. */
const SWEPT_AGAIN = 0.46;

function between(points: typeof THINNED, left: number): number {
  const next = points.findIndex(([at]) => at >= left);
  const [high, low] = [points[next], points[next - 1]];
  if (!high) return points.at(-1)?.[1] ?? 1;
  if (!low) return high[1];
  return low[1] + ((high[1] - low[1]) * (left - low[0])) / (high[0] - low[0]);
}

const density = (left: number, sweeps: number): number =>
  Math.max(left, sweeps > 1 ? SWEPT_AGAIN : between(sweeps === 1 ? SWEPT : THINNED, left));

/** A gap record with its index entries, and how many times the least rows it tells of, on average. */
const GAP_BYTES = 380;
const GAP_STRETCH = 1.5;
/** Resolution of the play, as a part of the room. */
const GRAIN = 0.0025;
const MAX_TURNS = 40_000;

interface Run {
  rows: Record<ForecastClass, number>;
  thinned: boolean;
  /** Lanes dropped from it. */
  sweeps: number;
  delivered: boolean;
  /** What it took in the table when nothing had gone of it. */
  whole: number;
  /** Ages at the start of the play, hours; below zero: yet to come. */
  from: number;
  to: number;
}

const none = (): Record<ForecastClass, number> => ({ L0: 0, L1: 0, L2: 0, L3: 0, proof: 0 });

export function forecast(measured: Measured): Outage {
  const { roomBytes, rates, rowBytes, indexBytes, otherBytesPerHour, keepHours } = measured;
  const tableOf = (rows: PerClass): number => forecastClasses.reduce((sum, one) => sum + rows[one] * rowBytes[one], 0);
  const indexOf = (rows: PerClass): number =>
    forecastClasses.reduce((sum, one) => sum + rows[one] * (indexBytes?.[one] ?? 0), 0);
  const bytesOf = ({ rows, thinned, sweeps, whole }: Run): number => {
    const table = tableOf(rows);
    const packed = (thinned || sweeps > 0) && whole > 0 ? density(Math.min(1, table / whole), sweeps) : 1;
    return table / packed + indexOf(rows);
  };
  /** As it was before anything went, by what comes in now where nothing else tells. */
  const wholeOf = (rows: PerClass, thinned: boolean): number => {
    const facts = rates.L0 + rates.L1 + rates.L2 + rates.proof;
    const others = rows.L0 + rows.L1 + rows.L2 + rows.proof;
    const lost = rows.L3 > 0 ? rows.L3 * THIN_TO : facts > 0 ? (others * rates.L3) / facts : 0;
    return tableOf(thinned ? { ...rows, L3: lost } : rows);
  };
  // What is there goes in pieces, as it does in reality.
  const runs = measured.stock.flatMap(({ rows, thinned, delivered, age }) => {
    const run = {
      rows: { ...rows },
      thinned,
      sweeps: thinned && rows.L3 === 0 ? 1 : 0,
      delivered,
      whole: wholeOf(rows, thinned),
      from: age[0],
      to: age[1],
    };
    return split(run, Math.ceil(bytesOf(run) / (GRAIN * roomBytes)));
  });
  let used = measured.usedBytes;
  let hours = 0;
  const found: { L3?: number; L2?: number; L1?: number } = {};
  const perHour = tableOf(rates) + indexOf(rates) + otherBytesPerHour;
  if (perHour <= 0) return found;
  const grainHours = (GRAIN * roomBytes) / perHour;

  function arrive(span: number): void {
    const rows = none();
    for (const one of forecastClasses) rows[one] = rates[one] * span;
    const ages = { from: -hours, to: -hours - span };
    const run = { rows, thinned: false, sweeps: 0, delivered: false, whole: tableOf(rows), ...ages };
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

  const gapPerRow = GAP_BYTES / (leastRows(roomBytes) * GAP_STRETCH);

  function sweep(run: Run, one: ForecastClass): void {
    change(run, () => {
      run.rows[one] = 0;
      run.sweeps++;
    });
  }

  function thin(run: Run): void {
    used += run.rows.L3 * (1 - 1 / THIN_TO) * gapPerRow;
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
      else {
        used += run.rows[one] * gapPerRow;
        sweep(run, one);
      }
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
    return { ...run, rows, whole: run.whole / count, from: run.from - span * index, to: run.from - span * (index + 1) };
  });
}
