/**
 * What can still be read of a quarantined journal, copied beside it in the background: every record whose row makes sense,
 * whatever happened to the trees above it. The quarantined file itself is only ever read.
 */
import { closeSync, existsSync, openSync, readdirSync, renameSync, rmSync, statfsSync, statSync } from 'node:fs';
import { setPriority } from 'node:os';
import { join } from 'node:path';
import { parentPort, Worker, workerData } from 'node:worker_threads';
import Database from 'better-sqlite3';
import { kinds, lanes, qualities } from '../contracts/record.ts';
import { reasonOf } from '../errors.ts';
import type { Log } from '../log.ts';
import { writeDurably } from './identity.ts';
import type { Journal } from './journal.ts';
import { type Cell, type FoundRow, openPages } from './pages.ts';
import { APPLICATION_ID, epochOf, journalSchema, SCHEMA_VERSION, seqOf } from './schema.ts';

export interface Salvaged {
  readonly records: number;
  /** Per epoch, which numbers were found. A number in between that is not there was removed before, or is lost. */
  readonly epochs: readonly {
    readonly epoch: number;
    readonly first: number;
    readonly last: number;
    readonly count: number;
  }[];
  /** Rows that were there and make no sense any more. */
  readonly torn: number;
}

const COLUMNS = 14;
const PORTION = 5000;
const NICE = 15;
const SPARE_BYTES = 512 << 20;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/**
 * Copies the records of `<folder>/gatehouse.db` into `<folder>/salvaged.db`.
 * @throws file system and SQLite errors as they come; then nothing is left of the copy
 */
export function salvage(folder: string): Salvaged {
  const target = join(folder, 'salvaged.db');
  const draft = `${target}.part`;
  rmSync(draft, { force: true });
  const pages = openPages(join(folder, 'gatehouse.db'));
  closeSync(openSync(draft, 'a', 0o600));
  const db = new Database(draft);
  try {
    db.pragma('journal_mode = OFF');
    db.pragma(`application_id = ${APPLICATION_ID}`);
    db.pragma(`user_version = ${SCHEMA_VERSION}`);
    db.exec(journalSchema);
    const put = db.prepare(`INSERT OR IGNORE INTO record VALUES (${Array(COLUMNS).fill('?').join(', ')})`);
    const putAll = db.transaction((rows: readonly FoundRow[]) => {
      for (const { rowid, cells } of rows) put.run(rowid, ...cells.slice(1));
    });
    let torn = 0;
    let waiting: FoundRow[] = [];
    for (let page = 1; page <= pages.count; page++) {
      const found = pages.rows(page);
      torn += found.torn;
      waiting.push(...found.rows.filter(isRecord));
      if (waiting.length < PORTION && page < pages.count) continue;
      putAll(waiting);
      waiting = [];
    }
    const epochs = db
      .prepare<[], { low: number; high: number; count: number }>(
        `SELECT min(pos) AS low, max(pos) AS high, count(*) AS count FROM record GROUP BY pos / ${2 ** 40} ORDER BY 1`,
      )
      .all()
      .map(({ low, high, count }) => ({ epoch: epochOf(low), first: seqOf(low), last: seqOf(high), count }));
    db.close();
    writeDurably(join(folder, 'salvaged.json'), JSON.stringify({ epochs, torn }));
    renameSync(draft, target);
    return { records: epochs.reduce((sum, { count }) => sum + count, 0), epochs, torn };
  } finally {
    pages.close();
    if (db.open) db.close();
    rmSync(draft, { force: true });
  }
}

/** A row of the table `record` and of no other: fourteen values of its types, with places in its lists. */
function isRecord({ rowid, cells }: FoundRow): boolean {
  if (cells.length !== COLUMNS || epochOf(rowid) < 1 || seqOf(rowid) < 1) return false;
  const [, id, at, received, clock, lane, kind, scenario, device, name, data, quality, cause, actor] = cells;
  const whole = (value: Cell | undefined, below: number) =>
    Number.isInteger(value) && Number(value) >= 0 && Number(value) < below;
  return (
    typeof id === 'string' &&
    UUID.test(id) &&
    [at, received].every((value) => Number.isInteger(value)) &&
    whole(clock, 3) &&
    whole(lane, lanes.length) &&
    whole(kind, kinds.length) &&
    whole(quality, qualities.length) &&
    [scenario, device, name].every((value) => typeof value === 'string') &&
    [cause, actor].every((value) => value === null || typeof value === 'string') &&
    isJson(data)
  );
}

function isJson(data: Cell | undefined): boolean {
  if (typeof data !== 'string') return false;
  try {
    JSON.parse(data);
    return true;
  } catch {
    return false;
  }
}

/** Salvages what lies in quarantine and was not yet looked at, one folder after the other, and records what was found. */
export async function salvageQuarantine(
  directory: string,
  journal: Pick<Journal, 'append'>,
  log: Log,
  signal: AbortSignal,
): Promise<void> {
  const quarantine = join(directory, 'quarantine');
  if (!existsSync(quarantine)) return;
  for (const name of readdirSync(quarantine).sort()) {
    const folder = join(quarantine, name);
    if (!existsSync(join(folder, 'gatehouse.db')) || existsSync(join(folder, 'salvaged.db'))) continue;
    try {
      if (!hasRoom(folder)) throw new Error('not enough disk space for a copy; the next start tries again');
      const found = await salvageAside(folder, signal);
      await journal.append({
        lane: 'L0',
        kind: 'epoch',
        scenario: 'gateway',
        device: '',
        name: 'journal.salvaged',
        data: { quarantine: join('quarantine', name), ...found },
        actor: 'system:journal',
      });
    } catch (error) {
      if (signal.aborted) return;
      log.error({ err: error, folder }, 'a quarantined journal could not be salvaged');
    }
  }
}

function hasRoom(folder: string): boolean {
  const { bavail, bsize } = statfsSync(folder);
  return statSync(join(folder, 'gatehouse.db')).size + SPARE_BYTES < bavail * bsize;
}

function salvageAside(folder: string, signal: AbortSignal): Promise<Salvaged> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL('./salvage.ts', import.meta.url), { workerData: { salvage: folder } });
    const stop = () => void worker.terminate();
    signal.addEventListener('abort', stop, { once: true });
    worker.once('message', (message: Salvaged | { failed: string }) => {
      if ('failed' in message) reject(new Error(message.failed));
      else resolve(message);
    });
    worker.once('error', reject);
    worker.once('exit', () => {
      signal.removeEventListener('abort', stop);
      reject(new Error('its thread ended'));
    });
  });
}

const asked = (workerData as { salvage?: string } | null)?.salvage;
if (parentPort && asked !== undefined) {
  try {
    setPriority(NICE);
    parentPort.postMessage(salvage(asked));
  } catch (error) {
    parentPort.postMessage({ failed: reasonOf(error) });
  }
}
