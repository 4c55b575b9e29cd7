/**
 * Looks at the records in bounded steps, on a read-only connection of the scan thread: what there is, what has gone
 * without saying so far, and which rows a removal takes. Nothing here writes.
 */
import type Database from 'better-sqlite3';
import { epochOf } from '../journal/schema.ts';
import type { Part } from './forecast.ts';
import { type Rehearsed, rehearse } from './rehearsal.ts';
import { BATCH_ROWS, BLOCK, BYTES_SQL, CLASS_SQL, type Class, classes, isClass, type Reason } from './schema.ts';

/** Rows removed by one gap record. */
export const STRETCH_ROWS = 20_000;
/** One question is answered with what was found in so long a time: a long reader would hold up checkpoints. */
const BUDGET_MS = 400;
const HOUR_MS = 3_600_000;
const HOURS_PER_DAY = 24;

export const blockOf = (pos: number): number => Math.floor(pos / BLOCK);
const blockStart = (block: number): number => block * BLOCK;
const blockEnd = (block: number): number => block * BLOCK + BLOCK - 1;

/** class, rows, content bytes, first and last trusted time of receipt */
export type BlockCount = [number, number, number, number | null, number | null];
/** hour, device, name, count, numbers, low, high, sum, last value as JSON */
export type RollupRow = [number, string, string, number, number, number | null, number | null, number, string];
export interface Digest {
  readonly block: number;
  /** Everything up to here is counted and rolled up. */
  readonly through: number;
  readonly counts: readonly BlockCount[];
  readonly rollups: readonly RollupRow[];
}

export interface Batch {
  /** Positions to delete, a JSON list. */
  readonly positions: string;
  /** `[block, rows, bytes]` of what it takes from each block, a JSON list. */
  readonly blocks: string;
  readonly rows: number;
}
export interface Stretch {
  readonly of: Class;
  readonly reason: Reason;
  readonly first: number;
  readonly last: number;
  readonly rows: number;
  readonly firstAt: number;
  readonly lastAt: number;
  /** Positions between first and last that stay, a JSON list. */
  readonly kept: string;
  readonly undelivered: Readonly<Record<string, number>>;
  readonly batches: readonly Batch[];
}
export interface PlanRequest {
  readonly of: Class;
  readonly reason: Reason;
  /** Look from here on, up to and including `through`. */
  readonly after: number;
  readonly through: number;
  /** Rows to remove, at most. */
  readonly rows: number;
  /** Place of each target that takes this class. */
  readonly cursors: Readonly<Record<string, number>>;
}
export interface Plan {
  readonly stretch?: Stretch;
  /** How far the search went. */
  readonly examined: number;
  /** Nothing is left up to `through`. */
  readonly exhausted: boolean;
}

export interface Backlog {
  readonly rows: number;
  readonly oldestAt?: number;
}
export interface Stored {
  readonly rows: number;
  readonly bytes: number;
}

interface Found {
  pos: number;
  received: number;
  bytes: number;
  device: string;
  name: string;
}

