/** Reads some lanes of the journal in bounded steps, never across the border of an epoch. */
import type { JournalRecord, Kind, Lane, Position } from '../contracts/record.ts';
import { isAfter } from '../journal/cursors.ts';
import type { Journal } from '../journal/journal.ts';

/** Places looked at in one step: lanes have no index, and a long search would hold up the main thread. */
const SPAN = 10_000;

/** What a receiver gets; an absent list means everything. */
export interface RecordFilter {
  readonly lanes?: readonly Lane[];
  readonly kinds?: readonly Kind[];
  readonly scenarios?: readonly string[];
}

export const fits = (record: JournalRecord, { lanes, kinds, scenarios }: RecordFilter): boolean =>
  (!lanes || lanes.includes(record.lane)) &&
  (!kinds || kinds.includes(record.kind)) &&
  (!scenarios || scenarios.includes(record.scenario));

export interface LaneReader {
  /**
   * The next records after `from`, and how far the search went: `through` may lie behind the last record, and equals `from`
   * at the end of the epoch.
   */
  read(from: Position, limit: number): { readonly records: JournalRecord[]; readonly through: Position };
  /** The last place of an epoch; for the current one, the head. */
  endOf(epoch: number): Position;
  /** Where the epoch after this one begins; undefined in the current one. */
  epochAfter(epoch: number): Position | undefined;
}

/** @param filter with the lanes to read named. */
export function createLaneReader(journal: Journal, filter: RecordFilter & { lanes: readonly Lane[] }): LaneReader {
  const ends = new Map<number, Position>();
  function endOf(epoch: number): Position {
    const head = journal.head();
    if (epoch === head.epoch) return head;
    const known = ends.get(epoch);
    if (known) return known;
    const last = journal.read({ before: { epoch: epoch + 1, seq: 0 }, order: 'desc', limit: 1 }).items[0];
    const end = { epoch, seq: last?.epoch === epoch ? last.seq : 0 };
    ends.set(epoch, end);
    return end;
  }
  return {
    endOf,
    epochAfter(epoch) {
      const head = journal.head();
      if (epoch >= head.epoch) return undefined;
      const next = journal.read({ after: endOf(epoch), limit: 1 }).items[0];
      return { epoch: next && next.epoch < head.epoch ? next.epoch : head.epoch, seq: 0 };
    },
    read(from, limit) {
      const { epoch } = from;
      const end = endOf(epoch);
      if (!isAfter(end, from)) return { records: [], through: from };
      const stop = Math.min(end.seq, from.seq + SPAN);
      if (filter.lanes.length === 0) return { records: [], through: { epoch, seq: stop } };
      const { items } = journal.read({ after: from, before: { epoch, seq: stop + 1 }, lane: filter.lanes, limit });
      const last = items.at(-1);
      return {
        records: items.filter((record) => fits(record, filter)),
        through: { epoch, seq: last && items.length === limit ? last.seq : stop },
      };
    },
  };
}
