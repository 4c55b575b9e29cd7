import { beforeEach, describe, expect, test } from 'vitest';
import { SimulatedCamera } from '../../drivers/vzenith/simulator.ts';
import { type ManualClock, manualClock } from '../../test/manual-clock.ts';
import { Barrier } from './barrier.ts';
import { Lane } from './lane.ts';
import { Station } from './station.ts';
import { Traffic } from './traffic.ts';

let clock: ManualClock;
let barrier: Barrier;
beforeEach(() => {
  clock = manualClock();
  barrier = new Barrier(clock);
});
const pulse = (relay: number, units: number) =>
  barrier.board.answer({ unit: 1, function: 5, address: 0x200 + relay, value: units });
const input = (address: number) => barrier.board.tables.discreteInputs?.get(address);

describe('the arm', () => {
  test('takes 1.5 s after a pulse of at least 200 ms, and the limit switches tell', async () => {
    expect([input(0), input(1)]).toEqual([false, true]);
    pulse(0, 5);
    await clock.advance(250);
    expect([input(0), input(1)]).toEqual([false, false]);
    await clock.advance(1400);
    expect(barrier.state).toBe('between');
    await clock.advance(60);
    expect([input(0), input(1)]).toEqual([true, false]);
  });

  test('a contact of 100 ms is bounce', async () => {
    pulse(0, 1);
    await clock.advance(5000);
    expect(barrier.state).toBe('closed');
    expect(barrier.board.closings[0]).toBe(1);
  });

  test('closes by itself 2 s after the car, and after 20 s when nobody came', async () => {
    pulse(0, 5);
    await clock.advance(2000);
    barrier.occupy(true);
    await clock.advance(60_000);
    expect(barrier.state).toBe('open');
    barrier.occupy(false);
    await clock.advance(1900);
    expect(barrier.state).toBe('open');
    await clock.advance(1700);
    expect(barrier.state).toBe('closed');
    pulse(0, 5);
    await clock.advance(19_000);
    expect(barrier.state).toBe('open');
    await clock.advance(3000);
    expect(barrier.state).toBe('closed');
  });

  test('never comes down on a car: not by order, and not half-way', async () => {
    pulse(0, 5);
    await clock.advance(2000);
    barrier.occupy(true);
    pulse(1, 5);
    await clock.advance(3000);
    expect(barrier.state).toBe('open');
    barrier.occupy(false);
    await clock.advance(2500);
    expect(barrier.state).toBe('between');
    barrier.occupy(true);
    await clock.advance(1000);
    expect(barrier.state).toBe('open');
  });

  test('is held open as long as relay 2 is closed, and closes when the hold ends', async () => {
    pulse(2, 600);
    await clock.advance(59_000);
    expect([barrier.state, barrier.held]).toEqual(['open', true]);
    pulse(1, 5);
    await clock.advance(900);
    expect(barrier.state).toBe('open');
    await clock.advance(10_000);
    expect([barrier.state, barrier.held]).toEqual(['closed', false]);
    pulse(2, 600);
    await clock.advance(3000);
    barrier.board.answer({ unit: 1, function: 5, address: 2, value: 0 });
    await clock.advance(4000);
    expect(barrier.state).toBe('closed');
  });

  test('lifted by hand it leaves "closed" without any order, and falls back', async () => {
    barrier.force();
    expect(barrier.state).toBe('between');
    await clock.advance(20_000);
    expect(barrier.state).toBe('closed');
    expect(barrier.board.closings.every((count) => count === 0)).toBe(true);
  });
});

test('a timer that rings a hair early still finds the arm arrived, and a car sees it open', async () => {
  const early = { ...clock, after: (ms: number, action: () => void) => clock.after(Math.max(0, ms - 1), action) };
  const hasty = new Barrier(early);
  const told: string[] = [];
  hasty.onChange(() => told.push(hasty.state));
  hasty.board.answer({ unit: 1, function: 5, address: 0x200, value: 5 });
  await clock.advance(3000);
  expect(told.at(-1)).toBe('open');
});

test('an arm that is not closed yet is forced when it is', async () => {
  pulse(0, 5);
  await clock.advance(2000);
  barrier.force();
  expect(barrier.state).toBe('open');
  pulse(1, 5);
  await clock.advance(1500);
  expect(barrier.state).toBe('between');
  await clock.advance(400);
  expect(barrier.state).toBe('between');
  await clock.advance(20_000);
  expect(barrier.state).toBe('closed');
});

