/**
 * How long the line may be down (issue 3, outage calculator): plays the levels of levels.ts forward with the site's own
 * rates, on amounts instead of records.
 */
import { KEPT_ROLLUP_HOURS, leastRows, type Step, steps, THIN_TO } from './levels.ts';

export const forecastClasses = ['L0', 'L1', 'L2', 'L3', 'proof'] as const;
export type ForecastClass = (typeof forecastClasses)[number];
export type PerClass = Readonly<Record<ForecastClass, number>>;

/** What has gone so far of a stretch of the journal. */
export const stages = ['whole', 'thinned', 'L3', 'L2', 'L1'] as const;
export type Stage = (typeof stages)[number];
export interface Weight {
  /** How full the pages of its records are. */
  readonly full: number;
  /** Bytes of the indexes beside them, for each row that was there once. */
  readonly beside: number;
}
export type Packing = Readonly<Record<Stage, Weight>>;

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
  /** Bytes one row takes in a full page. */
  readonly rowBytes: PerClass;
  readonly packing: Packing;
  /** The hourly figures: how fast they grow, and of how many hours there are some. */
  readonly rollup: { readonly bytesPerHour: number; readonly hours: number };
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

/** A gap record with its index entries, and how many times the least rows it tells of, on average. */
const GAP_BYTES = 380;
const GAP_STRETCH = 1.5;
/** Resolution of the play, as a part of the room. */
const GRAIN = 0.0025;
const MAX_TURNS = 40_000;

interface Run {
  rows: Record<ForecastClass, number>;
  stage: Stage;
  delivered: boolean;
  /** Rows in it when nothing had gone. */
  whole: number;
  /** Ages at the start of the play, hours; below zero: yet to come. */
  from: number;
  to: number;
}

const none = (): Record<ForecastClass, number> => ({ L0: 0, L1: 0, L2: 0, L3: 0, proof: 0 });

export function forecast(measured: Measured): Outage {
  const { roomBytes, rates, rowBytes, packing, rollup, keepHours } = measured;
  const tableOf = (rows: PerClass): number => forecastClasses.reduce((sum, one) => sum + rows[one] * rowBytes[one], 0);
  const bytesOf = ({ rows, stage, whole }: Run): number => {
    const table = tableOf(rows);
    return table === 0 ? 0 : table / packing[stage].full + whole * packing[stage].beside;
  };
  const facts = rates.L0 + rates.L1 + rates.L2 + rates.proof;
  /** How many there were before anything went, by what comes in now where nothing else tells. */
  const wholeOf = (rows: PerClass, stage: Stage): number => {
    const others = rows.L0 + rows.L1 + rows.L2 + rows.proof;
    if (stage === 'whole') return others + rows.L3;
    if (rows.L3 > 0) return others + rows.L3 * THIN_TO;
    return facts > 0 ? others * (1 + rates.L3 / facts) : others;
  };
  // What is there goes in pieces, as it does in reality.
  const runs = measured.stock.flatMap(({ rows, thinned, delivered, age }) => {
    const stage = stageOf(rows, rates, thinned);
    const run = { rows: { ...rows }, stage, delivered, whole: wholeOf(rows, stage), from: age[0], to: age[1] };
    return split(run, Math.ceil(bytesOf(run) / (GRAIN * roomBytes)));
  });
  let used = measured.usedBytes;
  let hours = 0;
  let figures = rollup.bytesPerHour * rollup.hours;
  const found: { L3?: number; L2?: number; L1?: number } = {};
  const perHour = tableOf(rates) / packing.whole.full + (facts + rates.L3) * packing.whole.beside + rollup.bytesPerHour;
  if (perHour <= 0) return found;
  const grainHours = (GRAIN * roomBytes) / perHour;

  function arrive(span: number): void {
    const rows = none();
    for (const one of forecastClasses) rows[one] = rates[one] * span;
    const ages = { from: -hours, to: -hours - span };
    const run: Run = { rows, stage: 'whole', delivered: false, whole: wholeOf(rows, 'whole'), ...ages };
    runs.push(run);
    hours += span;
    figures += rollup.bytesPerHour * span;
    used += bytesOf(run) + rollup.bytesPerHour * span;
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
      run.stage = later(run.stage, one);
    });
  }

  function thin(run: Run): void {
    used += run.rows.L3 * (1 - 1 / THIN_TO) * gapPerRow;
    change(run, () => {
      run.rows.L3 /= THIN_TO;
      run.stage = later(run.stage, 'thinned');
    });
  }

  /** Figures of so many hours stay, whatever happens. */
  function forget(kept: number, target: number): void {
    const gone = Math.max(0, Math.min(figures - kept * rollup.bytesPerHour, used - target));
    figures -= gone;
    used -= gone;
  }

  function remove(what: Step['what'], target: number): void {
    if (what === 'L4') return;
    if (what === 'rollup') {
      const facts = steps.find((step) => step.what === 'L2');
      forget(KEPT_ROLLUP_HOURS.usually, target);
      if (facts && used >= facts.from * roomBytes) forget(KEPT_ROLLUP_HOURS.atLeast, facts.until * roomBytes);
      return;
    }
    const one = what === 'thin' ? 'L3' : what;
    for (let run = runs[places[what]]; run && used > target; run = runs[++places[what]]) {
      if (run.rows[one] === 0 || (what === 'thin' && run.stage !== 'whole')) continue;
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

const later = (now: Stage, gone: Stage | ForecastClass): Stage =>
  stages[Math.max(stages.indexOf(now), (stages as readonly string[]).indexOf(gone))] ?? now;

/** By what is missing though it comes in. */
function stageOf(rows: PerClass, rates: PerClass, thinned: boolean): Stage {
  const gone = (['L1', 'L2', 'L3'] as const).find((lane) => rows[lane] === 0 && rates[lane] > 0);
  return gone ?? (thinned ? 'thinned' : 'whole');
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
