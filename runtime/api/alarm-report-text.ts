/** Alarm statistics as a sheet: one figure a line, each saying what it is a figure of. */
import type { AlarmStatistics } from '../contracts/alarm-statistics.ts';
import { csvField } from './export-text.ts';

/** Excel takes a file for UTF-8 only with it. */
const BOM = '\uFEFF';
const HEAD = ['section', 'of', 'figure', 'value'];
/** Moments, which people read as such. */
const MOMENTS = /(^|\.)(from|to|since|until)$/;
/** What names a line of a list, in this order. */
const NAMES = ['booth', 'operator', 'priority', 'level', 'device', 'scenario', 'kind', 'zone', 'alarm'];

export function statisticsCsv(statistics: AlarmStatistics): string {
  const rows = Object.entries(statistics).flatMap(([section, value]) => linesOf(section, value));
  return `${BOM}${[HEAD, ...rows].map((row) => row.map(csvField).join(',')).join('\r\n')}\r\n`;
}

const shown = (figure: string, value: unknown): string =>
  MOMENTS.test(figure) && typeof value === 'number' ? new Date(value).toISOString() : String(value);

function linesOf(section: string, value: unknown): string[][] {
  if (Array.isArray(value)) return value.flatMap((item: object) => figuresOf(section, item));
  if (typeof value === 'object' && value !== null) return figuresOf(section, value);
  return [[section, '', '', shown(section, value)]];
}

function figuresOf(section: string, item: object): string[][] {
  const entries = Object.entries(item);
  const of = entries
    .filter(([key]) => NAMES.includes(key))
    .map(([, value]) => String(value))
    .join(' ');
  return entries
    .filter(([key]) => !NAMES.includes(key))
    .flatMap(([key, value]) =>
      typeof value === 'object' && value !== null
        ? Object.entries(value).map(([part, inner]) => [section, of, `${key}.${part}`, shown(part, inner)])
        : [[section, of, key, shown(key, value)]],
    );
}
