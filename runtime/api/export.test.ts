import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { systemClock } from '../clock.ts';
import type { JournalRecord } from '../contracts/record.ts';
import { Journal } from '../journal/journal.ts';
import { silentLog } from '../log.ts';
import { createExports } from './export.ts';

const COUNT = 40_000;
let directory: string;
let journal: Journal;
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'gh-export-'));
  journal = await Journal.open({ directory, clock: systemClock, log: silentLog });
  for (let n = 0; n < COUNT; n += 2000) {
    await journal.append(
      ...Array.from({ length: 2000 }, (_, one) => ({
        ...({ lane: 'L1', kind: 'event', scenario: 'vehicle-gate', name: 'plate.read' } as const),
        device: (n + one) % 4000 === 7 ? 'rare' : 'camera',
        data: { plate: `粤B${String(n + one).padStart(5, '0')}`, note: 'x'.repeat(100) },
      })),
    );
  }
}, 60_000);
afterAll(async () => {
  await journal[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true, force: true });
});

const textOf = async (pieces: AsyncIterable<string | Uint8Array>, each: (bytes: number) => void = () => {}) => {
  const found: Buffer[] = [];
  for await (const piece of pieces) {
    each(piece.length);
    found.push(Buffer.from(piece));
  }
  return Buffer.concat(found).toString();
};
const linesOf = (text: string) => text.trimEnd().split('\n');

test('an export has every record of its beginning once, in order, in pieces, and none that came later', async () => {
  const head = journal.head().seq;
  let largest = 0;
  let later: Promise<unknown> | undefined;
  const text = await textOf(createExports(journal).text({}, 'ndjson', 'none'), (bytes) => {
    largest = Math.max(largest, bytes);
    later ??= journal.append({ lane: 'L1', kind: 'event', scenario: 's', device: 'late', name: 'n', data: 1 });
  });
  await later;
  expect(linesOf(text).map((line) => (JSON.parse(line) as JournalRecord).seq)).toEqual(
    Array.from({ length: head }, (_, n) => n + 1),
  );
  expect(largest).toBeLessThan(300_000);
});

test('a search goes out as it is found, with or without the index, masked', async () => {
  const plates = () => textOf(createExports(journal).text({ device: 'rare', text: '粤b' }, 'csv', 'all'));
  const before = await plates();
  expect(before.match(/粤B\*+\d/g)).toHaveLength(COUNT / 4000);
  await journal.indexed();
  expect(await plates()).toBe(before);
});

test('only so many run at once, and one that is given up makes room', async () => {
  const exports = createExports(journal);
  const running = [0, 1, 2].map(() => exports.text({}, 'ndjson', 'none'));
  for (const one of running) await one.next();
  expect(() => exports.check()).toThrow(expect.objectContaining({ code: 'record.exports' }));
  await expect(exports.text({}, 'csv', 'none').next()).rejects.toMatchObject({ code: 'record.exports' });
  await running[0]?.return(undefined);
  exports.check();
  expect(linesOf(await textOf(exports.text({ device: 'rare' }, 'ndjson', 'none')))).toHaveLength(COUNT / 4000);
  for (const one of running) await one.return(undefined);
});
