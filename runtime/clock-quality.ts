/** How far the wall clock can be trusted (reliability.md T2, T4, T5). */
import { existsSync } from 'node:fs';
import { type Clock, every } from './clock.ts';
import type { JournalRecord } from './contracts/record.ts';

/** A wall clock that ran this far from the monotonic one between two looks was set. */
const STEP_MS = 2000;
const LOOK_MS = 1000;
/** A step this large makes the clock doubtful for an hour. */
const LARGE_STEP_MS = 3600_000;
const DOUBT_MS = 3600_000;
/** systemd-timesyncd touches this file once it has the time; chrony and ntpd leave theirs. */
const SYNC_MARKS = ['/run/systemd/timesync/synchronized', '/run/chrony/chronyd.pid', '/run/ntpd.pid'];

export interface ClockQuality {
  quality(): JournalRecord['clock'];
  stop(): void;
}

/** @param onStep told the size of each step, ms, forward positive */
export function watchClock(
  clock: Clock,
  onStep: (deltaMs: number) => void,
  isSynchronised = () => SYNC_MARKS.some((mark) => existsSync(mark)),
): ClockQuality {
  let offset = clock.now() - clock.mono();
  let doubtUntil = Number.NEGATIVE_INFINITY;
  let synchronised = isSynchronised();
  const stop = every(clock, LOOK_MS, () => {
    const now = clock.now() - clock.mono();
    const delta = now - offset;
    offset = now;
    synchronised = isSynchronised();
    if (Math.abs(delta) <= STEP_MS) return;
    if (Math.abs(delta) > LARGE_STEP_MS) doubtUntil = clock.mono() + DOUBT_MS;
    onStep(Math.round(delta));
  });
  return {
    quality() {
      if (clock.mono() < doubtUntil) return 'stepped';
      return synchronised ? 'synced' : 'unsynced';
    },
    stop,
  };
}
