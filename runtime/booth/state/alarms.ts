import type { AlarmView } from '../../contracts/api.ts';
import { scenarioOf } from '../../contracts/index.ts';
import { type JournalRecord, type Position, parsePosition } from '../../contracts/record.ts';

/** Open alarms by id; `missed` are those raised while this screen had lost the gateway (断线期间). */
export interface AlarmBook {
  readonly open: ReadonlyMap<string, AlarmView>;
  readonly missed: ReadonlySet<string>;
  /** Records up to here are already in the snapshot. */
  readonly position: Position;
}

/** Gateway time, ms, in which this screen heard nothing. */
export interface Gap {
  readonly from: number;
  readonly to: number;
}

/** Lists of what is set aside, and why it is. */
export const asides = ['shelved', 'suppressed', 'out-of-service'] as const;
export type Aside = (typeof asides)[number];

export type AlarmFilter = 'all' | 'security' | 'device' | 'mine' | 'undisposed' | Aside | 1 | 2 | 3 | 4;

export const noAlarms: AlarmBook = { open: new Map(), missed: new Set(), position: { epoch: 0, seq: 0 } };

/** @param position The `position` of `GET /alarms`, `epoch:seq`. */
export const alarmsFrom = (items: readonly AlarmView[], position: string): AlarmBook => ({
  open: new Map(items.filter(isOpen).map((alarm) => [alarm.id, alarm])),
  missed: new Set(),
  position: parsePosition(position) ?? noAlarms.position,
});

/** @returns The same book when nothing in `records` concerns alarms. */
export function foldAlarms(book: AlarmBook, records: readonly JournalRecord[], gap?: Gap): AlarmBook {
  let open: Map<string, AlarmView> | undefined;
  let missed: Set<string> | undefined;
  for (const record of records) {
    if (record.kind !== 'alarm' || !isAfter(record, book.position)) continue;
    const alarm = alarmOf(record.data);
    if (!alarm) continue;
    open ??= new Map(book.open);
    if (isOpen(alarm)) open.set(alarm.id, alarm);
    else open.delete(alarm.id);
    const change = changeOf(record.data);
    if (
      (change === 'raised' || change === 'repeated') &&
      gap &&
      record.received > gap.from &&
      record.received <= gap.to
    ) {
      missed ??= new Set(book.missed);
      missed.add(alarm.id);
    }
  }
  if (!open) return book;
  return { open, missed: missed ?? book.missed, position: book.position };
}

export const isAfter = (record: Position, position: Position): boolean =>
  record.epoch > position.epoch || (record.epoch === position.epoch && record.seq > position.seq);

/** Open: still there, or gone but not yet dealt with. */
export const isOpen = (alarm: AlarmView): boolean => alarm.process !== 'NORMAL' || alarm.handling !== 'closed';

/** Alarms that wait for an answer now and did not before: new ones, and answered ones that came again. */
export const risen = (before: AlarmBook, after: AlarmBook): AlarmView[] =>
  [...after.open.values()].filter((alarm) => {
    const was = before.open.get(alarm.id);
    return isUnacked(alarm) && !(was && isUnacked(was));
  });

export const isUnacked = (alarm: AlarmView): boolean =>
  alarm.process === 'ACTIVE_UNACK' || alarm.process === 'RTN_UNACK';

/** Shelved, suppressed or out of service: out of the list, one tap away. */
export const isAside = (alarm: AlarmView): boolean => asideOf(alarm) !== undefined;

const asideOf = (alarm: AlarmView): Aside | undefined =>
  asides.find((aside) => aside === alarm.process.toLowerCase().replaceAll('_', '-'));

/** How many are set aside, by why. */
export function asideCounts(book: AlarmBook): Readonly<Record<Aside, number>> {
  const counts = { shelved: 0, suppressed: 0, 'out-of-service': 0 };
  for (const alarm of book.open.values()) {
    const aside = asideOf(alarm);
    if (aside) counts[aside] += 1;
  }
  return counts;
}

/** P1 and P2 answered and not yet disposed of: to be done before the shift ends (ux.md 5). */
export const isUndisposed = (alarm: AlarmView): boolean =>
  alarm.priority <= 2 && alarm.disposition === undefined && !isUnacked(alarm) && !isAside(alarm);

/** What the condition does now, as people see it. */
export type ProcessWord = 'active' | 'returned' | 'latched' | Aside;
export const processOf = (alarm: AlarmView): ProcessWord => {
  const aside = asideOf(alarm);
  if (aside) return aside;
  if (alarm.returnedAt === undefined) return alarm.process === 'NORMAL' ? 'returned' : 'active';
  return alarm.latching && alarm.process !== 'NORMAL' ? 'latched' : 'returned';
};

/** Alarms about equipment rather than people: what the 设备 filter shows. */
export const isAboutDevice = (alarm: AlarmView): boolean =>
  alarm.scenario === 'gateway' || /^(offline|battery|lowVoltage)$|Fault$/.test(alarm.kind);

/** Rows of the list: highest priority first, unanswered before answered, newest first. */
export function alarmRows(book: AlarmBook, filter: AlarmFilter, me: string): AlarmView[] {
  return [...book.open.values()].filter((alarm) => passes(alarm, filter, me)).sort(inListOrder);
}

const inListOrder = (a: AlarmView, b: AlarmView): number =>
  a.priority - b.priority || Number(isUnacked(b)) - Number(isUnacked(a)) || b.raisedAt - a.raisedAt;

function passes(alarm: AlarmView, filter: AlarmFilter, me: string): boolean {
  const aside = asideOf(alarm);
  if (aside !== undefined) return filter === aside;
  if (filter === 'undisposed') return isUndisposed(alarm);
  if (typeof filter === 'number') return alarm.priority === filter;
  if (filter === 'security') return !isAboutDevice(alarm);
  if (filter === 'device') return isAboutDevice(alarm);
  return filter === 'all' || (filter === 'mine' && (alarm.ackedBy === me || alarm.ackedBy === `user:${me}`));
}

/** How many rows each priority has, P1 to P4, and whether one of them waits for an answer. */
export function alarmCounts(book: AlarmBook): readonly { count: number; unacked: boolean }[] {
  const counts = [1, 2, 3, 4].map(() => ({ count: 0, unacked: false }));
  for (const alarm of book.open.values()) {
    const entry = counts[alarm.priority - 1];
    if (!entry || isAside(alarm)) continue;
    entry.count += 1;
    entry.unacked ||= isUnacked(alarm);
  }
  return counts;
}

/** The view a record of kind alarm carries; undefined for one this booth cannot read. */
export function alarmOf(data: unknown): AlarmView | undefined {
  if (typeof data !== 'object' || data === null || !('id' in data) || !('process' in data)) return undefined;
  return data as AlarmView;
}

export const changeOf = (data: unknown): string | undefined =>
  typeof data === 'object' && data !== null && 'change' in data && typeof data.change === 'string'
    ? data.change
    : undefined;

/** Words, cause hint and steps of an alarm by its contract; undefined for a kind this booth does not know. */
export const alarmKindOf = (alarm: { readonly scenario: string; readonly kind: string }) =>
  scenarioOf(alarm.scenario)?.alarms[alarm.kind];
