/** Times as people read them: site time zone, 24 hours, `YYYY-MM-DD`, seconds on every event (ux.md 2). */
interface Parts {
  readonly date: string;
  readonly time: string;
  readonly hour: number;
}

const formats = new Map<string, Intl.DateTimeFormat>();

function formatOf(zone: string): Intl.DateTimeFormat {
  const known = formats.get(zone);
  if (known) return known;
  const made = new Intl.DateTimeFormat('en-CA', {
    timeZone: zone,
    hourCycle: 'h23',
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
  });
  formats.set(zone, made);
  return made;
}

function partsOf(ms: number, zone: string): Parts {
  const part = new Map(
    formatOf(zone)
      .formatToParts(ms)
      .map(({ type, value }) => [type, value]),
  );
  return {
    date: `${part.get('year')}-${part.get('month')}-${part.get('day')}`,
    time: `${part.get('hour')}:${part.get('minute')}:${part.get('second')}`,
    hour: Number(part.get('hour')),
  };
}

export const timeIn = (zone: string, ms: number): string => partsOf(ms, zone).time;
/** Hours and minutes: for a time somebody chooses. */
export const clockIn = (zone: string, ms: number): string => timeIn(zone, ms).slice(0, 5);
export const dateIn = (zone: string, ms: number): string => partsOf(ms, zone).date;
export const hourIn = (zone: string, ms: number): number => partsOf(ms, zone).hour;

/** Midnight at the site that began the day of `ms`, as ms UTC; right on the days the clocks change, too. */
export function midnightIn(zone: string, ms: number): number {
  const day = dateIn(zone, ms);
  const { time } = partsOf(ms, zone);
  const [hours = 0, minutes = 0, seconds = 0] = time.split(':').map(Number);
  const guess = ms - ((hours * 60 + minutes) * 60 + seconds) * 1000 - (((ms % 1000) + 1000) % 1000);
  const off = [0, 3_600_000, -3_600_000].find((shift) => {
    const at = partsOf(guess + shift, zone);
    return at.date === day && at.time === '00:00:00';
  });
  return guess + (off ?? 0);
}

const two = (value: number): string => String(value).padStart(2, '0');

/** `00:07`, `11:20`, from an hour on `1:05:20`. */
export function spanOf(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(minutes / 60);
  return hours > 0 ? `${hours}:${two(minutes % 60)}:${two(seconds % 60)}` : `${two(minutes)}:${two(seconds % 60)}`;
}
