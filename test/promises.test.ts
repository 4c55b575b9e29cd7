/** Every promise of the journal and its cursors is tried by a test that names it. */
import { globSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));
/** R: durability, B: buffer and lanes, U: uplink, T: clock. */
const families: Readonly<Record<string, number>> = { R: 9, B: 6, U: 6, T: 8 };

/** What follows `test(`, `test.each(…)(` or `describe(` as a title, and the list of promises of a fault trial. */
const title =
  /(?:test|describe)(?:\.each\([\s\S]*?\]\s*(?:as const)?\))?\(\s*(['"`])([\s\S]*?)\1|promises: \[([^\]]*)\]/g;

test('every promise has a test with its name', () => {
  const files = globSync(['{runtime,drivers,nodes,test}/**/*.test.ts', 'test/faults/*.ts'], { cwd: root });
  const titles = files.flatMap((file) =>
    [...readFileSync(`${root}/${file}`, 'utf8').matchAll(title)].map(([, , text, list]) => text ?? list ?? ''),
  );
  const named = new Set(titles.flatMap((text) => [...text.matchAll(/\b[RBUT]\d\b/g)].map(([id]) => id)));
  const wanted = Object.entries(families).flatMap(([family, count]) =>
    Array.from({ length: count }, (_, n) => `${family}${n + 1}`),
  );
  expect(wanted.filter((id) => !named.has(id))).toEqual([]);
});
