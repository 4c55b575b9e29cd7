/**
 * The time alarms count in: how long the gateway has run in all, kept across restarts. Escalation, shelving and hold-off
 * are due in it, so a wall clock that steps neither fires nor loses one, and a restart goes on where it was (T1, T6).
 */
import type { Clock } from '../clock.ts';
import type { Journal, Write } from '../journal/journal.ts';

export const alarmTimeSchema = `
CREATE TABLE IF NOT EXISTS alarm_time (
  one INTEGER PRIMARY KEY CHECK (one = 1), ms INTEGER NOT NULL
) STRICT;`;
const SAVE = 'INSERT INTO alarm_time VALUES (1, ?) ON CONFLICT DO UPDATE SET ms = max(ms, excluded.ms)';

export interface AlarmTime {
  /** Milliseconds the gateway has run, over all its starts. */
  now(): number;
  save(): Write;
}

export function createAlarmTime({ db }: Pick<Journal, 'db'>, clock: Clock): AlarmTime {
  const before = db.prepare<[], { ms: number }>('SELECT ms FROM alarm_time').get()?.ms ?? 0;
  const started = clock.mono();
  const now = () => Math.round(before + clock.mono() - started);
  return { now, save: () => ({ sql: SAVE, params: [now()] }) };
}
