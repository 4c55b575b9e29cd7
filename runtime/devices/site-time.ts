/** Wall time of the compound: what a schedule, a date in the site file and "expired yesterday" mean. */

export interface WallTime {
  /** `YYYY-MM-DD` */
  readonly date: string;
  /** `HH:MM` */
  readonly time: string;
  /** 1 Monday to 7 Sunday */
  readonly day: number;
  /** Minutes since midnight by the clock on the wall. */
  readonly minute: number;
  /** Days since 1970-01-01 of the local date, to count calendar days between two instants. */
  readonly dayNumber: number;
}

const DAY_MS = 86_400_000;
/** 9999-12-31: later instants no calendar here can show. */
const LAST_INSTANT = 253_402_300_799_999;

/** Whether it is a moment that can be shown: ms UTC from 1970 to 9999. */
export const isInstant = (at: number): boolean => at >= 0 && at <= LAST_INSTANT;

const formats = new Map<string, Intl.DateTimeFormat>();

function formatOf(timeZone: string): Intl.DateTimeFormat {
  const known = formats.get(timeZone);
  if (known) return known;
  const made = new Intl.DateTimeFormat('en-GB-u-ca-gregory-nu-latn', {
    timeZone,
    hourCycle: 'h23',
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
  });
  formats.set(timeZone, made);
  return made;
}

/** Whether the platform knows the zone, e.g. `Asia/Shanghai`. */
export function isTimeZone(timeZone: string): boolean {
  try {
    return formatOf(timeZone) !== undefined;
  } catch {
    return false; // RangeError is how Intl says "unknown"
  }
}

/** The wall time as if it were UTC, ms: differs from `at` by the offset of the zone. */
function shifted(at: number, timeZone: string): number {
  const part: Record<string, number> = {};
  for (const { type, value } of formatOf(timeZone).formatToParts(at)) part[type] = Number(value);
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = part;
  return Date.UTC(year, month - 1, day, hour, minute, second);
}

/** @param at ms UTC */
export function wallTime(at: number, timeZone: string): WallTime {
  const local = shifted(at, timeZone);
  const iso = new Date(local).toISOString();
  const dayNumber = Math.floor(local / DAY_MS);
  return {
    date: iso.slice(0, 10),
    time: iso.slice(11, 16),
    day: ((dayNumber + 3) % 7) + 1, // 1970-01-01 was a Thursday
    minute: Math.floor((local - dayNumber * DAY_MS) / 60_000),
    dayNumber,
  };
}

const ISO = /^(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:\.\d{1,9})?)?(Z|[+-]\d{2}:\d{2})?)?$/;

/**
 * An ISO 8601 date or time as an instant, ms UTC. Without an offset it is site time. A date alone is its first moment,
 * or with `edge: 'end'` the first moment of the next day, so that "valid to 2026-05-01" includes that day.
 * @returns undefined if it is not one, or not a date of the calendar (31 February).
 */
export function instantOf(text: string, timeZone: string, edge: 'start' | 'end' = 'start'): number | undefined {
  const match = ISO.exec(text);
  if (!match) return undefined;
  const [, year, month, day, hour, minute, second, offset] = match;
  const local = Date.UTC(
    Number(year),
    Number(month) - 1,
    Number(day),
    Number(hour ?? 0),
    Number(minute ?? 0),
    Number(second ?? 0),
  );
  const written = `${year}-${month}-${day}T${hour ?? '00'}:${minute ?? '00'}:${second ?? '00'}`;
  if (Number.isNaN(local) || new Date(local).toISOString().slice(0, 19) !== written) return undefined;
  if (offset !== undefined) {
    const instant = Date.parse(`${written}${offset}`);
    return Number.isNaN(instant) ? undefined : instant;
  }
  return fromWall(hour === undefined && edge === 'end' ? local + DAY_MS : local, timeZone);
}

/** In an hour that a clock change skips or repeats, one of the two readings is taken. */
function fromWall(local: number, timeZone: string): number {
  const offset = (at: number) => shifted(at, timeZone) - at;
  return local - offset(local - offset(local));
}
