/** When a schedule is due: its entries, the calendar and the sun in, instants out. Pure. */
import type { CalendarView, Location } from '../../runtime/contracts/calendar.ts';
import { isObject, textOf } from '../shapes.ts';
import { sunTime } from './sun.ts';
import { addDays, DAY_MS, dateOf, instantOf, weekdayOf } from './wall-clock.ts';

/** One line of the form. */
export interface Entry {
  readonly at: 'time' | 'sunrise' | 'sunset';
  /** Minutes since midnight, for `time`. */
  readonly minute: number;
  /** Minutes after, negative before. */
  readonly offset: number;
  readonly days: 'all' | 'workdays' | 'restdays' | ReadonlySet<number>;
  /** `YYYY-MM-DD` for once, `MM-DD` for every year; absent: no bound. */
  readonly from?: string;
  readonly to?: string;
  /** What leaves as payload. */
  readonly value: unknown;
}

/** What the schedule needs to know of the site. */
export interface Place {
  readonly timeZone: string;
  readonly location?: Location;
  /** Days that are not what their weekday says; true: nobody works. */
  readonly special: ReadonlyMap<string, { readonly off: boolean; readonly name?: string }>;
  /** Years whose holidays are known. */
  readonly known: ReadonlySet<number>;
}

export function placeOf({ timeZone, location, years }: CalendarView): Place {
  return {
    timeZone,
    ...(location ? { location } : {}),
    special: new Map(years.flatMap(({ days }) => days.map(({ date, ...day }) => [date, day]))),
    known: new Set(years.filter(({ source }) => source !== 'none').map(({ year }) => year)),
  };
}

const CLOCK = /^([01]?\d|2[0-3])[:：]([0-5]\d)$/;
const DATE = /^(?:20\d\d-)?(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$/;

function daysOf(value: unknown): Entry['days'] | undefined {
  if (value === 'workdays' || value === 'restdays') return value;
  if (value === undefined || value === '' || value === 'all') return 'all';
  const days = (Array.isArray(value) ? value : String(value).split(/[,，、\s]+/)).map(Number);
  return days.length > 0 && days.every((day) => day >= 1 && day <= 7) ? new Set(days) : undefined;
}

/** @returns undefined for a line that says no time; such a line never fires, and the form marks it */
function readEntry(value: unknown): Entry | undefined {
  if (!isObject(value)) return undefined;
  const at = value.at === 'sunrise' || value.at === 'sunset' ? value.at : 'time';
  const clock = CLOCK.exec(textOf(value.time) ?? '');
  const offset = Number(value.offset ?? 0);
  const days = daysOf(value.days);
  const [from, to] = [textOf(value.from), textOf(value.to)];
  const dated = [from, to].every((date) => date === undefined || DATE.test(date));
  if ((at === 'time' && !clock) || !days || !dated || !Number.isFinite(offset)) return undefined;
  return {
    at,
    minute: clock ? Number(clock[1]) * 60 + Number(clock[2]) : 0,
    offset: at === 'time' ? 0 : Math.max(-720, Math.min(720, offset)),
    days,
    ...(from === undefined ? {} : { from }),
    ...(to === undefined ? {} : { to }),
    value: value.value ?? true,
  };
}

/** @returns the usable entries, and how many lines are not */
export function readEntries(value: unknown): { entries: Entry[]; faulty: number } {
  const read = (Array.isArray(value) ? value : []).map(readEntry);
  const entries = read.filter((entry) => entry !== undefined);
  return { entries, faulty: read.length - entries.length };
}

/** Whether people work that day: by the calendar, else by the weekday. */
export const isWorkday = (date: string, { special }: Place): boolean =>
  special.has(date) ? special.get(date)?.off === false : weekdayOf(date) <= 5;

/** A range of days of the year may run over new year: 11-15 to 03-15 is the heating season. */
function inRange(date: string, from: string | undefined, to: string | undefined): boolean {
  const full = (text: string) => text.length === 10;
  if ((from === undefined || full(from)) && (to === undefined || full(to))) {
    return (from === undefined || date >= from) && (to === undefined || date <= to);
  }
  const day = date.slice(5);
  const [first, last] = [from?.slice(-5) ?? '01-01', to?.slice(-5) ?? '12-31'];
  return first <= last ? day >= first && day <= last : day >= first || day <= last;
}

function fits({ days, from, to }: Entry, date: string, place: Place): boolean {
  if (!inRange(date, from, to)) return false;
  if (days === 'all') return true;
  if (days === 'workdays') return isWorkday(date, place);
  return days === 'restdays' ? !isWorkday(date, place) : days.has(weekdayOf(date));
}

/** @returns ms UTC; undefined where that day has none: the sun does not set, or nobody knows where the site lies */
function dueOn(entry: Entry, date: string, { timeZone, location }: Place): number | undefined {
  if (entry.at === 'time') return instantOf(date, entry.minute, timeZone);
  const sun = location && sunTime(entry.at, date, location);
  return sun === undefined ? undefined : Math.floor(sun / 60_000) * 60_000 + entry.offset * 60_000;
}

/** One time, and the lines that name it. */
export interface Due {
  readonly at: number;
  readonly entries: readonly Entry[];
}

/** Times in `(after, through]`, oldest first. */
export function duesBetween(entries: readonly Entry[], after: number, through: number, place: Place): Due[] {
  const found = new Map<number, Entry[]>();
  const last = addDays(dateOf(through, place.timeZone), 1);
  for (let date = addDays(dateOf(after, place.timeZone), -1); date <= last; date = addDays(date, 1)) {
    for (const entry of entries) {
      const at = fits(entry, date, place) ? dueOn(entry, date, place) : undefined;
      if (at !== undefined && at > after && at <= through) found.set(at, [...(found.get(at) ?? []), entry]);
    }
  }
  return [...found].map(([at, due]) => ({ at, entries: due })).sort((a, b) => a.at - b.at);
}

const LOOK_AHEAD_DAYS = 400;

/** The next time after `after`, within some 400 days. */
export function nextDue(entries: readonly Entry[], after: number, place: Place): number | undefined {
  for (let day = 0; day < LOOK_AHEAD_DAYS; day += day === 0 ? 2 : 8) {
    const from = Math.max(after, after + (day - 1) * DAY_MS);
    const [first] = duesBetween(entries, from, after + (day === 0 ? 2 : day + 8) * DAY_MS, place);
    if (first) return first.at;
  }
  return undefined;
}

/** Whether the sun is up; undefined where nobody knows where the site lies. In the polar day it is, in the night not. */
export function isDaylight(at: number, { timeZone, location }: Place): boolean | undefined {
  if (!location) return undefined;
  const date = dateOf(at, timeZone);
  const [rise, set] = [sunTime('sunrise', date, location), sunTime('sunset', date, location)];
  if (rise !== undefined && set !== undefined) return at >= rise && at < set;
  const summer = location.latitude >= 0 ? /-0[4-8]-/ : /-(1[0-2]|0[12])-/;
  return summer.test(date);
}
