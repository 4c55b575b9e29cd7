import { describe, expect, test } from 'vitest';
import { createRetry, createTakeovers, type Ending } from './retry.ts';

const ending = (kind: Ending['kind'], more: Partial<Ending> = {}): Ending => ({
  kind,
  reason: '',
  stoodMs: 0,
  ...more,
});
const delays = (retry: ReturnType<typeof createRetry>, count: number, end: Ending) =>
  Array.from({ length: count }, () => Math.round(retry.delayAfter(end)));

describe('U3 pauses between attempts', () => {
  test('1 s doubling to 60 s, any part of it by chance', () => {
    expect(
      delays(
        createRetry(1, () => 1),
        8,
        ending('unreachable'),
      ),
    ).toEqual([1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]);
    expect(
      delays(
        createRetry(1, () => 0.5),
        3,
        ending('lost'),
      ),
    ).toEqual([500, 1000, 2000]);
    expect(
      delays(
        createRetry(1, () => 0),
        20,
        ending('lost'),
      ).every((ms) => ms === 100),
    ).toBe(true);
  });

  test('one step per round of servers', () => {
    expect(
      delays(
        createRetry(3, () => 1),
        7,
        ending('unreachable'),
      ),
    ).toEqual([1000, 1000, 1000, 2000, 2000, 2000, 4000]);
  });

  test('back to the start only after a connection that stood for a minute', () => {
    const retry = createRetry(1, () => 1);
    delays(retry, 5, ending('unreachable'));
    expect(retry.delayAfter(ending('lost', { stoodMs: 59_999 }))).toBe(32_000);
    expect(retry.delayAfter(ending('lost', { stoodMs: 60_000 }))).toBe(1000);
  });

  test('U6 after a refusal 10 s doubling to 5 min, at least half of it', () => {
    expect(
      delays(
        createRetry(1, () => 1),
        7,
        ending('refused'),
      ),
    ).toEqual([10_000, 20_000, 40_000, 80_000, 160_000, 300_000, 300_000]);
    expect(
      delays(
        createRetry(1, () => 0),
        2,
        ending('refused'),
      ),
    ).toEqual([5000, 10_000]);
  });
});

describe('U5 take-overs', () => {
  let now = 0;
  const clock = { now: () => now, mono: () => now, after: () => () => {} };

  test('three in five minutes, then none for as long', () => {
    const takeovers = createTakeovers(clock);
    for (let n = 0; n < 3; n++) {
      expect(takeovers.duplicate).toBe(false);
      now += 60_000;
      takeovers.ended(ending('taken'));
    }
    expect(takeovers.duplicate).toBe(true);
    now += 300_000;
    expect(takeovers.duplicate).toBe(false);
  });

  test('MQTT 3.1.1 does not say so: closed silently and taken back at once counts, a broker that restarts does not', () => {
    const takeovers = createTakeovers(clock);
    for (let n = 0; n < 5; n++) {
      takeovers.ended(ending('lost', { silent: true }));
      takeovers.ended(ending('unreachable'));
      takeovers.connected();
    }
    expect(takeovers.duplicate).toBe(false);
    for (let n = 0; n < 3; n++) {
      takeovers.ended(ending('lost', { silent: true }));
      takeovers.connected();
    }
    expect(takeovers.duplicate).toBe(true);
  });
});
