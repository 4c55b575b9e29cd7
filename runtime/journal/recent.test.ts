import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemClock } from '../clock.ts';
import type { Draft } from '../contracts/record.ts';
import { silentLog } from '../log.ts';
import { Journal, type RecordQuery } from './journal.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'gh-recent-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));
const open = () => Journal.open({ directory, clock: systemClock, log: silentLog });

const draft = (n: number): Draft => ({
  lane: n % 3 === 0 ? 'L3' : 'L1',
  kind: n % 3 === 0 ? 'telemetry' : 'event',
  scenario: n % 2 === 0 ? 'vehicle-gate' : 'smoke-alarm',
  device: `device-${n % 5}`,
  name: 'something',
  data: n % 3 === 0 ? n : { n, gone: undefined, 名: '粤B' },
});
const gap = (to: number): Draft => ({
  lane: 'L0',
  kind: 'gap',
  scenario: 'gateway',
  device: '',
  name: 'buffer.gap',
  data: { lane: 'L3', epoch: 1, from: 1, to, count: 1 },
});

const from = { epoch: 1, seq: 40 };
const queries: RecordQuery[] = [
  {},
  { limit: 1000 },
  { after: { epoch: 0, seq: 0 }, limit: 20 },
  { after: from, limit: 7 },
  { after: from, before: { epoch: 1, seq: 60 } },
  { after: { epoch: 1, seq: 9_999 } },
  { order: 'desc', limit: 20 },
  { order: 'desc', limit: 20, before: { epoch: 1, seq: 30 } },
  { order: 'desc', before: { epoch: 3, seq: 1 }, limit: 3 },
  { order: 'desc', after: from, lane: ['L1'] },
  { order: 'desc', kind: ['event'], device: 'device-2', limit: 5 },
  { after: from, scenario: 'smoke-alarm', name: 'something', kind: ['telemetry', 'event'] },
  { after: from, kind: [] },
  { order: 'desc', from: 0, to: Date.now() + 3_600_000, limit: 4 },
  { order: 'desc', from: Date.now() + 3_600_000, after: from },
  { text: '粤B', order: 'desc', limit: 3 },
];

test('what memory answers is what the disk would say, whatever is asked', async () => {
  const told = await (async () => {
    await using journal = await open();
    for (let n = 0; n < 100; n++) await journal.append(draft(n));
    return queries.map((query) => journal.read(query));
  })();
  await using journal = await open(); // knows none of them by heart
  expect(told).toEqual(queries.map((query) => journal.read(query)));
});

test('records that are removed are no longer told from memory', async () => {
  await using journal = await open();
  await journal.append(...Array.from({ length: 50 }, (_, n) => draft(n)));
  await journal.commit({
    records: [gap(20)],
    writes: [{ sql: 'DELETE FROM record WHERE pos % (1 << 40) <= 20 AND lane = ?', params: [3] }],
  });
  const seqs = journal.read({ order: 'desc', limit: 500 }).items.map(({ seq }) => seq);
  expect(seqs.filter((seq) => seq <= 20).length).toBeLessThan(20);
  expect(seqs).toEqual(
    journal
      .read({ limit: 500 })
      .items.map(({ seq }) => seq)
      .toReversed(),
  );
  expect(seqs[0]).toBe(52);
});

test('many more than memory holds: the older ones come from the disk, without a seam', async () => {
  await using journal = await open();
  for (let n = 0; n < 7; n++) await journal.append(...Array.from({ length: 1000 }, (_, one) => draft(one)));
  const seqs: number[] = [];
  for (let after = { epoch: 0, seq: 0 }; ; ) {
    const { items, next } = journal.read({ after, limit: 500 });
    seqs.push(...items.map(({ seq }) => seq));
    if (!next) break;
    after = { epoch: 1, seq: seqs.at(-1) ?? 0 };
  }
  expect(seqs).toEqual(Array.from({ length: 7001 }, (_, n) => n + 1));
});
