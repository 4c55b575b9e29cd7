/**
 * The thread that makes the search index out of committed records, block by block, behind the write. It only reads; what
 * it makes goes to the writer in small pieces, among the commits of others. The row of `search_block` comes last: a block that
 * was cut short is one that is not indexed.
 */
import { setPriority } from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import Database from 'better-sqlite3';
import {
  BLOCK,
  blockOf,
  GRAMS,
  GRAMS_AND_LONG,
  lastOf,
  stretchOf,
  TERM_ROWS,
  type TermRow,
  termsOf,
  type Write,
} from './postings.ts';
import { createSearch } from './search.ts';
import { createGrams, LONG } from './text-index.ts';

export interface IndexWorkerData {
  readonly file: string;
}
export type ToIndexWorker =
  /** Everything up to here is committed; `turn` counts the messages. */
  | { readonly head: number; readonly turn: number }
  /** The pieces have been committed, or not. */
  | { readonly written: boolean };
export type FromIndexWorker =
  /** One piece to be committed. */
  | { readonly writes: readonly Write[] }
  /** Nothing is left to do of what was told up to this turn. */
  | { readonly idle: number };

/** Commits must not wait for the index: behind everybody else on the processor, and in pieces of about half a millisecond. */
const NICE = 10;
const TUPLES = 16;
const WRITES_AT_ONCE = 16;
/** Texts wait while blocks fill faster than this: more than about 10,000 records a second. */
const QUIET_MS = 800;
const RETRY_MS = 5000;

interface Todo {
  readonly block: number;
  readonly work: 'terms' | 'grams' | 'again';
}

function runIndexer(port: NonNullable<typeof parentPort>, { file }: IndexWorkerData): void {
  setPriority(0, NICE); // of this thread only: that is what Linux takes the 0 for
  const db = new Database(file, { readonly: true });
  const { missing } = createSearch(db, 'pos, data');
  const stale = db.prepare<[], { block: number }>('SELECT block FROM search_block WHERE stale = 1 ORDER BY block DESC');
  const textless = db.prepare<[], { block: number }>(
    'SELECT block FROM search_block WHERE grams = 0 ORDER BY block DESC LIMIT 1',
  );
  const termRows = db.prepare<[number, number], TermRow>(TERM_ROWS).raw();
  const textRows = db.prepare<[number, number], { pos: number; data: string }>(
    'SELECT pos, data FROM record NOT INDEXED WHERE pos BETWEEN ? AND ? AND kind <> 0 ORDER BY pos',
  );

  let head = 0;
  let turn = 0;
  let filled = 0;
  /** No block before this one is missing. */
  let whole = 0;
  let wake = () => {};
  let answered: (written: boolean) => void = () => {};
  port.on('message', (message: ToIndexWorker) => {
    if ('written' in message) return answered(message.written);
    ({ head, turn } = message);
    filled = performance.now();
    wake();
  });

  const send = (writes: readonly Write[]): Promise<boolean> =>
    new Promise((resolve) => {
      answered = resolve;
      port.postMessage({ writes } satisfies FromIndexWorker);
    });

  /** Newest first: that is what is searched most. */
  function* todo(): Generator<Todo> {
    for (const block of missing(whole, head)) yield { block, work: 'terms' };
    for (const { block } of stale.all()) yield { block, work: 'again' };
  }

  async function terms(block: number): Promise<boolean> {
    const { low, high, terms: found } = termsOf(termRows.all(block * BLOCK, lastOf(block)));
    const done = { sql: 'INSERT INTO search_block VALUES (?, ?, ?, 0, 0)', params: [block, low, high] };
    return put('term', block, found, found.length > 0 ? done : undefined);
  }

  async function grams(block: number): Promise<boolean> {
    const found = createGrams();
    for (const { pos, data } of textRows.iterate(block * BLOCK, lastOf(block))) found.add(pos, data);
    const encoded = found.encoded();
    const state = encoded.some(([gram]) => gram === LONG) ? GRAMS_AND_LONG : GRAMS;
    return put('gram', block, encoded, {
      sql: 'UPDATE search_block SET grams = ? WHERE block = ?',
      params: [state, block],
    });
  }

  async function put(
    column: 'term' | 'gram',
    block: number,
    found: readonly (readonly [string | number, Uint8Array])[],
    done: Write | undefined,
  ): Promise<boolean> {
    const writes: Write[] = [];
    for (let at = 0; at < found.length; at += TUPLES) {
      const some = found.slice(at, at + TUPLES);
      writes.push({
        // An earlier attempt may have left some.
        sql: `INSERT OR REPLACE INTO search_${column} VALUES ${some.map(() => '(?, ?, ?, ?)').join(', ')}`,
        params: some.flatMap(([key, places]) => [stretchOf(block), key, block, places]),
      });
    }
    if (done) writes.push(done);
    for (let at = 0; at < writes.length; at += WRITES_AT_ONCE) {
      if (!(await send(writes.slice(at, at + WRITES_AT_ONCE)))) return false;
    }
    return true;
  }

  async function doWork({ block, work }: Todo): Promise<boolean> {
    if (work === 'grams') return grams(block);
    if (work === 'again') {
      const away = ['term', 'gram'].map((column) => ({
        sql: `DELETE FROM search_${column} WHERE stretch = ? AND block = ?`,
        params: [stretchOf(block), block],
      }));
      if (!(await send([{ sql: 'DELETE FROM search_block WHERE block = ?', params: [block] }, ...away]))) return false;
    }
    return terms(block);
  }

  /** @returns whether there may be more to do at once */
  async function step(): Promise<boolean> {
    const full = blockOf(head + 1);
    for (const one of [...todo()]) {
      if (await doWork(one)) continue;
      whole = 0;
      return pause(RETRY_MS, true);
    }
    whole = full;
    const [next] = textless.all();
    if (!next) return false;
    const quiet = filled + QUIET_MS - performance.now();
    if (quiet > 0) return pause(quiet, true);
    return (await grams(next.block)) || pause(RETRY_MS, true);
  }

  async function loop(): Promise<never> {
    for (;;) {
      const seen = turn;
      const woken = new Promise<void>((resolve) => {
        wake = resolve;
      });
      if ((await step()) || turn !== seen) continue;
      port.postMessage({ idle: seen } satisfies FromIndexWorker);
      await woken;
    }
  }
  void loop();
}

if (parentPort) runIndexer(parentPort, workerData as IndexWorkerData);
