/**
 * Time as the runtime sees it. Wall time only stamps; deadlines, timeouts and leases run on the monotonic clock
 * (reliability.md T1, T2). Tests hand in a clock they move by hand.
 */
export interface Clock {
  /** Wall clock, ms since 1970 UTC. */
  now(): number;
  /** Monotonic, ms since an arbitrary start; never steps. */
  mono(): number;
  /** Runs `action` once after `ms`; the returned function cancels. Never keeps the process alive. */
  after(ms: number, action: () => void): () => void;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  mono: () => performance.now(),
  after(ms, action) {
    const timer = setTimeout(action, ms);
    timer.unref();
    return () => clearTimeout(timer);
  },
};

/** Runs `action` every `ms` until the returned function is called; a late run does not pile up. */
export function every(clock: Clock, ms: number, action: () => void): () => void {
  let cancel = () => {};
  const next = () => {
    cancel = clock.after(ms, () => {
      next();
      action();
    });
  };
  next();
  return () => cancel();
}

/** Resolves after `ms` on `clock`, at once with the signal's reason thrown when it is aborted. */
export function delay(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const onAbort = () => {
      cancel();
      reject(signal?.reason);
    };
    const cancel = clock.after(ms, () => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    });
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}
