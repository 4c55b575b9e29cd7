import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, test } from 'vitest';
import { type Draft, type Lane, lanes } from '../contracts/record.ts';
import { GatehouseError } from '../errors.ts';
import type { Journal } from '../journal/journal.ts';
import { positionNumber } from '../journal/schema.ts';
import { rowBytesOf } from './measure.ts';
import { draftOf, faultsOf, laneOfMix, openTestStore } from './storage.fixture.ts';

const MB = 2 ** 20;
const MINUTE = 60_000;
const many = (lane: Lane, count: number, from = 0): Draft[] =>
  Array.from({ length: count }, (_, n) => draftOf(lane, from + n));

/** Remembers the lane of every record from now on. */
function watchLanes(journal: Journal): (seq: number) => Lane | undefined {
  const known: Lane[] = [];
  journal.onCommit((records) => {
    for (const { seq, lane } of records) known[seq] = lane;
  });
  return (seq) => known[seq];
}
const gapsOf = (journal: Journal) =>
  journal.db
    .prepare<[], string>("SELECT data FROM record WHERE name = 'buffer.gap' ORDER BY pos")
    .pluck()
    .all()
    .map((data) => JSON.parse(data) as { lane: Lane; count: number; reason: string; undelivered?: object });

describe('a small disk', () => {
  test('B1 R5 lanes go in the stated order, gap records count exactly what went, L0 stays', {
    timeout: 120_000,
  }, async () => {
    await using store = await openTestStore({ capBytes: 4 * MB });
    const { journal, storage, clock } = store;
    const laneAt = watchLanes(journal);
    const first: string[] = [];
    let seed = 7;
    let urgent = 0;
    for (let round = 0; round < 300 && !first.includes('L1 space'); round++) {
      const drafts = Array.from({ length: 400 }, (_, n) => {
        seed = (seed * 48271) % 2147483647;
        const share = seed / 2147483647;
        const lane = share < 0.4 ? 'L3' : share < 0.65 ? 'L2' : share < 0.95 ? 'L1' : 'L0';
        if (lane === 'L0') urgent++;
        return draftOf(lane, round * 400 + n);
      });
      await journal.append(...drafts);
      await clock.advance(MINUTE);
      await storage.look();
      for (const { lane, reason } of gapsOf(journal)) {
        if (!first.includes(`${lane} ${reason}`)) first.push(`${lane} ${reason}`);
      }
      expect(storage.view().fill).toBeLessThan(0.97);
    }
    expect(first).toEqual(['L3 thinned', 'L3 space', 'L2 space', 'L1 space']);
    expect(faultsOf(journal.db, journal.epoch, laneAt)).toEqual([]);
    expect(journal.db.prepare('SELECT count(*) FROM record WHERE lane = 0 AND kind = 2').pluck().get()).toBe(urgent);
    expect(statSync(join(store.directory, 'gatehouse.db')).size).toBeLessThanOrEqual(4 * MB);
    const { dropped } = storage.view().lanes[1] ?? {};
    const told = gapsOf(journal).filter(({ lane }) => lane === 'L1');
    expect(dropped?.space).toBe(told.reduce((sum, { count }) => sum + count, 0));
    expect(store.alarms.map(({ level }) => level)).toEqual([1, 2, 3]);
  });

  test('B1 the hourly figures go, down to the last day, before a fact does', { timeout: 60_000 }, async () => {
    await using store = await openTestStore({ capBytes: MB, lookMs: 60 * MINUTE });
    const { journal, storage, clock } = store;
    const oldest = journal.db.prepare<[], number>('SELECT min(hour) FROM rollup').pluck();
    const facts = () => gapsOf(journal).filter(({ lane }) => lane === 'L2');
    let before = 0;
    for (let hour = 0; facts().length === 0 && hour < 200; hour++) {
      before = oldest.get() ?? 0;
      await journal.append(
        ...Array.from({ length: 100 }, (_, n) => ({ ...draftOf('L3', n), device: `d${n}` })),
        ...many('L2', 60),
      );
      await clock.advance(60 * MINUTE);
      await storage.look();
    }
    expect(facts().length).toBeGreaterThan(0);
    expect(before).toBeLessThan(oldest.get() ?? 0);
    expect(oldest.get()).toBeGreaterThanOrEqual(Math.floor(clock.now() / (60 * MINUTE)) - 24);
  });

  test('R5 of each point every tenth reading stays, oldest first', { timeout: 60_000 }, async () => {
    await using store = await openTestStore({ capBytes: 2 * MB });
    const { journal, storage, clock } = store;
    for (let round = 0; !gapsOf(journal).length && round < 60; round++) {
      await journal.append(
        ...Array.from({ length: 300 }, (_, n) => ({
          ...draftOf('L3', 0),
          device: `d${n % 3}`,
          data: round * 100 + ((n / 3) | 0),
        })),
      );
      await clock.advance(MINUTE);
      await storage.look();
    }
    const [gap] = gapsOf(journal);
    expect(gap).toMatchObject({ lane: 'L3', reason: 'thinned' });
    const kept = journal.db
      .prepare<[], number>("SELECT CAST(data AS INTEGER) FROM record WHERE device = 'd1' ORDER BY pos LIMIT 20")
      .pluck()
      .all();
    expect(kept).toEqual(Array.from({ length: 20 }, (_, n) => n * 10));
    expect(faultsOf(journal.db, journal.epoch)).toEqual([]);
  });

  test('B6 a target away: backlog, oldest age, and what was dropped before it had it', {
    timeout: 60_000,
  }, async () => {
    await using store = await openTestStore({ capBytes: 2 * MB });
    const { journal, storage, clock, world } = store;
    world.targets = [
      { id: 'city', lanes: ['L0', 'L1', 'L2', 'L3'] },
      { id: 'police', lanes: ['L0', 'L1'] },
    ];
    const start = clock.now();
    const reading = (n: number) => ({ ...draftOf('L3', n), device: 'station' });
    const readings = (count: number) => Array.from({ length: count }, (_, n) => reading(n));
    await journal.append(...many('L1', 5), ...readings(400));
    await journal.commit({
      writes: [
        { sql: 'INSERT INTO cursor VALUES (?, ?)', params: ['uplink:city:urgent', positionNumber(1, 4)] },
        { sql: 'INSERT INTO cursor VALUES (?, ?)', params: ['uplink:city:bulk', positionNumber(1, 106)] },
      ],
    });
    await storage.look();
    expect(storage.view().targets).toEqual([
      { id: 'city', lane: 'L0', backlog: 0, dropped: 0 },
      { id: 'police', lane: 'L0', backlog: 1, oldestAt: start, dropped: 0 }, // the record of the first epoch
      { id: 'city', lane: 'L1', backlog: 2, oldestAt: start, dropped: 0 },
      { id: 'police', lane: 'L1', backlog: 5, oldestAt: start, dropped: 0 },
      { id: 'city', lane: 'L2', backlog: 0, dropped: 0 },
      { id: 'city', lane: 'L3', backlog: 300, oldestAt: start, dropped: 0 },
    ]);
    for (let round = 0; !gapsOf(journal).length && round < 60; round++) {
      await journal.append(...readings(500));
      await clock.advance(MINUTE);
      await storage.look();
    }
    const [gap] = gapsOf(journal);
    const lane = storage.view().targets.find((target) => target.id === 'city' && target.lane === 'L3');
    expect(lane?.dropped).toBeGreaterThan(0);
    const gone = gapsOf(journal).reduce((sum, { count }) => sum + count, 0);
    // One hundred were delivered; of those nine in ten went as well.
    expect(lane?.dropped).toBeLessThan(gone);
    expect(gap?.undelivered).toHaveProperty('city');
    expect(gap?.undelivered).not.toHaveProperty('police');
    expect(lane?.backlog).toBe(
      journal.db
        .prepare<[number], number>('SELECT count(*) FROM record WHERE lane = 3 AND pos > ?')
        .pluck()
        .get(positionNumber(1, 106)),
    );
  });
});

