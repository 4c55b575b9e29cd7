/** What a search asks the journal, and which of its answers are rows. Pure. */
import { finalStates, type JournalRecord } from '../../contracts/record.ts';
import { changeOf } from '../state/alarms.ts';

export const presets = ['passages', 'alarms', 'commands', 'manual', 'vehicles', 'all'] as const;
export type Preset = (typeof presets)[number];
export const ranges = ['today', 'hour', 'yesterday', 'week'] as const;
export type Range = (typeof ranges)[number];

export interface Search {
  readonly preset: Preset;
  readonly range: Range;
  /** Part of a plate, at least two characters to count. */
  readonly plate: string;
  /** Zone id; empty: everywhere. */
  readonly zone: string;
}

export const firstSearch: Search = { preset: 'passages', range: 'today', plate: '', zone: '' };

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

const filters: Readonly<Record<Preset, Readonly<Record<string, string>>>> = {
  passages: { kind: 'event', name: 'passage' },
  alarms: { kind: 'alarm' },
  commands: { kind: 'command' },
  manual: { kind: 'command', name: 'open' },
  vehicles: { kind: 'event', scenario: 'vehicle-gate' },
  all: { kind: 'event,alarm,command,state' },
};

/**
 * @param midnight Of the site's today, ms UTC.
 * @param now ms UTC.
 */
export function queryOf(search: Search, midnight: number, now: number): URLSearchParams {
  const query = new URLSearchParams(filters[search.preset]);
  const [from, to] = {
    today: [midnight, undefined],
    hour: [now - HOUR_MS, undefined],
    yesterday: [midnight - DAY_MS, midnight - 1],
    week: [midnight - 6 * DAY_MS, undefined],
  }[search.range] as [number, number | undefined];
  query.set('from', String(from));
  if (to !== undefined) query.set('to', String(to));
  if (search.plate.length > 0) query.set('text', search.plate);
  return query;
}

/** One row per passage, alarm or command: its last word, not every step on the way. */
export function isRow(search: Search, record: JournalRecord, zoneOf: (device: string) => string | undefined): boolean {
  if (search.zone !== '' && zoneOf(record.device) !== search.zone) return false;
  if (record.kind === 'command') {
    const { state } = record.data as { state?: string };
    if (!finalStates.some((final) => final === state)) return false;
    return search.preset !== 'manual' || record.actor?.startsWith('user:') === true;
  }
  if (record.kind === 'alarm' && search.preset === 'alarms') return changeOf(record.data) === 'raised';
  return true;
}

/** The same search without one of its filters, to say which of them hides everything. */
export function relaxed(search: Search): { filter: 'plate' | 'zone' | 'range'; search: Search }[] {
  return [
    ...(search.plate === '' ? [] : [{ filter: 'plate' as const, search: { ...search, plate: '' } }]),
    ...(search.zone === '' ? [] : [{ filter: 'zone' as const, search: { ...search, zone: '' } }]),
    ...(search.range === 'week' ? [] : [{ filter: 'range' as const, search: { ...search, range: 'week' as const } }]),
  ];
}
