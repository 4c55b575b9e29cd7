/** What an alarm is called, where it is, and how it stands, in words. */
import type { AlarmView } from '../../contracts/api.ts';
import { alarmKindOf, processOf } from '../state/alarms.ts';
import { deviceName, zoneName } from '../store.ts';
import { actorWords } from '../words/actors.ts';
import { say, t } from '../words/words.ts';

export function alarmTitle(alarm: AlarmView): string {
  const kind = alarmKindOf(alarm);
  return kind ? say(kind.words) : alarm.kind;
}

export function alarmPlace(alarm: AlarmView): string {
  const device = alarm.device === '' ? t('bar.chip.gateway') : deviceName(alarm.device);
  const place = alarm.place ?? (alarm.zone === '' ? undefined : zoneName(alarm.zone));
  return place === undefined ? device : t('common.pair', { a: device, b: place });
}

/** What people do about it, and who. */
export function handlingWords(alarm: AlarmView): string {
  if (alarm.handling === 'waiting') return t('alarm.handling.waiting');
  const done = t(`alarm.handling.${alarm.handling}`);
  const who = actorWords(alarm.ackedBy);
  return who === '' ? done : t('common.pair', { a: done, b: who });
}

/** What the condition itself does. */
export const processWords = (alarm: AlarmView): string => t(`alarm.process.${processOf(alarm)}`);
