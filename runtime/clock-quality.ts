/** How far the wall clock can be trusted (reliability.md T2, T4, T5). */
import { existsSync } from 'node:fs';
import { type Clock, delay, every } from './clock.ts';
import type { Draft, JournalRecord } from './contracts/record.ts';
import { reasonOf } from './errors.ts';
import type { Log } from './log.ts';

/** A wall clock that ran this far from the monotonic one between two looks was set. */
const STEP_MS = 2000;
const LOOK_MS = 1000;
/** A step this large makes the clock doubtful for an hour. */
const LARGE_STEP_MS = 3600_000;
const DOUBT_MS = 3600_000;
/** systemd-timesyncd touches this file once it has the time; chrony and ntpd leave theirs. */
const SYNC_MARKS = ['/run/systemd/timesync/synchronized', '/run/chrony/chronyd.pid', '/run/ntpd.pid'];

const RECORD_AGAIN_MS = 1000;

export interface ClockQuality {
  quality(): JournalRecord['clock'];
  /**
   * Told the size of each step, ms, forward positive; also of those before, for a clock is set most often while a machine
   * starts, when there is no journal yet.
   */
  onStep(listener: (deltaMs: number) => void): void;
  stop(): void;
}

export function watchClock(
  clock: Clock,
  isSynchronised = () => SYNC_MARKS.some((mark) => existsSync(mark)),
): ClockQuality {
  let offset = clock.now() - clock.mono();
  let doubtUntil = Number.NEGATIVE_INFINITY;
  let synchronised = isSynchronised();
  const untold: number[] = [];
  let tell = (delta: number): void => void untold.push(delta);
  const stop = every(clock, LOOK_MS, () => {
    const now = clock.now() - clock.mono();
    const delta = now - offset;
    offset = now;
    synchronised = isSynchronised();
    if (Math.abs(delta) <= STEP_MS) return;
    if (Math.abs(delta) > LARGE_STEP_MS) doubtUntil = clock.mono() + DOUBT_MS;
    tell(Math.round(delta));
  });
  return {
    quality() {
      if (clock.mono() < doubtUntil) return 'stepped';
      return synchronised ? 'synced' : 'unsynced';
    },
    onStep(listener) {
      tell = listener;
      for (const delta of untold.splice(0)) listener(delta);
    },
    stop,
  };
}

const stepped = (delta: number): Draft => ({
  lane: 'L1',
  kind: 'event',
  scenario: 'gateway',
  device: '',
  name: 'clock.stepped',
  data: { delta },
  actor: 'system:clock',
});

/** Every step is a record; one that the disk does not take now is tried again until it does. @returns what ends it */
export function recordSteps(
  quality: Pick<ClockQuality, 'onStep'>,
  { journal, clock, log }: { journal: { append(draft: Draft): Promise<unknown> }; clock: Clock; log: Log },
): () => void {
  const stopped = new AbortController();
  async function record(delta: number): Promise<void> {
    while (!stopped.signal.aborted) {
      try {
        await journal.append(stepped(delta));
        return;
      } catch (error) {
        log.error({ reason: reasonOf(error) }, 'a step of the clock could not be recorded yet');
        await delay(clock, RECORD_AGAIN_MS, stopped.signal).catch(() => undefined);
      }
    }
  }
  quality.onStep((delta) => void record(delta));
  return () => stopped.abort();
}
