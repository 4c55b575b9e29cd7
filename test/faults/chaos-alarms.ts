/**
 * What the oracle holds every alarm to: what was so at a device for long enough is an alarm, once, in time, and whatever
 * else happened; what was not so is none (reliability.md R2, ux.md 5).
 */
import type { AlarmView } from '../../runtime/contracts/api.ts';
import { scenarioOf } from '../../runtime/contracts/index.ts';
import type { AlarmChange, JournalRecord } from '../../runtime/contracts/record.ts';
import { AFTERWARDS_MS, clearFrom, disturbed, type Evidence, type Occurrence } from './chaos-log.ts';
import { hold } from './trial.ts';

const EARLY_MS = 60;
/** Reading, committing, and the alarm committed on top, on a busy machine. */
const PLAIN_MS = 3000;
/** A calm of so long is read, at five readings a second. */
const SEEN_MS = 1000;
/** The last reading that said so may be on its way to the disk. */
const TRAILING_MS = 2000;
/** As the site says of priority 1. */
export const ESCALATES_MS = 10_000;
const RAISES: readonly AlarmChange['change'][] = ['raised', 'repeated'];

export interface AlarmTally {
  readonly occurrences: number;
  readonly raised: number;
  /** From the moment it was acknowledged, or so at the device, to the record, ms; only where nothing was wrong. */
  readonly waits: readonly number[];
}

type Change = { readonly at: number; readonly change: AlarmChange['change']; readonly record: JournalRecord };

const changesOf = ({ records, whenOf }: Evidence): Map<string, Change[]> =>
  Map.groupBy(
    records
      .filter(({ kind }) => kind === 'alarm')
      .map((record) => ({ at: whenOf(record), change: (record.data as AlarmChange).change, record })),
    ({ record }) => `${record.device} ${record.name}`,
  );

/** @throws Broken for an alarm that is missing, doubled, false, late or does not end */
export function checkAlarms(evidence: Evidence): AlarmTally {
  const changes = changesOf(evidence);
  const waits: number[] = [];
  let raised = 0;
  for (const [key, occurrences] of Map.groupBy(evidence.log.occurrences, ({ device, alarm }) => `${device} ${alarm}`)) {
    const own = changes.get(key) ?? [];
    const raises = own.filter(({ change }) => RAISES.includes(change));
    const byOccurrence = new Map<Occurrence, Change[]>();
    for (const raise of raises) {
      const last = occurrences.findLast(({ on }) => on - EARLY_MS <= raise.at);
      hold('R2', last !== undefined, () => `${key} was raised ${whenText(raise)} and had never been so`);
      byOccurrence.set(last, [...(byOccurrence.get(last) ?? []), raise]);
    }
    for (const [index, occurrence] of occurrences.entries()) {
      const found = byOccurrence.get(occurrence) ?? [];
      hold('R2', found.length <= 1, () => `${key} was raised ${found.length} times for one time it was so`);
      const [raise] = found;
      const before = occurrences[index - 1];
      // The end of the one before may not have been seen: then it is still that alarm.
      const isNews = occurrence.acked !== undefined || !before || wasSeen(evidence, before, occurrence);
      const due = isNews && !chattersAt(own, occurrence.on) ? dueAt(evidence, occurrence) : undefined;
      const lasted = Math.round(occurrence.off - occurrence.on);
      hold(
        'R2',
        raise !== undefined || due === undefined,
        () => `${key} was so for ${lasted} ms and never became an alarm`,
      );
      if (!raise) continue;
      raised++;
      checkTime(evidence, key, occurrence, raise, due);
      if (due !== undefined && !disturbed(evidence, occurrence.on - AFTERWARDS_MS, raise.at, occurrence.device))
        waits.push(raise.at - occurrence.on);
      const ended = own.some(
        ({ at, change }) => change === 'returned' && at >= raise.at && at >= occurrence.off - EARLY_MS,
      );
      const isOver = occurrence.off !== Number.POSITIVE_INFINITY && !chattersAt(own, Number.POSITIVE_INFINITY);
      hold('R2', ended || !isOver, () => `${key} is over and still told`);
    }
  }
  checkFirst(evidence);
  return { occurrences: evidence.log.occurrences.length, raised, waits };
}

/** What comes and goes too often is one alarm until it has stayed away for a while (ISA-18.2). */
const chattersAt = (changes: readonly Change[], at: number): boolean =>
  (changes.findLast((change) => change.at <= at)?.record.data as Partial<AlarmView> | undefined)?.chatter !== undefined;

const whenText = ({ record }: Change): string => `at ${record.epoch}:${record.seq}`;

