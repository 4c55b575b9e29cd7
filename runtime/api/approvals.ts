/**
 * A shift leader's PIN at somebody else's panel (ux.md 7, last column): it lends the leader's rights to the next change
 * of that session, once. The one who is logged in stays logged in.
 */
import { randomBytes } from 'node:crypto';
import type { Clock } from '../clock.ts';
import { secretHash } from './users.ts';

/** Long enough to see what is being approved, too short to be left behind. */
const VALID_MS = 60_000;

export interface Approvals {
  /** @param session id of the session that asked; no other can use it. */
  give(approver: string, session: string): { readonly secret: string; readonly leftMs: number };
  /** The approver's account, the first time it is asked for. */
  take(secret: string, session: string): string | undefined;
}

export function createApprovals(clock: Clock): Approvals {
  const given = new Map<string, { approver: string; session: string; until: number }>();
  const forget = () => {
    for (const [hash, { until }] of given) if (until <= clock.mono()) given.delete(hash);
  };
  return {
    give(approver, session) {
      forget();
      const secret = randomBytes(32).toString('base64url');
      given.set(secretHash(secret), { approver, session, until: clock.mono() + VALID_MS });
      return { secret, leftMs: VALID_MS };
    },
    take(secret, session) {
      forget();
      const hash = secretHash(secret);
      const found = given.get(hash);
      if (found?.session !== session) return undefined;
      given.delete(hash);
      return found.approver;
    },
  };
}
