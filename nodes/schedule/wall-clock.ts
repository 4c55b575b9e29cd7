/** Dates and times of the site's clock on the wall. Pure. */

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

export const DAY_MS = 86_400_000;

/** The wall time as if it were UTC, ms. */
function shifted(at: number, timeZone: string): number {
  const part: Record<string, number> = {};
  for (const { type, value } of formatOf(timeZone).formatToParts(at)) part[type] = Number(value);
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = part;
  return Date.UTC(year, month - 1, day, hour, minute, second);
}

/** `YYYY-MM-DD` of the site. @param at ms UTC */
export const dateOf = (at: number, timeZone: string): string =>
  new Date(shifted(at, timeZone)).toISOString().slice(0, 10);

/** `date` moved by whole days. */
export const addDays = (date: string, days: number): string =>
  new Date(Date.parse(`${date}T00:00:00Z`) + days * DAY_MS).toISOString().slice(0, 10);

/** 1 Monday to 7 Sunday. */
export const weekdayOf = (date: string): number => ((new Date(`${date}T00:00:00Z`).getUTCDay() + 6) % 7) + 1;

/**
 * The instant at which the clock on the wall shows this, ms UTC. Where a change of the clock repeats an hour it is one of
 * the two, where it skips one it is an hour beside: never none, never two.
 */
export function instantOf(date: string, minute: number, timeZone: string): number {
  const local = Date.parse(`${date}T00:00:00Z`) + minute * 60_000;
  const offset = (at: number) => shifted(at, timeZone) - at;
  return local - offset(local - offset(local));
}
