/** What is removed at which fill, as data and pure functions (reliability.md B1). */
import type { Lane } from '../contracts/record.ts';

/** Begins at `from`, ends comfortably below it: a level is not crossed to and fro by every record. */
export interface Step {
  readonly what: 'L4' | 'thin' | 'L3' | 'rollup' | 'L2' | 'L1';
  readonly from: number;
  readonly until: number;
}

const BELOW = 0.02;
const step = (what: Step['what'], from: number): Step => ({ what, from, until: from - BELOW });

/** In the order in which things go; what comes later goes only where what comes before has gone. */
export const steps: readonly Step[] = [
  step('L4', 0.7),
  step('thin', 0.75),
  step('L3', 0.8),
  step('rollup', 0.85),
  step('L2', 0.9),
  step('L1', 0.95),
];

/** Of each point one reading in so many is kept. */
export const THIN_TO = 10;

/** Hourly figures of so many hours stay; where facts would go next, fewer. */
export const KEPT_ROLLUP_HOURS = { usually: 30 * 24, atLeast: 24 };

/** Where removal cannot keep up, input is refused; it is taken again below the second number. */
const REFUSE = { from: 0.97, until: 0.96 };
const REFUSE_TRACES = { from: 0.7, until: 0.68 };

/** Fill at which the alarm is raised, and grows worse. It ends below where removal does, or it would come and go with it. */
const ALARMS = [0.8, 0.9, 0.95] as const;
const ALARM_BELOW = 0.05;
export type AlarmLevel = 0 | 1 | 2 | 3;

const held = (fill: number, held: boolean, { from, until }: { from: number; until: number }) =>
  held ? fill >= until : fill >= from;

/** The lanes to refuse now. @param before those refused until now */
export function refusedAt(fill: number, before: ReadonlySet<Lane>): ReadonlySet<Lane> {
  const refused: Lane[] = held(fill, before.has('L4'), REFUSE_TRACES) ? ['L4'] : [];
  if (held(fill, before.has('L1'), REFUSE)) refused.push('L3', 'L2', 'L1');
  return new Set(refused);
}

/** 0: no alarm; 1 to 3: 80, 90, 95 % full. @param before the level until now */
export function alarmAt(fill: number, before: AlarmLevel): AlarmLevel {
  let level: AlarmLevel = 0;
  for (const [index, from] of ALARMS.entries()) {
    const next = (index + 1) as AlarmLevel;
    if (held(fill, before >= next, { from, until: from - ALARM_BELOW })) level = next;
  }
  return level;
}

/** The removals due at this fill, in order. @param running what is being removed already */
export const dueAt = (fill: number, running: ReadonlySet<Step['what']>): readonly Step[] =>
  steps.filter((one) => held(fill, running.has(one.what), one));

export interface Measured {
  readonly usedBytes: number;
  readonly capBytes: number;
  /** Inside the database file and free. */
  readonly freeBytes: number;
  /** Free on the partition for us. */
  readonly diskFreeBytes: number;
}

/** Kept free on the partition for the WAL and the files of others. */
export const DISK_MARGIN_BYTES = 32 << 20;

/** What the database may grow to: the cap, or what the partition really has room for. */
export const roomBytes = ({ usedBytes, capBytes, freeBytes, diskFreeBytes }: Measured): number =>
  Math.max(1, Math.min(capBytes, usedBytes + Math.max(0, freeBytes + diskFreeBytes - DISK_MARGIN_BYTES)));

/** The worse of both: against the cap, and against what the partition has (B1). */
export const fillOf = (measured: Measured): number => measured.usedBytes / roomBytes(measured);

const FEWEST_ROWS = 50;
const ENOUGH_ROWS = 5000;
const ROOM_PER_ROW = 32_000;
/** So few rows are not worth a gap record of their own: a small disk has to do with smaller stretches. */
export const leastRows = (room: number): number =>
  Math.min(ENOUGH_ROWS, Math.max(FEWEST_ROWS, Math.floor(room / ROOM_PER_ROW)));
