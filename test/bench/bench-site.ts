/** A gateway with a site of its own for the benchmarks: lanes, smoke detectors, vehicles; no simulated compound beside it. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DeviceView } from '../../runtime/contracts/api.ts';
import { type Gateway, startGateway } from '../site.ts';
import type { Lane } from './lanes.ts';
import { openFolder } from './scratch.ts';
import type { Load } from './telemetry-load.ts';

export const ADMIN = 'bench-admin';
const FLOWS_MS = 30_000;

export const plateOf = (n: number): string => `粤B${String(n).padStart(5, '0')}`;

export interface BenchGateway extends AsyncDisposable {
  readonly gateway: Gateway;
  /** Push address of a lane's camera. */
  readonly pushOf: ReadonlyMap<string, string>;
  /** The detectors and where they log in. */
  readonly detectors: Pick<Load, 'host' | 'port' | 'devices'>;
}

interface SiteSize {
  readonly lanes: readonly Lane[];
  readonly detectors: number;
  readonly vehicles: number;
}
interface BenchOptions extends SiteSize {
  /** Default: a folder of its own, removed afterwards. */
  readonly data?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** What `npm start` and the service give the core. @param cache folder for compiled code */
export const coreEnvironment = (cache: string): Readonly<Record<string, string>> => ({
  MALLOC_ARENA_MAX: '2',
  NODE_COMPILE_CACHE: cache,
  NODE_OPTIONS: '--max-semi-space-size=8',
});

const siteOf = ({ lanes, detectors, vehicles }: SiteSize) => ({
  site: { id: 'bench', name: 'Bench', timeZone: 'Asia/Shanghai' },
  zones: [
    ...lanes.map(({ gate }) => ({ id: `lane-${gate}`, name: gate, kind: 'lane' })),
    { id: 'corridor', name: 'Corridor', kind: 'area' },
  ],
  devices: [
    ...lanes.flatMap(({ gate, camera, port }) => [
      {
        id: gate,
        name: gate,
        zone: `lane-${gate}`,
        profile: 'waveshare/relay-8ch-barrier',
        address: { host: '127.0.0.1', port, unit: 1 },
        settings: { direction: 'in' },
        cameras: [camera],
      },
      { id: camera, name: camera, zone: `lane-${gate}`, profile: 'vzenith/lpr-http' },
    ]),
    ...Array.from({ length: detectors }, (_, n) => ({
      id: `smoke-${n}`,
      name: `smoke-${n}`,
      zone: 'corridor',
      profile: 'gatehouse/smoke-mqtt',
    })),
  ],
  vehicles: Array.from({ length: vehicles }, (_, n) => ({ plate: plateOf(n), kind: 'resident' })),
});

export const startBenchGateway = ({ data, env, ...size }: BenchOptions): Promise<BenchGateway> =>
  startOwnSite(siteOf(size), { ...(data === undefined ? {} : { data }), ...(env === undefined ? {} : { env }) });

/** @param site as a site file has it. Resolves once the flows run. */
export async function startOwnSite(
  site: object,
  { data, env }: Pick<BenchOptions, 'data' | 'env'> = {},
): Promise<BenchGateway> {
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(openFolder());
  const file = join(folder.path, 'site.yaml');
  writeFileSync(file, JSON.stringify(site)); // JSON is YAML
  const gateway = stack.use(
    await startGateway({
      args: ['--site', file],
      env: { ...coreEnvironment(join(folder.path, 'cache')), ...env },
      ...(data === undefined ? {} : { data }),
    }),
  );
  await setUp(gateway);
  const pushes = new Map<string, URL>();
  for (const { id, push } of (await gateway.json<{ items: DeviceView[] }>('/devices', { as: ADMIN })).items)
    if (push !== undefined) pushes.set(id, new URL(push));
  await flowsRun(gateway);
  const { hostname, port } = new URL(gateway.mqtt);
  const owned = stack.move();
  return {
    gateway,
    pushOf: new Map([...pushes].map(([id, url]) => [id, url.href])),
    detectors: {
      host: hostname,
      port: Number(port),
      devices: [...pushes]
        .filter(([, { protocol }]) => protocol === 'mqtt:')
        .map(([id, { password }]) => ({ id, password: decodeURIComponent(password) })),
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** The first administrator, with the code from the console. */
async function setUp(gateway: Gateway): Promise<void> {
  const code = await until(() => /[0-9A-Z]{4}(?:-[0-9A-Z]{4}){3}/.exec(gateway.text())?.[0], 'no set-up code');
  const body = { code, name: ADMIN, displayName: ADMIN, password: gateway.password };
  const response = await fetch(`${gateway.url}/api/v1/setup`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  if (!response.ok) throw new Error(`set-up: ${response.status} ${await response.text()}`);
}

const flowsRun = (gateway: Gateway) =>
  until(async () => {
    const { flows } = await gateway.json<{ flows: { state: string } }>('/status', { as: ADMIN });
    return flows.state === 'running' ? true : undefined;
  }, 'the flows do not run');

async function until<T>(look: () => T | undefined | Promise<T | undefined>, otherwise: string): Promise<T> {
  for (const end = performance.now() + FLOWS_MS; performance.now() < end; ) {
    const found = await look();
    if (found !== undefined) return found;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(otherwise);
}
