/**
 * Too many alarms at once (ux.md 5). The gateway says when a flood begins and ends; while it lasts, equal alarms of one
 * place are one row. P1 stays by itself, always.
 */
import type { AlarmView, FloodView } from '../../contracts/api.ts';
import type { JournalRecord } from '../../contracts/record.ts';
import { isUnacked } from './alarms.ts';

/** Booths that are flooded now, by id; "" where there is only one. Any of them groups the list. */
export type Flood = ReadonlySet<string>;
export const noFlood: Flood = new Set();

export const floodFrom = ({ booths }: FloodView): Flood =>
  new Set(booths.filter((booth) => booth.flood !== undefined).map((booth) => booth.booth));

/** @returns The same flood when no record is about one. */
export function foldFlood(flood: Flood, records: readonly JournalRecord[]): Flood {
  let next = flood;
  for (const record of records) {
    if (record.kind !== 'event' || record.scenario !== 'gateway') continue;
    const { booth = '' } = record.data as { booth?: string };
    if (record.name === 'flood.began') next = new Set([...next, booth]);
    else if (record.name === 'flood.ended') next = new Set([...next].filter((other) => other !== booth));
  }
  return next;
}

export interface AlarmGroup {
  readonly key: string;
  readonly first: AlarmView;
  readonly rows: readonly AlarmView[];
}
export type Row = AlarmView | AlarmGroup;

export const isGroup = (row: Row): row is AlarmGroup => 'rows' in row;

/** Rows in their order; alarms of one kind and place stand where the first of them stood. One alone stays a row. */
export function grouped(rows: readonly AlarmView[]): Row[] {
  const groups = new Map<string, AlarmView[]>();
  for (const alarm of rows) {
    const key = alarm.priority === 1 ? alarm.id : `${alarm.zone}\n${alarm.scenario}\n${alarm.kind}`;
    const group = groups.get(key);
    if (group) group.push(alarm);
    else groups.set(key, [alarm]);
  }
  return [...groups].flatMap(([key, members]): Row[] => {
    const [first] = members;
    if (!first) return [];
    return members.length === 1 ? [first] : [{ key, first, rows: members }];
  });
}

export const unackedIn = (group: AlarmGroup): number => group.rows.filter(isUnacked).length;
