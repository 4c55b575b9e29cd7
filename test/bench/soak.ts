/**
 * Memory at twice the nominal load for as long as it takes to see a leak: telemetry, cars, a booth that watches. Compared
 * with itself: the last fifth of the time with the second, when everything has been in use.
 */
import { Agent } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { SimulatedCamera } from '../../drivers/vzenith/simulator.ts';
import type { Gateway } from '../site.ts';
import { ADMIN, startBenchGateway } from './bench-site.ts';
import { oneCar, pushWith, type Source } from './cars.ts';
import { type CoreFigures, coreFigures, delayBetween } from './core-figures.ts';
import { openLanes } from './lanes.ts';
import { startLoad } from './load.ts';
import { type Benchmark, compare, median, type Result } from './measure.ts';
import { flowsPid, residentMib } from './processes.ts';

/** 500 devices once a second, twice; the device broker takes 300 connections. */
const PER_SECOND = 1000;
const DETECTORS = 250;
const LANES = 8;
const VEHICLES = 2000;
const CAR_EVERY_MS = 2000;
const SAMPLES = 240;
const LEAST_EVERY_MS = 500;
const MIB = 2 ** 20;

interface Sample {
  readonly hours: number;
  readonly core: number;
  readonly flows: number;
  readonly heap: number;
}

/** Reads and forgets what a booth would show. */
async function watch(gateway: Gateway, signal: AbortSignal): Promise<void> {
  const response = await gateway.api('/stream', { as: ADMIN, signal });
  if (!response.ok || !response.body) throw new Error(`stream: ${response.status}`);
  for await (const _chunk of response.body);
}

async function sample(gateway: Gateway, flows: number, began: number): Promise<Sample & { figures: CoreFigures }> {
  const figures = await coreFigures(gateway);
  return {
    hours: (performance.now() - began) / 3_600_000,
    core: residentMib(gateway.pid),
    flows: residentMib(flows),
    heap: figures.heap / MIB,
    figures,
  };
}

/** MiB an hour by least squares. */
function slope(samples: readonly Sample[], of: (sample: Sample) => number): number {
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const x = mean(samples.map((one) => one.hours));
  const y = mean(samples.map(of));
  const xy = samples.reduce((sum, one) => sum + (one.hours - x) * (of(one) - y), 0);
  return xy / samples.reduce((sum, one) => sum + (one.hours - x) ** 2, 0);
}

/** The heap saws between collections: its lowest of every ten says what stays. */
const troughs = (samples: readonly Sample[]): Sample[] =>
  samples.flatMap((one, place) => {
    const group = samples.slice(place, place + 10);
    return place % 10 === 0 && group.length > 0 ? [{ ...one, heap: Math.min(...group.map(({ heap }) => heap)) }] : [];
  });

const fifth = (samples: readonly Sample[], number: number): Sample[] => {
  const length = samples.length / 5;
  return samples.slice(Math.floor((number - 1) * length), Math.ceil(number * length));
};

function resultsOf(samples: readonly Sample[]): Result[] {
  const low = troughs(samples);
  const rows = [
    ['resident, core', (one: Sample) => one.core, samples],
    ['resident, flow process', (one: Sample) => one.flows, samples],
    ['JavaScript heap of the core', (one: Sample) => one.heap, low],
  ] as const;
  return rows.map(([name, of, from]) => {
    const used = from.slice(Math.floor(from.length / 5));
    console.log(`  ${name}: ${slope(used, of).toFixed(1)} MiB an hour after the first fifth`);
    const [late, early] = [fifth(from, 5).map(of), fifth(from, 2).map(of)];
    const result = compare(name, 'MiB', 'the same run, its second fifth', [[median(late), median(early)]]);
    return { ...result, min: Math.min(...used.map(of)), max: Math.max(...used.map(of)), runs: used.length };
  });
}

export const soak: Benchmark = {
  name: 'soak',
  about: `memory over --minutes at twice the nominal load: ${PER_SECOND} telemetry messages a second over MQTT, a car every ${CAR_EVERY_MS / 1000} s, a booth that watches`,
  asked: true,
  async run(_rounds, minutes) {
    await using lanes = await openLanes(LANES);
    await using site = await startBenchGateway({ lanes: lanes.list, detectors: DETECTORS, vehicles: VEHICLES });
    const { gateway } = site;
    const flows = flowsPid(gateway.pid);
    const camera = new SimulatedCamera({ serial: 'bench', heartbeatMs: 0 });
    const agent = new Agent({ keepAlive: true });
    const source: Source = {
      lanes: lanes.list,
      push: pushWith(agent, (lane) => site.pushOf.get(lane.camera) ?? ''),
      message: (plate) => JSON.stringify(camera.message({ plate })),
      vehicles: VEHICLES,
    };
    const end = new AbortController();
    const load = await startLoad({ ...site.detectors, pace: { perSecond: PER_SECOND } });
    const began = performance.now();
    const until = began + minutes * 60_000;
    const everyMs = Math.max(LEAST_EVERY_MS, (minutes * 60_000) / SAMPLES);
    let missed = 0;
    let cars = 0;
    const traffic = (async () => {
      for (; performance.now() < until; await pause(CAR_EVERY_MS)) {
        cars++;
        await oneCar(source).catch(() => missed++);
      }
    })();
    const booth = watch(gateway, end.signal).catch((error: unknown) => {
      if (!end.signal.aborted) throw error;
    });
    try {
      const samples: Sample[] = [];
      const first = await sample(gateway, flows, began);
      let last = first;
      while (performance.now() < until) {
        await Promise.race([pause(everyMs), booth.then(() => pause(everyMs))]);
        last = await sample(gateway, flows, began);
        samples.push(last);
      }
      await traffic;
      const { sent, ms } = await load.stop();
      const rate = Math.round((sent * 1000) / ms);
      const late = delayBetween(first.figures, last.figures, 0.99);
      console.log(
        `  ${rate} messages a second, every one acknowledged; ${cars} cars, ${missed} without an open barrier`,
      );
      console.log(
        `  ${last.figures.records - first.figures.records} records; main thread late by at most ${late} ms (p99)`,
      );
      return resultsOf(samples);
    } finally {
      end.abort();
      await booth;
      agent.destroy();
      camera.stop();
    }
  },
};
