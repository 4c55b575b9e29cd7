/** The site's calendar: its own list for a year, else the announced one, and the times schedules have told. */
import type { Clock } from '../clock.ts';
import type {
  CalendarDay,
  CalendarView,
  CalendarYear,
  Location,
  OccurrenceInput,
  OccurrenceView,
} from '../contracts/calendar.ts';
import { scheduleEvents } from '../contracts/calendar.ts';
import type { Draft } from '../contracts/record.ts';
import { GatehouseError } from '../errors.ts';
import type { Once } from '../journal/once.ts';
import { uuidv7 } from '../journal/uuid.ts';
import { chinaDays } from './china.ts';

/** What the calendar needs of the inventory, which owns the site. */
export interface SitePort {
  site(): {
    readonly id: string;
    readonly name: string;
    readonly timeZone: string;
    readonly location?: Location;
    readonly calendar?: readonly CalendarDay[];
  };
}

/** The year as the site has it. @param own days of any year that the site has listed */
export function yearOf(year: number, own: readonly CalendarDay[] = []): CalendarYear {
  const listed = own.filter(({ date }) => date.startsWith(`${year}-`));
  if (listed.length > 0) {
    return { year, source: 'site', days: listed.toSorted((a, b) => a.date.localeCompare(b.date)) };
  }
  const built = chinaDays(year);
  return built ? { year, source: 'built-in', days: built } : { year, source: 'none', days: [] };
}

/** The site's list with one year of it replaced. @throws GatehouseError `inventory.invalid` for days of another year */
export function withYear(own: readonly CalendarDay[], year: number, days: readonly CalendarDay[]): CalendarDay[] {
  const seen = new Set<string>();
  for (const { date } of days) {
    const real = new Date(`${date}T00:00:00Z`);
    if (!date.startsWith(`${year}-`) || Number.isNaN(real.getTime()) || real.toISOString().slice(0, 10) !== date) {
      throw new GatehouseError('inventory.invalid', `${date} is no day of ${year}`);
    }
    if (seen.has(date)) throw new GatehouseError('inventory.invalid', `${date} is listed twice`);
    seen.add(date);
  }
  const others = own.filter(({ date }) => !date.startsWith(`${year}-`));
  return [...others, ...days].toSorted((a, b) => a.date.localeCompare(b.date));
}

export interface Calendar {
  view(from: number, to: number): CalendarView;
  /** On record once per node and time, whatever is asked again: a schedule starts nothing before this has answered. */
  told(occurrence: OccurrenceInput, actor: string): Promise<OccurrenceView>;
}

interface Parts {
  readonly site: SitePort;
  readonly once: Once;
  readonly clock: Clock;
}

export function createCalendar({ site, once, clock }: Parts): Calendar {
  return {
    view(from, to) {
      const { timeZone, location, calendar } = site.site();
      const years = Array.from({ length: to - from + 1 }, (_none, index) => yearOf(from + index, calendar));
      return { timeZone, ...(location ? { location } : {}), years };
    },
    async told({ node, name, due, missed }, actor) {
      const flow = actor.replace(/^flow:/, '');
      const { answer, first } = await once(`schedule ${flow} ${node} ${due}`, () => {
        const id = uuidv7(clock.now());
        const kind = missed ? 'schedule.missed' : 'schedule.due';
        const record: Draft = {
          id,
          lane: missed ? 'L1' : scheduleEvents['schedule.due'].lane,
          kind: 'event',
          scenario: 'gateway',
          device: '',
          name: kind,
          data: { node, flow, due, ...(name === undefined ? {} : { name }) },
          actor,
        };
        return { unit: { records: [record] }, answer: { record: id, missed } };
      });
      return { ...answer, first };
    },
  };
}
