import { computed, signal } from '@preact/signals';
import { mono } from './clock.ts';
import { hush, play } from './sound.ts';
import { hasSounders, SILENCE_LOST_MS, SILENCE_MS, silence, soundDue, soundingFrom } from './state/sounds.ts';
import { alarms, isFlood, lost } from './store.ts';

const sounding = signal(soundingFrom(alarms.peek()));

/** Milliseconds 静音 still lasts; 0: nothing is silenced. */
export const silentFor = computed(() => Math.max(0, sounding.value.silentUntil - mono.value));
/** True while an unanswered P1 or P2 is there. */
export const canSilence = computed(() => hasSounders(alarms.value));

export function seedSounds(): void {
  sounding.value = soundingFrom(alarms.peek());
}

export function tickSounds(): void {
  const { sounding: next, play: due } = soundDue(sounding.peek(), alarms.peek(), performance.now(), isFlood.peek());
  if (next !== sounding.peek()) sounding.value = next;
  if (due) play(due);
}

export function silenceAlarms(): void {
  hush();
  const ms = lost.peek() ? SILENCE_LOST_MS : SILENCE_MS;
  sounding.value = silence(sounding.peek(), alarms.peek(), performance.now(), ms);
}
