/** Lets a device's messages through in their order and at most so many a second; the others wait, unacknowledged. */
import type { Clock } from '../clock.ts';

export interface Turnstile {
  /** True: go now, the turn is used; false: it has to wait, see `pass`. */
  admits(): boolean;
  /** Runs `action` now or when its turn comes; never after `close`. */
  pass(action: () => void): void;
  close(): void;
}

/**
 * @param perSecond messages let through in the long run; the same number may come at once.
 * @param patienceMs how long a device may stay above its rate before `onFlood` is called, once.
 */
export function createTurnstile(clock: Clock, perSecond: number, patienceMs: number, onFlood: () => void): Turnstile {
  const waiting: (() => void)[] = [];
  let tokens = perSecond;
  let filledAt = clock.mono();
  let cancel: (() => void) | undefined;
  let busySince: number | undefined; // since when the allowance has not been whole again
  let closed = false;

  const refill = () => {
    const now = clock.mono();
    tokens = Math.min(perSecond, tokens + ((now - filledAt) / 1000) * perSecond);
    filledAt = now;
    if (tokens === perSecond) busySince = undefined;
  };
  const next = () => {
    cancel = clock.after(Math.max(1, ((1 - tokens) / perSecond) * 1000), () => {
      cancel = undefined;
      refill();
      while (tokens >= 1 && !closed) {
        const action = waiting.shift();
        if (!action) return;
        tokens--;
        action();
      }
      if (closed || waiting.length === 0) return;
      if (clock.mono() - (busySince ?? clock.mono()) >= patienceMs) onFlood();
      else next();
    });
  };
  const admits = () => {
    refill();
    if (closed || tokens < 1 || waiting.length > 0) return false;
    tokens--;
    return true;
  };
  return {
    admits,
    pass(action) {
      if (closed) return;
      if (admits()) {
        action();
        return;
      }
      waiting.push(action);
      busySince ??= clock.mono();
      if (!cancel) next();
    },
    close() {
      closed = true;
      waiting.length = 0;
      cancel?.();
    },
  };
}
