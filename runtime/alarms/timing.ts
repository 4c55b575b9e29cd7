/**
 * What an alarm waits for, as pure functions: the next step of its escalation, the end of shelving, the hold-off of one
 * that chatters. Every time is alarm time (alarm-time.ts) and is stored with the alarm.
 */
import type { AlarmSettings, AlarmView } from '../contracts/api.ts';
import { dueAfter } from './escalation.ts';
import { isWaiting } from './lifecycle.ts';

export interface Timing {
  /** Nobody has answered since then. */
  readonly waitingSince?: number;
  readonly escalateAt?: number;
  /** Steps of the escalation taken since then. */
  readonly taken?: number;
  /** Shelving or being out of service ends. */
  readonly asideUntil?: number;
  /** Its last comings, oldest first, at most three. */
  readonly came: readonly number[];
  /** It chatters and is gone now: when it counts as gone, and the wall clock when it went. */
  readonly gone?: { readonly at: number; readonly wall: number };
  /** Its coming and going was told last. */
  readonly toldAt?: number;
  /** What cut it off works again: when it is told by itself, if it still holds. */
  readonly releaseAt?: number;
}

/** An alarm and what it waits for. */
export interface Kept {
  readonly view: AlarmView;
  readonly timing: Timing;
}

type Settings = AlarmSettings | undefined;

/** So many comings within so long are chatter (ISA-18.2). */
const CHATTER_COMINGS = 3;
const CHATTER_MS = 60_000;
const HOLD_FIRST_MS = 30_000;
const HOLD_MOST_MS = 15 * 60_000;
/** Whether danger to life is over has to be known sooner. */
const HOLD_MOST_P1_MS = 60_000;
/** While it chatters, this is how often it is told. */
const TELL_MS = 60_000;

/** The earliest of what it waits for. */
export function dueOf({ escalateAt, asideUntil, gone, releaseAt }: Timing): number | undefined {
  const times = [escalateAt, asideUntil, gone?.at, releaseAt].filter((time) => time !== undefined);
  return times.length === 0 ? undefined : Math.min(...times);
}

/** What the alarm waits for after a step of its life. */
export function timingAfter(before: Kept | undefined, view: AlarmView, settings: Settings, now: number): Timing {
  const known: Timing = before?.timing ?? { came: [] };
  const { waitingSince: _, escalateAt: _at, taken: _steps, asideUntil: _aside, releaseAt, ...rest } = known;
  return {
    ...rest,
    ...(view.process === 'SUPPRESSED' && releaseAt !== undefined ? { releaseAt } : {}),
    ...asideUntil(before, view, now),
    ...escalation(before, view, settings, now),
  };
}

/** Wall times are for people; what counts is how long it was meant to last when it was put aside. */
function asideUntil(before: Kept | undefined, view: AlarmView, now: number): Pick<Timing, 'asideUntil'> {
  if (view.process !== 'SHELVED' && view.process !== 'OUT_OF_SERVICE') return {};
  const until = view.process === 'SHELVED' ? view.shelvedUntil : view.outOfService?.until;
  if (until === undefined) return {};
  const was = before?.view.process === 'SHELVED' ? before.view.shelvedUntil : before?.view.outOfService?.until;
  const known = before?.timing.asideUntil;
  return { asideUntil: was === until && known !== undefined ? known : now + Math.max(0, until - view.changedAt) };
}

function escalation(
  before: Kept | undefined,
  view: AlarmView,
  settings: Settings,
  now: number,
): Pick<Timing, 'waitingSince' | 'escalateAt' | 'taken'> {
  if (!isWaiting(view)) return {};
  const { priority } = view;
  const { waitingSince, escalateAt, taken = 0 } = before?.timing ?? { came: [] };
  if (waitingSince !== undefined && before?.view.priority === priority)
    return { waitingSince, taken, ...(escalateAt === undefined ? {} : { escalateAt }) };
  const due = dueAfter(settings, { priority, taken: 0, since: now, now });
  // What grows worse is never told later for it.
  const first = escalateAt !== undefined && due !== undefined ? Math.min(escalateAt, due) : due;
  return { waitingSince: waitingSince ?? now, taken: 0, ...(first === undefined ? {} : { escalateAt: first }) };
}

/** A step of the escalation was taken. */
export function escalated(timing: Timing, priority: number, settings: Settings, now: number): Timing {
  const { escalateAt: _, ...rest } = timing;
  const taken = (timing.taken ?? 0) + 1;
  const due = dueAfter(settings, { priority, taken, since: timing.waitingSince ?? now, now });
  return { ...rest, taken, ...(due === undefined ? {} : { escalateAt: due }) };
}

/** It came: whether it chatters now, counting what came of the same source just before. */
export function cameNow({ view, timing }: Kept, now: number, wall: number): Kept {
  const came = [...timing.came, now].slice(-CHATTER_COMINGS);
  const chatters = came.length === CHATTER_COMINGS && now - (came[0] ?? 0) <= CHATTER_MS;
  const kept = { view, timing: { ...timing, came } };
  if (view.chatter || !chatters) return kept;
  const chatter = { count: CHATTER_COMINGS, since: wall, holdOffMs: HOLD_FIRST_MS };
  return { view: { ...view, chatter }, timing: { ...kept.timing, toldAt: now } };
}

/** A chattering alarm has gone: that counts once it has stayed away. @returns undefined if it does not chatter */
export function holdOff({ view, timing }: Kept, now: number, wall: number): Kept | undefined {
  if (!view.chatter || timing.gone) return undefined;
  return { view, timing: { ...timing, gone: { at: now + view.chatter.holdOffMs, wall } } };
}

/** It came again before it counted as gone: it has to stay away for longer. @returns undefined if it was not held off */
export function cameWhileHeld(
  { view, timing }: Kept,
  now: number,
  wall: number,
): (Kept & { told: boolean }) | undefined {
  const { gone, ...rest } = timing;
  const { chatter } = view;
  if (!gone || !chatter) return undefined;
  const told = now - (timing.toldAt ?? 0) >= TELL_MS;
  const longest = view.priority === 1 ? HOLD_MOST_P1_MS : HOLD_MOST_MS;
  return {
    told,
    view: {
      ...view,
      count: view.count + 1,
      changedAt: wall,
      chatter: { ...chatter, count: chatter.count + 1, holdOffMs: Math.min(chatter.holdOffMs * 2, longest) },
    },
    timing: { ...rest, ...(told ? { toldAt: now } : {}) },
  };
}
