/** May this entry of a list pass this gate at this moment? Pure: rows in, reason out. What it is told in: explain.ts. */
import type { AccessDecision, Vehicle } from '../contracts/api.ts';
import { wallTime } from '../devices/site-time.ts';

export type Reason = AccessDecision['reason'];
export type Schedule = NonNullable<Vehicle['schedule']>;

/** What a vehicle and a credential have in common. */
export interface Pass {
  readonly kind: Vehicle['kind'] | 'credential';
  /** ms UTC, the first moment it is good. */
  readonly validFrom?: number | undefined;
  /** ms UTC, the first moment it is no longer good. */
  readonly validTo?: number | undefined;
  readonly schedule?: Schedule | undefined;
  readonly zones?: readonly string[] | undefined;
}

/** Where and when it is asked. */
export interface Moment {
  /** ms UTC */
  readonly at: number;
  readonly timeZone: string;
  /** The zone of the gate and all above it. */
  readonly zones: readonly string[];
}

const ADMITTED: ReadonlySet<Reason> = new Set(['resident', 'visitor', 'staff', 'credential']);
export const admits = (reason: Reason): boolean => ADMITTED.has(reason);

const DAY_MINUTES = 1440;

/**
 * A block holds at every gate and hour; a block that is over leaves a vehicle nobody knows. For the others validity comes
 * first, then the gate, then the hour: the first thing that must change before they may pass is the one that is told.
 */
export function judge(pass: Pass | undefined, moment: Moment): Reason {
  if (!pass) return 'unknown';
  const { at, zones } = moment;
  const { validFrom = Number.NEGATIVE_INFINITY, validTo = Number.POSITIVE_INFINITY } = pass;
  if (pass.kind === 'blocked') return at >= validFrom && at < validTo ? 'blocked' : 'unknown';
  if (at < validFrom) return 'not-yet-valid';
  if (at >= validTo) return 'expired';
  if (pass.zones && !pass.zones.some((zone) => zones.includes(zone))) return 'wrong-gate';
  if (pass.schedule && !isWithin(pass.schedule, moment)) return 'outside-schedule';
  return pass.kind;
}

/**
 * `from` is included, `to` is not. A window over midnight belongs to the day it begins on; `from` equal to `to` is the
 * whole day.
 */
export function isWithin({ days, from, to }: Schedule, { at, timeZone }: Pick<Moment, 'at' | 'timeZone'>): boolean {
  const { day, minute } = wallTime(at, timeZone);
  const start = minutesOf(from);
  const end = minutesOf(to);
  if (start < end) return days.includes(day) && minute >= start && minute < end;
  if (start === end) return days.includes(day);
  const yesterday = day === 1 ? 7 : day - 1;
  return (days.includes(day) && minute >= start) || (days.includes(yesterday) && minute < end);
}

const minutesOf = (time: string): number =>
  Math.min(DAY_MINUTES, Number(time.slice(0, 2)) * 60 + Number(time.slice(3, 5)));
