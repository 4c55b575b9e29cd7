import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import Database from 'better-sqlite3';
import { describe, expect, test } from 'vitest';
import { agedAlarms, schema as alarmSchema } from '../alarms/alarms.ts';
import type { Draft, Lane } from '../contracts/record.ts';
import { positionNumber } from '../journal/schema.ts';
import { draftOf, faultsOf, openTestStore, type TestStore } from './storage.fixture.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

const audit: Draft = { lane: 'L0', kind: 'audit', scenario: 'gateway', device: '', name: 'user.created', data: {} };
const count = ({ journal }: TestStore, where: string): number =>
  journal.db.prepare<[], number>(`SELECT count(*) FROM record WHERE ${where}`).pluck().get() ?? 0;
const reasons = ({ journal }: TestStore) =>
  journal.db
    .prepare<[], string>(
      "SELECT data ->> 'lane' || ' ' || (data ->> 'reason') || ' ' || (data ->> 'count') FROM record WHERE kind = 6",
    )
    .pluck()
    .all();

/** Ten readings and one of each kind of fact a day. */
async function live(store: TestStore, days: number): Promise<void> {
  for (let day = 0; day < days; day++) {
    await store.journal.append(
      ...Array.from({ length: 10 }, (_, n) => ({ ...draftOf('L3', n), device: 'station' })),
      ...(['L2', 'L1', 'L0'] as const).map((lane) => draftOf(lane, day)),
      audit,
    );
    await store.clock.advance(DAY);
    await store.storage.look();
  }
}

