/**
 * Takes rows away so that it shows (reliability.md R5): the gap record is committed with the first rows of its stretch,
 * the rest follows in batches, and a stretch interrupted by a crash is finished before anything else is removed.
 */
import type { Draft } from '../contracts/record.ts';
import type { Journal, Write } from '../journal/journal.ts';
import { epochOf, seqOf } from '../journal/schema.ts';
import { type Batch, blockOf, type Stretch } from './scan.ts';
import type { Scanner } from './scanner.ts';
import { type Class, classes, laneOf, REMOVE_SQL, type Reason } from './schema.ts';

export interface GapData {
  readonly lane: string;
  readonly epoch: number;
  readonly from: number;
  readonly to: number;
  /** So many records of this lane between from and to are gone. */
  readonly count: number;
  readonly firstAt: number;
  readonly lastAt: number;
  readonly reason: Reason;
  /** Those of them a target had not acknowledged. */
  readonly undelivered?: Readonly<Record<string, number>>;
}

interface RemovalRow {
  class: number;
  reason: Reason;
  first: number;
  last: number;
  kept: string;
}

const COUNT = `UPDATE storage_block SET rows = rows - taken.gone, bytes = bytes - taken.weight
  FROM (SELECT value ->> 0 AS place, value ->> 1 AS gone, value ->> 2 AS weight FROM json_each(?)) AS taken
  WHERE class = ? AND block = taken.place`;
const FORGET = 'DELETE FROM storage_block WHERE class = ? AND rows = 0 AND block BETWEEN ? AND ?';
const BEGIN = 'INSERT INTO removal VALUES (1, ?, ?, ?, ?, ?)';
const END = 'DELETE FROM removal WHERE one = ?';
const DROPPED = `INSERT INTO storage_drop VALUES (?, ?, ?, ?)
  ON CONFLICT DO UPDATE SET rows = rows + excluded.rows`;
const MARK = 'INSERT INTO storage_mark VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value';

/** Batches that wait for the writer together: on a slow disk it is the flushes that take the time, not the rows. */
const AT_ONCE = 4;

export const markWrite = (name: string, value: number): Write => ({ sql: MARK, params: [name, value] });

/** The writes that remove one batch and count it. */
const batchWrites = (of: Class, { positions, blocks }: Batch): Write[] => [
  { sql: REMOVE_SQL, params: [positions] },
  { sql: COUNT, params: [blocks, classes.indexOf(of)] },
];

function dropWrites({ of, reason, rows, undelivered }: Stretch): Write[] {
  const place = classes.indexOf(of);
  return [['', rows] as const, ...Object.entries(undelivered)].map(([target, count]) => ({
    sql: DROPPED,
    params: [place, reason, target, count],
  }));
}

function gapOf({ of, reason, first, last, rows, firstAt, lastAt, undelivered }: Stretch): Draft {
  const data: GapData = {
    lane: laneOf(of),
    epoch: epochOf(first),
    from: seqOf(first),
    to: seqOf(last),
    count: rows,
    firstAt,
    lastAt,
    reason,
    ...(Object.keys(undelivered).length === 0 ? {} : { undelivered }),
  };
  return {
    lane: 'L0',
    kind: 'gap',
    scenario: 'gateway',
    device: '',
    name: 'buffer.gap',
    data,
    actor: 'system:storage',
  };
}

export interface RemovalParts {
  readonly journal: Pick<Journal, 'commit' | 'db'>;
  readonly scanner: Pick<Scanner, 'ask'>;
  /** What other parts keep about the removed records goes with the last of them. */
  readonly alsoRemove?: (first: number, last: number) => readonly Write[];
}

export function createRemoval({ journal, scanner, alsoRemove = () => [] }: RemovalParts) {
  const interrupted = journal.db.prepare<[], RemovalRow>('SELECT class, reason, first, last, kept FROM removal');

  async function removeRest(of: Class, first: number, last: number, batches: readonly Batch[]): Promise<void> {
    const all = batches.slice(0, -1);
    for (let at = 0; at < all.length; at += AT_ONCE) {
      await Promise.all(all.slice(at, at + AT_ONCE).map((batch) => journal.commit({ writes: batchWrites(of, batch) })));
    }
    const final = batches.at(-1);
    const place = classes.indexOf(of);
    await journal.commit({
      writes: [
        ...(final ? batchWrites(of, final) : []),
        { sql: END, params: [1] },
        { sql: FORGET, params: [place, blockOf(first), blockOf(last)] },
        ...alsoRemove(first, last),
      ],
    });
  }

  return {
    /** Removes a stretch. @param marks writes that are true as soon as the removal is certain @throws GatehouseError `journal.*` */
    async remove(stretch: Stretch, marks: readonly Write[] = []): Promise<void> {
      const { of, reason, first, last, kept, batches } = stretch;
      const [now, ...later] = batches;
      if (!now) return;
      // Deleted first: on a full disk the record of it finds room in what it frees.
      await journal.commit({
        records: [gapOf(stretch)],
        writes: [
          ...batchWrites(of, now),
          { sql: BEGIN, params: [classes.indexOf(of), reason, first, last, kept] },
          ...dropWrites(stretch),
          ...marks,
        ],
      });
      await removeRest(of, first, last, later);
    },
    /** Finishes what a crash or a full disk interrupted: its gap record is there already. */
    async resume(): Promise<void> {
      const row = interrupted.get();
      if (!row) return;
      const of = classes[row.class] ?? 'L3';
      const kept = JSON.parse(row.kept) as number[];
      await removeRest(of, row.first, row.last, await scanner.ask('rest', of, row.first, row.last, kept));
    },
  };
}
export type Removal = ReturnType<typeof createRemoval>;
