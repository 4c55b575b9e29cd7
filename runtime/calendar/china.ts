/**
 * Public holidays and make-up workdays of mainland China, as the General Office of the State Council announces them each
 * autumn for the year that follows. Only announced years are here; a later one comes from the site (calendar.ts).
 */
import type { CalendarDay } from '../contracts/calendar.ts';

interface Holiday {
  readonly name: string;
  /** First and last day off, `MM-DD`. */
  readonly off: readonly [from: string, to: string];
  /** Weekend days worked instead. */
  readonly worked?: readonly string[];
}

interface Announced {
  /** The notice it is copied from. */
  readonly notice: string;
  readonly holidays: readonly Holiday[];
}

export const announced: Readonly<Record<number, Announced>> = {
  2025: {
    notice: '国办发明电〔2024〕12号 国务院办公厅关于2025年部分节假日安排的通知',
    holidays: [
      { name: '元旦', off: ['01-01', '01-01'] },
      { name: '春节', off: ['01-28', '02-04'], worked: ['01-26', '02-08'] },
      { name: '清明节', off: ['04-04', '04-06'] },
      { name: '劳动节', off: ['05-01', '05-05'], worked: ['04-27'] },
      { name: '端午节', off: ['05-31', '06-02'] },
      { name: '国庆节、中秋节', off: ['10-01', '10-08'], worked: ['09-28', '10-11'] },
    ],
  },
  2026: {
    notice: '国办发明电〔2025〕7号 国务院办公厅关于2026年部分节假日安排的通知（2025年11月4日）',
    holidays: [
      { name: '元旦', off: ['01-01', '01-03'], worked: ['01-04'] },
      { name: '春节', off: ['02-15', '02-23'], worked: ['02-14', '02-28'] },
      { name: '清明节', off: ['04-04', '04-06'] },
      { name: '劳动节', off: ['05-01', '05-05'], worked: ['05-09'] },
      { name: '端午节', off: ['06-19', '06-21'] },
      { name: '中秋节', off: ['09-25', '09-27'] },
      { name: '国庆节', off: ['10-01', '10-07'], worked: ['09-20', '10-10'] },
    ],
  },
};

const DAY_MS = 86_400_000;

/** @returns undefined for a year that is not announced here */
export function chinaDays(year: number): CalendarDay[] | undefined {
  const days = announced[year]?.holidays.flatMap(({ name, off: [from, to], worked = [] }) => {
    const [first, last] = [Date.parse(`${year}-${from}T00:00:00Z`), Date.parse(`${year}-${to}T00:00:00Z`)];
    const count = (last - first) / DAY_MS + 1;
    return [
      ...Array.from({ length: count }, (_none, index) => ({
        date: new Date(first + index * DAY_MS).toISOString().slice(0, 10),
        off: true,
        name,
      })),
      ...worked.map((day) => ({ date: `${year}-${day}`, off: false, name })),
    ];
  });
  return days?.toSorted((a, b) => a.date.localeCompare(b.date));
}
