import type { Clock } from '../clock.ts';

const MINUTE = 60_000;

/** Accepted commands per output within the last minute, on the monotonic clock (reliability.md C9). */
export function createRate(clock: Clock) {
  const taken = new Map<string, { id: string; at: number }[]>();
  const recent = (output: string) => {
    const since = clock.mono() - MINUTE;
    const kept = (taken.get(output) ?? []).filter((one) => one.at > since);
    if (kept.length > 0) taken.set(output, kept);
    else taken.delete(output);
    return kept;
  };
  return {
    /** @returns ms until one more is allowed; 0: now, and it is counted. */
    take(output: string, id: string, perMinute: number): number {
      const kept = recent(output);
      const oldest = kept[0];
      if (kept.length >= perMinute && oldest) return Math.ceil(oldest.at + MINUTE - clock.mono());
      taken.set(output, [...kept, { id, at: clock.mono() }]);
      return 0;
    },
    /** The command served its purpose: it does not count any more. */
    giveBack(id: string): void {
      for (const [output, kept] of taken)
        taken.set(
          output,
          kept.filter((one) => one.id !== id),
        );
    },
  };
}
