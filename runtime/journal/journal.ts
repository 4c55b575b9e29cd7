/**
 * The journal: everything that happens is one record in one append-only table (design.md 1). This is the main thread's
 * side; writer.ts commits. `append` resolves only after COMMIT with synchronous=FULL (reliability.md R1).
 */
import { statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Worker } from 'node:worker_threads';
import Database from 'better-sqlite3';
import type { Clock } from '../clock.ts';
import type { RecordsPage } from '../contracts/api.ts';
import {
  type Draft,
  type JournalRecord,
  kinds,
  type Lane,
  lanes,
  type Position,
  qualities,
} from '../contracts/record.ts';
import { GatehouseError } from '../errors.ts';
import type { Log } from '../log.ts';
import { auditKey } from './chain.ts';
import type { ChoreArgument, ChoreName, ChoreResult } from './chores.ts';
import { EPOCH_TOLD, epochDraft, establish, type Start, writeDurably } from './identity.ts';
import { createIndexing, type Indexing } from './indexing.ts';
import { damageMark } from './inspect.ts';
import { createReader, pageLimit, type RecordQuery, type StoredRow, toRecord } from './query.ts';
import { createRecent, pageOf } from './recent.ts';
import { journalSchema, PAGE_BYTES, positionNumber, seqOf } from './schema.ts';
import { createSearches, type Searches } from './searches.ts';
import { uuidv7 } from './uuid.ts';
import type { FromWriter, Row, SqlValue, ToWriter, WireUnit, WriterData } from './writer.ts';

export type { RecordQuery } from './query.ts';
export type { SqlValue } from './writer.ts';
export type ReadOnlyDatabase = Database.Database;
/** A look-up prepared once on {@link Journal.db}. */
export type Lookup<Params extends unknown[], Row> = Database.Statement<Params, Row>;

/** One statement of a transaction; `sql` is a constant of the module that owns the table. */
export interface Write {
  readonly sql: string;
  readonly params: readonly SqlValue[];
}
/** Records and table writes that are committed together or not at all. */
export interface Unit {
  readonly records?: readonly Draft[];
  readonly writes?: readonly Write[];
}
export interface LatestPoint {
  readonly value: string | number | boolean;
  readonly at: number;
  readonly received: number;
  readonly quality: JournalRecord['quality'];
}
export interface JournalOptions {
  readonly directory: string;
  readonly clock: Clock;
  readonly log: Log;
  /** CREATE TABLE texts of the modules that keep state beside the records. */
  readonly schema?: readonly string[];
  readonly clockQuality?: () => JournalRecord['clock'];
  /** The file never grows beyond it; records of L0 must still find room below (reliability.md B1). */
  readonly maxBytes?: number;
  /** The disk or `maxBytes` is reached: makes what room it can. What holds a record of L0 is then tried once more (B2). */
  readonly onFull?: () => void;
  /** After damage: a plain copy of the tables without records from the newest backup, if there is one. */
  readonly configCopy?: () => Promise<string | undefined>;
}
export interface Space {
  /** Pages that hold something. */
  readonly usedBytes: number;
  /** Pages inside the file that hold nothing. */
  readonly freeBytes: number;
  readonly walBytes: number;
}

interface Queued {
  readonly unit: WireUnit;
  /** Holds a record of L0: tried twice on a full disk. */
  readonly vital: boolean;
  retried?: boolean;
  readonly resolve: (records: JournalRecord[]) => void;
  readonly reject: (error: Error) => void;
}

/** Rows handed to the writer at once, and rows that may wait: beyond it new input is refused, not swallowed. */
const MAX_BATCH = 2000;
const MAX_QUEUED = 100_000;
const clocks: readonly JournalRecord['clock'][] = ['synced', 'unsynced', 'stepped'];

export class Journal implements AsyncDisposable {
  readonly gateway: string;
  readonly epoch: number;
  /** The database; threads that read much open connections of their own. */
  readonly file: string;
  /** What was found at start: a first start, a normal one, or one after damage. */
  readonly started: Start;
  /** Read-only, on the main thread, for look-ups well under a millisecond. */
  readonly db: ReadOnlyDatabase;
  readonly #clock: Clock;
  readonly #quality: () => JournalRecord['clock'];
  readonly #worker: Worker;
  readonly #reader: ReturnType<typeof createReader>;
  readonly #onFull: (() => void) | undefined;
  readonly #chores = new Map<number, { resolve: (result: never) => void; reject: (error: Error) => void }>();
  readonly #recent = createRecent();
  readonly #searches: Searches;
  readonly #indexing: Indexing;
  readonly #listeners = new Set<(records: readonly JournalRecord[]) => void>();
  readonly #latest = new Map<string, Map<string, LatestPoint>>();
  #queue: Queued[] = [];
  #queuedRows = 0;
  #inFlight: Queued[] | undefined;
  #pumping = false;
  #seq: number;
  #closed: 'open' | 'closing' | 'closed' = 'open';
  #drained: (() => void) | undefined;
  #refused: ReadonlySet<Lane> = new Set();
  #turn = 0;

