import { computed, signal } from '@preact/signals';
import type { AlarmView } from '../../contracts/api.ts';
import { play } from '../sound.ts';
import { session } from '../store.ts';
import { failureWords } from '../words/refusals.ts';
import { t } from '../words/words.ts';

const handlers = ['guard', 'shift-leader', 'admin'];
const leaders = ['shift-leader', 'admin'];

export const mayHandle = computed(() => handlers.includes(session.value?.role ?? ''));
const leads = computed(() => leaders.includes(session.value?.role ?? ''));

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

/** Minutes an alarm may be shelved by this person (ux.md 5); empty: not at all. */
export function shelveMinutes(alarm: AlarmView): readonly number[] {
  if (alarm.priority === 1) return [];
  if (alarm.priority === 2) return leads.value ? [10, 30] : [];
  return [30, 60, 240, 480];
}

/** Why an action is not offered now; undefined: it is. */
export function whyNotNow(alarm: AlarmView, action: AlarmStep): string | undefined {
  if (!mayHandle.value) return t('alarm.why.rights');
  if (alarm.handling === 'closed') return t('alarm.why.closed');
  switch (action) {
    case 'ack':
      return alarm.process === 'ACTIVE_UNACK' || alarm.process === 'RTN_UNACK' ? undefined : t('alarm.why.acked');
    case 'dispatch':
    case 'arrive':
    case 'resolve':
      return alarm.handling === 'waiting' ? t('alarm.why.ack_first') : undefined;
    case 'reset':
      if (!alarm.latching) return t('alarm.why.no_latch');
      if (!leads.value) return t('alarm.why.leader');
      if (alarm.returnedAt === undefined) return t('alarm.why.holds');
      if (alarm.process === 'NORMAL') return t('alarm.why.reset');
      return alarm.process === 'ACTIVE_ACK' ? undefined : t('alarm.why.ack_first');
    case 'shelve':
      if (alarm.priority === 1) return t('alarm.why.p1');
      return shelveMinutes(alarm).length === 0 ? t('alarm.why.leader') : undefined;
  }
}

export const alarmSteps = ['ack', 'dispatch', 'arrive', 'resolve', 'reset', 'shelve'] as const;
export type AlarmStep = (typeof alarmSteps)[number];

/** The step that comes next: drawn solid, so that nobody has to look for it. */
export function nextStep(alarm: AlarmView): AlarmStep | undefined {
  if (whyNotNow(alarm, 'ack') === undefined) return 'ack';
  if (alarm.handling === 'acked') return alarm.priority <= 2 ? 'dispatch' : 'resolve';
  if (alarm.handling === 'dispatched') return 'arrive';
  if (alarm.handling === 'arrived') return 'resolve';
  return whyNotNow(alarm, 'reset') === undefined ? 'reset' : undefined;
}