describe('retention', () => {
  test('B3 readings stay 30 days, facts 183, proofs 365; what goes leaves a gap record', {
    timeout: 120_000,
  }, async () => {
    await using store = await openTestStore({ lookMs: DAY });
    await live(store, 40);
    expect(count(store, 'lane = 3')).toBe(300);
    expect(count(store, 'lane IN (0, 1, 2) AND kind <> 6')).toBe(161);
    await live(store, 150);
    expect(count(store, 'lane = 1')).toBe(183);
    expect(count(store, 'lane = 2')).toBe(183);
    expect(count(store, 'lane = 0 AND kind = 2')).toBe(183);
    expect(count(store, 'kind = 5')).toBe(190);
    expect(new Set(reasons(store).map((text) => text.slice(0, -2).trim()))).toEqual(
      new Set(['L3 retention', 'L2 retention', 'L1 retention', 'L0 retention']),
    );
    expect(faultsOf(store.journal.db, store.journal.epoch)).toEqual([]);
  });

  test('T5 while the clock is not trusted nothing goes, and afterwards at most two days of data once a day', {
    timeout: 60_000,
  }, async () => {
    await using store = await openTestStore({ lookMs: DAY });
    await live(store, 10);
    for (const quality of ['unsynced', 'stepped'] as const) {
      store.world.quality = quality;
      await store.clock.advance(20 * DAY);
      await store.storage.look();
      expect(count(store, 'lane = 3')).toBe(100);
    }
    // Ten days of readings are forty days old now.
    store.world.quality = 'synced';
    const left: number[] = [];
    for (let day = 0; day < 5; day++) {
      await store.storage.look();
      await store.clock.advance(DAY / 2);
      await store.storage.look();
      left.push(count(store, 'lane = 3'));
      await store.clock.advance(DAY / 2);
    }
    for (const [day, rows] of left.entries()) {
      expect((left[day - 1] ?? 100) - rows, `day ${day}`).toBe(20);
    }
  });

  test('B3 closed alarms leave with the audit of their time, two days at most at once; open ones stay', {
    timeout: 60_000,
  }, async () => {
    await using store = await openTestStore({
      lookMs: DAY,
      schema: [alarmSchema],
      aged: (journal) => [agedAlarms(journal)],
    });
    const began = store.clock.now();
    const row = (id: string, open: number, day: number) => ({
      sql: 'INSERT INTO alarm VALUES (?, ?, ?, ?)',
      params: [id, open, began + day * DAY, '{}'],
    });
    await store.journal.commit({
      writes: [row('open', 1, 0), row('a', 0, 0), row('b', 0, 1), row('c', 0, 3), row('late', 0, 200)],
    });
    const left = () => store.journal.db.prepare<[], string>('SELECT id FROM alarm ORDER BY id').pluck().all();
    await store.clock.advance(364 * DAY);
    await store.storage.look();
    expect(left()).toEqual(['a', 'b', 'c', 'late', 'open']);
    store.world.quality = 'unsynced';
    await store.clock.advance(10 * DAY);
    await store.storage.look();
    expect(left()).toEqual(['a', 'b', 'c', 'late', 'open']);
    store.world.quality = 'synced';
    await store.clock.advance(DAY);
    await store.storage.look();
    expect(left()).toEqual(['c', 'late', 'open']);
    await store.clock.advance(DAY);
    await store.storage.look();
    expect(left()).toEqual(['late', 'open']);
  });

  test('T5 a record stamped by an untrusted clock is as old as the next trusted one', { timeout: 60_000 }, async () => {
    await using store = await openTestStore({ lookMs: DAY });
    await live(store, 1);
    store.world.quality = 'unsynced';
    store.clock.step(-20 * 365 * DAY); // a box without a clock of its own starts in the past
    await store.journal.append(draftOf('L3', 1), draftOf('L1', 1));
    store.clock.step(20 * 365 * DAY);
    store.world.quality = 'synced';
    await live(store, 20);
    expect(count(store, 'lane = 3')).toBe(211);
    await live(store, 15);
    expect(count(store, 'lane = 3 AND clock = 1')).toBe(0);
    expect(count(store, 'lane = 1 AND clock = 1')).toBe(1);
  });

  test('R6 what a target has not acknowledged stays, however old, and what the gateway itself has not read', {
    timeout: 60_000,
  }, async () => {
    await using store = await openTestStore({ lookMs: DAY });
    store.world.targets = [
      { id: 'city', lanes: ['L0', 'L1', 'L2', 'L3'] },
      { id: 'police', lanes: ['L0', 'L1'] },
    ];
    const at = (name: string, seq: number) =>
      store.journal.commit({
        writes: [
          {
            sql: 'INSERT INTO cursor VALUES (?, ?) ON CONFLICT DO UPDATE SET pos = excluded.pos',
            params: [name, positionNumber(1, seq)],
          },
        ],
      });
    await live(store, 40);
    expect(count(store, 'lane = 3')).toBe(400);
    await at('uplink:city:bulk', store.journal.head().seq);
    await at('rules', 16);
    await live(store, 3);
    expect(count(store, 'lane = 3 AND pos <= (1 << 40) + 16')).toBe(0);
    expect(count(store, 'lane = 3')).toBe(419);
    await at('rules', store.journal.head().seq);
    await live(store, 3);
    expect(count(store, 'lane = 3')).toBeLessThan(410);
    expect(faultsOf(store.journal.db, store.journal.epoch)).toEqual([]);
  });

  test('hours outlive their readings, and each reading is in them once', { timeout: 60_000 }, async () => {
    await using store = await openTestStore({ lookMs: DAY });
    const { journal, storage, clock } = store;
    const start = clock.now();
    const put = (data: unknown, quality: 'good' | 'bad' = 'good'): Draft => ({
      ...draftOf('L3', 0),
      ...{ device: 'station', name: 'pm25', data, quality },
    });
    await journal.append(put(10), put(30));
    await clock.advance(16 * 60_000);
    await storage.look();
    await journal.append(put(50), put(999, 'bad'));
    await journal.append(
      { ...put('open'), device: 'gate', name: 'state' },
      { ...put('closed'), device: 'gate', name: 'state' },
    );
    await clock.advance(20 * 60_000);
    await storage.look();
    await clock.advance(33 * DAY);
    await storage.look();
    await journal.append(put(7));
    for (let day = 0; day < 3; day++) {
      await clock.advance(DAY);
      await storage.look();
    }
    expect(count(store, 'lane = 3')).toBe(1);
    const asked = { device: 'station', name: 'pm25', from: start, to: clock.now() };
    const hour = Math.floor(start / HOUR) * HOUR;
    const { raw, hourly, next } = await storage.history(asked);
    expect(raw).toMatchObject([{ value: 7, quality: 'good' }]);
    expect(hourly).toEqual([{ hour, count: 4, low: 10, mean: 30, high: 50, last: 999 }]);
    expect(next).toBeUndefined();
    const gate = await storage.history({ ...asked, device: 'gate', name: 'state' });
    expect(gate).toEqual({ raw: [], hourly: [{ hour, count: 2, last: 'closed' }] });
  });
});