describe('a lane', () => {
  const newLane = () => {
    const camera = new SimulatedCamera({ serial: 's', clock, heartbeatMs: 0 });
    const seen: unknown[] = [];
    const lane = new Lane(camera, barrier, clock);
    const see = camera.see.bind(camera);
    camera.see = (read) => {
      seen.push(read.trigger ?? read.plate ?? 'unread');
      return see(read);
    };
    return { lane, seen };
  };

  test('a car drives onto the loop when the arm is open, and the next comes when it is closed again', async () => {
    const { lane, seen } = newLane();
    lane.arrive({ plate: '粤B12345' });
    lane.arrive({ plate: '粤B54321' });
    await clock.advance(5000);
    expect(seen).toEqual(['粤B12345']);
    pulse(0, 5);
    await clock.advance(2500);
    expect(input(2)).toBe(true);
    await clock.advance(3000);
    expect([input(2), lane.counts.passed, seen.length]).toEqual([false, 1, 1]);
    await clock.advance(3000);
    expect(seen).toEqual(['粤B12345', '粤B54321']);
    lane.stop();
  });

  test('a car nobody opens for turns back after 40 s, and the camera says so', async () => {
    const { lane, seen } = newLane();
    lane.arrive({});
    await clock.advance(41_000);
    expect(seen).toEqual(['unread', 66]);
    expect(lane.counts).toEqual({ arrived: 1, passed: 0, turnedBack: 1 });
    expect(lane.busy).toBe(false);
    lane.stop();
  });

  test('is full at some point', () => {
    const { lane } = newLane();
    const taken = Array.from({ length: 10 }, () => lane.arrive({}));
    expect(taken.filter(Boolean)).toHaveLength(6);
    lane.stop();
  });
});

test('cars come by themselves, mostly known ones, some unknown, some unread; or only when asked', async () => {
  let seed = 42;
  const random = () => {
    seed = (seed * 16_807) % 2_147_483_647;
    return seed / 2_147_483_647;
  };
  const arrived: (string | undefined)[] = [];
  const lane = { busy: false, arrive: (car: { plate?: string }) => arrived.push(car.plate) > 0 } as unknown as Lane;
  const traffic = new Traffic({ clock, random, lanes: [{ lane, way: 'in' }] });
  const plates = { known: ['粤B00001', '粤B00002', '粤B00003'], unknown: ['粤Z99999'] };
  traffic.start(plates);
  await clock.advance(3_600_000);
  expect(arrived.length).toBeGreaterThan(360);
  expect(arrived.length).toBeLessThan(600);
  const share = (fits: (plate: string | undefined) => boolean) => arrived.filter(fits).length / arrived.length;
  expect(share((plate) => plate === undefined)).toBeCloseTo(1 / 12, 1);
  expect(share((plate) => plate === '粤Z99999')).toBeCloseTo(1 / 6, 1);
  const before = arrived.length;
  traffic.start(plates, 0);
  await clock.advance(3_600_000);
  expect(arrived).toHaveLength(before);
  traffic.stop();
});

test('the air of the station stays plausible all day, and noise is above its limit', async () => {
  const station = new Station(clock);
  const read = () =>
    [500, 501, 502, 503, 504].map((address) => station.slave.tables.holdingRegisters?.get(address) ?? -1);
  for (let hour = 0; hour < 24; hour++) {
    const [humidity = 0, temperature = 0, noise = 0, pm25 = 0, pm10 = 0] = read();
    expect(humidity).toBeGreaterThan(450);
    expect(humidity).toBeLessThan(800);
    expect(temperature).toBeGreaterThan(150);
    expect(temperature).toBeLessThan(290);
    expect(noise).toBeLessThan(700);
    expect(pm25).toBeLessThan(70);
    expect(pm10).toBeGreaterThan(pm25);
    await clock.advance(3_600_000);
  }
  station.noise();
  for (let second = 0; second < 30; second++) {
    expect(read()[2]).toBeGreaterThan(700);
    await clock.advance(1000);
  }
  await clock.advance(30_000);
  expect(read()[2]).toBeLessThan(700);
});
