/** Every promise of the journal, its cursors, commands and fail-safe outputs is tried by a test that names it. */
import { globSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));
/** R: durability, C: commands, F: fail-safe outputs, B: buffer and lanes, U: uplink, V: supervision, T: clock. */
const families: Readonly<Record<string, number>> = { R: 9, C: 10, F: 8, B: 6, U: 6, V: 8, T: 8 };

const ids = new RegExp(`\\b[${Object.keys(families).join('')}]\\d{1,2}\\b`, 'g');

/** What follows `test(`, `test.each(…)(` or `describe(` as a title, and the list of promises of a fault trial. */
const title =
  /(?:test|describe)(?:\.each\([\s\S]*?\]\s*(?:as const)?\))?\(\s*(['"`])([\s\S]*?)\1|promises: \[([^\]]*)\]/g;

test('every promise has a test with its name', () => {
  const files = globSync(['{runtime,drivers,nodes,test}/**/*.test.ts', 'test/faults/*.ts'], { cwd: root });
  const titles = files.flatMap((file) =>
    [...readFileSync(`${root}/${file}`, 'utf8').matchAll(title)].map(([, , text, list]) => text ?? list ?? ''),
  );
  const named = new Set(titles.flatMap((text) => text.match(ids) ?? []));
  const wanted = Object.entries(families).flatMap(([family, count]) =>
    Array.from({ length: count }, (_, n) => `${family}${n + 1}`),
  );
  expect(wanted.filter((id) => !named.has(id))).toEqual([]);
});
