/**
 * A device that comes and goes all the time (reliability.md V6): beyond ten changes of its link in a minute they are told
 * as one record a minute, until it has been calm for one.
 */
import type { Clock } from '../clock.ts';

export interface Flapping {
  /** Its link has changed. @returns true if that is told by the record of the minute */
  turned(): boolean;
  stop(): void;
}

interface Told {
  /** From now on it flaps. */
  began(): void;
  /** @param count changes in the last minute @param since ms UTC */
  minute(count: number, since: number): void;
  /** It is calm again: what it is now is told as usual. */
  ended(): void;
}

const MINUTE_MS = 60_000;
const MOST_A_MINUTE = 10;

export function createFlapping(clock: Clock, told: Told): Flapping {
  /** Monotonic time of the last changes. */
  let turns: number[] = [];
  let flaps: { since: number; count: number } | undefined;
  let cancel = () => {};

  function wait(): void {
    cancel = clock.after(MINUTE_MS, () => {
      if (!flaps) return;
      const { count, since } = flaps;
      told.minute(count, since);
      if (count > MOST_A_MINUTE) {
        flaps = { since, count: 0 };
        wait();
        return;
      }
      flaps = undefined;
      turns = [];
      told.ended();
    });
  }

  return {
    turned() {
      if (flaps) {
        flaps.count++;
        return true;
      }
      const now = clock.mono();
      turns = [...turns.filter((at) => now - at < MINUTE_MS), now];
      if (turns.length <= MOST_A_MINUTE) return false;
      flaps = { since: clock.now(), count: 1 };
      told.began();
      wait();
      return true;
    },
    stop: () => cancel(),
  };
}
