import { expect, test } from 'vitest';
import { manualClock } from '../../test/manual-clock.ts';
import { createAllowance } from './allowance.ts';

test('B5 so many messages a second and no more, whatever waits', async () => {
  const clock = manualClock();
  const allowance = createAllowance(clock, 20);
  let sent = 0;
  const send = () => {
    for (; allowance.has('bulk'); sent++) allowance.spend();
  };
  send();
  expect(sent).toBe(2); // the last one of the burst stays for an alarm
  for (let second = 1; second <= 5; second++) {
    for (let step = 0; step < 100; step++) {
      await clock.advance(10);
      send();
    }
    expect(sent).toBeGreaterThanOrEqual(20 * second);
    expect(sent).toBeLessThanOrEqual(20 * second + 3);
  }
});

test('B5 what is urgent finds the last one free, and bulk waits for both', async () => {
  const clock = manualClock();
  const allowance = createAllowance(clock, 2);
  allowance.spend();
  allowance.spend();
  expect([allowance.has('bulk'), allowance.has('urgent')]).toEqual([false, true]);
  allowance.spend();
  expect([allowance.in('urgent'), allowance.in('bulk')]).toEqual([500, 1000]);
  await clock.advance(500);
  expect([allowance.has('bulk'), allowance.has('urgent')]).toEqual([false, true]);
  await clock.advance(500);
  expect(allowance.has('bulk')).toBe(true);
});

test('without a limit there is none', () => {
  const allowance = createAllowance(manualClock(), undefined);
  for (let n = 0; n < 1000; n++) allowance.spend();
  expect([allowance.has('bulk'), allowance.in('bulk')]).toEqual([true, 0]);
});
