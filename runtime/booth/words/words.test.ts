import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { accessReasons } from '../../contracts/api.ts';
import { roles } from '../../contracts/contract.ts';
import { scenarios } from '../../contracts/index.ts';
import { commandStates, kinds } from '../../contracts/record.ts';
import { catalogue } from '../../errors.ts';
import english from '../locales/en-US.json' with { type: 'json' };
import chinese from '../locales/zh-CN.json' with { type: 'json' };
import { letters, provinces } from '../search/plate-characters.ts';
import { speak, t, word } from './words.ts';

const BOOTH = join(import.meta.dirname, '..');
const sources = filesUnder(BOOTH).filter((file) => /\.tsx?$/.test(file) && !file.includes('.test.'));

function filesUnder(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return entry.name === 'dist' ? [] : filesUnder(path);
    return [path];
  });
}

test('both languages have the same keys and the same placeholders, and no text is empty', () => {
  expect(new Set(Object.keys(english))).toEqual(new Set(Object.keys(chinese)));
  const holes = (text: string) => new Set([...text.matchAll(/\{(\w+)\}/g)].map((match) => match[1]));
  for (const [key, text] of Object.entries(chinese)) {
    const other = english[key as keyof typeof english];
    expect(text.trim(), key).not.toBe('');
    expect(other.trim(), key).not.toBe('');
    expect(holes(other), key).toEqual(holes(text));
  }
});

test('no text for people stands in the code', () => {
  for (const file of sources) {
    const code = readFileSync(file, 'utf8').replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '');
    expect(code, file).not.toMatch(/[\u4e00-\u9fff]/);
  }
});

test('every key is used, and every key that is used exists', () => {
  const code = sources.map((file) => readFileSync(file, 'utf8')).join('\n');
  const made = [...code.matchAll(/[`']([a-z]+(?:\.[\w-]+)*\.)\$\{/g)].map((match) => match[1] ?? '');
  for (const key of Object.keys(chinese)) {
    const used = code.includes(`'${key}'`) || made.some((start) => key.startsWith(start));
    expect(used, `${key} is not used`).toBe(true);
  }
});

test('what the contracts and the API can say has words', () => {
  const has = (key: string) => expect(Object.keys(chinese), key).toContain(key);
  for (const role of roles) has(`role.${role}`);
  for (const reason of accessReasons) has(`access.reason.${reason}`);
  for (const state of commandStates) has(`command.state.${state}`);
  for (const kind of kinds) has(`search.kind.${kind}`);
  for (const code of Object.keys(catalogue)) if (/^(alarm|command|auth)\./.test(code)) has(`error.${code}`);
  for (const scenario of scenarios) has(`devices.category.${scenario.category}`);
});

test('errors named in the locale are codes of the catalogue', () => {
  const codes = Object.keys(chinese)
    .filter((key) => key.startsWith('error.') && key !== 'error.no_answer')
    .map((key) => key.slice('error.'.length));
  for (const code of codes) expect(Object.keys(catalogue), code).toContain(code);
});

test('placeholders are filled, unknown codes keep their own words', () => {
  speakWithout('zh-CN');
  expect(t('bar.chip.backlog', { n: 48 })).toBe('待传 48');
  expect(word('error.some.code', 'its own words')).toBe('its own words');
});

test('a plate pad has 31 provinces and no I and O', () => {
  expect(new Set(provinces).size).toBe(31);
  expect(letters).not.toContain('I');
  expect(letters).not.toContain('O');
  expect(letters).toHaveLength(24);
});

/** Outside a browser there is no place to remember the language. */
function speakWithout(language: 'zh-CN' | 'en-US'): void {
  const store = new Map<string, string>();
  Object.assign(globalThis, { localStorage: { setItem: store.set.bind(store), getItem: () => null } });
  speak(language);
}
