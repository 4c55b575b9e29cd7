import { computed, effect, signal } from '@preact/signals';
import { clock, siteZone } from './clock.ts';
import { forget, remember, remembered } from './words/memory.ts';
import { hourIn } from './words/time.ts';

export type Theme = 'day' | 'night';

/** A choice by hand lasts half an hour, then the hour decides again: a dark panel at noon is a forgotten one. */
const BY_HAND_MS = 30 * 60_000;
const DAY_FROM = 6;
const DAY_TO = 18;

interface Choice {
  readonly theme: Theme;
  readonly until: number;
}

const choice = signal<Choice | undefined>(stored());

function stored(): Choice | undefined {
  const [theme, until] = (remembered('theme') ?? '').split(' ');
  return theme === 'day' || theme === 'night' ? { theme, until: Number(until) } : undefined;
}

/** What was chosen by hand and still holds; undefined: automatic. */
export const chosenTheme = computed(() => {
  const made = choice.value;
  return made && clock.value < made.until ? made.theme : undefined;
});
export const theme = computed<Theme>(() => chosenTheme.value ?? themeAt(hourIn(siteZone.value, clock.value)));

export const themeAt = (hour: number): Theme => (hour >= DAY_FROM && hour < DAY_TO ? 'day' : 'night');

export function chooseTheme(to: Theme | 'auto'): void {
  if (to === 'auto') {
    choice.value = undefined;
    forget('theme');
    return;
  }
  choice.value = { theme: to, until: clock.value + BY_HAND_MS };
  remember('theme', `${to} ${choice.value.until}`);
}

/** Keeps `data-theme` of the page in step. */
export const wearTheme = (): (() => void) =>
  effect(() => {
    document.documentElement.dataset.theme = theme.value;
  });
