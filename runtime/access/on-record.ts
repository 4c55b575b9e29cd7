/**
 * Decisions that were answered and are still on their way to the disk. A flow gets its answer at once; what then moves
 * because of the same record waits here, so that nothing ever moves on a decision that is not on record.
 */
import type { Clock } from '../clock.ts';

/** A decision that could not be recorded lets nothing move for this long: flows drop what is older. */
const REMEMBERED_MS = 60_000;

export interface OnRecord {
  /** @param cause the record that was asked about */
  add(cause: string, kept: Promise<unknown>): void;
  /** Resolves once every decision about this record is durable. @throws what kept one from it */
  wait(cause: string | undefined): Promise<void>;
}

export function createOnRecord(clock: Clock): OnRecord {
  const open = new Map<string, Promise<unknown>>();
  return {
    add(cause, kept) {
      const before = open.get(cause);
      const all = before ? Promise.all([before, kept]) : kept;
      open.set(cause, all);
      const forget = () => {
        if (open.get(cause) === all) open.delete(cause);
      };
      all.then(forget, () => void clock.after(REMEMBERED_MS, forget));
    },
    async wait(cause) {
      if (cause !== undefined) await open.get(cause);
    },
  };
}