test('R5 kill -9 at any moment of a removal: never a hole without its gap record, and it is finished afterwards', {
  timeout: 120_000,
}, async () => {
  const directory = mkdtempSync(join(tmpdir(), 'gh-storage-kill-'));
  try {
    const script = join(directory, 'fill.mts');
    writeFileSync(
      script,
      `import { draftOf, openTestStore } from ${JSON.stringify(new URL('./storage.fixture.ts', import.meta.url).href)};
      const store = await openTestStore({ directory: process.argv[2], capBytes: 2 << 20 });
      const lanes = ['L3', 'L3', 'L3', 'L2', 'L1'];
      for (let round = 0; ; round++) {
        await store.journal.append(...Array.from({ length: 300 }, (_, n) => draftOf(lanes[n % 5], n))).catch(() => {});
        await store.clock.advance(60_000);
        await store.storage.look();
        process.stdout.write(store.storage.view().lanes.some(({ dropped }) => dropped.thinned + dropped.space > 0) ? 'r' : '.');
      }`,
    );
    const data = join(directory, 'data');
    let removed = 0;
    for (let round = 0; round < 6; round++) {
      const child = spawn(process.execPath, [script, data], { stdio: ['ignore', 'pipe', 'inherit'] });
      await new Promise<void>((resolve) => {
        child.stdout.on('data', (chunk) => String(chunk).includes('r') && resolve());
      });
      await sleep(20 + round * 37); // a moment nobody chose
      const gone = once(child, 'exit');
      child.kill('SIGKILL');
      await gone;
      const db = new Database(join(data, 'gatehouse.db'));
      const gaps = db
        .prepare<[], { from: number; to: number; count: number }>(
          "SELECT data ->> 'from' AS 'from', data ->> 'to' AS 'to', data ->> 'count' AS count FROM record WHERE kind = 6",
        )
        .all();
      const seqs = new Set(db.prepare<[], number>('SELECT pos & ((1 << 40) - 1) FROM record').pluck().all());
      const head = Math.max(...seqs);
      db.close();
      let missing = 0;
      for (let seq = 1; seq <= head; seq++) {
        if (seqs.has(seq)) continue;
        missing++;
        expect(
          gaps.some((gap) => gap.from <= seq && seq <= gap.to),
          `${seq} is gone without a word`,
        ).toBe(true);
      }
      expect(missing).toBeLessThanOrEqual(gaps.reduce((sum, gap) => sum + gap.count, 0));
      expect(missing).toBeGreaterThanOrEqual(removed);
      removed = missing;
      await using store = await openTestStore({ directory: data, capBytes: 2 << 20 });
      await store.storage.look();
      expect(store.journal.db.prepare('SELECT count(*) FROM removal').pluck().get()).toBe(0);
      expect(faultsOf(store.journal.db, store.journal.epoch)).toEqual([]);
    }
    expect(removed).toBeGreaterThan(1000);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});

const lanes: readonly Lane[] = ['L1', 'L2', 'L3'];
test('R5 a removal that the disk refuses in the middle is finished when it can be', { timeout: 60_000 }, async () => {
  await using store = await openTestStore({ capBytes: 2 << 20 });
  const { journal, storage, clock } = store;
  const commit = journal.commit.bind(journal);
  let deletions = 0;
  journal.commit = (unit) => {
    const deletes = unit.writes?.some(({ sql }) => sql.startsWith('DELETE FROM record')) ?? false;
    return deletes && ++deletions % 3 === 2 ? Promise.reject(new Error('the disk')) : commit(unit);
  };
  for (let round = 0; round < 60; round++) {
    await journal.append(...Array.from({ length: 300 }, (_, n) => draftOf(lanes[n % 3] ?? 'L3', n))).catch(() => {});
    await clock.advance(60_000);
    await storage.look().catch(() => {});
  }
  journal.commit = commit;
  await storage.look();
  expect(deletions).toBeGreaterThan(9);
  expect(faultsOf(journal.db, journal.epoch)).toEqual([]);
});
