/**
 * What removal really gives back. Pages are shared, and SQLite joins a page with its neighbours only when it is less than
 * a third full, so what stays among removed rows takes more room than its bytes; and postings shrink less than the
 * records they point to. How much depends on the mix and the size of the rows: so the newest rows of the site itself are
 * taken away in memory, in the order and by the statements that would take them away on the disk, and weighed after each
 * step.
 */
import Database from 'better-sqlite3';
import { BLOCK, blockOf, lastOf, stretchOf, TERM_ROWS, type TermRow, termsOf } from '../journal/postings.ts';
import { journalSchema, PAGE_BYTES } from '../journal/schema.ts';
import { createGrams } from '../journal/text-index.ts';
import type { Packing, Weight } from './forecast.ts';
import { BATCH_ROWS, BYTES_SQL, isClass, REMOVE_SQL } from './schema.ts';

/** What a row takes beside its content in a full page, bytes: its head, numbers and stamps. */
export const ROW_BYTES = 37;
/** As many blocks of the search index are weighed: enough for its pages to fill as they do in service. */
const BLOCKS = 4;
/** Fewer rows say nothing. */
const FEWEST_ROWS = 4096;

/** A compound of 500 devices, where the site has too few records to be weighed. */
export const usualPacking: Packing = {
  whole: { full: 0.98, beside: 12 },
  thinned: { full: 0.65, beside: 9 },
  L3: { full: 0.73, beside: 6 },
  L2: { full: 0.8, beside: 3 },
  L1: { full: 0.74, beside: 2 },
};

export interface Rehearsed {
  readonly packing: Packing;
  /** So many rows were weighed. */
  readonly rows: number;
}

/** As many are enough. */
export const ENOUGH_ROWS = (BLOCKS * BLOCK) / 2;

export interface RehearsalRequest {
  /** From here on nothing has been removed yet. */
  readonly untouched: number;
  /** The last record. */
  readonly head: number;
  /** Of each point one reading in so many is kept, and how many it has had since the last one kept. */
  readonly thinTo: number;
  readonly turns: ReadonlyMap<string, number>;
}

/** @returns undefined where there is too little to weigh */
export function rehearse(
  source: Database.Database,
  { untouched, head, thinTo, turns }: RehearsalRequest,
): Rehearsed | undefined {
  const first = Math.max(untouched, (blockOf(head + 1) - BLOCKS) * BLOCK);
  const found = source
    .prepare<[number, number], unknown[]>('SELECT * FROM record WHERE pos BETWEEN ? AND ? ORDER BY pos')
    .raw()
    .all(first, head);
  const sample = found.slice(0, wholeTurns(source, first, head, thinTo) * found.length);
  if (sample.length < FEWEST_ROWS) return undefined;
  const db = new Database(':memory:');
  try {
    db.pragma(`page_size = ${PAGE_BYTES}`);
    db.exec(journalSchema);
    const insert = db.prepare(`INSERT INTO record VALUES (${Array(sample[0]?.length).fill('?').join(', ')})`);
    db.transaction(() => {
      for (const row of sample) insert.run(...row);
    })();
    const weigh = () => weightOf(db, sample.length, blockOf(first), blockOf(head));
    const whole = weigh();
    takeAway(db, thinned(db, thinTo, new Map(turns)));
    const after = { thinned: weigh() };
    const rest = (['L3', 'L2', 'L1'] as const).map((lane) => {
      takeAway(
        db,
        db
          .prepare<[], number>(`SELECT pos FROM record WHERE ${isClass(lane)} ORDER BY pos`)
          .pluck()
          .all(),
      );
      return [lane, weigh()] as const;
    });
    const packing = { whole, ...after, ...(Object.fromEntries(rest) as Pick<Packing, 'L3' | 'L2' | 'L1'>) };
    return { packing, rows: sample.length };
  } finally {
    db.close();
  }
}

const POINT = 'device || char(10) || name';

/** The part of the sample in which every point has its turns in full: beyond it more would be kept than in the long run. */
function wholeTurns(db: Database.Database, first: number, head: number, thinTo: number): number {
  const { readings = 0, points = 0 } =
    db
      .prepare<[number, number], { readings: number; points: number }>(
        `SELECT count(*) AS readings, count(DISTINCT ${POINT}) AS points FROM record
         WHERE pos BETWEEN ? AND ? AND ${isClass('L3')}`,
      )
      .get(first, head) ?? {};
  const turns = readings / Math.max(1, points) / thinTo;
  return turns < 1 ? 1 : Math.floor(turns) / turns;
}

/** The readings that thinning takes. */
function thinned(db: Database.Database, thinTo: number, turns: Map<string, number>): number[] {
  return db
    .prepare<[], [number, string]>(`SELECT pos, ${POINT} FROM record WHERE ${isClass('L3')} ORDER BY pos`)
    .raw()
    .all()
    .flatMap(([pos, point]) => {
      const turn = turns.get(point) ?? 0;
      turns.set(point, (turn + 1) % thinTo);
      return turn === 0 ? [] : [pos];
    });
}

function takeAway(db: Database.Database, positions: readonly number[]): void {
  const remove = db.prepare(REMOVE_SQL);
  for (let at = 0; at < positions.length; at += BATCH_ROWS)
    remove.run(JSON.stringify(positions.slice(at, at + BATCH_ROWS)));
}

function weightOf(db: Database.Database, rows: number, first: number, last: number): Weight {
  db.exec('DELETE FROM search_term; DELETE FROM search_gram');
  for (let block = first; block <= last; block++) index(db, block);
  const { content } = db
    .prepare<[], { content: number }>(`SELECT total(${BYTES_SQL} + ${ROW_BYTES}) AS content FROM record`)
    .get() ?? { content: 0 };
  const sizes = db.prepare<[], { name: string; size: number }>(
    'SELECT name, sum(pgsize) AS size FROM dbstat GROUP BY name',
  );
  let table = 0;
  let beside = 0;
  for (const { name, size } of sizes.all()) {
    if (name === 'record') table = size;
    else if (/^(record|search)_/.test(name)) beside += size;
  }
  return { full: Math.min(1, content / table), beside: beside / rows };
}

/** As the indexing thread does it (index-worker.ts). */
function index(db: Database.Database, block: number): void {
  const span = [block * BLOCK, lastOf(block)] as const;
  const rows = db
    .prepare<[number, number], TermRow>(TERM_ROWS)
    .raw()
    .all(...span);
  const term = db.prepare('INSERT INTO search_term VALUES (?, ?, ?, ?)');
  for (const [key, places] of termsOf(rows).terms) term.run(stretchOf(block), key, block, places);
  const grams = createGrams();
  const texts = db.prepare<[number, number], { pos: number; data: string }>(
    'SELECT pos, data FROM record WHERE pos BETWEEN ? AND ? AND kind <> 0 ORDER BY pos',
  );
  for (const { pos, data } of texts.all(...span)) grams.add(pos, data);
  const gram = db.prepare('INSERT INTO search_gram VALUES (?, ?, ?, ?)');
  for (const [key, places] of grams.encoded()) gram.run(stretchOf(block), key, block, places);
}
