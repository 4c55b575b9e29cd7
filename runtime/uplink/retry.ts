/** When to try again after a connection ended, and what its ending says about the other side (reliability.md U3, U5, U6). */
import type { Clock } from '../clock.ts';

/** How an attempt or a connection ended. `reason` is for a person. */
export interface Ending {
  /**
   * `unreachable`: never got through; `version`: this MQTT version is not spoken; `refused`: the broker said no and will
   * say it again; `taken`: another client took our id; `lost`: everything else, after it had worked.
   */
  readonly kind: 'unreachable' | 'version' | 'refused' | 'taken' | 'lost';
  readonly reason: string;
  /** How long the connection had stood, ms; 0 if it never did. */
  readonly stoodMs: number;
  /** The broker closed it, in order and without a word: all that MQTT 3.1.1 shows of a take-over. */
  readonly silent?: boolean;
  /** We ended it: a PUBACK did not come. */
  readonly unanswered?: boolean;
}

const FIRST_MS = 1000;
const MOST_MS = 60_000;
const STABLE_MS = 60_000;
const FIRST_REFUSED_MS = 10_000;
const MOST_REFUSED_MS = 300_000;
const LEAST_MS = 100;

/**
 * Full jitter over 1 s doubling to 60 s, one step per round of servers; after a refusal 10 s doubling to 5 min. Back to the
 * start only after a connection that stood for a minute.
 * @param random 0 (included) to 1
 */
export function createRetry(servers: number, random: () => number = Math.random) {
  let failures = 0;
  let refusals = 0;
  return {
    delayAfter(ending: Ending): number {
      if (ending.stoodMs >= STABLE_MS) {
        failures = 0;
        refusals = 0;
      }
      if (ending.kind === 'refused') {
        const most = Math.min(MOST_REFUSED_MS, FIRST_REFUSED_MS * 2 ** refusals++);
        return most / 2 + (random() * most) / 2;
      }
      const most = Math.min(MOST_MS, FIRST_MS * 2 ** Math.floor(failures++ / servers));
      return Math.max(LEAST_MS, random() * most);
    },
  };
}

const WINDOW_MS = 300_000;
const SUSPICIOUS = 3;

/** Counts take-overs of our client id; two gateways with one id would throw each other out for ever. */
export function createTakeovers(clock: Clock) {
  let seen: number[] = [];
  let suspected = false;
  return {
    ended(ending: Ending): void {
      if (ending.kind === 'taken') seen.push(clock.mono());
      // Closed silently, and yet the broker takes us back at the next attempt: neither down nor restarting.
      suspected = ending.kind === 'lost' && ending.silent === true;
    },
    connected(): void {
      if (suspected) seen.push(clock.mono());
      suspected = false;
    },
    /** Three in five minutes. */
    get duplicate(): boolean {
      seen = seen.filter((at) => clock.mono() - at < WINDOW_MS);
      return seen.length >= SUSPICIOUS;
    },
  };
}
