import { signal } from '@preact/signals';
import type { Words } from '../../contracts/words.ts';
import english from '../locales/en-US.json' with { type: 'json' };
import chinese from '../locales/zh-CN.json' with { type: 'json' };
import { remember, remembered } from './memory.ts';

export type Language = 'zh-CN' | 'en-US';
export type Key = keyof typeof chinese;

const texts: Record<Language, Record<Key, string>> = { 'zh-CN': chinese, 'en-US': english };

export const language = signal<Language>(remembered('language') === 'en-US' ? 'en-US' : 'zh-CN');

export function speak(to: Language): void {
  language.value = to;
  remember('language', to);
}

/** A text of the booth in the language chosen; `{name}` is replaced by `values.name`. */
export function t(key: Key, values: Readonly<Record<string, string | number>> = {}): string {
  return texts[language.value][key].replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole));
}

/** For keys made from codes of the API; `otherwise` when this booth has no word for the code. */
export const word = (key: string, otherwise: string): string => (key in chinese ? t(key as Key) : otherwise);

/** Words of a contract. */
export const say = (words: Words): string => (language.value === 'zh-CN' ? words.zh : words.en);
