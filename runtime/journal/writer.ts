/**
 * The sole writer, in a worker thread: owns the write connection and commits everything that has queued while it was
 * busy in one transaction (natural batching). The main thread never waits for a disk flush.
 */
import { parentPort, workerData } from 'node:worker_threads';
import Database, { type Statement } from 'better-sqlite3';
import { openChain } from './chain.ts';
import { type ChoreName, chores } from './chores.ts';
import { PAGE_BYTES, positionNumber, seqOf, WRITER_PRAGMAS } from './schema.ts';

export type SqlValue = string | number | bigint | null | Uint8Array;
/** id, at, received, clock, lane, kind, scenario, device, name, data, quality, cause, actor */
export type Row = [
  string,
  number,
  number,
  number,
  number,
  number,
  string,
  string,
  string,
  string,
  number,
  string | null,
  string | null,
];
export interface WireUnit {
  readonly rows: readonly Row[];
  readonly writes: readonly { readonly sql: string; readonly params: readonly SqlValue[] }[];
}
export type ToWriter =
  | { readonly batch: readonly WireUnit[] }
  | { readonly chore: ChoreName; readonly turn: number; readonly argument: unknown }
  | { readonly close: true };
export type FromWriter =
  | { readonly ready: true }
  /** Per unit: the seq of its first row, or why the unit alone was rolled back. */
  | { readonly done: readonly (number | { readonly refused: string })[] }
  /** Nothing of the batch was committed. */
  | { readonly failed: string; readonly code: string }
  | { readonly chored: number; readonly result: unknown; readonly failed?: string }
  | { readonly closed: true };
export interface WriterData {
  readonly file: string;
  readonly epoch: number;
  readonly schema: readonly string[];
  /** Of the chain of audit records. */
  readonly auditKey: Uint8Array;
  /** The file never grows beyond it; a write that would is refused with SQLITE_FULL. */
  readonly maxBytes?: number;
}

/**
 * Pages of 4 KiB that only the WAL has: checkpoint when idle beyond the first number, in any case beyond the second. A
 * larger one writes hot pages less often, and makes those who wait meanwhile wait longer: at 20,000 records a second
 * 4.6 ms at 16 MiB, 2.5 ms at 4 MiB.
 */
const IDLE_CHECKPOINT_PAGES = 256;
const FORCED_CHECKPOINT_PAGES = 1024;
const IDLE_MS = 50;
const TELEMETRY = 0;
/** How a statement begins that may take audit records with it. */
const REMOVAL = 'DELETE FROM record';
/** Rows of one INSERT: eight together cost the writer two thirds of what they cost one by one. */
const GROUP = 8;
/** `pos` and what a {@link Row} holds. */
const COLUMNS = 14;
const SYNCHRONOUS_FULL = 2;

