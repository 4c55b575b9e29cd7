import { describe, expect, test } from 'vitest';
import { forecast, type Measured, type PerClass } from './forecast.ts';
import { outageText } from './outage-text.ts';
import { draftOf, laneOfMix, openTestStore } from './storage.fixture.ts';

const MB = 2 ** 20;
const none: PerClass = { L0: 0, L1: 0, L2: 0, L3: 0, proof: 0 };
const each = (bytes: number): PerClass => ({ L0: bytes, L1: bytes, L2: bytes, L3: bytes, proof: bytes });
const full = (part: number) => ({ full: part, beside: 0 });
const empty: Measured = {
  roomBytes: 100 * MB,
  usedBytes: 0,
  rates: none,
  rowBytes: each(100),
  packing: { whole: full(1), thinned: full(1), L3: full(1), L2: full(1), L1: full(1) },
  rollup: { bytesPerHour: 0, hours: 0 },
  stock: [],
};
const perHour = (megabytes: number) => (megabytes * MB) / 100;

describe('how long the line may be down', () => {
  test('nothing comes in, nothing goes', () => {
    expect(forecast(empty)).toEqual({});
  });

  test('thinning counts as dropping: 75 % of the room at the rate that comes in', () => {
    expect(forecast({ ...empty, rates: { ...none, L3: perHour(1) } }).L3).toBeCloseTo(75, 0);
    expect(forecast({ ...empty, usedBytes: 50 * MB, rates: { ...none, L3: perHour(1) } }).L3).toBeCloseTo(25, 0);
    expect(
      forecast({ ...empty, rollup: { bytesPerHour: MB, hours: 0 }, rates: { ...none, L3: perHour(1) } }).L3,
    ).toBeCloseTo(37.5, 0);
  });

  test('lanes alone last until their own level; L0 is never dropped, so it ends nothing', () => {
    expect(forecast({ ...empty, rates: { ...none, L2: perHour(1) } })).toEqual({ L2: expect.closeTo(90, 0) });
    expect(forecast({ ...empty, rates: { ...none, L1: perHour(1) } })).toEqual({ L1: expect.closeTo(95, 0) });
    expect(forecast({ ...empty, rates: { ...none, L0: perHour(1) } })).toEqual({});
  });

  test('what is delivered goes first, and makes the outage longer', () => {
    const stock = [
      { rows: { ...none, L3: perHour(50) }, thinned: false, delivered: true, age: [50, 0] as const },
      { rows: { ...none, L3: perHour(10) }, thinned: false, delivered: false, age: [0, 0] as const },
    ];
    const packing = { ...empty.packing, thinned: full(0.8), L3: full(0.5) };
    const busy = { ...empty, packing, usedBytes: 60 * MB, rates: { ...none, L3: perHour(1) } };
    const first = forecast({ ...busy, stock }).L3 ?? 0;
    expect(forecast({ ...busy, stock: stock.map((part) => ({ ...part, delivered: false })) }).L3).toBeCloseTo(15, 0);
    // Nine tenths of fifty megabytes, but for the pages they leave half full.
    expect(first).toBeGreaterThan(50);
    expect(first).toBeLessThan(62);
  });

  test('delivered rows that age out make room; a clock that is not trusted keeps them', () => {
    const month = 30 * 24;
    const steady: Measured = {
      ...empty,
      usedBytes: 72 * MB,
      rates: { ...none, L3: perHour(0.1) },
      stock: [{ rows: { ...none, L3: perHour(72) }, thinned: false, delivered: true, age: [month, 0] as const }],
    };
    const without = forecast(steady).L3 ?? 0;
    const kept = forecast({ ...steady, keepHours: each(month) }).L3 ?? 0;
    expect(without).toBeLessThan(month);
    expect(kept).toBeGreaterThan(month);
    expect(forecast({ ...steady, keepHours: each(month), alone: true })).toEqual({});
  });

  test('pages that stay half empty and indexes that stay whole make it shorter; hourly figures go before facts', () => {
    const rates = { ...none, L3: perHour(0.9), L2: perHour(0.1) };
    const loose = { ...empty.packing, L3: full(0.5) };
    expect(forecast({ ...empty, rates }).L2).toBeCloseTo(900, -2);
    expect(forecast({ ...empty, rates, packing: loose }).L2).toBeCloseTo(450, -2);
    const beside = { full: 1, beside: 10 };
    const indexed = { whole: beside, thinned: beside, L3: beside, L2: beside, L1: beside };
    expect(forecast({ ...empty, rates, packing: indexed }).L2).toBeCloseTo(450, -2);
    // A tenth of what facts take: kept, it would end them at 818 hours; all but a day of it goes.
    expect(forecast({ ...empty, rates, rollup: { bytesPerHour: MB / 100, hours: 0 } }).L2).toBeGreaterThan(870);
  });

  test('lanes end in their order, whatever comes in', () => {
    for (const [L3, L2, L1, L0] of [
      [9, 1, 1, 1],
      [1, 9, 1, 0.1],
      [1, 1, 9, 0.1],
      [0.1, 0.1, 0.1, 0.1],
    ] as const) {
      const rates = { L0: perHour(L0), L1: perHour(L1), L2: perHour(L2), L3: perHour(L3), proof: 0 };
      const { L3: third = 0, L2: second = 0, L1: first = 0 } = forecast({ ...empty, rates });
      expect(third).toBeGreaterThan(0);
      expect(second).toBeGreaterThanOrEqual(third);
      expect(first).toBeGreaterThanOrEqual(second);
    }
  });

  test('it is quick enough to be asked for every minute', () => {
    const rates = { L0: 210, L1: 625, L2: 2500, L3: 38_300, proof: 10 };
    const began = performance.now();
    forecast({ ...empty, roomBytes: 2048 * MB, rates, keepHours: each(24 * 183) });
    expect(performance.now() - began).toBeLessThan(1000);
  });
});

test('the command line reads it from the database, in both languages', { timeout: 60_000 }, async () => {
  await using store = await openTestStore({ capBytes: 64 * MB });
  for (let round = 0; round < 20; round++) {
    await store.journal.append(...Array.from({ length: 200 }, (_, n) => draftOf(laneOfMix(n / 200), n)));
    await store.clock.advance(600_000);
    await store.storage.look();
  }
  const lane = store.storage.view().lanes.find((one) => one.lane === 'L3');
  const text = outageText(store.directory);
  const hours = Number(/L3 readings: thinned after ([\d.]+) hours/.exec(text)?.[1]);
  expect(hours).toBeGreaterThan(1);
  expect(hours / ((lane?.outageSeconds ?? 0) / 3600)).toBeCloseTo(1, 1);
  expect(text).toContain('L3 测量值');
  expect(text).toMatch(/about 28\d{3} records a day \(measured over 3\.\d hours\)/);
  expect(() => outageText('/nowhere')).toThrow('/nowhere has no gatehouse.db');
});

test('before anything is measured nothing is promised', { timeout: 60_000 }, async () => {
  await using store = await openTestStore({ capBytes: 64 * MB });
  const text = outageText(store.directory);
  expect(text).toContain('还没有测得数据量');
  expect(text).toContain('No rates measured yet');
  expect(text).not.toContain('nothing lost');
});
