/** What has been kept long enough goes, a little every day, and nothing while the clock is not trusted (T5). */
import type { Clock } from '../clock.ts';
import type { JournalRecord } from '../contracts/record.ts';
import type { Journal, Write } from '../journal/journal.ts';
import { markWrite, type Removal } from './removal.ts';
import { pruneWrite } from './rollup.ts';
import { STRETCH_ROWS } from './scan.ts';
import type { Scanner } from './scanner.ts';
import { BATCH_ROWS, type Class } from './schema.ts';
import type { StorageSettings } from './settings.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** One run a day takes at most so much. */
const MOST_PER_RUN_MS = 2 * DAY_MS;
/** First what is most. */
const order: readonly Class[] = ['L4', 'L3', 'L2', 'L1', 'L0', 'proof'];

/** What another part keeps about the past in a table of its own, as long as the audit. */
export interface Aged {
  /** When the oldest entry that may go was last changed, ms UTC. */
  oldest(): number | undefined;
  /** The write that removes so many that are older. */
  removal(before: number, rows: number): Write;
}

export interface RetentionParts {
  readonly journal: Pick<Journal, 'commit' | 'db'>;
  readonly scanner: Pick<Scanner, 'ask'>;
  readonly removal: Pick<Removal, 'remove'>;
  readonly clock: Clock;
  settings(): StorageSettings;
  clockQuality(): JournalRecord['clock'];
  /** Where each target has got to that takes a class. */
  cursorsFor(of: Class): Readonly<Record<string, number>>;
  /** Counted and rolled up to here; nothing beyond is removed. */
  digested(): number;
  stopping(): boolean;
  readonly aged: readonly Aged[];
}

export function createRetention(parts: RetentionParts) {
  const { journal, scanner, removal, clock } = parts;
  const lastRun = journal.db.prepare<[], { value: number }>("SELECT value FROM storage_mark WHERE name = 'retention'");
  const internal = journal.db.prepare<[], { pos: number | null }>(
    "SELECT min(pos) AS pos FROM cursor WHERE name NOT LIKE 'uplink:%'",
  );
  const oldestHour = journal.db.prepare<[], { hour: number }>('SELECT hour FROM rollup ORDER BY hour LIMIT 1');

  const trusted = () => parts.clockQuality() === 'synced';
  const keepDays = (of: Class): number => {
    const { rawDays, factDays, proofDays } = parts.settings();
    if (of === 'proof') return proofDays;
    return of === 'L3' || of === 'L4' ? rawDays : factDays;
  };

  async function removeOld(of: Class): Promise<void> {
    const old = await scanner.ask('olderThan', of, clock.now() - keepDays(of) * DAY_MS, MOST_PER_RUN_MS);
    if (old === undefined) return;
    const cursors = parts.cursorsFor(of);
    const through = Math.min(
      old,
      parts.digested(),
      internal.get()?.pos ?? Number.MAX_SAFE_INTEGER,
      ...Object.values(cursors),
    );
    for (let after = 0; !parts.stopping() && trusted(); ) {
      const plan = await scanner.ask('plan', { of, reason: 'retention', after, through, rows: STRETCH_ROWS, cursors });
      if (plan.stretch) await removal.remove(plan.stretch);
      if (plan.exhausted) return;
      after = plan.examined;
    }
  }

  async function removeOldHours(): Promise<void> {
    const oldest = oldestHour.get()?.hour;
    if (oldest === undefined) return;
    const kept = Math.floor(clock.now() / HOUR_MS) - parts.settings().rollupDays * 24;
    const before = Math.min(kept, oldest + MOST_PER_RUN_MS / HOUR_MS);
    while (!parts.stopping() && (oldestHour.get()?.hour ?? before) < before) {
      await journal.commit({ writes: [pruneWrite(before, BATCH_ROWS)] });
    }
  }

  async function removeAged({ oldest, removal: write }: Aged): Promise<void> {
    const first = oldest();
    if (first === undefined) return;
    const before = Math.min(clock.now() - keepDays('proof') * DAY_MS, first + MOST_PER_RUN_MS);
    while (!parts.stopping() && trusted() && (oldest() ?? before) < before)
      await journal.commit({ writes: [write(before, BATCH_ROWS)] });
  }

  return {
    /** A day has passed since the last run, whichever way the clock was set meanwhile. */
    isDue(): boolean {
      const last = lastRun.get()?.value;
      return trusted() && (last === undefined || Math.abs(clock.now() - last) >= DAY_MS);
    },
    async run(): Promise<void> {
      // Before anything goes: a run that is cut short is not repeated on the same day.
      await journal.commit({ writes: [markWrite('retention', clock.now())] });
      for (const of of order) {
        if (parts.stopping() || !trusted()) return;
        await removeOld(of);
      }
      await removeOldHours();
      for (const one of parts.aged) await removeAged(one);
    },
    view() {
      const last = lastRun.get()?.value;
      return { ...(last === undefined ? {} : { lastRun: last }), held: !trusted() };
    },
  };
}
