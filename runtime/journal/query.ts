/** Reading the journal: pages, single records and the cause chain, on one read-only connection. */
import type Database from 'better-sqlite3';
import type { RecordsPage } from '../contracts/api.ts';
import { formatPosition, type Kind, kinds, type Lane, lanes, type Position, qualities } from '../contracts/places.ts';
import type { JournalRecord } from '../contracts/record.ts';
import { epochOf, positionNumber, seqOf } from './schema.ts';
import { createSearch } from './search.ts';
import { timeOfUuid } from './uuid.ts';

export interface RecordQuery {
  /** Records after this place (ascending). */
  readonly after?: Position;
  /** Records before this place (descending). */
  readonly before?: Position;
  /** At most 500; default 100. */
  readonly limit?: number;
  readonly order?: 'asc' | 'desc';
  readonly lane?: readonly Lane[];
  readonly kind?: readonly Kind[];
  readonly scenario?: string;
  readonly device?: string;
  readonly name?: string;
  /** Gateway time of receipt, ms UTC, both ends included. */
  readonly from?: number;
  readonly to?: number;
  /** Part of one of the texts in the data, e.g. of a plate, upper or lower case. Telemetry is not searched. */
  readonly text?: string;
}

export interface StoredRow {
  readonly pos: number;
  readonly id: string;
  readonly at: number;
  readonly received: number;
  readonly clock: number;
  readonly lane: number;
  readonly kind: number;
  readonly scenario: string;
  readonly device: string;
  readonly name: string;
  readonly data: string;
  readonly quality: number;
  readonly cause: string | null;
  readonly actor: string | null;
}

const clocks: readonly JournalRecord['clock'][] = ['synced', 'unsynced', 'stepped'];
const MAX_PAGE = 500;
export const pageLimit = ({ limit = 100 }: RecordQuery): number => Math.min(Math.max(limit, 1), MAX_PAGE);

export function toRecord(row: StoredRow, gateway: string): JournalRecord {
  const record: JournalRecord = {
    gateway,
    epoch: epochOf(row.pos),
    seq: seqOf(row.pos),
    id: row.id,
    at: row.at,
    received: row.received,
    clock: clocks[row.clock] ?? 'unsynced',
    lane: lanes[row.lane] ?? 'L4',
    kind: kinds[row.kind] ?? 'state',
    scenario: row.scenario,
    device: row.device,
    name: row.name,
    data: JSON.parse(row.data),
    quality: qualities[row.quality] ?? 'bad',
  };
  // Not by spreading: every record passes here, some of them a hundred thousand times a second.
  if (row.cause !== null) record.cause = row.cause;
  if (row.actor !== null) record.actor = row.actor;
  return record;
}

export function createReader(db: Database.Database, gateway: string) {
  const statements = new Map<string, Database.Statement<unknown[], StoredRow>>();
  const statement = (sql: string) => {
    const known = statements.get(sql);
    if (known) return known;
    const made = db.prepare<unknown[], StoredRow>(sql);
    statements.set(sql, made);
    return made;
  };
  const record = (row: StoredRow) => toRecord(row, gateway);
  const { search, find } = createSearch<StoredRow>(db, '*');

  function read(query: RecordQuery, head: Position): RecordsPage {
    const limit = pageLimit(query);
    const { rows } = search({ query, head: positionNumber(head.epoch, head.seq), limit });
    const last = rows.at(-1);
    return {
      items: rows.map(record),
      ...(last && rows.length === limit
        ? { next: formatPosition({ epoch: epochOf(last.pos), seq: seqOf(last.pos) }) }
        : {}),
      head: formatPosition(head),
    };
  }

  return {
    read,
    find(id: string, head: Position): JournalRecord | undefined {
      const at = timeOfUuid(id);
      const row = Number.isNaN(at) ? undefined : find(id, at, positionNumber(head.epoch, head.seq));
      return row && record(row);
    },
    effectsOf: (id: string): JournalRecord[] =>
      statement('SELECT * FROM record WHERE cause = ? ORDER BY pos LIMIT 100').all(id).map(record),
    between: (epoch: number, first: number, last: number): JournalRecord[] =>
      statement('SELECT * FROM record WHERE pos BETWEEN ? AND ? ORDER BY pos')
        .all(positionNumber(epoch, first), positionNumber(epoch, last))
        .map(record),
    headSeq(epoch: number): number {
      const row = db
        .prepare<[number, number], { pos: number | null }>(
          'SELECT max(pos) AS pos FROM record WHERE pos BETWEEN ? AND ?',
        )
        .get(positionNumber(epoch, 0), positionNumber(epoch + 1, 0) - 1);
      return row?.pos == null ? 0 : seqOf(row.pos);
    },
    /** The last place before an epoch that is known here, for the `journal.epoch` record. */
    lastBefore(epoch: number): string | undefined {
      const row = db
        .prepare<[number], { pos: number | null }>('SELECT max(pos) AS pos FROM record WHERE pos < ?')
        .get(positionNumber(epoch, 0));
      return row?.pos == null ? undefined : formatPosition({ epoch: epochOf(row.pos), seq: seqOf(row.pos) });
    },
    latest: () =>
      db
        .prepare<[], { device: string; name: string; value: string; at: number; received: number; quality: number }>(
          'SELECT * FROM latest',
        )
        .all()
        .map((row) => ({
          ...row,
          value: JSON.parse(row.value) as unknown,
          quality: qualities[row.quality] ?? ('bad' as const),
        })),
  };
}
