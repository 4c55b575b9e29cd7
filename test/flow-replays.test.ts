/** Every saved replay of the reference flows, played again: one flow process with all of them, each in its turn. */
import { globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, expect, test } from 'vitest';
import { systemClock } from '../runtime/clock.ts';
import { type FixtureResult, readFixture, runFixtures } from '../runtime/replay/fixtures.ts';
import type { FlowEntry } from '../runtime/replay/isolate.ts';

const root = fileURLToPath(new URL('../flows', import.meta.url));
const files = globSync('*/*.test/*.json', { cwd: root }).toSorted((a, b) => a.localeCompare(b));
const flowOf = (file: string) => `${dirname(file).slice(0, -'.test'.length)}.json`;
const results = new Map<string, FixtureResult>();

beforeAll(async () => {
  const flows = [...new Set(files.map(flowOf))].flatMap(
    (file) => JSON.parse(readFileSync(join(root, file), 'utf8')) as FlowEntry[],
  );
  const fixtures = files.map((file) => readFixture(join(root, file)));
  for (const [index, result] of (await runFixtures(flows, fixtures, systemClock)).entries()) {
    results.set(files[index] ?? '', result);
  }
});

test.each(files)('%s: the flow would do what is expected, and nothing else', (file) => {
  const result = results.get(file);
  expect(result?.would).toEqual(result?.expected);
});

test('every reference flow that acts has one', () => {
  const acting = globSync('*/*.json', { cwd: root }).filter((file) =>
    /"type": "gh-(?!records|query|schedule)/.test(readFileSync(join(root, file), 'utf8')),
  );
  expect(acting.length).toBeGreaterThan(0);
  expect(acting.filter((file) => !files.some((one) => flowOf(one) === file))).toEqual([]);
});
