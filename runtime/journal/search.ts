/**
 * Finding records: block by block in the order of the page, by the postings where a block has them, record by record
 * where it has not. What the postings name is looked at again, so that a page is right whatever state the index is in.
 */
import type Database from 'better-sqlite3';
import { kinds, lanes } from '../contracts/record.ts';
import {
  addPlaces,
  type Bits,
  BLOCK,
  type BlockRow,
  blockOf,
  countBits,
  keepCommon,
  lastOf,
  noBits,
  placesOf,
  type TermColumn,
  termOf,
} from './postings.ts';
import type { RecordQuery } from './query.ts';
import { positionNumber } from './schema.ts';
import { folded, gramsFor, hasText, LONG, likePattern } from './text-index.ts';

/** A row as far as the search needs it. */
export interface Found {
  readonly pos: number;
}
export interface SearchPage<Row extends Found> {
  readonly rows: Row[];
  /** Everything up to here, in the order of the page, has been searched. */
  readonly through: number;
  /** False: the time ran out before the page was full. */
  readonly done: boolean;
}
export interface SearchRequest {
  readonly query: RecordQuery;
  /** Nothing behind it is looked at. */
  readonly head: number;
  readonly limit: number;
  /** Milliseconds after which the page ends where it is; a page gets one block further in any case. */
  readonly within?: number;
}

/** Block rows and record positions handled at once. */
const ROWS_AT_ONCE = 128;
const PLACES_AT_ONCE = 256;
/** From here on reading the block is cheaper than fetching record by record; below the second, than asking for more terms. */
const MANY = BLOCK / 4;
const FEW = 16;

/** A stretch of positions, within one block if the index knows it. */
interface Span {
  readonly first: number;
  readonly last: number;
  readonly block: BlockRow | undefined;
}
/** One of these terms. */
type Condition = readonly string[];
interface Plan {
  readonly conditions: readonly Condition[];
  readonly grams: (readonly [number, number])[];
  readonly where: string;
  readonly params: readonly unknown[];
  /** Folded; undefined: no text asked for. */
  readonly wanted: string | undefined;
  readonly from: number;
  readonly to: number;
}

