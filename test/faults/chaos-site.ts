/** The compound of the chaos trial: a real site with people of its own, its devices in a process of theirs, and its gateway over all its lives. */
import { fork } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { DeviceView, Status } from '../../runtime/contracts/api.ts';
import { exampleOf, type SignCommand } from '../../runtime/platform/testing/example.ts';
import { type Gateway, startGateway } from '../site.ts';
import { freePort } from '../uplink-peers.ts';
import { ESCALATES_MS } from './chaos-alarms.ts';
import { type DeviceLog, type FromDevices, type Layout, mono, type ToDevices } from './chaos-log.ts';
import { type FaultyDisk, faultyDisk, type SettableClock, settableClock } from './shim.ts';

const SITE = 'chaos';
const PLATFORM = 'city';
const KEY = 'city-1';
const PASSWORD = 'Orchard-lantern-5821';
const HEADERS = { 'content-type': 'application/json', 'x-gatehouse': '1' };
const CODE = /(?:[0-9A-Z]{4}-){3}[0-9A-Z]{4}/;
const READY_WITHIN_MS = 60_000;

/** Roles by name of account. */
export const people = {
  'guard-east': 'guard',
  'guard-west': 'guard',
  'guard-night': 'guard',
  captain: 'shift-leader',
  fitter: 'installer',
} as const;
export type Person = keyof typeof people | 'chief';

export interface Devices extends AsyncDisposable {
  readonly ports: Readonly<Record<string, number>>;
  ask(message: ToDevices): Promise<unknown>;
  log(): Promise<DeviceLog>;
}

/** Starts the devices' process and builds them. */
async function startDevices(layout: Layout): Promise<Devices> {
  const child = fork(fileURLToPath(new URL('./chaos-devices.ts', import.meta.url)), [], {
    execArgv: ['--disable-warning=ExperimentalWarning'],
    serialization: 'advanced',
  });
  const waiting = new Map<number, { resolve(result: unknown): void; reject(error: Error): void }>();
  let last = 0;
  child.on('message', ({ id, result, error }: FromDevices) => {
    const one = waiting.get(id);
    waiting.delete(id);
    if (error === undefined) one?.resolve(result);
    else one?.reject(new Error(`the devices: ${error}`));
  });
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  void gone.then(() => {
    for (const one of waiting.values()) one.reject(new Error('the devices have gone'));
  });
  const ask = (message: ToDevices): Promise<unknown> =>
    new Promise((resolve, reject) => {
      const id = ++last;
      waiting.set(id, { resolve, reject });
      child.send({ id, ...message });
    });
  const ports = (await ask({ do: 'build', layout })) as Record<string, number>;
  return {
    ports,
    ask,
    log: async () => (await ask({ do: 'log' })) as DeviceLog,
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await gone;
    },
  };
}

