/** A reader with a saved place. Each consumer has its own, so a slow one never holds up another (reliability.md R6). */
import type { JournalRecord, Position } from '../contracts/record.ts';
import type { Journal, RecordQuery, Unit, Write } from './journal.ts';
import { epochOf, positionNumber, seqOf } from './schema.ts';

export type CursorFilter = Pick<RecordQuery, 'lane' | 'kind' | 'scenario'>;

export interface Cursor {
  readonly name: string;
  /** Everything up to here has been dealt with. */
  readonly position: Position;
  /** The next records of the filter after `from` (default: the saved place), and how far the search went. */
  read(limit: number, from?: Position): { readonly records: JournalRecord[]; readonly through: Position };
  /** Saves the new place, together with whatever must be durable with it. Never moves back. */
  advance(to: Position, also?: Unit): Promise<void>;
  /** The write that saves a place, for a transaction of the caller's own; call `moved` after it is durable. */
  write(to: Position): Write;
  moved(to: Position): void;
  /** Resolves when something may have come after `from`. @throws the signal's reason */
  wait(from: Position, signal: AbortSignal): Promise<void>;
}

const SAVE = 'INSERT INTO cursor VALUES (?, ?) ON CONFLICT DO UPDATE SET pos = max(pos, excluded.pos)';

/** @param start where a new cursor begins; default: the beginning of the journal. */
export function openCursor(
  journal: Journal,
  name: string,
  filter: CursorFilter = {},
  start: Position = { epoch: 0, seq: 0 },
): Cursor {
  const saved = journal.db.prepare<[string], { pos: number }>('SELECT pos FROM cursor WHERE name = ?').get(name);
  let position = saved ? { epoch: epochOf(saved.pos), seq: seqOf(saved.pos) } : start;
  const moved = (to: Position) => {
    if (isAfter(to, position)) position = to;
  };
  const write = (to: Position): Write => ({ sql: SAVE, params: [name, positionNumber(to.epoch, to.seq)] });
  return {
    name,
    get position() {
      return position;
    },
    read(limit, from = position) {
      const head = journal.head();
      const { items } = journal.read({ ...filter, after: from, limit });
      const last = items.at(-1);
      // A full page went as far as its last record; a short one has seen everything up to the head.
      const through = last && items.length === limit ? { epoch: last.epoch, seq: last.seq } : head;
      return { records: items, through: isAfter(through, from) ? through : from };
    },
    async advance(to, also = {}) {
      await journal.commit({ records: also.records ?? [], writes: [...(also.writes ?? []), write(to)] });
      moved(to);
    },
    write,
    moved,
    wait(from, signal) {
      return new Promise((resolve, reject) => {
        if (signal.aborted) return reject(signal.reason);
        if (isAfter(journal.head(), from)) return resolve();
        const onAbort = () => {
          end();
          reject(signal.reason);
        };
        const end = journal.onCommit(() => {
          end();
          signal.removeEventListener('abort', onAbort);
          resolve();
        });
        signal.addEventListener('abort', onAbort, { once: true });
      });
    },
  };
}

export const isAfter = (a: Position, b: Position): boolean =>
  a.epoch > b.epoch || (a.epoch === b.epoch && a.seq > b.seq);