/** @param columns what a row has beside `pos`, `data` included; `params` are those the columns need, ahead of all others. */
export function createSearch<Row extends Found & { data: string }>(
  db: Database.Database,
  columns: string,
  params: readonly unknown[] = [],
) {
  const statements = new Map<string, Database.Statement<unknown[], unknown>>();
  function all<Result>(sql: string, ...values: readonly unknown[]): Result[] {
    let statement = statements.get(sql);
    if (!statement) {
      statement = db.prepare<unknown[], unknown>(sql);
      statements.set(sql, statement);
    }
    return statement.all(...values) as Result[];
  }

  /** Where the next record is, in the direction of the page. */
  function seek(first: number, last: number, down: boolean): number | undefined {
    const order = down ? 'DESC' : 'ASC';
    return all<{ pos: number }>(
      `SELECT pos FROM record WHERE pos BETWEEN ? AND ? ORDER BY pos ${order} LIMIT 1`,
      first,
      last,
    )[0]?.pos;
  }

  /** Blocks without postings, as far as they have records. */
  function* unknown(first: number, last: number, down: boolean): Generator<Span> {
    for (let low = first, high = last; low <= high; ) {
      const pos = seek(low, high, down);
      if (pos === undefined) return;
      const block = blockOf(pos);
      const span = { first: Math.max(low, block * BLOCK), last: Math.min(high, lastOf(block)), block: undefined };
      yield span;
      if (down) high = span.first - 1;
      else low = span.last + 1;
    }
  }

  /** All of the range in the order of the page, cut at the borders of blocks. */
  function* spans(first: number, last: number, down: boolean): Generator<Span> {
    let low = first;
    let high = last;
    const order = down ? 'DESC' : 'ASC';
    while (low <= high) {
      const rows = all<BlockRow>(
        `SELECT block, low, high, grams FROM block WHERE block BETWEEN ? AND ? ORDER BY block ${order} LIMIT ${ROWS_AT_ONCE}`,
        blockOf(low),
        blockOf(high),
      );
      for (const row of rows) {
        const start = row.block * BLOCK;
        const end = lastOf(row.block);
        if (down) yield* unknown(end + 1, high, down);
        else yield* unknown(low, start - 1, down);
        yield { first: Math.max(low, start), last: Math.min(high, end), block: row };
        if (down) high = start - 1;
        else low = end + 1;
      }
      if (rows.length < ROWS_AT_ONCE) return yield* unknown(low, high, down);
    }
  }

  /** The places of a block that may fit; undefined: any of them. */
  function candidates(plan: Plan, { block, low, high }: BlockRow, withGrams: boolean): Bits | undefined | 'none' {
    if (low > plan.to || high < plan.from) return 'none';
    let bits: Bits | undefined;
    const narrow = (found: Bits): number => {
      if (bits) return keepCommon(bits, found);
      bits = found;
      return countBits(found);
    };
    let left = BLOCK;
    for (const terms of plan.conditions) {
      if (left <= FEW) break;
      left = narrow(
        union(
          terms.flatMap((term) =>
            all<{ places: Uint8Array }>('SELECT places FROM posting WHERE block = ? AND term = ?', block, term),
          ),
        ),
      );
      if (left === 0) return 'none';
    }
    if (withGrams && plan.grams.length > 0 && left > FEW) {
      const long = gramPlaces(block, LONG, LONG);
      for (const gram of plan.grams) {
        left = narrow(union([...gramPlaces(block, ...gram), ...long]));
        if (left <= FEW) break;
      }
    }
    return left === 0 ? 'none' : bits;
  }

  const gramPlaces = (block: number, first: number, last: number) =>
    first === last
      ? all<{ places: Uint8Array }>('SELECT places FROM gram WHERE block = ? AND gram = ?', block, first)
      : all<{ places: Uint8Array }>(
          'SELECT places FROM gram WHERE block = ? AND gram BETWEEN ? AND ?',
          block,
          first,
          last,
        );

  function search({ query, head, limit, within = Number.POSITIVE_INFINITY }: SearchRequest): SearchPage<Row> {
    const deadline = performance.now() + within;
    const plan = planOf(query);
    const down = query.order === 'desc';
    const order = down ? 'DESC' : 'ASC';
    const low = query.after ? positionNumber(query.after.epoch, query.after.seq) + 1 : 0;
    const high = Math.min(head, query.before ? positionNumber(query.before.epoch, query.before.seq) - 1 : head);
    const rows: Row[] = [];
    /** @returns how many of the statement's rows there were before the text was compared */
    const take = (found: readonly Row[]): void => {
      for (const row of found) {
        if (rows.length < limit && (plan.wanted === undefined || hasText(row.data, plan.wanted))) rows.push(row);
      }
    };

    function scan(first: number, last: number): void {
      let from = first;
      let to = last;
      while (rows.length < limit && from <= to) {
        const most = limit - rows.length;
        const found = all<Row>(
          `SELECT ${columns} FROM record NOT INDEXED WHERE pos BETWEEN ? AND ?${plan.where} ORDER BY pos ${order} LIMIT ?`,
          ...params,
          from,
          to,
          ...plan.params,
          most,
        );
        take(found);
        const end = found.at(-1);
        if (!end || found.length < most) return;
        if (down) to = end.pos - 1;
        else from = end.pos + 1;
      }
    }

    function fetch(span: Span, bits: Bits): void {
      const start = blockOf(span.first) * BLOCK;
      const places = placesOf(bits)
        .map((place) => start + place)
        .filter((pos) => pos >= span.first && pos <= span.last);
      if (down) places.reverse();
      for (let at = 0; at < places.length && rows.length < limit; at += PLACES_AT_ONCE) {
        const most = plan.wanted === undefined ? limit - rows.length : PLACES_AT_ONCE;
        take(
          all<Row>(
            `SELECT ${columns} FROM json_each(?) AS place CROSS JOIN record NOT INDEXED
             WHERE pos = place.value${plan.where} LIMIT ?`,
            ...params,
            JSON.stringify(places.slice(at, at + PLACES_AT_ONCE)),
            ...plan.params,
            most,
          ),
        );
      }
    }

    const page = (through: number, done: boolean): SearchPage<Row> => ({ rows, through, done });
    const end = down ? low : high;
    if (low > high || query.kind?.length === 0 || query.lane?.length === 0) return page(end, true);
    // At the end of the journal, where cursors are, nothing is indexed yet.
    const near: Iterable<Span> = [{ first: low, last: high, block: undefined }];
    for (const span of high - low < BLOCK ? near : spans(low, high, down)) {
      const bits = span.block && candidates(plan, span.block, span.block.grams === 1);
      if (bits !== 'none') {
        if (bits === undefined || countBits(bits) > MANY) scan(span.first, span.last);
        else fetch(span, bits);
      }
      const last = rows.at(-1);
      if (last && rows.length === limit) return page(last.pos, true);
      if (performance.now() > deadline) {
        const through = down ? span.first : span.last;
        return page(through, through === end);
      }
    }
    return page(end, true);
  }

  /** The record with this id, received about then (ms UTC). */
  function find(id: string, received: number, head: number): Row | undefined {
    const by = (first: number, last: number) =>
      all<Row>(
        `SELECT ${columns} FROM record NOT INDEXED WHERE pos BETWEEN ? AND ? AND id = ? LIMIT 1`,
        ...params,
        first,
        last,
        id,
      )[0];
    const known = all<BlockRow>(
      'SELECT block, low, high, grams FROM block WHERE low <= ? AND high >= ? ORDER BY block DESC',
      received + ID_WINDOW_MS,
      received - ID_WINDOW_MS,
    ).map(({ block }) => ({ first: block * BLOCK, last: lastOf(block) }));
    const likely: { first: number; last: number }[] = [...gaps(head), ...known];
    for (const { first, last } of likely) {
      const row = by(
        boundary(first, last, received - ID_WINDOW_MS),
        boundary(first, last, received + ID_WINDOW_MS + 1),
      );
      if (row) return row;
    }
    // Not where it should be: the clock was set while this block was written, or there is no such record.
    for (const { first, last } of likely) {
      const row = by(first, last);
      if (row) return row;
    }
    return undefined;
  }

  /** What is not indexed, newest first; never so much that a look-up on the main thread is noticed. */
  function* gaps(head: number): Generator<Span> {
    let count = 0;
    for (const span of spans(0, head, true)) {
      if (span.block) continue;
      yield span;
      if (++count === MOST_UNKNOWN) return;
    }
  }

  /** The first position received at this time or later, if times rise within the stretch. */
  function boundary(first: number, last: number, time: number): number {
    let low = first;
    let high = last + 1;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      const row = all<{ pos: number; received: number }>(
        'SELECT pos, received FROM record WHERE pos BETWEEN ? AND ? ORDER BY pos LIMIT 1',
        middle,
        last,
      )[0];
      if (!row || row.received >= time) high = middle;
      else low = row.pos + 1;
    }
    return low;
  }

  return { search, find, spans };
}

