/**
 * Locks after failed log-ins (reliability.md A5), on the monotonic clock, so that a stepped wall clock neither opens nor
 * prolongs them. Names nobody has are counted like names somebody has: the answers do not differ.
 */
import type { Clock } from '../clock.ts';
import type { ReadOnlyDatabase, Write } from '../journal/journal.ts';

export const lockoutSchema = `
CREATE TABLE IF NOT EXISTS lockout (
  subject TEXT PRIMARY KEY,
  level INTEGER NOT NULL,
  left_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
`;

const MINUTE_MS = 60_000;
const WINDOW_MS = 15 * MINUTE_MS;
const FIRST_LOCK_MS = 15 * MINUTE_MS;
const LONGEST_LOCK_MS = 24 * 60 * MINUTE_MS;
const ACCOUNT_TRIES = 5;
const ADDRESS_TRIES = 20;
const MAX_SUBJECTS = 10_000;

interface Entry {
  failures: number[];
  /** Locks so far; each doubles the next. */
  level: number;
  lockedUntil: number;
}

export interface StoredLock {
  readonly subject: string;
  readonly level: number;
  readonly leftMs: number;
}

/** One try to log in, counted before its secret is checked, so that a hundred tries at once are a hundred tries. */
export interface Try {
  /** The lock that now holds unless the try turns out good; to be stored if it does not. */
  readonly lock?: StoredLock;
  /** Forgets the failures of an account, but only this one try of an address. */
  succeeded(): void;
}

export interface Lockouts {
  /** Time until this subject may try again, ms; 0 when it may. */
  locked(subject: string): number;
  begin(subject: string): Try;
  /** Lifts a lock; a shift leader or administrator asked for it. */
  lift(subject: string): void;
  /** What must be saved so that a restart neither lifts nor prolongs a lock. */
  save(): Write[];
}

export const accountSubject = (name: string): string => `account:${name.toLowerCase()}`;
export const addressSubject = (address: string): string => `address:${address}`;

/** @param stored locks that were running when the gateway last stopped; their remaining time runs on. */
export function createLockouts(clock: Clock, stored: readonly StoredLock[]): Lockouts {
  const start = clock.mono();
  const entries = new Map<string, Entry>(
    stored.map(({ subject, level, leftMs }) => [subject, { failures: [], level, lockedUntil: start + leftMs }]),
  );
  /** Subjects that have a row in the table. */
  const kept = new Set(entries.keys());
  const entryOf = (subject: string): Entry => {
    const known = entries.get(subject);
    if (known) return known;
    if (entries.size >= MAX_SUBJECTS) forgetIdle();
    const made = { failures: [], level: 0, lockedUntil: Number.NEGATIVE_INFINITY };
    entries.set(subject, made);
    return made;
  };
  const forgetIdle = () => {
    const now = clock.mono();
    for (const [subject, { failures, lockedUntil }] of entries) {
      const quiet = failures.every((at) => now - at > WINDOW_MS) && now - lockedUntil > WINDOW_MS;
      if (quiet) entries.delete(subject);
    }
  };
  const locked = (subject: string) =>
    Math.max(0, Math.ceil((entries.get(subject)?.lockedUntil ?? Number.NEGATIVE_INFINITY) - clock.mono()));
  return {
    locked,
    begin(subject) {
      const now = clock.mono();
      const entry = entryOf(subject);
      const before = entry.failures.filter((at) => now - at <= WINDOW_MS);
      const isAccount = subject.startsWith('account:');
      entry.failures = [...before, now];
      const forget = () => {
        if (isAccount) entries.delete(subject);
        else entry.failures.splice(entry.failures.indexOf(now), 1);
      };
      if (entry.failures.length < (isAccount ? ACCOUNT_TRIES : ADDRESS_TRIES)) return { succeeded: forget };
      // A day without a lock and the doubling starts afresh.
      if (now - entry.lockedUntil > LONGEST_LOCK_MS) entry.level = 0;
      const leftMs = Math.min(FIRST_LOCK_MS * 2 ** entry.level, LONGEST_LOCK_MS);
      entry.level++;
      entry.lockedUntil = now + leftMs;
      entry.failures = [];
      kept.add(subject);
      return {
        lock: { subject, level: entry.level, leftMs },
        succeeded() {
          entry.level--;
          entry.lockedUntil = Number.NEGATIVE_INFINITY;
          entry.failures = before;
          if (isAccount) entries.delete(subject);
        },
      };
    },
    lift: (subject) => {
      entries.delete(subject);
    },
    save() {
      const writes: Write[] = [];
      for (const subject of kept) {
        const leftMs = locked(subject);
        if (leftMs > 0) writes.push(storeLock({ subject, level: entries.get(subject)?.level ?? 0, leftMs }));
        else {
          kept.delete(subject);
          writes.push({ sql: 'DELETE FROM lockout WHERE subject = ?', params: [subject] });
        }
      }
      return writes;
    },
  };
}

interface LockRow {
  subject: string;
  level: number;
  left_ms: number;
}

export const readLocks = (db: ReadOnlyDatabase): StoredLock[] =>
  db
    .prepare<[], LockRow>('SELECT * FROM lockout')
    .all()
    .map(({ subject, level, left_ms }) => ({ subject, level, leftMs: left_ms }));

export const storeLock = ({ subject, level, leftMs }: StoredLock): Write => ({
  sql: 'INSERT INTO lockout VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET level = excluded.level, left_ms = excluded.left_ms',
  params: [subject, level, Math.round(leftMs)],
});
