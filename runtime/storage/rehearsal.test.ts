import { join } from 'node:path';
import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { markRemoved } from '../journal/postings.ts';
import { positionNumber } from '../journal/schema.ts';
import { THIN_TO } from './levels.ts';
import { ENOUGH_ROWS } from './rehearsal.ts';
import { createScan } from './scan.ts';
import { draftOf, laneOfMix, openTestStore, type TestStore } from './storage.fixture.ts';

const MB = 2 ** 20;
const HOUR = 3_600_000;
/** Spreads the lanes evenly over the records. */
const GOLDEN = 0.618_033_988_749_894_9;

async function fill({ journal }: TestStore, rows: number): Promise<number> {
  for (let made = 0; made < rows; made += 2000) {
    await journal.append(
      ...Array.from({ length: 2000 }, (_, n) => ({
        ...draftOf(laneOfMix(((made + n) * GOLDEN) % 1), made + n),
        device: `d${n % 150}`,
      })),
    );
  }
  const { epoch, seq } = journal.head();
  return positionNumber(epoch, seq);
}

test('what removal gives back in memory is what it gives back on the disk', { timeout: 60_000 }, async () => {
  const alsoRemove = (from: number, to: number) => [markRemoved(from, to)];
  await using store = await openTestStore({ lookMs: HOUR, alsoRemove });
  const { journal, storage, clock, world } = store;
  const head = await fill(store, 40_000);
  const db = new Database(join(store.directory, 'gatehouse.db'), { readonly: true });
  const told = createScan(db, THIN_TO).rehearsal(0, head);
  expect(told?.rows).toBeGreaterThan(ENOUGH_ROWS);
  await journal.indexed();
  const sizes = () => {
    const rows = db
      .prepare<[], { name: string; size: number; empty: number }>(
        'SELECT name, sum(pgsize) AS size, sum(unused) AS empty FROM dbstat GROUP BY name',
      )
      .all();
    const { size = 1, empty = 0 } = rows.find(({ name }) => name === 'record') ?? {};
    const beside = rows.filter(({ name }) => /^(record|search)_/.test(name)).reduce((sum, row) => sum + row.size, 0);
    return { full: 1 - empty / size, beside: beside / 40_000 };
  };
  const near = (real: number, reckoned = 0) => expect(Math.abs(reckoned / real - 1)).toBeLessThan(0.1);
  near(sizes().full, told?.packing.whole.full);
  // So full that every reading is thinned, then so full that every one goes; no fact yet.
  for (const [stage, fill] of [
    ['thinned', 0.78],
    ['L3', 0.87],
  ] as const) {
    for (let left = 20; left > 0; left--) {
      world.settings = { ...world.settings, capBytes: Math.floor(journal.space().usedBytes / fill) };
      await clock.advance(HOUR);
      await storage.look();
    }
    await journal.indexed();
    near(sizes().full, told?.packing[stage].full);
    near(sizes().beside, told?.packing[stage].beside);
  }
  expect(storage.view().lanes[3]?.rows).toBeLessThan(500);
  expect(storage.view().lanes[2]?.dropped.space).toBe(0);
  expect(4 * MB).toBeGreaterThan(journal.space().usedBytes);
  db.close();
});

test('too few records say nothing', async () => {
  await using store = await openTestStore();
  const head = await fill(store, 2000);
  expect(createScan(store.journal.db as Database.Database, THIN_TO).rehearsal(0, head)).toBeUndefined();
});
