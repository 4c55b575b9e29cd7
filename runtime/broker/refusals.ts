/**
 * What the broker refused, told at once the first time and then once a minute with a count, so that a device in a loop
 * (or somebody trying passwords) cannot fill the audit trail (reliability.md AU4).
 */
import type { Clock } from '../clock.ts';

export type RefusalReason =
  | 'credentials'
  | 'keepalive'
  | 'packet'
  | 'protocol'
  | 'publish'
  | 'rate'
  | 'subscribe'
  | 'takeover'
  | 'too-many'
  | 'will';

export interface Refusal {
  readonly reason: RefusalReason;
  /** Id of a device of the inventory, or '' when it is not one. */
  readonly device: string;
  readonly address: string;
  /** What was tried, for a person; foreign text in it is cut and cleaned. */
  readonly detail: string;
  /** How often since the last report of this kind. */
  readonly count: number;
}

const WINDOW_MS = 60_000;
const MAX_KINDS = 1000;

export function createRefusals(clock: Clock, tell: (refusal: Refusal) => void) {
  const windows = new Map<string, { last: Refusal; count: number; cancel: () => void }>();
  const open = (key: string, refusal: Refusal) => {
    const cancel = clock.after(WINDOW_MS, () => {
      const window = windows.get(key);
      windows.delete(key);
      if (!window || window.count === 0) return;
      tell({ ...window.last, count: window.count });
      open(key, window.last);
    });
    windows.set(key, { last: refusal, count: 0, cancel });
  };
  return {
    refuse(reason: RefusalReason, device: string, address: string, detail: string): void {
      const refusal = { reason, device, address, detail: clean(detail), count: 1 };
      const exact = `${reason} ${device || address}`;
      const key = windows.has(exact) || windows.size < MAX_KINDS ? exact : reason;
      const window = windows.get(key);
      if (window) {
        window.count++;
        window.last = refusal;
        return;
      }
      tell(refusal);
      open(key, refusal);
    },
    close(): void {
      for (const [, window] of windows) {
        window.cancel();
        if (window.count > 0) tell({ ...window.last, count: window.count });
      }
      windows.clear();
    },
  };
}

/** Foreign text for a log or an audit record: no control characters, at most 128 characters. */
export const clean = (text: string): string => text.replaceAll(/\p{Cc}/gu, '\uFFFD').slice(0, 128);
