/** Gateway time on this screen: the panel's own clock may be wrong, so every beat corrects the difference. */
import { computed, signal } from '@preact/signals';

/** Site time zone of `GET /status`. */
export const siteZone = signal('Asia/Shanghai');
/** Gateway time, ms, moved twice a second. */
export const clock = signal(Date.now());
/** Monotonic time, ms, moved with it. */
export const mono = signal(performance.now());
/** Gateway time in whole seconds: for what shows an age. */
export const second = computed(() => Math.floor(clock.value / 1000) * 1000);

let offset = 0;

/** Gateway time this instant, ms. */
export const gatewayNow = (): number => Date.now() + offset;

/** @param now Gateway time just heard. */
export function correctClock(now: number): void {
  offset = now - Date.now();
}

export function moveClock(): void {
  clock.value = gatewayNow();
  mono.value = performance.now();
}
