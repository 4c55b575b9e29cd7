/** Reading the journal: pages, single records and the cause chain, on one read-only connection. */
import type Database from 'better-sqlite3';
import type { RecordsPage } from '../contracts/api.ts';
import {
  formatPosition,
  type JournalRecord,
  type Kind,
  kinds,
  type Lane,
  lanes,
  type Position,
  qualities,
} from '../contracts/record.ts';
import { epochOf, positionNumber, seqOf } from './schema.ts';
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
  /** Text inside the data, e.g. part of a plate. Telemetry is not searched. */
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
/** A record is written within seconds of its id; wider only costs a little reading. */
const ID_WINDOW_MS = 60_000;

export function toRecord(row: StoredRow, gateway: string): JournalRecord {
  return {
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
    ...(row.cause === null ? {} : { cause: row.cause }),
    ...(row.actor === null ? {} : { actor: row.actor }),
  };
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

  const firstSince = db.prepare<[number], { pos: number | null }>(
    'SELECT min(pos) AS pos FROM (SELECT pos FROM record WHERE received >= ? ORDER BY received, pos LIMIT 1)',
  );
  const lastUntil = db.prepare<[number], { pos: number | null }>(
    'SELECT pos FROM record WHERE received <= ? ORDER BY received DESC, pos DESC LIMIT 1',
  );

  function rangeOf(query: RecordQuery): { low: number; high: number } {
    let low = query.after ? positionNumber(query.after.epoch, query.after.seq) + 1 : 0;
    let high = query.before ? positionNumber(query.before.epoch, query.before.seq) - 1 : Number.MAX_SAFE_INTEGER;
    // Receipt times rise with positions but for a stepped clock, so the time index narrows the range of positions.
    if (query.from !== undefined) low = Math.max(low, firstSince.get(query.from)?.pos ?? Number.MAX_SAFE_INTEGER);
    if (query.to !== undefined) high = Math.min(high, lastUntil.get(query.to)?.pos ?? -1);
    return { low, high };
  }

  function read(query: RecordQuery, head: Position): RecordsPage {
    const { low, high } = rangeOf(query);
    const limit = pageLimit(query);
    const down = query.order === 'desc';
    const where = ['pos BETWEEN ? AND ?'];
    const params: unknown[] = [low, high];
    const oneOf = (column: string, values: readonly number[]) => {
      where.push(`${column} IN (${values.map(() => '?').join(', ')})`);
      params.push(...values);
    };
    const facts = query.text !== undefined || (query.kind !== undefined && !query.kind.includes('telemetry'));
    if (facts) where.push('kind <> 0');
    if (query.kind)
      oneOf(
        'kind',
        query.kind.map((kind) => kinds.indexOf(kind)),
      );
    if (query.lane)
      oneOf(
        'lane',
        query.lane.map((lane) => lanes.indexOf(lane)),
      );
    for (const column of ['scenario', 'device', 'name'] as const) {
      if (query[column] === undefined) continue;
      where.push(`${column} = ?`);
      params.push(query[column]);
    }
    if (query.text !== undefined) {
      where.push(`data LIKE ? ESCAPE '\\'`);
      params.push(`%${query.text.replaceAll(/[\\%_]/g, '\\$&')}%`);
    }
    const rows = statement(
      `SELECT * FROM record WHERE ${where.join(' AND ')} ORDER BY pos ${down ? 'DESC' : 'ASC'} LIMIT ?`,
    ).all(...params, limit);
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
    find(id: string): JournalRecord | undefined {
      const at = timeOfUuid(id);
      if (Number.isNaN(at)) return undefined;
      const row = statement('SELECT * FROM record WHERE received BETWEEN ? AND ? AND id = ? LIMIT 1').get(
        at - ID_WINDOW_MS,
        at + ID_WINDOW_MS,
        id,
      );
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
