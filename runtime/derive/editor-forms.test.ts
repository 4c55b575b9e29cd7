/** The palette as derived: current, complete in both languages, readable, and what the contracts say. */
import { execFile } from 'node:child_process';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import en from '../../nodes/locales/en-US.json' with { type: 'json' };
import zh from '../../nodes/locales/zh-CN.json' with { type: 'json' };
import { scenarios } from '../contracts/index.ts';
import { derivedFolder, deriveEditorForms } from './editor-forms.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const files = deriveEditorForms();
const text = (path: string): string => files.get(path) ?? `no ${path}`;
const core = ['gh-records', 'gh-access', 'gh-alarm', 'gh-query', 'gh-schedule', 'gh-notice', 'gh-workorder'];
const types = [...scenarios.map(({ id }) => `gh-${id}`), ...core];

/** What a page hands to the browser half. */
const callOf = (type: string): Record<string, unknown> =>
  JSON.parse(/GatehouseNodes\.\w+\((.*)\);/s.exec(text(`${type}.html`))?.[1] ?? 'null');

/** Every text by its path. */
function leaves(value: unknown, path = ''): [string, string][] {
  if (typeof value === 'string') return [[path, value]];
  return Object.entries(value as object).flatMap(([key, inner]) => leaves(inner, path === '' ? key : `${path}.${key}`));
}

test('the committed copy is what the contracts say now: run node runtime/derive/editor-forms.ts', () => {
  const committed = globSync('**/*', { cwd: derivedFolder, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(derivedFolder.length + 1));
  expect(new Set(committed)).toEqual(new Set(files.keys()));
  for (const [path, derived] of files) {
    expect(readFileSync(join(derivedFolder, path), 'utf8') === derived, path).toBe(true);
  }
});

test('both languages say the same things, and no text is empty', () => {
  const [chinese, english] = [leaves(zh), leaves(en)];
  const shape = (all: [string, string][]) =>
    all.map(([path]) => path.replace(/\.\d+$/, '')).filter((path, i, paths) => paths[i - 1] !== path);
  expect(shape(english)).toEqual(shape(chinese));
  const gaps = (value: string) => (value.match(/__\w+?__|\{\w+\}/g) ?? []).toSorted();
  const other = new Map(english);
  for (const [path, value] of chinese) {
    if (other.has(path)) expect(gaps(other.get(path) ?? ''), path).toEqual(gaps(value));
  }
  // Blank lines separate paragraphs of the help.
  expect([...chinese, ...english].filter(([path, value]) => value === '' && !path.includes('.output.'))).toEqual([]);
});

test('there is a node type per scenario and the core nodes, each in an example', () => {
  const { 'node-red': red } = JSON.parse(text('package.json')) as {
    'node-red': { version: string; nodes: Record<string, string> };
  };
  expect(Object.keys(red.nodes)).toEqual(types);
  expect(red.version).toBe('>=5.0.0');
  const examples = [...files].filter(([path]) => path.startsWith('examples/')).map(([, content]) => content);
  const shown = new Set(
    examples.flatMap((content) => (JSON.parse(content) as { type: string }[]).map(({ type }) => type)),
  );
  expect(types.filter((type) => !shown.has(type))).toEqual([]);
});

describe.each(types)('%s', (type) => {
  test('has help in both languages with every section', () => {
    for (const [language, locale] of [
      ['zh-CN', zh],
      ['en-US', en],
    ] as const) {
      const help = text(`locales/${language}/${type}.html`);
      const titles = [...help.matchAll(/^### (.*)$/gm)].map(([, title]) => title);
      expect(titles).toEqual(Object.values(locale.help.section));
      const [, summary] = help.split('\n');
      expect(summary?.length).toBeGreaterThan(5);
      for (const section of help.split(/^### .*$/m).slice(1))
        expect(section.replace('</script>', '').trim()).not.toBe('');
      expect(help).not.toMatch(/\{\w+\}|__\w+__|undefined/);
    }
  });

  test('has a name for every field, option and port of its form', () => {
    const used = [...text(`${type}.html`).matchAll(/data-i18n="(?:\[\w+\])?([\w.]+)"/g)].map(([, key]) => key ?? '');
    expect(used.length).toBeGreaterThan(1);
    for (const language of ['zh-CN', 'en-US']) {
      const catalog = new Map(leaves(JSON.parse(text(`locales/${language}/${type}.json`))));
      expect(used.filter((key) => !catalog.has(key))).toEqual([]);
      expect(catalog.get('label')).toBeTruthy();
      expect(catalog.get(`palette.label.${callOf(type).category}`)).toBeTruthy();
    }
  });

  test('has a colour on which the text can be read', () => {
    const channel = (hex: string) => {
      const value = Number.parseInt(hex, 16) / 255;
      return value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
    };
    const luminance = (colour: string) => {
      const [r = 0, g = 0, b = 0] = (colour.match(/[0-9a-f]{2}/gi) ?? []).map(channel);
      return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const contrast = (luminance(String(callOf(type).color)) + 0.05) / (luminance('#333333') + 0.05);
    expect(contrast).toBeGreaterThanOrEqual(4.8);
  });
});

test('a scenario node offers what its contract has: records to tick, and the commands flows may send', () => {
  for (const scenario of scenarios) {
    const call = callOf(`gh-${scenario.id}`) as {
      commands: { id: string }[];
      groups: { kind: string; items: { id: string }[] }[];
    };
    const ids = (kind: string) => call.groups.find((group) => group.kind === kind)?.items.map(({ id }) => id) ?? [];
    expect(ids('event')).toEqual(Object.keys(scenario.events));
    expect(ids('telemetry')).toEqual(Object.keys(scenario.telemetry));
    expect(ids('alarm')).toEqual(Object.keys(scenario.alarms));
    const allowed = Object.entries(scenario.commands).filter(([, { allow }]) => allow.includes('flow'));
    expect(call.commands.map(({ id }) => id)).toEqual(allowed.map(([id]) => id));
  }
});

test('the browser half has the types it says', { timeout: 120_000 }, async () => {
  const run = promisify(execFile);
  const { stdout } = await run(join(root, 'node_modules/.bin/tsc'), ['-p', 'nodes/editor'], { cwd: root });
  expect(stdout).toBe('');
});
