import { signal } from '@preact/signals';
import type { AlarmFilter } from '../state/alarms.ts';

/** Which rows the alarm list shows; the counts in the bar set it too. */
export const alarmFilter = signal<AlarmFilter>('all');
