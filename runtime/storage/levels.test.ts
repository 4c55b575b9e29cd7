import { describe, expect, test } from 'vitest';
import { lanes } from '../contracts/record.ts';
import { alarmAt, dueAt, fillOf, refusedAt, type steps } from './levels.ts';

const whats = (fill: number, running: Iterable<(typeof steps)[number]['what']> = []) =>
  dueAt(fill, new Set(running)).map(({ what }) => what);

describe('levels', () => {
  test('B1 L4 goes at 70 %, L3 is thinned at 75 and dropped at 80, L2 at 90, L1 at 95, L0 never', () => {
    expect(whats(0.69)).toEqual([]);
    expect(whats(0.7)).toEqual(['L4']);
    expect(whats(0.75)).toEqual(['L4', 'thin']);
    expect(whats(0.8)).toEqual(['L4', 'thin', 'L3']);
    expect(whats(0.9)).toEqual(['L4', 'thin', 'L3', 'rollup', 'L2']);
    expect(whats(0.95)).toEqual(['L4', 'thin', 'L3', 'rollup', 'L2', 'L1']);
    expect(whats(5)).toEqual(['L4', 'thin', 'L3', 'rollup', 'L2', 'L1']);
  });

  test('B1 a removal goes on until comfortably below its level', () => {
    expect(whats(0.79, ['L3'])).toContain('L3');
    expect(whats(0.779, ['L3'])).not.toContain('L3');
    expect(whats(0.79)).not.toContain('L3');
  });

  test('B2 input but L0 is refused where removal cannot keep up, traces long before', () => {
    const none = new Set<never>();
    expect([...refusedAt(0.69, none)]).toEqual([]);
    expect([...refusedAt(0.7, none)]).toEqual(['L4']);
    expect([...refusedAt(0.969, none)]).toEqual(['L4']);
    const all = refusedAt(0.97, none);
    expect(lanes.filter((lane) => all.has(lane))).toEqual(['L1', 'L2', 'L3', 'L4']);
    expect(refusedAt(0.965, all).size).toBe(4);
    expect([...refusedAt(0.955, all)]).toEqual(['L4']);
  });

  test('B2 the alarm is raised at 80, grows worse at 90 and 95 %, and does not come and go with the removals', () => {
    expect([0.79, 0.8, 0.9, 0.95].map((fill) => alarmAt(fill, 0))).toEqual([0, 1, 2, 3]);
    expect([0.94, 0.905, 0.86, 0.851, 0.76].map((fill) => alarmAt(fill, 3))).toEqual([3, 3, 2, 2, 1]);
    expect(alarmAt(0.74, 1)).toBe(0);
  });

  test('B1 the fill is the worse of the cap and of what the partition still has', () => {
    const MB = 2 ** 20;
    const measured = { usedBytes: 500 * MB, freeBytes: 0, capBytes: 1000 * MB, diskFreeBytes: 10_000 * MB };
    expect(fillOf(measured)).toBe(0.5);
    expect(fillOf({ ...measured, diskFreeBytes: 132 * MB })).toBeCloseTo(500 / 600);
    expect(fillOf({ ...measured, diskFreeBytes: 0 })).toBe(1);
    expect(fillOf({ ...measured, freeBytes: 132 * MB, diskFreeBytes: 0 })).toBeCloseTo(500 / 600);
  });
});
