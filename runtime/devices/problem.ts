/** What is wrong with an entry of the inventory: found as data, told in words, thrown as one error. */
import type { Words } from '../contracts/words.ts';
import { type ErrorCode, GatehouseError } from '../errors.ts';
import { orWords, type ProblemWords, problemWords, typeWords } from './problem.words.ts';

export type EntryKind = 'site' | 'zone' | 'device' | 'person' | 'vehicle' | 'credential';
export type What = keyof typeof problemWords;

export interface Problem {
  readonly what: What;
  readonly code: ErrorCode;
  readonly kind: EntryKind;
  readonly id: string;
  /** Place of the entry in a change of many. */
  readonly index?: number;
  /** Keys from the entry down to the bad value, e.g. `['address', 'port']`; for an unknown key it ends with that key. */
  readonly path: readonly (string | number)[];
  /** Fills the words; `type` holds type names separated by `|`. */
  readonly fill: Readonly<Record<string, string>>;
}

const SHOWN = 60;

/** A value as it may stand in a message: short, on one line, without control characters; of a group only that it is one. */
export function shown(value: unknown): string {
  const group = Array.isArray(value) ? '[…]' : '{…}';
  const text = typeof value === 'object' && value !== null ? group : String(value);
  const cut = text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text;
  return cut.toWellFormed().replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '�');
}

export const fillIn = (template: string, fill: Readonly<Record<string, string>>): string =>
  template.replace(/\{(\w+)\}/g, (whole, key: string) => fill[key] ?? whole);

/** What is wrong and what to do, in both languages. */
export interface Told {
  readonly what: Words;
  readonly remedy: Words;
}

export const explain = ({ what, fill }: Pick<Problem, 'what' | 'fill'>): Told => explainWith(problemWords[what], fill);

export function explainWith(words: ProblemWords, fill: Readonly<Record<string, string>>): Told {
  const types = (fill.type ?? '').split('|');
  const inLanguage = (language: keyof Words) => {
    const type = types.map((name) => typeWords[name]?.[language] ?? name).join(orWords[language]);
    return (text: Words) => fillIn(text[language], { ...fill, type });
  };
  const zh = inLanguage('zh');
  const en = inLanguage('en');
  return {
    what: { zh: zh(words.what), en: en(words.what) },
    remedy: { zh: zh(words.remedy), en: en(words.remedy) },
  };
}

/** `address.port`, `cameras[2]` */
export const pathText = (path: readonly (string | number)[]): string =>
  path.reduce<string>((text, key) => (typeof key === 'number' ? `${text}[${key}]` : text ? `${text}.${key}` : key), '');

/**
 * One error for all problems of a change; its code is that of the first. `detail.problems` has each in both languages.
 */
export function problemError(problems: readonly Problem[]): GatehouseError {
  const told = problems.slice(0, 100).map((problem) => {
    const { what, remedy } = explain(problem);
    return { kind: problem.kind, id: shown(problem.id), path: pathText(problem.path), what, remedy };
  });
  const message = told
    .slice(0, 5)
    .map(({ kind, id, path, what }) => `${kind} ${id}${path ? ` ${path}` : ''}: ${what.en}`)
    .join('; ');
  return new GatehouseError(problems[0]?.code ?? 'inventory.invalid', message, { detail: { problems: told } });
}
