/**
 * Finding records: block by block in the order of the page, by the postings where a block has them, record by record
 * where it has not. What the postings name is looked at again, so that a page is right whatever state the index is in.
 */
import type Database from 'better-sqlite3';
import { kinds, lanes } from '../contracts/places.ts';
import {
  addPlaces,
  type Bits,
  BLOCK,
  type BlockRow,
  blockOf,
  countBits,
  GRAMS_AND_LONG,
  keepCommon,
  lastOf,
  noBits,
  placesOf,
  stretchOf,
  type TermColumn,
  termOf,
} from './postings.ts';
import type { RecordQuery } from './query.ts';
import { positionNumber } from './schema.ts';
import { folded, type Grams, gramsFor, hasText, LONG, likePattern } from './text-index.ts';

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

/** Block rows asked for at once: few at first, as most pages end soon. */
const FIRST_BLOCKS = 4;
const MOST_BLOCKS = 128;
/** Records compared with a text at once. */
const COMPARED_AT_ONCE = 256;
/** From here on reading the block is cheaper than fetching record by record. */
const MANY = BLOCK / 4;

/** Every combination of filters is a statement of its own. */
const MOST_STATEMENTS = 200;

/** A stretch of positions, within one block if the index knows it. */
interface Span {
  readonly first: number;
  readonly last: number;
  /** The places that may fit; undefined: any of them. */
  readonly bits: Bits | undefined;
}
/** One of these terms. */
type Condition = readonly string[];
interface Plan {
  readonly conditions: readonly Condition[];
  /** Fewer of the pairs once it is known which are rare. */
  grams: Grams | undefined;
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
      if (statements.size >= MOST_STATEMENTS) statements.clear();
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
      const span = { first: Math.max(low, block * BLOCK), last: Math.min(high, lastOf(block)), bits: undefined };
      yield span;
      if (down) high = span.first - 1;
      else low = span.last + 1;
    }
  }

  /** All of the range in the order of the page, cut at the borders of blocks, without those that have nothing to offer. */
  function* spans(first: number, last: number, down: boolean, plan: Plan): Generator<Span> {
    let low = first;
    let high = last;
    const order = down ? 'DESC' : 'ASC';
    for (let most = FIRST_BLOCKS; low <= high; most = Math.min(most * 2, MOST_BLOCKS)) {
      const rows = all<BlockRow>(
        `SELECT block, low, high, grams FROM search_block WHERE block BETWEEN ? AND ? ORDER BY block ${order} LIMIT ?`,
        blockOf(low),
        blockOf(high),
        most,
      );
      const offered = candidates(plan, rows);
      for (const { block } of rows) {
        const start = block * BLOCK;
        const end = lastOf(block);
        if (down) yield* unknown(end + 1, high, down);
        else yield* unknown(low, start - 1, down);
        if (offered.has(block)) {
          yield { first: Math.max(low, start), last: Math.min(high, end), bits: offered.get(block) };
        }
        if (down) high = start - 1;
        else low = end + 1;
      }
      if (rows.length < most) return yield* unknown(low, high, down);
    }
  }

  /** The blocks that may have something that fits, and where in them. */
  function candidates(plan: Plan, rows: readonly BlockRow[]): Map<number, Bits | undefined> {
    const found = new Map<number, Bits | undefined>();
    for (const { block, low, high } of rows) if (low <= plan.to && high >= plan.from) found.set(block, undefined);
    if (plan.conditions.length > 0) {
      const terms = placesIn<string>('term', [...found.keys()], { values: plan.conditions.flat() });
      for (const block of [...found.keys()]) {
        const sets = terms.get(block);
        const bits = meet(plan.conditions.map((condition) => condition.flatMap((term) => sets?.get(term) ?? [])));
        if (bits) found.set(block, bits);
        else found.delete(block);
      }
    }
    if (plan.grams) {
      const { pairs, range } = plan.grams;
      const indexed = rows.filter(({ block, grams }) => grams > 0 && found.has(block));
      const blocks = indexed.map(({ block }) => block);
      const marks = indexed.some(({ grams }) => grams === GRAMS_AND_LONG) ? [LONG] : [];
      const grams = placesIn<number>('gram', blocks, { values: [...marks, ...pairs], range });
      for (const block of blocks) {
        const sets = grams.get(block) ?? new Map<number, Uint8Array>();
        const long = sets.get(LONG) ?? [];
        const needed = range ? [[...sets.values()]] : pairs.map((pair) => [sets.get(pair) ?? [], long].flat());
        const bits = meet(needed, found.get(block));
        if (bits) found.set(block, bits);
        else found.delete(block);
      }
      if (blocks.length > 0) plan.grams = { pairs: rarest(pairs, [...grams.values()]), range };
    }
    return found;
  }

  /** The stored sets of these keys in these blocks. */
  function placesIn<Key extends string | number>(
    column: 'term' | 'gram',
    blocks: readonly number[],
    keys: { readonly values: readonly Key[]; readonly range?: readonly [number, number] | undefined },
  ): Map<number, Map<Key, Uint8Array>> {
    const found = new Map<number, Map<Key, Uint8Array>>();
    const read = (where: string, values: readonly unknown[]) => {
      const rows = all<{ block: number; key: Key; places: Uint8Array }>(
        `SELECT block, ${column} AS key, places FROM json_each(?) AS wanted
         CROSS JOIN search_${column} ON stretch = wanted.value AND ${where} WHERE block BETWEEN ? AND ?`,
        JSON.stringify([...new Set(blocks.map(stretchOf))]),
        ...values,
        Math.min(...blocks),
        Math.max(...blocks),
      );
      for (const { block, key, places } of rows) {
        const known = found.get(block);
        if (known) known.set(key, places);
        else found.set(block, new Map([[key, places]]));
      }
    };
    read(`${column} IN (${keys.values.map(() => '?').join(', ')})`, keys.values);
    if (keys.range) read(`${column} BETWEEN ? AND ?`, keys.range);
    return found;
  }

  function searchNow({ query, head, limit, within = Number.POSITIVE_INFINITY }: SearchRequest): SearchPage<Row> {
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

    function fetch(positions: readonly number[]): void {
      take(
        all<Row>(
          `SELECT ${columns} FROM json_each(?) AS place CROSS JOIN record NOT INDEXED ON pos = place.value${plan.where}`,
          ...params,
          JSON.stringify(positions),
          ...plan.params,
        ),
      );
    }

    /** Positions that may fit, in the order of the page. */
    let pending: number[] = [];
    function flush(least: number): void {
      while (pending.length >= least && pending.length > 0 && rows.length < limit) {
        const most = plan.wanted === undefined ? limit - rows.length : COMPARED_AT_ONCE;
        fetch(pending.slice(0, most));
        pending = pending.slice(most);
      }
    }

    const page = (through: number, done: boolean): SearchPage<Row> => ({ rows, through, done });
    const end = down ? low : high;
    if (low > high || query.kind?.length === 0 || query.lane?.length === 0) return page(end, true);
    const full = () => (rows.length === limit ? page(rows.at(-1)?.pos ?? end, true) : undefined);
    // At the end of the journal, where cursors are, nothing is indexed yet.
    const near: Iterable<Span> = [{ first: low, last: high, bits: undefined }];
    for (const span of high - low < BLOCK ? near : spans(low, high, down, plan)) {
      if (span.bits === undefined || countBits(span.bits) > MANY) {
        flush(1);
        scan(span.first, span.last);
      } else {
        const start = blockOf(span.first) * BLOCK;
        const places = placesOf(span.bits);
        if (down) places.reverse();
        for (const place of places) {
          const pos = start + place;
          if (pos >= span.first && pos <= span.last) pending.push(pos);
        }
        flush(plan.wanted === undefined ? limit - rows.length : COMPARED_AT_ONCE);
      }
      if (performance.now() > deadline) {
        flush(1);
        const through = down ? span.first : span.last;
        return full() ?? page(through, through === end);
      }
      if (rows.length === limit) break;
    }
    flush(1);
    return full() ?? page(end, true);
  }

  const searchAtOnce = db.transaction(searchNow);
  /** All statements of a page see one state: else the index of a block could go between asking for it and using it. */
  const search = (request: SearchRequest): SearchPage<Row> => searchAtOnce(request);

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
    const from = received - ID_WINDOW_MS;
    const to = received + ID_WINDOW_MS;
    const row = by(boundary(0, head, from), boundary(0, head, to + 1));
    if (row) return row;
    // Not where it should be: the clock was set while it was written, or there is no such record.
    for (const { first, last } of near(head, from, to)) {
      const found = by(first, last);
      if (found) return found;
    }
    return undefined;
  }

  /** Blocks with records of this time, and the newest that are not indexed. */
  function* near(head: number, from: number, to: number): Generator<{ first: number; last: number }> {
    const newest = all<{ block: number }>('SELECT max(block) AS block FROM search_block')[0]?.block ?? -1;
    let count = 0;
    for (const span of unknown(lastOf(newest) + 1, head, true)) {
      yield span;
      if (++count === MOST_UNKNOWN) break;
    }
    for (const { block } of all<BlockRow>('SELECT block FROM search_block WHERE low <= ? AND high >= ?', to, from)) {
      yield { first: block * BLOCK, last: lastOf(block) };
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

  /** Blocks that are not indexed, newest first, from this one on. @param head the last of them has all its places below it */
  function* missing(from: number, head: number): Generator<number> {
    for (const { first } of spans(from * BLOCK, head, true, NOTHING)) {
      if (lastOf(blockOf(first)) <= head) yield blockOf(first);
    }
  }

  return { search, find, missing };
}

/** A record is written within seconds of its id; wider only costs a little reading. */
const ID_WINDOW_MS = 60_000;
const MOST_UNKNOWN = 4;

/** Offers no indexed block at all. */
const NOTHING: Plan = {
  ...{ conditions: [], grams: undefined, where: '', params: [], wanted: undefined },
  from: Number.POSITIVE_INFINITY,
  to: Number.NEGATIVE_INFINITY,
};

/** As many of the pairs as leave about one place of a block by chance; the record itself decides in the end. */
function rarest(pairs: readonly number[], blocks: readonly ReadonlyMap<number, Uint8Array>[]): readonly number[] {
  if (pairs.length < 3) return pairs;
  const share = (pair: number) =>
    blocks.reduce((sum, sets) => sum + (sets.get(pair)?.length ?? 0), 0) / ((blocks.length || 1) * BLOCK);
  const shares = pairs.map((pair) => ({ pair, share: share(pair) })).sort((a, b) => a.share - b.share);
  let left = BLOCK;
  const enough = shares.findIndex((one) => {
    left *= one.share;
    return left < 1;
  });
  return enough < 0 ? pairs : shares.slice(0, Math.max(2, enough + 1)).map(({ pair }) => pair);
}

const scratch = noBits();

/** @param groups each the sets of one condition @returns what is in one set of each, or undefined if nothing is */
function meet(groups: readonly (readonly Uint8Array[])[], also?: Bits): Bits | undefined {
  let bits = also;
  // Small sets first: then little is left early.
  const sized = groups.map((sets) => ({ sets, size: sets.reduce((sum, one) => sum + one.length, 0) }));
  for (const { sets, size } of sized.sort((a, b) => a.size - b.size)) {
    if (size === 0) return undefined;
    const own = bits ? scratch.fill(0) : noBits();
    for (const one of sets) addPlaces(own, one);
    if (!bits) bits = own;
    else if (keepCommon(bits, own) === 0) return undefined;
  }
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
  const wanted = query.text ? folded(query.text) : undefined;
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
    grams: wanted === undefined ? undefined : gramsFor(wanted),
    where: where.map((condition) => ` AND ${condition}`).join(''),
    params,
    wanted,
    from: query.from ?? 0,
    to: query.to ?? Number.MAX_SAFE_INTEGER,
  };
}