  private constructor(options: JournalOptions, start: Start, worker: Worker, db: ReadOnlyDatabase) {
    this.gateway = start.identity.gateway;
    this.epoch = start.identity.epoch;
    this.started = start;
    this.db = db;
    this.#clock = options.clock;
    this.#quality = options.clockQuality ?? (() => 'unsynced');
    this.#onFull = options.onFull;
    this.file = fileOf(options.directory);
    this.#worker = worker;
    this.#reader = createReader(db, this.gateway);
    this.#seq = this.#reader.headSeq(this.epoch);
    this.#searches = createSearches({ file: this.file, gateway: this.gateway }, options.log);
    this.#indexing = createIndexing(
      { file: this.file },
      // Where records are refused the index waits too.
      (writes) => (this.#refused.has('L1') ? Promise.reject(new Error('No room')) : this.commit({ writes })),
      options.log,
    );
    this.#indexing.committed(positionNumber(this.epoch, this.#seq));
    for (const row of this.#reader.latest()) this.#remember(row.device, row.name, row.value, row);
    worker.on('message', (message: FromWriter) => this.#settle(message));
    worker.on('error', (error) => {
      options.log.fatal({ err: error }, 'the journal writer has died');
      this.#fail(
        new GatehouseError('journal.write', `The journal writer has died: ${error.message}`, { cause: error }),
      );
      throw error; // nothing can be accepted any more: the supervisor starts us afresh
    });
  }

  /** @throws GatehouseError `journal.newer`; file system errors as they come. */
  static async open(options: JournalOptions): Promise<Journal> {
    const file = fileOf(options.directory);
    const stamp = new Date(options.clock.now()).toISOString().replaceAll(':', '-');
    const { directory, configCopy } = options;
    const start = await establish({ directory, stamp, ...(configCopy ? { configCopy } : {}) });
    const data: WriterData = {
      file,
      epoch: start.identity.epoch,
      schema: [journalSchema, ...(options.schema ?? [])],
      auditKey: auditKey(directory),
      ...(options.maxBytes === undefined ? {} : { maxBytes: options.maxBytes }),
    };
    const worker = new Worker(new URL('./writer.ts', import.meta.url), { workerData: data });
    await new Promise<void>((resolve, reject) => {
      worker.once('message', () => resolve());
      worker.once('error', reject);
    });
    worker.removeAllListeners('error');
    const db = new Database(file, { readonly: true });
    const journal = new Journal(options, start, worker, db);
    if (start.reason) {
      const lastKnown = start.lastKnown ?? journal.#reader.lastBefore(start.identity.epoch);
      await journal.commit({ records: [epochDraft(directory, start, lastKnown)], writes: [EPOCH_TOLD] });
    }
    return journal;
  }

  /** The last committed place. */
  head(): Position {
    return { epoch: this.epoch, seq: this.#seq };
  }

  /** Rows not yet durable. */
  get pending(): number {
    return this.#queuedRows;
  }

  /** Resolves once the records are durable. @throws GatehouseError `journal.*` */
  append(...drafts: Draft[]): Promise<JournalRecord[]> {
    return this.commit({ records: drafts });
  }

  /** Records and table writes in one transaction. @throws GatehouseError `inventory.conflict` on a constraint, `journal.*` */
  commit({ records = [], writes = [] }: Unit): Promise<JournalRecord[]> {
    if (this.#closed !== 'open') return Promise.reject(new GatehouseError('journal.closed', 'The journal is closed'));
    if (this.#queuedRows > MAX_QUEUED) {
      return Promise.reject(new GatehouseError('journal.full', `${this.#queuedRows} records wait for the disk`));
    }
    if (this.#refused.size > 0 && records.length > 0 && records.every(({ lane }) => this.#refused.has(lane))) {
      const found = [...new Set(records.map(({ lane }) => lane))].join(', ');
      return Promise.reject(new GatehouseError('journal.full', `No room for records of ${found}: the disk is full`));
    }
    const received = this.#clock.now();
    const clock = clocks.indexOf(this.#quality());
    const rows = records.map((draft) => toRow(draft, received, clock));
    const vital = records.some(({ lane }) => lane === 'L0');
    return new Promise((resolve, reject) => {
      this.#queue.push({ unit: { rows, writes }, vital, resolve, reject });
      this.#queuedRows += rows.length;
      if (!this.#pumping && !this.#inFlight) {
        this.#pumping = true;
        queueMicrotask(() => this.#pump());
      }
    });
  }

  /** Every committed record, in order, as soon as it is durable. The returned function ends it. */
  onCommit(listener: (records: readonly JournalRecord[]) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** From now on records of these lanes alone are refused with `journal.full`; L0 never should be (B2). */
  refuse(refused: ReadonlySet<Lane>): void {
    this.#refused = refused;
  }

  /** How much of the disk the journal takes now; a look of microseconds. */
  space(): Space {
    const freePages = this.db.pragma('freelist_count', { simple: true }) as number;
    const pages = this.db.pragma('page_count', { simple: true }) as number;
    return {
      usedBytes: (pages - freePages) * PAGE_BYTES,
      freeBytes: freePages * PAGE_BYTES,
      walBytes: statSync(`${this.file}-wal`, { throwIfNoEntry: false })?.size ?? 0,
    };
  }

  /** Work on the write connection between two batches. @throws GatehouseError `journal.*` */
  chore<Name extends ChoreName>(name: Name, argument: ChoreArgument<Name>): Promise<ChoreResult<Name>> {
    if (this.#closed !== 'open') return Promise.reject(new GatehouseError('journal.closed', 'The journal is closed'));
    const turn = ++this.#turn;
    return new Promise((resolve, reject) => {
      this.#chores.set(turn, { resolve, reject });
      this.#worker.postMessage({ chore: name, turn, argument } satisfies ToWriter);
    });
  }

  read(query: RecordQuery): RecordsPage {
    const head = this.head();
    const limit = pageLimit(query);
    const found = this.#recent.find(query, head, limit);
    return found ? pageOf(found, limit, head) : this.#reader.read(query, head);
  }

  /**
   * The same page, found on another thread: for filters that may have to look far. No record committed after the call is
   * in it. @throws GatehouseError `record.slow`, `record.search`; the signal's reason
   */
  async search(query: RecordQuery, signal?: AbortSignal): Promise<RecordsPage> {
    const head = this.head();
    const limit = pageLimit(query);
    const found = this.#recent.find(query, head, limit);
    return found ? pageOf(found, limit, head) : this.#searches.page(query, head, signal);
  }

  /** Resolves when the search index has what is durable now, as far as it can; searches are right without it, but slower. */
  indexed(): Promise<void> {
    return this.#indexing.caughtUp();
  }

  /** The record with this id, found by the time inside the UUIDv7. */
  find(id: string): JournalRecord | undefined {
    return this.#reader.find(id, this.head());
  }

  /** Records that name this id as their cause, oldest first, at most 100. */
  effectsOf(id: string): JournalRecord[] {
    return this.#reader.effectsOf(id);
  }

  latest(device: string): ReadonlyMap<string, LatestPoint> {
    return this.#latest.get(device) ?? new Map();
  }

  latestPoint(device: string, name: string): LatestPoint | undefined {
    return this.#latest.get(device)?.get(name);
  }

  /** Every latest value. */
  *points(): Generator<{ device: string; name: string; point: LatestPoint }> {
    for (const [device, points] of this.#latest) for (const [name, point] of points) yield { device, name, point };
  }

  /** Finishes what was accepted, checkpoints and closes. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed !== 'open') return;
    this.#closed = 'closing';
    if (this.#inFlight || this.#queue.length > 0) await new Promise<void>((resolve) => (this.#drained = resolve));
    await Promise.all([this.#indexing.close(), this.#searches.close()]);
    this.db.close();
    await new Promise<void>((resolve) => {
      this.#worker.once('exit', () => resolve());
      this.#worker.postMessage({ close: true } satisfies ToWriter);
    });
    this.#closed = 'closed';
  }

  #pump(): void {
    this.#pumping = false;
    if (this.#inFlight || this.#queue.length === 0) return;
    let rows = 0;
    let count = 0;
    while (count < this.#queue.length && rows < MAX_BATCH) rows += 1 + (this.#queue[count++]?.unit.rows.length ?? 0);
    this.#inFlight = count === this.#queue.length ? this.#queue : this.#queue.slice(0, count);
    this.#queue = count === this.#queue.length ? [] : this.#queue.slice(count);
    this.#worker.postMessage({ batch: this.#inFlight.map((entry) => entry.unit) } satisfies ToWriter);
  }

  #settle(message: FromWriter): void {
    if ('closed' in message || 'ready' in message) return;
    if ('chored' in message) {
      const waiting = this.#chores.get(message.chored);
      this.#chores.delete(message.chored);
      if (message.failed === undefined) waiting?.resolve(message.result as never);
      else waiting?.reject(new GatehouseError('journal.write', message.failed));
      return;
    }
    const batch = this.#inFlight ?? [];
    this.#inFlight = undefined;
    for (const entry of batch) this.#queuedRows -= entry.unit.rows.length;
    if ('failed' in message) {
      this.#refuseBatch(batch, message.failed, message.code);
    } else {
      const records = batch.map((entry, index) => this.#accept(entry, message.done[index]));
      this.#publish(records.flat());
      batch.forEach((entry, index) => {
        const result = message.done[index];
        if (typeof result === 'number') entry.resolve(records[index] ?? []);
        else entry.reject(new GatehouseError('inventory.conflict', result?.refused ?? 'not committed'));
      });
    }
    this.#pump();
    if (!this.#inFlight) this.#drained?.();
  }

  /** Nothing of the batch was committed. What is vital gets a second try where room may have been made. */
  #refuseBatch(batch: readonly Queued[], reason: string, code: string): void {
    const full = code === 'SQLITE_FULL';
    if (full) this.#onFull?.();
    if (/^SQLITE_(CORRUPT|NOTADB)/.test(code)) this.#beginAnew(reason);
    const again = full ? batch.filter((entry) => entry.vital && !entry.retried) : [];
    const error = new GatehouseError(full ? 'journal.full' : 'journal.write', reason, { detail: { sqlite: code } });
    for (const entry of batch) if (!again.includes(entry)) entry.reject(error);
    for (const entry of again) {
      entry.retried = true;
      this.#queuedRows += entry.unit.rows.length;
    }
    this.#queue = [...again, ...this.#queue];
  }

  /** A database found damaged while it is written takes nothing any more: the next start puts it aside and goes on. */
  #beginAnew(fault: string): void {
    writeDurably(damageMark(dirname(this.db.name)), fault);
    setImmediate(() => {
      throw new GatehouseError('journal.write', `The database is damaged: ${fault}`); // ends the process (V5)
    });
  }

  #accept(entry: Queued, result: number | { refused: string } | undefined): JournalRecord[] {
    if (typeof result !== 'number') return [];
    return entry.unit.rows.map((row, index) => {
      const record = toRecord(rowOf(positionNumber(this.epoch, result + index), row), this.gateway);
      if (record.kind === 'telemetry') this.#remember(record.device, record.name, record.data, record);
      return record;
    });
  }

  #publish(records: JournalRecord[]): void {
    const first = records[0];
    if (!first) return;
    // A batch whose COMMIT reported an error may be in the file all the same: followers must see it too.
    const missed = first.seq > this.#seq + 1 ? this.#reader.between(this.epoch, this.#seq + 1, first.seq - 1) : [];
    const all = missed.length > 0 ? [...missed, ...records] : records;
    this.#seq = records[records.length - 1]?.seq ?? this.#seq;
    this.#recent.add(all);
    this.#indexing.committed(positionNumber(this.epoch, this.#seq));
    for (const listener of this.#listeners) listener(all);
  }

  #remember(
    device: string,
    name: string,
    value: unknown,
    { at, received, quality }: Pick<LatestPoint, 'at' | 'received' | 'quality'>,
  ): void {
    let points = this.#latest.get(device);
    if (!points) {
      points = new Map();
      this.#latest.set(device, points);
    }
    points.set(name, { value: value as LatestPoint['value'], at, received, quality });
  }

  #fail(error: GatehouseError): void {
    for (const { reject } of this.#chores.values()) reject(error);
    this.#chores.clear();
    for (const entry of [...(this.#inFlight ?? []), ...this.#queue]) entry.reject(error);
    this.#inFlight = undefined;
    this.#queue = [];
    this.#closed = 'closed';
  }
}

function toRow(draft: Draft, received: number, clock: number): Row {
  return [
    draft.id ?? uuidv7(received),
    draft.at ?? received,
    received,
    clock,
    lanes.indexOf(draft.lane),
    kinds.indexOf(draft.kind),
    draft.scenario,
    draft.device,
    draft.name,
    JSON.stringify(draft.data),
    qualities.indexOf(draft.quality ?? 'good'),
    draft.cause ?? null,
    draft.actor ?? null,
  ];
}

const rowOf = (pos: number, row: Row): StoredRow => ({
  pos,
  id: row[0],
  at: row[1],
  received: row[2],
  clock: row[3],
  lane: row[4],
  kind: row[5],
  scenario: row[6],
  device: row[7],
  name: row[8],
  data: row[9],
  quality: row[10],
  cause: row[11],
  actor: row[12],
});

const fileOf = (directory: string): string => join(directory, 'gatehouse.db');

export const positionOf = (record: JournalRecord): Position => ({ epoch: record.epoch, seq: record.seq });
export { seqOf };
