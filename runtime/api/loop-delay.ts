/** How late the main thread comes to what is due: a timer that should come every 10 ms, counted by how late it came. */

const EVERY_MS = 10;
/** Upper ends, seconds. */
export const delayBounds: readonly number[] = [0.001, 0.002, 0.005, 0.01, 0.015, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5, 1, 5];

export interface LoopDelay {
  /** Counts since the start, by bound and for anything longer; each is also in those after it. */
  buckets(): number[];
  /** Seconds, all of them together. */
  sum(): number;
  close(): void;
}

export function watchLoopDelay(): LoopDelay {
  const counts = new Array<number>(delayBounds.length + 1).fill(0);
  let sum = 0;
  let due = performance.now() + EVERY_MS;
  const timer = setInterval(() => {
    const now = performance.now();
    const late = Math.max(0, now - due) / 1000;
    due = now + EVERY_MS;
    sum += late;
    const place = delayBounds.findIndex((bound) => late <= bound);
    const bucket = place === -1 ? delayBounds.length : place;
    counts[bucket] = (counts[bucket] ?? 0) + 1;
  }, EVERY_MS);
  timer.unref();
  return {
    buckets() {
      let total = 0;
      return counts.map((count) => (total += count));
    },
    sum: () => sum,
    close: () => clearInterval(timer),
  };
}
