/**
 * What a device sends again, and what it sends late. Firmware repeats a push until it is answered, also over a restart of
 * the gateway: the same event must be one record, and one of an hour ago must not open a gate now (protocols.md 11.1, 11.4).
 */
import type { Clock } from '../clock.ts';
import type { Journal, Write } from '../journal/journal.ts';

/** Keys are kept in the transaction of the event they belong to. */
export const schema = `
CREATE TABLE IF NOT EXISTS device_event_key (
  device TEXT NOT NULL,
  key TEXT NOT NULL,
  at INTEGER NOT NULL,
  PRIMARY KEY (device, key)
) WITHOUT ROWID, STRICT;
CREATE INDEX IF NOT EXISTS device_event_key_at ON device_event_key (at);
CREATE TABLE IF NOT EXISTS device_delay (device TEXT PRIMARY KEY, ms INTEGER NOT NULL) WITHOUT ROWID, STRICT;
`;
const KEEP = 'INSERT INTO device_event_key VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET at = excluded.at';
const USUAL = 'INSERT INTO device_delay VALUES (?, ?) ON CONFLICT DO UPDATE SET ms = excluded.ms';
const FORGET = 'DELETE FROM device_event_key WHERE at < ?';

/** The same key from the same device within this time is the same event. */
const SAME_MS = 600_000;
const MAX_KEYS = 1000;
/** An event this much later than the device's messages usually come is booked, not acted on. */
const LATE_MS = 30_000;
/** How many delays make up "usually". */
const REMEMBERED_DELAYS = 20;
/** So many late events in a row with one and the same delay: the device's clock was set, not the line cut. */
const NEW_CLOCK_AFTER = 3;
const SAME_DELAY_MS = 5000;
/** A usual delay that differs by less from the one on disk is not worth a write. */
const SAME_USUAL_MS = 1000;

export interface Repeats {
  /** True for a key that was here within ten minutes; any other counts as seen from now on. */
  isRepeat(key: string): boolean;
  /** The event was not committed: it may come again. */
  forget(key: string): void;
  /** What to commit together with the events of these keys, after `isLate` was asked about them. */
  writes(keys: readonly string[]): Write[];
  /** @param at device time, ms */
  isLate(at: number): boolean;
}

/** For one device, with what the journal knows of it. */
export function createRepeats(journal: Pick<Journal, 'db'>, clock: Clock, device: string): Repeats {
  /** A delay is measured on a clock nobody sets: a step of the wall clock makes no message late (reliability.md T1). */
  const started = clock.now() - clock.mono();
  const keys = new Map<string, number>();
  const stored = journal.db.prepare<[string, number], { key: string; at: number }>(
    'SELECT key, at FROM device_event_key WHERE device = ? AND at >= ? ORDER BY at',
  );
  for (const { key, at } of stored.all(device, clock.now() - SAME_MS))
    keys.set(key, Math.min(at, clock.now()) - started);
  // Not asked of the records: a device that has few events would have all of the journal searched at each start.
  let saved = journal.db.prepare<[string], number>('SELECT ms FROM device_delay WHERE device = ?').pluck().get(device);
  let delays = saved === undefined ? [] : [saved];
  let late: number[] = [];

  return {
    isRepeat(key) {
      const now = clock.mono();
      const seen = keys.get(key);
      if (seen !== undefined && now - seen < SAME_MS) return true;
      keys.delete(key);
      keys.set(key, now);
      if (keys.size > MAX_KEYS) keys.delete(keys.keys().next().value ?? '');
      return false;
    },
    forget(key) {
      keys.delete(key);
    },
    writes(fresh) {
      const now = clock.now();
      const usual = Math.round(Math.min(...delays));
      const moved = delays.length > 0 && !(Math.abs(usual - (saved ?? Number.NaN)) < SAME_USUAL_MS);
      if (moved) saved = usual;
      return [
        ...fresh.map((key) => ({ sql: KEEP, params: [device, key, now] })),
        ...(fresh.length > 0 ? [{ sql: FORGET, params: [now - SAME_MS] }] : []),
        ...(moved ? [{ sql: USUAL, params: [device, usual] }] : []),
      ];
    },
    isLate(at) {
      const delay = started + clock.mono() - at;
      const usual = Math.min(...delays);
      if (delays.length === 0 || delay - usual <= LATE_MS) {
        delays = [delay, ...delays].slice(0, REMEMBERED_DELAYS);
        late = [];
        return false;
      }
      late = late.every((one) => Math.abs(one - delay) < SAME_DELAY_MS) ? [...late, delay] : [delay];
      if (late.length < NEW_CLOCK_AFTER) return true;
      delays = late;
      late = [];
      return false;
    },
  };
}
