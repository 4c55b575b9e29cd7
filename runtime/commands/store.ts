/** Commands as they lie in the database: their views, and the keys that make a repetition the same command (C1). */
import type { CommandView } from '../contracts/api.ts';
import { type CommandState, finalStates } from '../contracts/record.ts';
import type { ReadOnlyDatabase, Write } from '../journal/journal.ts';

export const commandTable = `
CREATE TABLE IF NOT EXISTS command (
  id TEXT PRIMARY KEY,
  actor TEXT NOT NULL,
  key TEXT NOT NULL,
  digest TEXT NOT NULL,
  final INTEGER NOT NULL,
  created INTEGER NOT NULL,
  view TEXT NOT NULL,
  UNIQUE (actor, key)
) WITHOUT ROWID, STRICT;
CREATE INDEX IF NOT EXISTS command_running ON command (created) WHERE final = 0;
CREATE INDEX IF NOT EXISTS command_created ON command (created);
CREATE INDEX IF NOT EXISTS command_device ON command (json_extract(view, '$.device'));
CREATE INDEX IF NOT EXISTS command_state ON command (json_extract(view, '$.state'));
`;
const INSERT = 'INSERT INTO command VALUES (?, ?, ?, ?, ?, ?, ?)';
const UPDATE = 'UPDATE command SET final = ?, view = ? WHERE id = ? AND final = 0';
const ANNOTATE = "UPDATE command SET view = json_set(view, '$.reason', ?) WHERE id = ?";
const FORGET = 'DELETE FROM command WHERE final = 1 AND created < ? AND created <= ?';

/** Keys are remembered this long, and so many in any case (C1). */
export const KEEP_MS = 7 * 24 * 3600_000;
export const KEEP_COUNT = 100_000;
/** Removed in one transaction (B4). */
const BATCH = 500;

export interface CommandQuery {
  readonly device?: string;
  readonly state?: CommandState;
  /** ms UTC, of acceptance. */
  readonly from?: number;
  readonly to?: number;
  /** Only older ones than this command: where the page before ended. */
  readonly before?: string;
  readonly limit: number;
}

interface Row {
  readonly view: string;
}
const viewOf = ({ view }: Row): CommandView => JSON.parse(view) as CommandView;

/** Ids begin with the ms they were made at. */
const idAt = (ms: number): string => {
  const hex = Math.max(0, ms).toString(16).padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8)}`;
};

export function createStore(db: ReadOnlyDatabase) {
  const byId = db.prepare<[string], Row>('SELECT view FROM command WHERE id = ?');
  const byKey = db.prepare<[string, string], { digest: string; id: string }>(
    'SELECT digest, id FROM command WHERE actor = ? AND key = ?',
  );
  const unfinished = db.prepare<[], Row>('SELECT view FROM command WHERE final = 0 ORDER BY created');
  const newest = db.prepare<[number], { created: number }>(
    'SELECT created FROM command ORDER BY created DESC LIMIT 1 OFFSET ?',
  );
  const oldest = db.prepare<[number, number], { created: number }>(
    'SELECT created FROM command WHERE final = 1 AND created < ? ORDER BY created LIMIT 1 OFFSET ?',
  );
  const any = db.prepare<[number], { created: number }>(
    'SELECT created FROM command WHERE final = 1 AND created < ? ORDER BY created LIMIT 1',
  );

  return {
    get(id: string): CommandView | undefined {
      const row = byId.get(id);
      return row && viewOf(row);
    },
    find: (actor: string, key: string) => byKey.get(actor, key),
    unfinished: (): CommandView[] => unfinished.all().map(viewOf),
    /** Newest first. */
    list({ device, state, from, to, before, limit }: CommandQuery): CommandView[] {
      const conditions: [sql: string, value: string | undefined][] = [
        ["json_extract(view, '$.device') = ?", device],
        ["json_extract(view, '$.state') = ?", state],
        ['id >= ?', from === undefined ? undefined : idAt(from)],
        ['id < ?', to === undefined ? undefined : idAt(to)],
        ['id < ?', before],
      ];
      const used = conditions.filter((one): one is [string, string] => one[1] !== undefined);
      const where = used.length === 0 ? '' : `WHERE ${used.map(([sql]) => sql).join(' AND ')}`;
      const sql = `SELECT view FROM command ${where} ORDER BY id DESC LIMIT ?`;
      return db
        .prepare<(string | number)[], Row>(sql)
        .all(...used.map(([, value]) => value), limit)
        .map(viewOf);
    },
    inserting: (view: CommandView, key: string, digest: string): Write => ({
      sql: INSERT,
      params: [view.id, view.actor, key, digest, 0, view.createdAt, JSON.stringify(view)],
    }),
    updating: (view: CommandView): Write => ({
      sql: UPDATE,
      params: [finalStates.includes(view.state) ? 1 : 0, JSON.stringify(view), view.id],
    }),
    annotating: (id: string, reason: string): Write => ({ sql: ANNOTATE, params: [reason, id] }),
    /** What may be forgotten now, at most one batch of it; undefined: nothing. */
    forgetting(now: number, keep = KEEP_COUNT): Write | undefined {
      const kept = newest.get(keep - 1);
      const limit = Math.min(now - KEEP_MS, kept?.created ?? 0);
      const first = any.get(limit);
      if (!first) return undefined;
      const last = oldest.get(limit, BATCH - 1);
      return { sql: FORGET, params: [limit, last?.created ?? limit] };
    },
  };
}
export type Store = ReturnType<typeof createStore>;