export function createScan(db: Database.Database, thinTo: number) {
  const statements = new Map<string, Database.Statement<unknown[], unknown>>();
  const statement = <Row>(sql: string): Database.Statement<unknown[], Row> => {
    const known = statements.get(sql) ?? db.prepare<unknown[], unknown>(sql);
    statements.set(sql, known);
    return known as Database.Statement<unknown[], Row>;
  };
  /** Readings of each point since the last one kept. */
  const sinceKept = new Map<string, number>();

  function digest(after: number, head: number): Digest | undefined {
    const first = statement<{ pos: number }>('SELECT pos FROM record WHERE pos > ? ORDER BY pos LIMIT 1').get(after);
    if (!first || first.pos > head) return undefined;
    const block = blockOf(first.pos);
    const through = Math.min(head, blockEnd(block));
    const counts = statement<BlockCount>(
      `SELECT ${CLASS_SQL} AS class, count(*), sum(${BYTES_SQL}),
         min(CASE WHEN clock = 0 THEN received END), max(CASE WHEN clock = 0 THEN received END)
       FROM record WHERE pos BETWEEN ? AND ? GROUP BY 1`,
    )
      .raw()
      .all(first.pos, through);
    return { block, through, counts, rollups: rollUp(first.pos, through) };
  }

  function rollUp(first: number, last: number): RollupRow[] {
    const readings = statement<[string, string, number, string, number]>(
      'SELECT device, name, received, data, quality FROM record WHERE pos BETWEEN ? AND ? AND kind = 0 ORDER BY pos',
    )
      .raw()
      .all(first, last);
    const rows = new Map<string, RollupRow>();
    for (const [device, name, received, data, quality] of readings) {
      const hour = Math.floor(received / HOUR_MS);
      const key = `${hour} ${device}\n${name}`;
      let row = rows.get(key);
      if (!row) {
        row = [hour, device, name, 0, 0, null, null, 0, data];
        rows.set(key, row);
      }
      row[3]++;
      row[8] = data;
      const value = quality === 0 ? JSON.parse(data) : undefined;
      if (typeof value !== 'number') continue;
      row[4]++;
      row[5] = Math.min(row[5] ?? value, value);
      row[6] = Math.max(row[6] ?? value, value);
      row[7] += value;
    }
    return [...rows.values()];
  }

  const rowsOf = (of: Class, first: number, last: number): Found[] =>
    statement<Found>(
      `SELECT pos, received, ${BYTES_SQL} AS bytes, device, name FROM record
       WHERE pos BETWEEN ? AND ? AND ${isClass(of)} ORDER BY pos`,
    ).all(first, last);

  /** Blocks with rows of the class that end after `after`. */
  const blocksOf = (of: Class, after: number): number[] =>
    statement<number>(
      'SELECT block FROM storage_block WHERE class = ? AND block >= ? AND rows > 0 ORDER BY block LIMIT 1000',
    )
      .pluck()
      .all(classes.indexOf(of), blockOf(after + 1));

  const keeps = ({ device, name }: Found): boolean => {
    const point = `${device}\n${name}`;
    const passed = sinceKept.get(point) ?? 0;
    sinceKept.set(point, (passed + 1) % thinTo);
    return passed === 0;
  };

  /** The next rows of a class to remove, oldest first: one stretch inside one epoch. */
  function plan({ of, reason, after, through, rows, cursors }: PlanRequest): Plan {
    const began = performance.now();
    const gone: Found[] = [];
    const kept: number[] = [];
    let examined = after;
    const finish = (exhausted: boolean): Plan => ({
      ...(gone.length === 0 ? {} : { stretch: stretchOf(of, reason, gone, kept, cursors) }),
      examined,
      exhausted,
    });
    for (;;) {
      const blocks = examined < through ? blocksOf(of, examined) : [];
      if (blocks.length === 0) {
        examined = Math.max(examined, through);
        return finish(true);
      }
      for (const block of blocks) {
        const first = Math.max(examined + 1, blockStart(block));
        const last = Math.min(through, blockEnd(block));
        if (first > through) {
          examined = through;
          break;
        }
        if (gone[0] && epochOf(first) !== epochOf(gone[0].pos)) return finish(false);
        for (const row of rowsOf(of, first, last)) {
          if (reason === 'thinned' && keeps(row)) kept.push(row.pos);
          else gone.push(row);
          examined = row.pos;
          if (gone.length === rows) return finish(false);
        }
        examined = last;
        if (performance.now() - began > BUDGET_MS) return finish(false);
      }
    }
  }

  /** What is still to be removed of a stretch that a crash interrupted. */
  function rest(of: Class, first: number, last: number, kept: readonly number[]): Batch[] {
    const stay = new Set(kept);
    const gone: Found[] = [];
    for (let at = first; at <= last; ) {
      const block = blocksOf(of, at - 1)[0];
      if (block === undefined || blockStart(block) > last) break;
      const found = rowsOf(of, Math.max(at, blockStart(block)), Math.min(last, blockEnd(block)));
      gone.push(...found.filter(({ pos }) => !stay.has(pos)));
      at = blockEnd(block) + 1;
    }
    return batchesOf(gone);
  }

  /**
   * The last record of a class that is older than `cutoff` by a clock that was trusted, and all before it. Time never
   * orders (T3): a record with an untrusted stamp is as old as the next trusted one. At most `atMostMs` of time at once.
   * @returns undefined if there is none
   */
  function olderThan(of: Class, cutoff: number, atMostMs: number): number | undefined {
    const place = classes.indexOf(of);
    const oldest = statement<{ block: number }>(
      'SELECT block FROM storage_block WHERE class = ? AND rows > 0 AND since IS NOT NULL ORDER BY block LIMIT 1',
    ).get(place);
    if (!oldest) return undefined;
    const start = statement<number>(
      `SELECT received FROM record WHERE pos BETWEEN ? AND ? AND clock = 0 AND ${isClass(of)} ORDER BY pos LIMIT 1`,
    )
      .pluck()
      .get(blockStart(oldest.block), Number.MAX_SAFE_INTEGER);
    const before = Math.min(cutoff, (start ?? cutoff) + atMostMs);
    const border = statement<number>(
      'SELECT block FROM storage_block WHERE class = ? AND rows > 0 AND until >= ? ORDER BY block LIMIT 1',
    )
      .pluck()
      .get(place, before);
    const stop =
      border === undefined
        ? Number.MAX_SAFE_INTEGER
        : statement<number>(
            `SELECT pos FROM record WHERE pos BETWEEN ? AND ? AND clock = 0 AND received >= ? AND ${isClass(of)}
             ORDER BY pos LIMIT 1`,
          )
            .pluck()
            .get(blockStart(border), blockEnd(border), before);
    const last = statement<number>(
      `SELECT block FROM storage_block WHERE class = ? AND rows > 0 AND since < ? AND block <= ?
       ORDER BY block DESC LIMIT 1`,
    )
      .pluck()
      .get(place, before, border ?? Number.MAX_SAFE_INTEGER);
    if (last === undefined) return undefined;
    return statement<number>(
      `SELECT pos FROM record WHERE pos >= ? AND pos < ? AND clock = 0 AND received < ? AND ${isClass(of)}
       ORDER BY pos DESC LIMIT 1`,
    )
      .pluck()
      .get(blockStart(last), Math.min(blockEnd(last) + 1, stop ?? blockEnd(last) + 1), before);
  }

  const storedAfter = (of: Class, block: number): number =>
    statement<number>('SELECT ifnull(sum(rows), 0) FROM storage_block WHERE class = ? AND block > ?')
      .pluck()
      .get(classes.indexOf(of), block) ?? 0;

  const countIn = (of: Class, first: number, last: number): number =>
    first > last
      ? 0
      : (statement<number>(`SELECT count(*) FROM record WHERE pos BETWEEN ? AND ? AND ${isClass(of)}`)
          .pluck()
          .get(first, last) ?? 0);

  /** How many rows of a class lie after a place, and when the first of them came. @param digested counted up to there */
  function after(of: Class, pos: number, digested: number, head: number): Backlog {
    const block = blockOf(pos);
    const rows =
      pos >= digested
        ? countIn(of, pos + 1, head)
        : storedAfter(of, block) +
          countIn(of, pos + 1, Math.min(blockEnd(block), digested)) +
          countIn(of, digested + 1, head);
    if (rows === 0) return { rows };
    const next = blocksOf(of, pos)[0];
    const from = Math.max(pos + 1, next === undefined ? digested + 1 : blockStart(next));
    const oldestAt = statement<number>(
      `SELECT received FROM record WHERE pos >= ? AND ${isClass(of)} ORDER BY pos LIMIT 1`,
    )
      .pluck()
      .get(pos >= digested ? pos + 1 : from);
    return { rows, ...(oldestAt === undefined ? {} : { oldestAt }) };
  }

  /** Rows and bytes of content of each class up to where they are counted. */
  function stored(): Record<Class, Stored> {
    const found = new Map(
      statement<{ class: number; rows: number; bytes: number }>(
        'SELECT class, sum(rows) AS rows, sum(bytes) AS bytes FROM storage_block GROUP BY class',
      )
        .all()
        .map((row) => [row.class, { rows: row.rows, bytes: row.bytes }]),
    );
    const of = (place: number): Stored => found.get(place) ?? { rows: 0, bytes: 0 };
    return { L0: of(0), L1: of(1), L2: of(2), L3: of(3), L4: of(4), proof: of(5) };
  }

  const firstOf = (of: Class): number | undefined =>
    statement<number>('SELECT block FROM storage_block WHERE class = ? AND rows > 0 ORDER BY block LIMIT 1')
      .pluck()
      .get(classes.indexOf(of));
  const receivedAt = (block: number): number | undefined =>
    statement<number>('SELECT received FROM record WHERE pos >= ? ORDER BY pos LIMIT 1').pluck().get(blockStart(block));

  /** The journal in parts for the forecast. @param places thinned and delivered through there */
  function parts(thinned: number, delivered: number, now: number): Part[] {
    const swept = firstOf('L3') ?? blockOf(thinned) + 1;
    const borders = [...new Set([0, swept, blockOf(thinned) + 1, blockOf(delivered) + 1])].sort((a, b) => a - b);
    const sums = statement<{ class: number; rows: number; first: number }>(
      `SELECT class, sum(rows) AS rows, min(block) AS first FROM storage_block
       WHERE block >= ? AND block < ? AND rows > 0 GROUP BY class`,
    );
    const found = borders.flatMap((from, index) => {
      const rows = sums.all(from, borders[index + 1] ?? Number.MAX_SAFE_INTEGER);
      if (rows.length === 0) return [];
      const of = (place: number) => rows.find((row) => row.class === place)?.rows ?? 0;
      return [
        {
          rows: { L0: of(0), L1: of(1), L2: of(2), L3: of(3), proof: of(5) },
          thinned: from <= blockOf(thinned),
          delivered: from <= blockOf(delivered),
          since: receivedAt(Math.min(...rows.map(({ first }) => first))) ?? now,
        },
      ];
    });
    return found.map(({ since, ...part }, index) => ({
      ...part,
      age: [hoursSince(since, now), hoursSince(found[index + 1]?.since ?? now, now)] as const,
    }));
  }

  /** What removal would give back; see rehearsal.ts. */
  const rehearsal = (untouched: number, head: number): Rehearsed | undefined =>
    rehearse(db, { untouched, head, thinTo, turns: sinceKept });

  /** How many hourly figures come in an hour, and of how many hours there are some. */
  function figures(): { perHour: number; hours: number } {
    const { oldest, hour } =
      statement<{ oldest: number | null; hour: number | null }>(
        'SELECT min(hour) AS oldest, (SELECT max(hour) FROM rollup) AS hour FROM rollup',
      ).get() ?? {};
    if (oldest == null || hour == null || oldest === hour) return { perHour: 0, hours: 0 };
    const hours = hour - oldest;
    const counted = Math.min(hours, HOURS_PER_DAY);
    const rows = statement<number>('SELECT count(*) FROM rollup WHERE hour >= ? AND hour < ?')
      .pluck()
      .get(hour - counted, hour);
    return { perHour: (rows ?? 0) / counted, hours };
  }

  return { digest, plan, rest, olderThan, after, stored, parts, rehearsal, figures };
}
const hoursSince = (then: number, now: number): number => Math.max(0, now - then) / HOUR_MS;
export type Scan = ReturnType<typeof createScan>;

