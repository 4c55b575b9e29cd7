/**
 * From a plate pushed over HTTP to the relay of the barrier ordered over Modbus TCP, through everything: commit, flow,
 * access decision, command, driver. Against the bare loopback path, and the same path with two durable commits.
 */

import { once } from 'node:events';
import { Agent } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { SimulatedCamera } from '../../drivers/vzenith/simulator.ts';
import { startBenchGateway } from './bench-site.ts';
import { manyCars, pushWith, type Source } from './cars.ts';
import type { FloorData, FloorPorts } from './floor.ts';
import { type Lanes, openLanes } from './lanes.ts';
import { startLoad } from './load.ts';
import { type Benchmark, compare, percentile, type Result } from './measure.ts';
import { openFolder } from './scratch.ts';
import type { Load } from './telemetry-load.ts';

const LANES = 16;
const VEHICLES = 2000;
const DETECTORS = 50;
const PER_SECOND = 2000;
const EVENTS = 150;
const FLOOR_EVENTS = 75;
/** Enough for the compiler to have seen the code, as it has in a gateway that runs for days. */
const WARM_UP = 200;
/** On average. */
const EVERY_MS = 40;
const SETTLE_MS = 500;

async function beside<T>(load: Load | undefined, work: () => Promise<T>): Promise<T> {
  if (!load) return work();
  const running = await startLoad(load);
  try {
    await pause(SETTLE_MS);
    return await work();
  } finally {
    const { sent, ms } = await running.stop();
    const rate = (sent * 1000) / ms;
    if (rate < PER_SECOND * 0.9) console.log(`  (only ${Math.round(rate)} messages a second could be sent)`);
  }
}

async function startFloor(data: FloorData): Promise<{ worker: Worker; ports: FloorPorts }> {
  const worker = new Worker(new URL('./floor.ts', import.meta.url), { workerData: data });
  const [ports] = (await once(worker, 'message')) as [FloorPorts];
  return { worker, ports };
}

/** The bare path, with a board of its own that no gateway polls. */
export async function floorTimes(commits: boolean, loaded: boolean, message: Source['message']): Promise<number[]> {
  await using board: Lanes = await openLanes(1);
  using folder = openFolder();
  const [lane] = board.list;
  const { worker, ports } = await startFloor({ board: lane?.port ?? 0, ...(commits ? { folder: folder.path } : {}) });
  const agent = new Agent({ keepAlive: true });
  try {
    const push = pushWith(agent, () => `http://127.0.0.1:${ports.http}/`);
    const source = {
      lanes: board.list.map((one) => ({ ...one, free: () => Promise.resolve() })),
      push,
      message,
      vehicles: VEHICLES,
    };
    const devices = Array.from({ length: DETECTORS }, (_, n) => ({ id: `smoke-${n}`, password: 'none' }));
    const load = { host: '127.0.0.1', port: ports.mqtt, devices, pace: { perSecond: PER_SECOND } };
    return await beside(loaded ? load : undefined, async () => {
      await manyCars(source, WARM_UP, 0);
      return manyCars(source, FLOOR_EVENTS, EVERY_MS);
    });
  } finally {
    agent.destroy();
    await worker.terminate();
  }
}

interface Round {
  readonly ours: number[];
  readonly bare: number[];
  readonly commits: number[];
}

export const eventToRelay: Benchmark = {
  name: 'event-to-relay',
  about: `plate pushed to barrier relay ordered, through the flow, against the bare loopback path; idle and with ${PER_SECOND} telemetry messages a second beside it`,
  async run(rounds) {
    await using lanes = await openLanes(LANES);
    await using site = await startBenchGateway({ lanes: lanes.list, detectors: DETECTORS, vehicles: VEHICLES });
    const camera = new SimulatedCamera({ serial: 'bench', heartbeatMs: 0 });
    const agent = new Agent({ keepAlive: true });
    const message = (plate: string) => JSON.stringify(camera.message({ plate }));
    const push = pushWith(agent, (lane) => site.pushOf.get(lane.camera) ?? '');
    const source: Source = { lanes: lanes.list, push, message, vehicles: VEHICLES };
    const telemetry: Load = { ...site.detectors, pace: { perSecond: PER_SECOND } };
    const found = { idle: [] as Round[], loaded: [] as Round[] };
    try {
      await manyCars(source, WARM_UP, EVERY_MS);
      for (let round = 0; round < rounds; round++) {
        for (const loaded of [false, true]) {
          const ours = () => beside(loaded ? telemetry : undefined, () => manyCars(source, EVENTS, EVERY_MS));
          const first = round % 2 === 0 ? await ours() : undefined;
          const bare = await floorTimes(false, loaded, message);
          const commits = await floorTimes(true, loaded, message);
          found[loaded ? 'loaded' : 'idle'].push({ ours: first ?? (await ours()), bare, commits });
        }
      }
    } finally {
      agent.destroy();
      camera.stop();
    }
    return [...resultsOf('idle', found.idle), ...resultsOf(`${PER_SECOND}/s beside`, found.loaded)];
  },
};

const resultsOf = (where: string, rounds: readonly Round[]): Result[] =>
  ([0.5, 0.99] as const).flatMap((share) =>
    (
      [
        ['bare', 'HTTP in, Modbus out'],
        ['commits', 'HTTP in, two commits, Modbus out'],
      ] as const
    ).map(([peer, words]) =>
      compare(
        `event to relay p${share * 100}, ${where}`,
        'ms',
        words,
        rounds.map((round) => [percentile(round.ours, share), percentile(round[peer], share)] as const),
      ),
    ),
  );
