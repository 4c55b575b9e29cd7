import { expect, test } from 'vitest';
import { createRefusals, type Refusal } from './refusals.ts';

test('a loop of refusals is told once, then once a minute with its count, and the rest at the end', () => {
  const told: Refusal[] = [];
  let timers: (() => void)[] = [];
  const after = (_ms: number, action: () => void) => {
    timers.push(action);
    return () => {
      timers = timers.filter((other) => other !== action);
    };
  };
  const tick = () => {
    for (const action of timers.splice(0)) action();
  };
  const refusals = createRefusals({ now: () => 0, mono: () => 0, after }, (refusal) => told.push(refusal));
  for (let n = 0; n < 500; n++) refusals.refuse('credentials', '', '10.0.0.9', `try ${n}\n`);
  refusals.refuse('credentials', '', '10.0.0.8', 'another');
  expect(told.map(({ address, count }) => [address, count])).toEqual([
    ['10.0.0.9', 1],
    ['10.0.0.8', 1],
  ]);
  tick();
  expect(told.slice(2)).toEqual([
    { reason: 'credentials', device: '', address: '10.0.0.9', detail: 'try 499\uFFFD', count: 499 },
  ]);
  refusals.refuse('credentials', '', '10.0.0.9', 'again');
  refusals.close();
  expect(told.at(-1)).toMatchObject({ address: '10.0.0.9', count: 1 });
  expect(timers).toEqual([]);
});

test('refusals from ever new addresses cannot grow without end', () => {
  let timers = 0;
  const clock = { now: () => 0, mono: () => 0, after: () => () => void timers++ };
  const told: Refusal[] = [];
  const refusals = createRefusals(clock, (refusal) => told.push(refusal));
  for (let n = 0; n < 5000; n++) refusals.refuse('packet', '', `10.0.${n >> 8}.${n & 255}`, 'x');
  expect(told).toHaveLength(1001);
  refusals.close();
  expect(timers).toBe(1001);
});