/** YAML, as every JSON text is. */
function siteText(layout: Layout, ports: Readonly<Record<string, number>>): string {
  const at = (id: string, unit: number, more: object = {}) => ({ host: '127.0.0.1', port: ports[id], unit, ...more });
  const devices = [
    ...layout.gates.flatMap(({ id, camera, way }) => [
      {
        ...{ id, name: id, zone: `lane-${id}`, profile: 'waveshare/relay-8ch-barrier', address: at(id, 1) },
        ...{ settings: { direction: way }, cameras: [camera] },
      },
      { id: camera, name: camera, zone: `lane-${id}`, profile: 'vzenith/lpr-http' },
    ]),
    ...layout.zones.map((id) => ({
      ...{ id, name: id, zone: 'wall', profile: 'generic/di-perimeter', address: at(id, 1) },
    })),
    // Each in a zone of its own: two in one zone are a fire, and the fire of this compound comes from its panel.
    ...layout.smokes.map((id) => ({ id, name: id, zone: `flat-${id}`, profile: 'gatehouse/smoke-mqtt' })),
    ...layout.boards.map(({ id, profile, zone }) => ({ id, name: id, zone, profile, address: at(id, 1) })),
    ...layout.lines.flatMap((ids) =>
      ids.map((id, index) => ({
        ...{ id, name: id, zone: 'garden', profile: 'generic/env-station-rtu' },
        address: at(id, index + 1, { transport: 'rtu-tcp' }),
      })),
    ),
  ];
  return JSON.stringify({
    site: { id: SITE, name: '混沌小区', timeZone: 'Asia/Shanghai' },
    zones: [
      ...layout.gates.map(({ id }) => ({ id: `lane-${id}`, name: id, kind: 'lane' })),
      { id: 'wall', name: '围墙', kind: 'perimeter' },
      ...layout.smokes.map((id) => ({ id: `flat-${id}`, name: id, kind: 'building' })),
      ...[...new Set(layout.boards.map(({ zone }) => zone))].map((id) => ({ id, name: id, kind: 'building' })),
      { id: 'garden', name: '花园', kind: 'area' },
    ],
    alarms: { escalation: { p1: [{ afterSeconds: ESCALATES_MS / 1000, to: ['shift-leader', 'second-booth'] }] } },
    devices,
    vehicles: layout.plates.map((plate) => ({ plate, kind: 'resident' })),
  });
}

/** A life of the gateway, on the one monotonic clock. */
export interface Life {
  readonly from: number;
  readyAt: number;
  to: number;
}

export interface Compound extends AsyncDisposable {
  readonly devices: Devices;
  readonly disk: FaultyDisk;
  readonly clock: SettableClock;
  /** Of the platform. */
  readonly token: string;
  readonly name: string;
  readonly url: string;
  readonly lives: readonly Life[];
  /** The process of now. */
  gateway(): Gateway;
  /** A request as that person, logged in once for all lives; as the platform without one. */
  api(path: string, init?: RequestInit & { readonly as?: Person }): Promise<Response>;
  json<T>(path: string, init?: RequestInit & { readonly as?: Person }): Promise<T>;
  /** A command of the platform, signed. @param nonce of the challenge it answers */
  sign(command: Parameters<SignCommand>[0], nonce: string): ReturnType<SignCommand>;
  /** Of the session of that person. */
  cookie(as: Person): string;
  /** SIGKILL, and a new life on the same addresses. */
  kill(downMs: number): Promise<void>;
}

