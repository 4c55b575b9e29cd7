/** How soon the gateway is ready and what it holds resident, with the demo compound, beside Fastify and stock Node-RED. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type Gateway, startGateway } from '../site.ts';
import { coreEnvironment } from './bench-site.ts';
import { alternate, type Benchmark, compare, median, type Result } from './measure.ts';
import type { PlainUp } from './plain-host.ts';
import { flowsPid, residentMib } from './processes.ts';
import { openFolder } from './scratch.ts';

/** Cars come as they do in the demo. */
const IDLE_MS = 60_000;
const PLAIN_IDLE_MS = 10_000;
const SAMPLES = 9;
const SAMPLE_MS = 1000;
const FLOWS_MS = 30_000;
const PEER = 'Fastify with stock Node-RED as its child';

/** The median over some seconds: what waits for the collector comes and goes. */
async function settled(pids: readonly number[]): Promise<number[]> {
  const seen: number[][] = [];
  for (let n = 0; n < SAMPLES; n++) {
    seen.push(pids.map(residentMib));
    await pause(SAMPLE_MS);
  }
  return pids.map((_, place) => median(seen.map((sample) => sample[place] ?? Number.NaN)));
}

async function flowsRun(gateway: Gateway): Promise<void> {
  for (const until = performance.now() + FLOWS_MS; performance.now() < until; await pause(20)) {
    const { flows } = await gateway.json<{ flows: { state: string } }>('/status');
    if (flows.state === 'running') return;
  }
  throw new Error('the flows do not run');
}

const startDemo = (data: string): Promise<Gateway> =>
  startGateway({ data, env: { ...coreEnvironment(join(data, 'cache')), GATEHOUSE_DEMO_CARS: '' } });

interface Started {
  readonly listeningMs: number;
  readonly flowsMs: number;
}

async function startOurs(data: string): Promise<Started> {
  const began = performance.now();
  await using gateway = await startDemo(data);
  const listeningMs = performance.now() - began;
  await flowsRun(gateway);
  return { listeningMs, flowsMs: performance.now() - began };
}

async function startPlain(folder: string): Promise<{ ms: number; host: ChildProcess; child: number }> {
  const began = performance.now();
  const host = fork(fileURLToPath(new URL('./plain-host.ts', import.meta.url)), [folder]);
  const [{ child }] = (await once(host, 'message')) as [PlainUp];
  return { ms: performance.now() - began, host, child };
}

async function end(host: ChildProcess): Promise<void> {
  const gone = once(host, 'exit');
  host.kill();
  await gone;
}

async function plainStart(folder: string): Promise<number> {
  const { ms, host } = await startPlain(folder);
  await end(host);
  return ms;
}

async function memoryOf(data: string, folder: string): Promise<Result[]> {
  const { host, child } = await startPlain(folder);
  await pause(PLAIN_IDLE_MS);
  const [plainCore = 0, plainFlows = 0] = await settled([host.pid ?? 0, child]);
  await end(host);
  await using gateway = await startDemo(data);
  await flowsRun(gateway);
  await pause(IDLE_MS - SAMPLES * SAMPLE_MS);
  const [core = 0, flows = 0] = await settled([gateway.pid, flowsPid(gateway.pid)]);
  return [
    compare('resident, core', 'MiB', 'Fastify', [[core, plainCore]]),
    compare('resident, flow process', 'MiB', 'stock Node-RED', [[flows, plainFlows]]),
    compare('resident, both', 'MiB', PEER, [[core + flows, plainCore + plainFlows]]),
  ];
}

export const memory: Benchmark = {
  name: 'memory',
  about: `start on an existing data directory, and resident memory after ${IDLE_MS / 1000} s of the demo compound, beside Fastify with stock Node-RED as its child`,
  async run(rounds) {
    using data = openFolder();
    using folder = openFolder();
    await startOurs(data.path);
    await plainStart(folder.path);
    const starts: Started[] = [];
    const pairs = await alternate(
      rounds,
      async () => {
        const started = await startOurs(data.path);
        starts.push(started);
        return started.flowsMs;
      },
      () => plainStart(folder.path),
    );
    const listening = pairs.map(([, plain], round) => [starts[round]?.listeningMs ?? Number.NaN, plain] as const);
    return [
      compare('start to ready, warm', 'ms', PEER, listening),
      compare('start to running flows, warm', 'ms', PEER, pairs),
      ...(await memoryOf(data.path, folder.path)),
    ];
  },
};