function stretchOf(
  of: Class,
  reason: Reason,
  gone: readonly Found[],
  kept: readonly number[],
  cursors: Readonly<Record<string, number>>,
): Stretch {
  const first = gone[0]?.pos ?? 0;
  const last = gone.at(-1)?.pos ?? 0;
  const undelivered: Record<string, number> = {};
  for (const [target, cursor] of Object.entries(cursors)) {
    const rows = gone.reduce((sum, { pos }) => sum + (pos > cursor ? 1 : 0), 0);
    if (rows > 0) undelivered[target] = rows;
  }
  const times = gone.map(({ received }) => received);
  return {
    of,
    reason,
    first,
    last,
    rows: gone.length,
    firstAt: times.reduce((a, b) => Math.min(a, b)),
    lastAt: times.reduce((a, b) => Math.max(a, b)),
    kept: JSON.stringify(kept.filter((pos) => pos > first && pos < last)),
    undelivered,
    batches: batchesOf(gone),
  };
}

function batchesOf(rows: readonly Found[]): Batch[] {
  const batches: Batch[] = [];
  for (let at = 0; at < rows.length; at += BATCH_ROWS) {
    const part = rows.slice(at, at + BATCH_ROWS);
    const blocks = new Map<number, { rows: number; bytes: number }>();
    for (const { pos, bytes } of part) {
      const sum = blocks.get(blockOf(pos)) ?? { rows: 0, bytes: 0 };
      blocks.set(blockOf(pos), { rows: sum.rows + 1, bytes: sum.bytes + bytes });
    }
    batches.push({
      positions: JSON.stringify(part.map(({ pos }) => pos)),
      blocks: JSON.stringify([...blocks].map(([block, sum]) => [block, sum.rows, sum.bytes])),
      rows: part.length,
    });
  }
  return batches;
}