/** Runs on the worker's side only. */
export function runWriter(port: NonNullable<typeof parentPort>, data: WriterData): void {
  const { file, epoch, schema, maxBytes } = data;
  const db = new Database(file);
  for (const pragma of WRITER_PRAGMAS) db.pragma(pragma);
  if (maxBytes !== undefined) db.pragma(`max_page_count = ${Math.max(1, Math.floor(maxBytes / PAGE_BYTES))}`);
  if (
    db.pragma('journal_mode', { simple: true }) !== 'wal' ||
    db.pragma('synchronous', { simple: true }) !== SYNCHRONOUS_FULL
  ) {
    throw new Error('The journal needs WAL with synchronous=FULL; this file system or SQLite refuses it');
  }
  for (const text of schema) db.exec(text);
  const chain = openChain(db, data.auditKey);
  const begin = db.prepare('BEGIN IMMEDIATE');
  const commit = db.prepare('COMMIT');
  const rollback = db.prepare('ROLLBACK');
  const values = `(${Array(COLUMNS).fill('?').join(', ')})`;
  const insert = db.prepare(`INSERT INTO record VALUES ${values}`);
  const insertGroup = db.prepare(`INSERT INTO record VALUES ${Array(GROUP).fill(values).join(', ')}`);
  const upsert = db.prepare(
    `INSERT INTO latest VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE
     SET value = excluded.value, at = excluded.at, received = excluded.received, quality = excluded.quality`,
  );
  const head = db.prepare<[number, number], { pos: number | null }>(
    'SELECT max(pos) AS pos FROM record WHERE pos BETWEEN ? AND ?',
  );
  const readSeq = () => {
    const row = head.get(positionNumber(epoch, 0), positionNumber(epoch + 1, 0) - 1);
    return row?.pos == null ? 0 : seqOf(row.pos);
  };
  const prepared = new Map<string, Statement>();
  let seq = readSeq();
  /** Values of rows that wait for a whole group. */
  let waiting: SqlValue[] = [];

  const statement = (sql: string): Statement => {
    const known = prepared.get(sql);
    if (known) return known;
    const made = db.prepare(sql);
    prepared.set(sql, made);
    return made;
  };

  function insertRest(): void {
    for (let at = 0; at < waiting.length; at += COLUMNS) insert.run(...waiting.slice(at, at + COLUMNS));
    waiting = [];
  }

  function unit({ rows, writes }: WireUnit, latest: Map<string, Row>): number {
    const first = seq + 1;
    for (const { sql, params } of writes) {
      if (sql.startsWith(REMOVAL)) chain.removing(() => statement(sql).run(...params));
      else statement(sql).run(...params);
    }
    for (const row of rows) {
      seq++;
      chain.add(positionNumber(epoch, seq), row);
      waiting.push(positionNumber(epoch, seq), ...row);
      if (waiting.length < GROUP * COLUMNS) continue;
      insertGroup.run(...waiting);
      waiting = [];
    }
    for (const row of rows) if (row[5] === TELEMETRY) latest.set(`${row[7]}\n${row[8]}`, row);
    return first;
  }

  function run(batch: readonly WireUnit[]): FromWriter {
    const before = seq;
    try {
      begin.run();
      const latest = new Map<string, Row>();
      const done = batch.map((wire) => {
        if (wire.writes.length === 0) return unit(wire, latest);
        insertRest(); // what came before is not undone with this unit
        const start = seq;
        db.exec('SAVEPOINT unit');
        try {
          const first = unit(wire, latest);
          insertRest();
          db.exec('RELEASE unit');
          return first;
        } catch (error) {
          if (!isConstraint(error)) throw error;
          waiting = [];
          db.exec('ROLLBACK TO unit; RELEASE unit');
          seq = start;
          chain.reload();
          return { refused: error.message };
        }
      });
      insertRest();
      for (const row of latest.values()) upsert.run(row[7], row[8], row[9], row[1], row[2], row[10]);
      commit.run();
      return { done };
    } catch (error) {
      if (db.inTransaction) rollback.run();
      waiting = [];
      seq = before;
      try {
        chain.reload();
        seq = readSeq(); // a COMMIT that reported an error may still have reached the file
      } catch {
        // the disk is gone altogether: the next batch will say so again
      }
      const { message, code } = error as Error & { code?: string };
      return { failed: message, code: code ?? 'SQLITE_ERROR' };
    }
  }

  // Asked of SQLite, as the WAL is used again from its beginning and its file never shrinks.
  const wal = db.prepare<[], { log: number; checkpointed: number }>('PRAGMA wal_checkpoint(NOOP)');
  function checkpoint(pages: number): void {
    try {
      const { log = 0, checkpointed = 0 } = wal.get() ?? {};
      if (log - checkpointed > pages) db.pragma('wal_checkpoint(PASSIVE)');
    } catch {
      // A disk that takes nothing now: what is in the WAL is durable there, and the next commit tries again.
    }
  }

  async function chore(name: ChoreName, turn: number, argument: unknown): Promise<void> {
    try {
      const result: unknown = await chores[name](db, argument as never);
      port.postMessage({ chored: turn, result } satisfies FromWriter);
    } catch (error) {
      port.postMessage({ chored: turn, result: undefined, failed: (error as Error).message } satisfies FromWriter);
    }
  }

  let idle: NodeJS.Timeout | undefined;
  port.on('message', (message: ToWriter) => {
    if ('close' in message) {
      clearTimeout(idle);
      try {
        db.pragma('wal_checkpoint(TRUNCATE)');
      } catch {
        // as above: the next start finds it in the WAL
      } finally {
        db.close();
        port.postMessage({ closed: true } satisfies FromWriter);
        port.close();
      }
      return;
    }
    if ('chore' in message) {
      void chore(message.chore, message.turn, message.argument);
      return;
    }
    clearTimeout(idle);
    port.postMessage(run(message.batch));
    checkpoint(FORCED_CHECKPOINT_PAGES);
    idle = setTimeout(checkpoint, IDLE_MS, IDLE_CHECKPOINT_PAGES);
  });
  port.postMessage({ ready: true } satisfies FromWriter);
}

function isConstraint(error: unknown): error is Error {
  return error instanceof Error && String((error as Error & { code?: unknown }).code).startsWith('SQLITE_CONSTRAINT');
}

if (parentPort) runWriter(parentPort, workerData as WriterData);
