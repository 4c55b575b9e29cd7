/** The palette's texts in both languages; both files must say the same things. */
import en from '../../nodes/locales/en-US.json' with { type: 'json' };
import zh from '../../nodes/locales/zh-CN.json' with { type: 'json' };
import type { Words } from '../contracts/words.ts';

export const languages = ['zh-CN', 'en-US'] as const;
export type Language = (typeof languages)[number];

export interface Locale {
  readonly language: Language;
  /** Which of a contract's words to take. */
  readonly words: keyof Words;
  readonly texts: typeof zh;
}

/** Fails to compile when a text is missing in English. */
const english: typeof zh = en;

export const localeOf = (language: Language): Locale =>
  language === 'zh-CN' ? { language, words: 'zh', texts: zh } : { language, words: 'en', texts: english };