describe('a full disk', () => {
  test('B2 the ballast is really there, goes when the disk is full, and comes again with the room', async () => {
    await using store = await openTestStore({ ballastBytes: 3 * MB });
    const { storage, world } = store;
    const ballast = join(store.directory, 'ballast');
    await storage.look();
    expect(statSync(ballast).blocks * 512).toBeGreaterThanOrEqual(3 * MB);
    expect(new Set(readFileSync(ballast).subarray(0, 4096)).size).toBeGreaterThan(100);
    world.diskFreeBytes = 33 * MB;
    storage.onFull();
    expect(existsSync(ballast)).toBe(false);
    await storage.look();
    expect(storage.view().ballast).toBe(false);
    world.diskFreeBytes = 1000 * MB;
    await storage.look();
    expect(storage.view().ballast).toBe(true);
  });

  test('B2 without any room all but L0 is refused with 507, and taken again when there is room', async () => {
    await using store = await openTestStore();
    const { journal, storage, world } = store;
    await journal.append(...many('L1', 10));
    world.diskFreeBytes = 0;
    await storage.look();
    expect(storage.view()).toMatchObject({ fill: 1 });
    expect(store.alarms).toMatchObject([{ kind: 'storageFull', level: 3 }]);
    for (const lane of ['L1', 'L2', 'L3', 'L4'] as const) {
      await expect(journal.append(draftOf(lane, 1))).rejects.toMatchObject({ code: 'journal.full', status: 507 });
    }
    await journal.append(draftOf('L0', 1));
    world.diskFreeBytes = 1000 * MB;
    await storage.look();
    await journal.append(draftOf('L3', 1));
    expect(store.alarms.map(({ level }) => level)).toEqual([3, 0]);
  });

  test('B1 B2 the writer keeps to the cap; beyond it only urgent records, on the room of the ballast', {
    timeout: 60_000,
  }, async () => {
    await using store = await openTestStore({ capBytes: 1 * MB, ballastBytes: 1 * MB });
    const { journal, storage } = store;
    await storage.look();
    const large: Draft = { ...draftOf('L0', 1), data: 'x'.repeat(100_000) };
    // Faster than anything can be removed: nothing but L0, which never is.
    for (let n = 0; n < 15; n++) await journal.append(large);
    expect(existsSync(join(store.directory, 'ballast'))).toBe(false);
    await expect(journal.append({ ...large, lane: 'L1', data: 'x'.repeat(2_000_000) })).rejects.toMatchObject({
      code: 'journal.full',
    });
    await journal.append(draftOf('L0', 2));
  });
});

