/**
 * Too many alarms at once (ux.md 5). The gateway says when a flood begins and ends; while it lasts, equal alarms of one
 * place are one row. P1 stays by itself, always.
 */
import type { AlarmView } from '../../contracts/api.ts';
import type { JournalRecord } from '../../contracts/record.ts';
import { isUnacked } from './alarms.ts';

export interface Flood {
  readonly since: number;
}

/** @returns The same flood when no record is about one. */
export function foldFlood(flood: Flood | undefined, records: readonly JournalRecord[]): Flood | undefined {
  let next = flood;
  for (const record of records) {
    if (record.kind !== 'event' || record.scenario !== 'gateway') continue;
    if (record.name === 'flood.began') next = { since: record.received };
    else if (record.name === 'flood.ended') next = undefined;
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
