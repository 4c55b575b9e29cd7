/**
 * Keeps the times of one schedule. A time is put on record before anything follows from it, so it starts something once
 * whatever crashes; one that has passed longer ago than the grace is told as missed and starts nothing. The wall clock
 * decides what is due, and may step: a time passed twice is on record already, one that was jumped over was missed.
 */
import type { OccurrenceView } from '../../runtime/contracts/calendar.ts';
import type { Reached } from './memory.ts';
import { type Due, duesBetween, type Entry, nextDue, type Place } from './times.ts';

/** The part of the runtime's clock that is used here. */
export interface KeeperClock {
  now(): number;
  after(ms: number, action: () => void): () => void;
}

/** Why a time did not leave in time: found late, on record already (a crash cut it off), or nobody could record it. */
export type MissedBecause = 'late' | 'uncertain' | 'unrecorded';

export interface KeeperParts {
  readonly entries: readonly Entry[];
  readonly plan: string;
  readonly graceMs: number;
  readonly clock: KeeperClock;
  /** Undefined until the gateway has told. */
  place(): Place | undefined;
  reached(): Reached | undefined;
  save(reached: Reached): Promise<void>;
  /** Puts a time on record. @throws when the gateway cannot be reached */
  tell(due: number, missed: boolean): Promise<OccurrenceView>;
  fire(due: Due, record: string): void;
  missed(due: Due, because: MissedBecause, record?: string): void;
  failed(error: unknown): void;
  /** What comes next, for the light. */
  next(at: number | undefined): void;
}

/** Looks at least so often: a clock that steps, a calendar that arrives. */
const LOOK_EVERY_MS = 15_000;
const LOOK_BACK_MS = 7 * 86_400_000;
/** After weeks without power nobody wants to read every single time; these are the last ones. */
const MOST_MISSED = 20;

export interface Keeper {
  /** Deals with everything that is due; for tests, and run by itself. */
  look(): Promise<void>;
  close(): void;
}

export function createKeeper(parts: KeeperParts): Keeper {
  const { entries, plan, graceMs, clock } = parts;
  const kept = parts.reached();
  // Other times than before: what they would have been in the past is of no interest.
  let through = kept?.plan === plan ? kept.through : clock.now();
  let closed = false;
  let cancel = () => {};
  let turn: Promise<void> = kept?.plan === plan ? Promise.resolve() : parts.save({ through, plan });
  /** Fired in this life: a clock set back passes them again, and nobody needs to hear of it. */
  const fired = new Set<number>();

  async function handle(due: Due, now: number): Promise<void> {
    const late = now - due.at > graceMs;
    let told: OccurrenceView;
    try {
      told = await parts.tell(due.at, late);
    } catch (error) {
      if (closed) return;
      parts.failed(error);
      parts.missed(due, 'unrecorded');
      return;
    }
    if (closed) return;
    // Asking took its time: what left too late now is what this node is there to prevent.
    const stillGood = told.first && !told.missed && clock.now() - due.at <= graceMs;
    if (stillGood) {
      fired.add(due.at);
      parts.fire(due, told.record);
    } else if (told.first) parts.missed(due, 'late', told.record);
    else if (!told.missed && !fired.has(due.at)) parts.missed(due, 'uncertain', told.record);
  }

  async function round(): Promise<void> {
    const place = parts.place();
    if (closed || !place) return;
    const now = clock.now();
    // Set back: the times between are passed again, and each is on record already if it has been dealt with.
    if (now < through) through = now;
    const dues = duesBetween(entries, Math.max(through, now - LOOK_BACK_MS), now, place);
    for (const due of dues.slice(-MOST_MISSED)) {
      await handle(due, now);
      if (closed) return;
      through = due.at;
      await parts.save({ through, plan });
    }
    through = Math.max(through, now);
  }

  function waitForNext(): void {
    cancel();
    if (closed) return;
    const place = parts.place();
    const next = place && nextDue(entries, clock.now(), place);
    parts.next(next);
    const wait = next === undefined ? LOOK_EVERY_MS : Math.min(LOOK_EVERY_MS, Math.max(1, next - clock.now()));
    cancel = clock.after(wait, () => void look());
  }

  function look(): Promise<void> {
    turn = turn.then(round).catch(parts.failed).then(waitForNext);
    return turn;
  }

  void look();
  return {
    look,
    close() {
      closed = true;
      cancel();
    },
  };
}