describe('removal', () => {
  test('B4 in batches of at most 500 rows, while urgent records pass', { timeout: 60_000 }, async () => {
    await using store = await openTestStore({ capBytes: 8 * MB });
    const { journal, storage, clock } = store;
    const sizes: number[] = [];
    const commit = journal.commit.bind(journal);
    journal.commit = (unit) => {
      for (const { sql, params } of unit.writes ?? []) {
        if (sql.startsWith('DELETE FROM record')) sizes.push((JSON.parse(String(params[0])) as number[]).length);
      }
      return commit(unit);
    };
    for (let round = 0; round < 20; round++) {
      await journal.append(...many('L3', 2000, round * 2000));
      await clock.advance(MINUTE);
    }
    const waits: number[] = [];
    const removing = storage.look();
    for (let round = 20; round < 60; round++) {
      const began = performance.now();
      await journal.append(draftOf('L0', round));
      waits.push(performance.now() - began);
      // Where the disk is busy elsewhere, removal may fall so far behind that readings are refused.
      await journal.append(...many('L3', 500, round * 2000)).catch((error: unknown) => {
        if (!(error instanceof GatehouseError && error.code === 'journal.full')) throw error;
      });
    }
    await removing;
    expect(sizes.length).toBeGreaterThan(4);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(500);
    expect(waits.sort((a, b) => a - b)[Math.floor(waits.length * 0.99)]).toBeLessThan(1000);
    expect(faultsOf(journal.db, journal.epoch)).toEqual([]);
  });

  test('a row takes in the database about what the calculator reckons with', { timeout: 60_000 }, async () => {
    for (const lane of ['L3', 'L2', 'L1'] as const) {
      await using store = await openTestStore();
      const { journal, storage, clock } = store;
      await storage.look();
      const before = journal.space().usedBytes;
      for (let round = 0; round < 20; round++) {
        await journal.append(...many(lane, 2048, round * 2048));
        await clock.advance(MINUTE);
        await storage.look();
      }
      await journal.indexed();
      const db = new Database(join(store.directory, 'gatehouse.db'), { readonly: true });
      const [stored] = db
        .prepare<[number], { rows: number; bytes: number }>(
          'SELECT sum(rows) AS rows, sum(bytes) AS bytes FROM storage_block WHERE class = ?',
        )
        .all(lanes.indexOf(lane));
      db.close();
      const real = (journal.space().usedBytes - before) / (stored?.rows ?? 1);
      const reckoned = rowBytesOf(lane, stored ?? { rows: 0, bytes: 0 });
      expect(real / reckoned, `${lane}: ${real} bytes, reckoned ${reckoned}`).toBeGreaterThan(0.92);
      expect(real / reckoned, `${lane}: ${real} bytes, reckoned ${reckoned}`).toBeLessThan(1.08);
    }
  });
});

test('the mix of a compound is what the tests say', () => {
  const counts = { L0: 0, L1: 0, L2: 0, L3: 0, L4: 0 };
  for (let n = 0; n < 1000; n++) counts[laneOfMix((n + 0.5) / 1000)]++;
  expect(counts).toEqual({ L0: 5, L1: 15, L2: 60, L3: 920, L4: 0 });
});
