/** Today in three numbers, and how many alarms came in the last ten minutes (ux.md 5, budget 10). */
import type { JournalRecord } from '../../contracts/record.ts';
import { changeOf } from './alarms.ts';

export interface Figures {
  /** Site day the numbers belong to, `2026-08-01`. */
  readonly day: string;
  readonly passages: number;
  /** Openings a person ordered, by command: a command has several records. */
  readonly manual: ReadonlyMap<string, Opening>;
  /** Commands of which the reason is known. */
  readonly reasoned: ReadonlySet<string>;
  readonly alarms: number;
  /** When alarms were raised, gateway time, newest last; only the last ten minutes. */
  readonly raised: readonly number[];
}

export interface Opening {
  readonly device: string;
  readonly at: number;
  readonly actor: string;
}

export const RATE_WINDOW_MS = 600_000;
export const RATE_LIMIT = 10;

/** Numbers counted from the journal and numbers heard since: the same day only. */
export function merged(a: Figures, b: Figures): Figures {
  if (a.day !== b.day) return a.day > b.day ? a : b;
  return {
    day: a.day,
    passages: a.passages + b.passages,
    manual: new Map([...a.manual, ...b.manual]),
    reasoned: new Set([...a.reasoned, ...b.reasoned]),
    alarms: a.alarms + b.alarms,
    raised: [...a.raised, ...b.raised].sort((x, y) => x - y),
  };
}

export const noFigures = (day: string): Figures => ({
  day,
  passages: 0,
  manual: new Map(),
  reasoned: new Set(),
  alarms: 0,
  raised: [],
});

/** Openings of today nobody has named a reason for, newest first: they go into the shift report. */
export const unreasoned = (figures: Figures): (Opening & { readonly command: string })[] =>
  [...figures.manual]
    .filter(([command]) => !figures.reasoned.has(command))
    .map(([command, opening]) => ({ command, ...opening }))
    .sort((a, b) => b.at - a.at);

/**
 * @param dayOf Site day of a gateway time, `YYYY-MM-DD`.
 * @returns The same figures when nothing counts.
 */
export function foldFigures(
  figures: Figures,
  records: readonly JournalRecord[],
  dayOf: (ms: number) => string,
): Figures {
  let next = figures;
  for (const record of records) {
    if (!counts(record)) continue;
    const day = dayOf(record.received);
    if (day < next.day) continue;
    if (day > next.day) next = { ...noFigures(day), raised: next.raised };
    next = counted(next, record);
  }
  return next;
}

const counts = (record: JournalRecord): boolean =>
  (record.kind === 'event' && record.name === 'passage') ||
  (record.kind === 'alarm' && changeOf(record.data) === 'raised') ||
  isManualOpening(record) ||
  reasonedBy(record) !== undefined;

/** The command whose reason a record tells: named with it, or afterwards. */
function reasonedBy(record: JournalRecord): string | undefined {
  const named = record.kind === 'state' && record.name === 'command.reason';
  if (!named && record.kind !== 'command') return undefined;
  const { command, reason } = record.data as { command?: unknown; reason?: unknown };
  return typeof command === 'string' && typeof reason === 'string' ? command : undefined;
}

function counted(figures: Figures, record: JournalRecord): Figures {
  if (record.kind === 'event') return { ...figures, passages: figures.passages + 1 };
  if (record.kind === 'alarm') {
    const raised = [...figures.raised, record.received].filter((at) => at > record.received - RATE_WINDOW_MS);
    return { ...figures, alarms: figures.alarms + 1, raised };
  }
  const told = reasonedBy(record);
  const reasoned = told === undefined ? figures.reasoned : new Set([...figures.reasoned, told]);
  const { command } = record.data as { command?: string };
  if (!isManualOpening(record) || command === undefined || figures.manual.has(command)) return { ...figures, reasoned };
  const opening = { device: record.device, at: record.received, actor: record.actor ?? '' };
  return { ...figures, reasoned, manual: new Map([...figures.manual, [command, opening]]) };
}

/** A person's `open` that was really given to the device. */
export function isManualOpening(record: JournalRecord): boolean {
  if (record.kind !== 'command' || (record.name !== 'open' && record.name !== 'lockOpen')) return false;
  const { state } = record.data as { state?: string };
  return state === 'executing' && (record.actor ?? '').startsWith('user:');
}

/** Alarms raised in the ten minutes before `now`. */
export const alarmRate = (figures: Figures, now: number): number =>
  figures.raised.filter((at) => at > now - RATE_WINDOW_MS).length;

/** True when the numbers are of a day that is over: they have to be counted anew. */
export const isYesterday = (figures: Figures, today: string): boolean => figures.day < today;