/** When at the latest it had to be an alarm. @returns undefined: it may have gone unnoticed */
function dueAt(evidence: Evidence, { device, alarm, on, off, acked }: Occurrence): number | undefined {
  const forMs = scenarioOf(scenarioOfAlarm(evidence, device, alarm))?.alarms[alarm]?.when?.forMs ?? 0;
  // The message that says so is durable: nothing that happens later takes it away.
  if (acked !== undefined) return clearFrom(evidence, acked, device, PLAIN_MS + forMs) ?? Number.POSITIVE_INFINITY;
  const due = clearFrom(evidence, on, device, PLAIN_MS + forMs);
  return due !== undefined && due <= off ? due : undefined;
}

/** Whether what was so in between can have been read. */
const wasSeen = (evidence: Evidence, { off }: Occurrence, { on, device }: Occurrence): boolean =>
  (clearFrom(evidence, off, device, SEEN_MS) ?? Number.POSITIVE_INFINITY) <= on;

function scenarioOfAlarm({ records }: Evidence, device: string, alarm: string): string {
  return records.find((record) => record.device === device && record.name === alarm)?.scenario ?? '';
}

function checkTime(
  evidence: Evidence,
  key: string,
  { device, off, acked }: Occurrence,
  raise: Change,
  due: number | undefined,
) {
  const late = due === undefined ? 0 : raise.at - due;
  hold('R2', late <= 0, () => `${key} became an alarm ${Math.round(late)} ms later than it had to`);
  if (acked !== undefined || raise.at <= off + TRAILING_MS) return;
  const excused = disturbed(evidence, off - AFTERWARDS_MS, raise.at, device);
  hold('R2', excused, () => `${key} was raised ${Math.round(raise.at - off)} ms after it was over`);
}

/**
 * Whoever does not answer is not waited for: while an alarm of priority 1 waits, the next one is told in time. Only the
 * time counts that the gateway runs.
 * @returns how often the next one was told
 */
export function checkEscalation(evidence: Evidence): number {
  const { records, whenOf, quietAt } = evidence;
  const byAlarm = Map.groupBy(
    records.filter(({ kind, data }) => kind === 'alarm' && (data as AlarmChange).priority === 1),
    ({ data }) => (data as AlarmChange).alarm,
  );
  const down = evidence.disturbances.filter(({ device, kind }) => device === undefined && !kind.startsWith('disk'));
  const runs = (from: number, to: number) =>
    down.reduce((sum, one) => sum - Math.max(0, Math.min(one.to, to) - Math.max(one.from, from)), to - from);
  let told = 0;
  for (const changes of byAlarm.values()) {
    let since: number | undefined;
    let isTold = false;
    for (const [index, record] of changes.entries()) {
      const { change, handling } = record.data as AlarmChange;
      const at = whenOf(record);
      if (change === 'escalated') {
        told++;
        const early = since === undefined || isTold ? 0 : ESCALATES_MS - (at - since);
        hold('R2', early <= EARLY_MS, () => `${record.name} was told further ${Math.round(early)} ms too early`);
        isTold = true;
      } else if (handling !== 'waiting') {
        since = undefined;
        isTold = false;
      } else if (RAISES.includes(change)) since ??= at; // what comes again unanswered has waited since it first came
      if (since === undefined || isTold) continue;
      const next = changes[index + 1];
      const until = Math.min(next ? whenOf(next) : quietAt, quietAt);
      const late = runs(since, until) - ESCALATES_MS - PLAIN_MS;
      const excused = disturbed(evidence, since + ESCALATES_MS - AFTERWARDS_MS, until);
      hold(
        'R2',
        late <= 0 || excused,
        () =>
          `nobody answered ${record.name} of ${record.device}, and ${Math.round(late)} ms after its time nobody else was told`,
      );
    }
  }
  return told;
}

/** Nothing of priority 1 is ever put aside. */
function checkFirst({ records }: Evidence): void {
  for (const { kind, data, device, name } of records) {
    if (kind !== 'alarm') continue;
    const { priority, process } = data as AlarmChange;
    const aside = priority === 1 && (process === 'SHELVED' || process === 'SUPPRESSED');
    hold('R2', !aside, `${name} of ${device} has priority 1 and was ${process}`);
  }
}

/** The list of open alarms is what the records say is open, after all that happened to the gateway. */
export function checkStanding({ records }: Evidence, open: readonly AlarmView[]): void {
  const last = new Map<string, AlarmView>();
  for (const { kind, data } of records) {
    if (kind !== 'alarm') continue;
    const view = data as AlarmView & { readonly alarm: string };
    last.set(view.alarm, view);
  }
  const listed = new Map(open.map((view) => [view.id, view]));
  for (const [id, view] of last) {
    const told = listed.get(id);
    const named = `${view.kind} of ${view.device} (${id})`;
    hold(
      'R2',
      (view.handling !== 'closed') === (told !== undefined),
      `${named} is ${view.handling} and ${told ? '' : 'not '}in the list`,
    );
    hold(
      'R2',
      told === undefined || told.process === view.process,
      `${named} is ${view.process} and listed as ${told?.process}`,
    );
  }
  for (const { id, kind } of open) hold('R2', last.has(id), `${kind} (${id}) is in the list and in no record`);
}
