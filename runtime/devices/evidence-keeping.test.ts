import { existsSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type ManualClock, manualClock } from '../../test/manual-clock.ts';
import type { Draft, JournalRecord } from '../contracts/record.ts';
import { silentLog } from '../log.ts';
import { type Evidence, openEvidence } from './evidence.ts';
import { hashesIn, keepEvidence } from './evidence-keeping.ts';

const DAY_MS = 86_400_000;
let directory: string;
let evidence: Evidence;
let clock: ManualClock;
let records: Draft[];
const world = { days: 183, bytes: 1 << 30, quality: 'synced' as JournalRecord['clock'], inUse: new Set<string>() };

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'gh-evidence-'));
  evidence = openEvidence(directory);
  clock = manualClock();
  records = [];
  Object.assign(world, { days: 183, bytes: 1 << 30, quality: 'synced', inUse: new Set() });
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** A picture of a kilobyte that came so many days ago. */
async function picture(daysAgo: number, n = 0): Promise<string> {
  const { hash, kept } = evidence.keep(Buffer.alloc(1024, `${daysAgo} ${n} `));
  await kept;
  const at = new Date(clock.now() - daysAgo * DAY_MS);
  utimesSync(evidence.pathOf(hash) ?? '', at, at);
  return hash;
}
async function look(): Promise<void> {
  const keeping = keepEvidence({
    directory,
    clock,
    log: silentLog,
    settings: () => world,
    clockQuality: () => world.quality,
    inUse: () => world.inUse,
    record: async (draft) => records.push(draft),
  });
  await keeping.look();
  await keeping.stop();
}
const isThere = (hash: string) => evidence.pathOf(hash) !== undefined;

test('B3 pictures stay as long as facts; then they go, on record, and never what an open alarm is about', async () => {
  const [old, asked, young] = [await picture(184), await picture(184, 1), await picture(182)];
  world.inUse = new Set([asked]);
  const unfinished = join(directory, old.slice(0, 2), 'half.jpg.new');
  writeFileSync(unfinished, 'half');
  utimesSync(unfinished, new Date(0), new Date(clock.now() - DAY_MS));
  await look();
  expect([old, asked, young].map(isThere)).toEqual([false, true, true]);
  expect(existsSync(unfinished)).toBe(false);
  expect(records).toMatchObject([
    { name: 'evidence.removed', data: { files: 1, bytes: 1024, reason: 'retention' }, actor: 'system:storage' },
  ]);
});

test('T5 nothing goes by age while the clock is not trusted, and two days at most at once', async () => {
  const hashes = [await picture(190), await picture(189), await picture(187)];
  world.quality = 'unsynced';
  await look();
  expect(hashes.map(isThere)).toEqual([true, true, true]);
  world.quality = 'synced';
  await look();
  expect(hashes.map(isThere)).toEqual([false, false, true]);
  await look();
  expect(hashes.map(isThere)).toEqual([false, false, false]);
});

test('B3 in too little room the oldest go first, whatever the clock says; what has just come stays', async () => {
  const hashes = [await picture(3), await picture(2), await picture(1), await picture(0)];
  world.bytes = 2500;
  world.quality = 'unsynced';
  await look();
  expect(hashes.map(isThere)).toEqual([false, false, true, true]);
  expect(records).toMatchObject([{ data: { files: 2, reason: 'space' } }]);
  world.bytes = 100;
  await look();
  expect(hashes.map(isThere)).toEqual([false, false, false, true]);
});

test('a picture that is named again stays as long as the record that names it', async () => {
  const hash = await picture(300);
  await evidence.keep(Buffer.alloc(1024, '300 0 ')).kept;
  await look();
  expect(isThere(hash)).toBe(true);
});

test('hashes are found wherever they stand', () => {
  const [one, two] = ['a'.repeat(64), '0'.repeat(64)];
  expect(hashesIn({ pictures: [{ hash: one }], text: `see ${two}`, no: 'b'.repeat(63) })).toEqual([one, two]);
  expect(hashesIn(undefined)).toEqual([]);
});
