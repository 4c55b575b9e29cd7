/**
 * Requests that may be sent again: the answer to a key is kept beside what it caused, in one transaction, and is given
 * again instead of doing it again. A crash between the commit and the answer therefore doubles nothing.
 */
import type { Clock } from '../clock.ts';
import type { Journal, Unit } from './journal.ts';

export const schema = `
CREATE TABLE IF NOT EXISTS once (key TEXT PRIMARY KEY, answer TEXT NOT NULL, at INTEGER NOT NULL) WITHOUT ROWID, STRICT;
CREATE INDEX IF NOT EXISTS once_at ON once (at);
`;
const KEPT_MS = 7 * 86_400_000;

export interface Answered<T> {
  readonly answer: T;
  /** False: it was done before, and this is what was answered then. */
  readonly first: boolean;
}

/** @param key of whoever asks; absent: every call is a new one. @param make what to commit, and what to answer then */
export type Once = <T extends object>(
  key: string | undefined,
  make: () => { readonly unit: Unit; readonly answer: T },
) => Promise<Answered<T>>;

export function createOnce({ journal, clock }: { journal: Pick<Journal, 'commit' | 'db'>; clock: Clock }): Once {
  const known = journal.db.prepare<[string], { answer: string }>('SELECT answer FROM once WHERE key = ?');
  const running = new Map<string, Promise<object>>();

  return async <T extends object>(key: string | undefined, make: () => { unit: Unit; answer: T }) => {
    const before = key === undefined ? undefined : running.get(key);
    if (before) return { answer: (await before) as T, first: false };
    const row = key === undefined ? undefined : known.get(key);
    if (row) return { answer: JSON.parse(row.answer) as T, first: false };
    const { unit, answer } = make();
    if (key === undefined) {
      await journal.commit(unit);
      return { answer, first: true };
    }
    const now = clock.now();
    const remember = [
      { sql: 'INSERT INTO once VALUES (?, ?, ?)', params: [key, JSON.stringify(answer), now] },
      { sql: 'DELETE FROM once WHERE at < ?', params: [now - KEPT_MS] },
    ];
    const done = journal.commit({ ...unit, writes: [...(unit.writes ?? []), ...remember] }).then(() => answer);
    running.set(key, done);
    try {
      return { answer: await done, first: true };
    } finally {
      running.delete(key);
    }
  };
}
