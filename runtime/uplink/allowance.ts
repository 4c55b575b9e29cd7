/**
 * Messages a second that a platform wants at most (reliability.md B5). Bulk leaves the last one to urgent records, so that
 * an alarm does not wait behind a backlog. Pure but for the clock.
 */
import type { Clock } from '../clock.ts';

export interface Allowance {
  has(lane: 'urgent' | 'bulk'): boolean;
  /** Ms until `has` says yes; 0 if it does. */
  in(lane: 'urgent' | 'bulk'): number;
  /** A message goes; statuses and answers may go into debt. */
  spend(): void;
}

const unlimited: Allowance = { has: () => true, in: () => 0, spend: () => {} };
/** What may come at once after a quiet time: a tenth of a second's worth, and never less than this. */
const BURST_SECONDS = 0.1;
const LEAST_BURST = 3;

/** @param perSecond absent: no limit */
export function createAllowance(clock: Clock, perSecond: number | undefined): Allowance {
  if (perSecond === undefined) return unlimited;
  const most = Math.max(LEAST_BURST, perSecond * BURST_SECONDS);
  let left = most;
  let at = clock.mono();
  const now = () => {
    const mono = clock.mono();
    left = Math.min(most, left + ((mono - at) / 1000) * perSecond);
    at = mono;
    return left;
  };
  const needed = { urgent: 1, bulk: 2 };
  return {
    has: (lane) => now() >= needed[lane],
    in: (lane) => Math.max(0, Math.ceil(((needed[lane] - now()) / perSecond) * 1000)),
    spend() {
      left = now() - 1;
    },
  };
}