/** A record is written within seconds of its id; wider only costs a little reading. */
const ID_WINDOW_MS = 60_000;
const MOST_UNKNOWN = 4;

function union(found: readonly { places: Uint8Array }[]): Bits {
  const bits = noBits();
  for (const { places } of found) addPlaces(bits, places);
  return bits;
}

/** The kind that most records are of. */
const BULK = 'telemetry';

function planOf(query: RecordQuery): Plan {
  const conditions: Condition[] = [];
  const where: string[] = [];
  const params: unknown[] = [];
  for (const column of ['device', 'name', 'scenario'] as const) {
    const value = query[column];
    if (value === undefined) continue;
    conditions.push([termOf(column, value)]);
    where.push(`${column} = ?`);
    params.push(value);
  }
  const oneOf = (column: TermColumn, all: readonly string[], asked: readonly string[] | undefined) => {
    if (asked === undefined) return;
    const places = [...new Set(asked)].map((one) => all.indexOf(one));
    where.push(`${column} IN (${places.map(() => '?').join(', ')})`);
    params.push(...places);
    // Nearly everything fits a filter that leaves out a kind or two: the index would cost more than it saves.
    const most = all.length - (asked.includes(BULK) ? all.length / 2 : 1);
    if (places.length <= most) conditions.push(places.map((place) => termOf(column, place)));
  };
  oneOf('kind', kinds, query.kind);
  oneOf('lane', lanes, query.lane);
  if (query.from !== undefined || query.to !== undefined) {
    where.push('received BETWEEN ? AND ?');
    params.push(query.from ?? 0, query.to ?? Number.MAX_SAFE_INTEGER);
  }
  const wanted = query.text === undefined ? undefined : folded(query.text);
  if (wanted !== undefined) {
    where.push('kind <> 0');
    const pattern = likePattern(wanted);
    if (pattern !== undefined) {
      where.push(`data LIKE ? ESCAPE '\\'`);
      params.push(pattern);
    }
  }
  return {
    conditions,
    grams: wanted === undefined ? [] : gramsFor(wanted),
    where: where.map((condition) => ` AND ${condition}`).join(''),
    params,
    wanted,
    from: query.from ?? 0,
    to: query.to ?? Number.MAX_SAFE_INTEGER,
  };
}
