/** The core's own memory (reliability.md V4): an alarm while there is time, and a new start in order before it hurts. */
import { type Clock, every } from './clock.ts';

const LOOK_EVERY_MS = 10_000;
const HIGH_BYTES = 512 * 2 ** 20;
const FULL_BYTES = 2 ** 30;
/** So many looks in a row: one large export is no leak. */
const LOOKS = 3;

export interface MemoryWatch {
  readonly clock: Clock;
  /** Resident bytes now. */
  readonly rss: () => number;
  /** Told when it crosses the mark, either way. */
  readonly onHigh: (high: boolean, bytes: number) => void;
  /** Told once: to finish what was accepted, and start afresh. */
  readonly onFull: (bytes: number) => void;
}

/** @returns what ends it */
export function watchMemory({ clock, rss, onHigh, onFull }: MemoryWatch): () => void {
  let high = false;
  let looks = 0;
  let told = false;
  return every(clock, LOOK_EVERY_MS, () => {
    const bytes = rss();
    if (bytes > FULL_BYTES && !told) {
      told = true;
      onFull(bytes);
    }
    looks = bytes > HIGH_BYTES !== high ? looks + 1 : 0;
    if (looks < LOOKS) return;
    looks = 0;
    high = !high;
    onHigh(high, bytes);
  });
}