export async function startCompound(layout: Layout, uplink: string): Promise<Compound> {
  const stack = new AsyncDisposableStack();
  try {
    const folder = mkdtempSync(join(tmpdir(), 'gh-chaos-'));
    stack.defer(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
    const data = mkdtempSync(join(folder, 'data-'));
    const devices = stack.use(await startDevices(layout));
    const disk = stack.use(faultyDisk(data));
    const clock = stack.use(settableClock());
    const site = join(folder, 'site.yaml');
    writeFileSync(site, siteText(layout, devices.ports));
    const [http, push, broker] = [await freePort(), await freePort(), await freePort()];
    const env = {
      ...disk.environment,
      ...clock.environment,
      LD_PRELOAD: `${disk.environment.LD_PRELOAD}:${clock.environment.LD_PRELOAD}`,
      GATEHOUSE_HTTP: `127.0.0.1:${http}`,
      GATEHOUSE_DEVICES: `127.0.0.1:${push}`,
      GATEHOUSE_MQTT: `127.0.0.1:${broker}`,
      GATEHOUSE_UPLINK: uplink,
    };
    const lives: Life[] = [];
    const live = async (): Promise<Gateway> => {
      const life: Life = { from: mono(), readyAt: Number.POSITIVE_INFINITY, to: Number.POSITIVE_INFINITY };
      lives.push(life);
      const started = await startGateway({ data, env, args: ['--site', site] });
      life.readyAt = mono();
      return started;
    };
    let gateway = await live();
    stack.defer(() => gateway[Symbol.asyncDispose]());
    const { url } = gateway;
    const cookies = await introduce(gateway);
    const token = cookies.token;
    const api: Compound['api'] = async (path, { as, ...init } = {}) => {
      const ask = () => {
        const headers = new Headers({ ...HEADERS, ...(init.headers as Record<string, string> | undefined) });
        if (as === undefined) headers.set('authorization', `Bearer ${token}`);
        else headers.set('cookie', cookies.of.get(as) ?? '');
        if (init.body === undefined) headers.delete('content-type');
        return fetch(`${url}/api/v1${path}`, { ...init, headers });
      };
      const response = await ask();
      if (response.status !== 401 || as === undefined) return response;
      await response.arrayBuffer();
      await cookies.logIn(as); // a session ends by itself after a while
      return ask();
    };
    const json = async <T>(path: string, init = {}): Promise<T> => {
      const response = await api(path, init);
      if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
      return (await response.json()) as T;
    };
    const { items } = await json<{ items: DeviceView[] }>('/devices', { as: 'chief' });
    const address = (ids: readonly string[]) =>
      Object.fromEntries(items.flatMap(({ id, push: where }) => (where && ids.includes(id) ? [[id, where]] : [])));
    await devices.ask({
      do: 'meet',
      addresses: { push: address(layout.gates.map(({ camera }) => camera)), mqtt: address(layout.smokes) },
    });
    const { gateway: name } = await json<Status>('/status');
    const { publicKey, privateKey } = generateKeyPairSync('ed25519');
    const pem = publicKey.export({ type: 'spki', format: 'pem' });
    const key = {
      method: 'PUT',
      as: 'chief',
      body: JSON.stringify({ id: KEY, platform: PLATFORM, publicKey: pem }),
    } as const;
    await json(`/platform-keys/${KEY}`, key);
    const signCommand = await exampleOf(folder);
    const owned = stack.move();
    return {
      ...{ devices, disk, clock, token, name, url, lives, api, json },
      cookie: (as) => cookies.of.get(as) ?? '',
      gateway: () => gateway,
      sign: (command, nonce) => signCommand(command, { gatewayId: name, key: KEY, privateKey }, nonce),
      async kill(downMs) {
        const life = lives.at(-1) as Life;
        const gone = gateway.kill('SIGKILL');
        life.to = mono();
        await gone;
        await new Promise((resolve) => setTimeout(resolve, downMs));
        gateway = await live();
      },
      [Symbol.asyncDispose]: () => owned.disposeAsync(),
    };
  } catch (error) {
    await stack.disposeAsync();
    throw error;
  }
}

/** The first administrator by the code of the console, who lets the others in. */
async function introduce(
  gateway: Gateway,
): Promise<{ of: Map<Person, string>; token: string; logIn(name: Person): Promise<void> }> {
  const of = new Map<Person, string>();
  const post = async (path: string, body: object, as?: Person): Promise<Response> => {
    const headers = { ...HEADERS, ...(as === undefined ? {} : { cookie: of.get(as) ?? '' }) };
    const init = { method: 'POST', headers, body: JSON.stringify(body), signal: AbortSignal.timeout(READY_WITHIN_MS) };
    const response = await fetch(`${gateway.url}/api/v1${path}`, init);
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
    return response;
  };
  const keep = (name: Person, response: Response) =>
    of.set(name, response.headers.get('set-cookie')?.split(';')[0] ?? '');
  const logIn = async (name: Person): Promise<void> =>
    void keep(name, await post('/sessions', { name, password: PASSWORD }));
  const code = CODE.exec(gateway.text())?.[0];
  keep('chief', await post('/setup', { code, name: 'chief', displayName: '站长', password: PASSWORD }));
  for (const [name, role] of Object.entries(people) as [keyof typeof people, string][]) {
    await post('/users', { name, displayName: name, role, password: PASSWORD }, 'chief');
    await logIn(name);
  }
  const made = await post('/tokens', { platform: PLATFORM, days: 365 }, 'chief');
  return { of, token: ((await made.json()) as { token: string }).token, logIn };
}
