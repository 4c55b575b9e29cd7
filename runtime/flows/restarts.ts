/** When a process that ended may start again, and when it has ended too often (reliability.md V2). */
import type { StrikeLimits } from './blame.ts';

export interface RestartLimits extends StrikeLimits {
  readonly firstMs: number;
  readonly longestMs: number;
  /** A life this long forgives everything before it. */
  readonly forgivenAfterMs: number;
  /** More exits than this within `windowMs` is a crash loop. */
  readonly exits: number;
  readonly windowMs: number;
}

export const restartLimits: RestartLimits = {
  firstMs: 1000,
  longestMs: 30_000,
  forgivenAfterMs: 60_000,
  exits: 5,
  windowMs: 60_000,
  strikes: 3,
  strikesWithinMs: 3_600_000,
};

export interface Restarts {
  /** Notes one exit; `lived` in ms. @returns how long to wait, and whether this is a crash loop. */
  exited(now: number, lived: number): { delayMs: number; looping: boolean };
  /** What ended the process is gone. */
  forgive(): void;
}

/** @param random 0..1, spreads the delay by ±20 % so that many boxes after a power cut do not march in step. */
export function countRestarts(limits: RestartLimits = restartLimits, random: () => number = Math.random): Restarts {
  let inRow = 0;
  let exits: number[] = [];
  const forgive = () => {
    inRow = 0;
    exits = [];
  };
  return {
    forgive,
    exited(now, lived) {
      if (lived >= limits.forgivenAfterMs) forgive();
      exits = [...exits.filter((at) => now - at < limits.windowMs), now];
      const base = Math.min(limits.longestMs, limits.firstMs * 2 ** inRow);
      inRow += 1;
      return { delayMs: Math.round(base * (0.8 + 0.4 * random())), looping: exits.length > limits.exits };
    },
  };
}
