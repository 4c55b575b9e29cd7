/** The last things that happened in the lanes, newest first: what the booth shows while nothing is wrong. */
import { finalStates, type JournalRecord } from '../../contracts/record.ts';

const KEPT = 30;

/** @returns The same list when nothing in `records` belongs on it. */
export function foldActivity(
  list: readonly JournalRecord[],
  records: readonly JournalRecord[],
): readonly JournalRecord[] {
  const fresh = records.filter(isActivity);
  return fresh.length === 0 ? list : [...fresh.reverse(), ...list].slice(0, KEPT);
}

function isActivity(record: JournalRecord): boolean {
  if (record.scenario !== 'vehicle-gate') return false;
  if (record.kind === 'event') return record.name === 'passage' || record.name === 'vehicle.unrecognised';
  if (record.kind !== 'command' || !(record.actor ?? '').startsWith('user:')) return false;
  const { state } = record.data as { state?: string };
  return finalStates.some((final) => final === state);
}
