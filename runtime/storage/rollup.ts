/** Hourly figures of each point, which outlive the readings they were made of. */
import type Database from 'better-sqlite3';
import type { PointHistory } from '../contracts/api.ts';
import type { Position } from '../contracts/record.ts';
import type { Journal, Write } from '../journal/journal.ts';
import type { RollupRow } from './scan.ts';

const HOUR_MS = 3_600_000;
const PAGE_READINGS = 500;

type Hour = PointHistory['hourly'][number];
type Value = PointHistory['raw'][number]['value'];

const POINTS = `INSERT INTO rollup_point (device, name)
  SELECT value ->> 1, value ->> 2 FROM json_each(?) WHERE true ON CONFLICT DO NOTHING`;
const MERGE = `INSERT INTO rollup (hour, point, count, numbers, low, high, sum, last)
  SELECT value ->> 0, point.id, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7, value ->> 8
  FROM json_each(?) JOIN rollup_point AS point ON point.device = value ->> 1 AND point.name = value ->> 2 WHERE true
  ON CONFLICT DO UPDATE SET count = count + excluded.count, numbers = numbers + excluded.numbers,
    low = min(ifnull(low, excluded.low), ifnull(excluded.low, low)),
    high = max(ifnull(high, excluded.high), ifnull(excluded.high, high)),
    sum = sum + excluded.sum, last = excluded.last`;

/** The writes that add what was rolled up; once only, in the transaction that moves the mark. */
export function mergeWrites(rows: readonly RollupRow[]): Write[] {
  if (rows.length === 0) return [];
  const text = JSON.stringify(rows);
  return [
    { sql: POINTS, params: [text] },
    { sql: MERGE, params: [text] },
  ];
}

const PRUNE = 'DELETE FROM rollup WHERE (hour, point) IN (SELECT hour, point FROM rollup WHERE hour < ? LIMIT ?)';

/** The write that removes some hours before one, oldest first. */
export const pruneWrite = (beforeHour: number, rows: number): Write => ({ sql: PRUNE, params: [beforeHour, rows] });

/** @returns a look-up of the hours of a point between two moments */
export function createHours(db: Database.Database) {
  const rows = db.prepare<
    [number, number, string, string],
    {
      hour: number;
      count: number;
      numbers: number;
      low: number | null;
      high: number | null;
      sum: number;
      last: string;
    }
  >(
    `WITH RECURSIVE span (at) AS (SELECT ? UNION ALL SELECT at + 1 FROM span WHERE at < ?)
     SELECT hour, count, numbers, low, high, sum, last FROM span CROSS JOIN rollup ON hour = at
     WHERE point = (SELECT id FROM rollup_point WHERE device = ? AND name = ?)`,
  );
  return (device: string, name: string, from: number, to: number): Hour[] =>
    rows
      .all(Math.floor(from / HOUR_MS), Math.floor(to / HOUR_MS), device, name)
      .map(({ hour, count, numbers, low, high, sum, last }) => ({
        hour: hour * HOUR_MS,
        count,
        ...(numbers === 0 || low === null || high === null ? {} : { low, mean: sum / numbers, high }),
        last: JSON.parse(last) as Value,
      }));
}

export interface HistoryQuery {
  readonly device: string;
  readonly name: string;
  /** Gateway time, ms UTC, both ends included. */
  readonly from: number;
  readonly to: number;
  readonly after?: Position;
}

/** Readings of a point as they came, where they are still there; the figures of those hours that have none left. */
export async function readHistory(
  journal: Pick<Journal, 'search'>,
  hours: (device: string, name: string, from: number, to: number) => Promise<Hour[]>,
  { device, name, from, to, after }: HistoryQuery,
): Promise<PointHistory> {
  const page = await journal.search({
    ...{ device, name, from, to, kind: ['telemetry'], limit: PAGE_READINGS },
    ...(after === undefined ? {} : { after }),
  });
  const raw = page.items.map(({ at, received, data, quality }) => ({ at, received, value: data as Value, quality }));
  const first = raw[0]?.received;
  const last = raw.at(-1)?.received;
  // An hour cut in two by the border of pages was told by the first of them.
  const start = after === undefined ? from : Math.floor((first ?? to) / HOUR_MS + 1) * HOUR_MS;
  const end = page.next === undefined ? to : (last ?? to);
  const withRaw = new Set(raw.map(({ received }) => Math.floor(received / HOUR_MS) * HOUR_MS));
  const figures = start > end ? [] : await hours(device, name, start, end);
  return {
    raw,
    hourly: figures.filter(({ hour }) => !withRaw.has(hour)),
    ...(page.next === undefined ? {} : { next: page.next }),
  };
}
