import type { Clock } from '../runtime/clock.ts';

/** A clock that stands still until it is moved. Actions run in the order they fall due. */
export interface ManualClock extends Clock {
  /** Moves both clocks and lets everything that was waiting for it happen, promises included. */
  advance(ms: number): Promise<void>;
  /** Moves the wall clock only, as a correction of the time does. */
  step(ms: number): void;
}

export function manualClock(start = Date.UTC(2026, 10, 21, 4, 0, 0)): ManualClock {
  let wall = start;
  let mono = 1000;
  let waiting: { at: number; action: () => void }[] = [];
  const settle = () => new Promise<void>((resolve) => setImmediate(resolve));
  return {
    now: () => wall,
    mono: () => mono,
    after(ms, action) {
      const entry = { at: mono + ms, action };
      waiting.push(entry);
      return () => {
        waiting = waiting.filter((one) => one !== entry);
      };
    },
    async advance(ms) {
      const end = mono + ms;
      for (;;) {
        await settle();
        const next = waiting.filter((entry) => entry.at <= end).sort((a, b) => a.at - b.at)[0];
        if (!next) break;
        waiting = waiting.filter((entry) => entry !== next);
        wall += Math.max(0, next.at - mono);
        mono = Math.max(mono, next.at);
        next.action();
      }
      wall += end - mono;
      mono = end;
      await settle();
    },
    step(ms) {
      wall += ms;
    },
  };
}
