/**
 * The newest records, in memory: followers, screens and platforms that keep up mostly ask for these, and get them without
 * a look at the disk. Answers what it holds whole, and nothing else.
 */
import { formatPosition, type JournalRecord, type Position } from '../contracts/record.ts';
import type { RecordQuery } from './query.ts';

/** A few MiB: two seconds of the highest rate, five minutes of a compound's. */
const MOST = 4096;
const SLACK = 1024;

interface GapData {
  readonly epoch: number;
  readonly to: number;
}

export interface Recent {
  /** Records just committed, in order and without a hole between two calls. */
  add(records: readonly JournalRecord[]): void;
  /** The records a query finds, or undefined where older ones may belong to the answer. */
  find(query: RecordQuery, head: Position, limit: number): JournalRecord[] | undefined;
}

export function createRecent(): Recent {
  let kept: JournalRecord[] = [];

  function add(records: readonly JournalRecord[]): void {
    for (const record of records) {
      if (record.kind === 'gap') forget(record.data as GapData);
      kept.push(record);
    }
    if (kept.length > MOST + SLACK) kept = kept.slice(-MOST);
  }

  /** What has been removed from the journal, or is about to be, is not served from memory either. */
  function forget({ epoch, to }: GapData): void {
    const first = kept[0];
    if (first?.epoch !== epoch || first.seq > to) return;
    kept = kept.slice(to - first.seq + 1);
  }

  return {
    add,
    find(query, head, limit) {
      const first = kept[0];
      const last = kept.at(-1);
      // Between a commit and its announcement the two differ; text is searched as it is stored.
      if (!first || !last || last.seq !== head.seq || last.epoch !== head.epoch || query.text !== undefined) return;
      const low = query.after?.epoch === first.epoch ? query.after.seq + 1 - first.seq : undefined;
      const high = query.before === undefined ? kept.length : indexBefore(query.before, first, kept.length);
      const found: JournalRecord[] = [];
      if (query.order === 'desc') {
        const end = low === undefined ? 0 : Math.max(0, low);
        for (let index = high - 1; index >= end && found.length < limit; index--) take(found, kept[index], query);
        return found.length === limit || (low !== undefined && low >= 0) ? found : undefined;
      }
      if (low === undefined || low < 0) return;
      for (let index = low; index < high && found.length < limit; index++) take(found, kept[index], query);
      return found;
    },
  };
}

function indexBefore(before: Position, first: JournalRecord, count: number): number {
  if (before.epoch !== first.epoch) return before.epoch > first.epoch ? count : 0;
  return Math.min(count, Math.max(0, before.seq - first.seq));
}

function take(found: JournalRecord[], record: JournalRecord | undefined, query: RecordQuery): void {
  if (record && matches(record, query)) found.push(record);
}

const matches = (record: JournalRecord, query: RecordQuery): boolean =>
  (query.kind === undefined || query.kind.includes(record.kind)) &&
  (query.lane === undefined || query.lane.includes(record.lane)) &&
  (query.scenario === undefined || query.scenario === record.scenario) &&
  (query.device === undefined || query.device === record.device) &&
  (query.name === undefined || query.name === record.name) &&
  (query.from === undefined || record.received >= query.from) &&
  (query.to === undefined || record.received <= query.to);

/** The page of these records: a full one says where to go on. */
export function pageOf(items: JournalRecord[], limit: number, head: Position) {
  const last = items.at(-1);
  return {
    items,
    ...(last && items.length === limit ? { next: formatPosition(last) } : {}),
    head: formatPosition(head),
  };
}
