import { computed, signal } from '@preact/signals';
import type { AlarmView } from '../../contracts/api.ts';
import { leads } from '../parts/approval.tsx';
import { play } from '../sound.ts';
import { alarmKindOf } from '../state/alarms.ts';
import { session } from '../store.ts';
import { failureWords } from '../words/refusals.ts';
import { t } from '../words/words.ts';

const handlers = ['guard', 'shift-leader', 'admin'];

/** Whoever repairs takes an alarm out of service, under the number of the work order. */
const repairs = computed(() => session.value?.role === 'installer' || session.value?.role === 'admin');
export const mayHandle = computed(() => handlers.includes(session.value?.role ?? ''));

/** Why the last action on an alarm did not work, by alarm. */
export const alarmTrouble = signal<{ readonly alarm: string; readonly text: string } | undefined>(undefined);

/** Shows what went wrong beside the alarm; nothing when it worked. */
export function report(alarm: string, acting: Promise<void>): void {
  alarmTrouble.value = undefined;
  acting.catch((error: unknown) => {
    alarmTrouble.value = { alarm, text: failureWords(error) };
    play('refused');
  });
}

/** Minutes an alarm may be shelved (ux.md 5); empty: not at all. */
export function shelveMinutes(alarm: AlarmView): readonly number[] {
  if (alarm.priority === 1) return [];
  return alarm.priority === 2 ? [10, 20, 30] : [30, 60, 240, 480];
}

/** Steps for which the captain's PIN is asked, whoever is logged in (ux.md 7, last column). */
export function needsApproval(alarm: AlarmView, step: AlarmStep): boolean {
  if (step === 'shelve') return alarm.priority === 2 && alarm.process !== 'SHELVED';
  if (step === 'reset') return !leads(session.value?.role);
  return step === 'clear-false';
}

/** Why an action is not offered now; undefined: it is. */
export function whyNotNow(alarm: AlarmView, action: AlarmStep): string | undefined {
  if (alarm.handling === 'closed') return t('alarm.why.closed');
  if (action === 'out-of-service' || action === 'in-service') return undefined;
  if (!mayHandle.value) return t('alarm.why.rights');
  switch (action) {
    case 'ack':
      return alarm.process === 'ACTIVE_UNACK' || alarm.process === 'RTN_UNACK' ? undefined : t('alarm.why.acked');
    case 'dispatch':
    case 'arrive':
    case 'resolve':
      return alarm.handling === 'waiting' ? t('alarm.why.ack_first') : undefined;
    case 'reset':
      if (!alarm.latching) return t('alarm.why.no_latch');
      if (alarm.returnedAt === undefined) return t('alarm.why.holds');
      if (alarm.process === 'NORMAL') return t('alarm.why.reset');
      return alarm.process === 'ACTIVE_ACK' ? undefined : t('alarm.why.ack_first');
    case 'clear-false':
      if (!isFire(alarm)) return t('alarm.why.not_fire');
      if (alarm.disposition !== 'false') return t('alarm.why.not_false');
      return alarm.returnedAt === undefined ? t('alarm.why.holds') : undefined;
    case 'shelve':
      if (alarm.priority === 1) return t('alarm.why.p1');
      return alarm.process === 'SUPPRESSED' || alarm.process === 'OUT_OF_SERVICE' ? t('alarm.why.aside') : undefined;
  }
}

export const alarmSteps = [
  'ack',
  'dispatch',
  'arrive',
  'resolve',
  'reset',
  'shelve',
  'clear-false',
  'out-of-service',
  'in-service',
] as const;
export type AlarmStep = (typeof alarmSteps)[number];
/** What the buttons of one alarm are: clearing as false is for fire only, resetting for what latches. */
export const stepsOf = (alarm: AlarmView): readonly AlarmStep[] =>
  alarmSteps.filter((step) => {
    if (step === 'out-of-service') return repairs.value && alarm.process !== 'OUT_OF_SERVICE';
    if (step === 'in-service') return repairs.value && alarm.process === 'OUT_OF_SERVICE';
    return step === 'clear-false' ? isFire(alarm) : step !== 'shelve' || !isFire(alarm);
  });

/** A false fire alarm is cleared with reason, second tap and the captain's PIN (SX 7.2.7.3). */
const isFire = (alarm: AlarmView): boolean => alarmKindOf(alarm)?.clearsFalse === true;

/** The step that comes next: drawn solid, so that nobody has to look for it. */
export function nextStep(alarm: AlarmView): AlarmStep | undefined {
  if (whyNotNow(alarm, 'ack') === undefined) return 'ack';
  if (alarm.handling === 'acked') return alarm.priority <= 2 ? 'dispatch' : 'resolve';
  if (alarm.handling === 'dispatched') return 'arrive';
  if (alarm.handling === 'arrived') return 'resolve';
  return whyNotNow(alarm, 'reset') === undefined ? 'reset' : undefined;
}
