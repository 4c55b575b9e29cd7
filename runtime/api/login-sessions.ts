/**
 * Logged-in sessions (reliability.md A6): 256 random bits in a cookie, hashed in the table, mirrored in memory. Times run
 * on the monotonic clock; across a restart the stored remainder counts on.
 */
import { randomBytes } from 'node:crypto';
import type { Clock } from '../clock.ts';
import type { Write } from '../journal/journal.ts';
import { dropSession, type LoginMethod, putSession, type StoredSession, secretHash } from './users.ts';

const MINUTE_MS = 60_000;
const ABSOLUTE_MS = 12 * 60 * MINUTE_MS;
/** A PIN is for the booth, where a shift lasts twelve hours and the panel locks by itself. */
const IDLE_MS: Readonly<Record<LoginMethod, number>> = { password: 15 * MINUTE_MS, pin: ABSOLUTE_MS };
const PER_ACCOUNT = 3;
/** How fresh a proof of the password must be for users, tokens and the like (A8). */
const PROOF_MS = 5 * MINUTE_MS;

interface Live {
  readonly hash: string;
  readonly account: string;
  readonly method: LoginMethod;
  readonly createdAt: number;
  readonly diesAt: number;
  seenAt: number;
  provedAt: number;
  savedSeenAt: number;
}

export interface LoginSession {
  /** Names it without opening it. */
  readonly id: string;
  readonly account: string;
  readonly method: LoginMethod;
  /** ms UTC by the wall clock of now: for people to read. */
  expiresAt(): number;
  /** Still there, neither logged out nor run out. */
  alive(): boolean;
  /** Somebody did something. */
  touch(): void;
  /** The password was given again. */
  prove(): void;
  proven(): boolean;
  end(): Write;
}

export interface Sessions {
  find(secret: string): LoginSession | undefined;
  /** A new session; the oldest of more than three goes. Takes effect when `start` is called, after the commit. */
  open(account: string, method: LoginMethod): { secret: string; writes: Write[]; start(): LoginSession };
  /** Ends all sessions of an account, at once in memory. */
  endAll(account: string): Write[];
  /** What must be saved so that a restart does not prolong a session; forgets the ones that ran out. */
  save(): Write[];
  count(): number;
}

export function createSessions(clock: Clock, stored: readonly StoredSession[]): Sessions {
  const live = new Map<string, Live>();
  const start = clock.mono();
  for (const { hash, account, method, createdAt, leftMs, savedAt } of stored) {
    // The time we were off counts too, as far as the wall clock knows it; a clock that went back gives nothing.
    const left = leftMs - Math.max(0, clock.now() - savedAt);
    live.set(hash, {
      hash,
      account,
      method,
      createdAt,
      diesAt: start + left,
      seenAt: start,
      provedAt: Number.NEGATIVE_INFINITY,
      savedSeenAt: start,
    });
  }
  const leftOf = ({ diesAt, seenAt, method }: Live) => Math.min(diesAt, seenAt + IDLE_MS[method]) - clock.mono();
  const end = (hash: string): Write => {
    live.delete(hash);
    return dropSession(hash);
  };
  const handle = (session: Live): LoginSession => ({
    id: session.hash,
    account: session.account,
    method: session.method,
    expiresAt: () => Math.round(clock.now() + leftOf(session)),
    alive: () => live.has(session.hash) && leftOf(session) > 0,
    touch() {
      session.seenAt = clock.mono();
    },
    prove() {
      session.provedAt = clock.mono();
    },
    proven: () => clock.mono() - session.provedAt <= PROOF_MS,
    end: () => end(session.hash),
  });
  const stateOf = (session: Live): StoredSession => ({
    hash: session.hash,
    account: session.account,
    method: session.method,
    createdAt: session.createdAt,
    leftMs: Math.max(0, Math.round(session.diesAt - clock.mono())),
    savedAt: clock.now(),
  });
  return {
    find(secret) {
      const session = live.get(secretHash(secret));
      return session && leftOf(session) > 0 ? handle(session) : undefined;
    },
    open(account, method) {
      const secret = randomBytes(32).toString('base64url');
      const now = clock.mono();
      const session: Live = {
        hash: secretHash(secret),
        account,
        method,
        createdAt: clock.now(),
        diesAt: now + ABSOLUTE_MS,
        seenAt: now,
        provedAt: now,
        savedSeenAt: now,
      };
      const others = [...live.values()].filter((other) => other.account === account);
      others.sort((a, b) => a.diesAt - b.diesAt);
      const surplus = others.slice(0, Math.max(0, others.length - PER_ACCOUNT + 1));
      return {
        secret,
        writes: [putSession(stateOf(session)), ...surplus.map(({ hash }) => dropSession(hash))],
        start() {
          for (const { hash } of surplus) live.delete(hash);
          live.set(session.hash, session);
          return handle(session);
        },
      };
    },
    endAll: (account) =>
      [...live.values()].filter((session) => session.account === account).map(({ hash }) => end(hash)),
    save() {
      const writes: Write[] = [];
      for (const session of live.values()) {
        if (leftOf(session) <= 0) writes.push(end(session.hash));
        else if (session.seenAt > session.savedSeenAt) {
          session.savedSeenAt = session.seenAt;
          writes.push(putSession(stateOf(session)));
        }
      }
      return writes;
    },
    count: () => live.size,
  };
}
