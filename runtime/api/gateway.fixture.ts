/** For tests: the HTTP side over a real journal, inventory, alarms, dispatcher, device host and access decision. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { driverOf } from '../../drivers/index.ts';
import { createAccess } from '../access/access.ts';
import { schema as alarmSchema, createAlarms } from '../alarms/alarms.ts';
import { createCalendar } from '../calendar/calendar.ts';
import { type Clock, systemClock } from '../clock.ts';
import { schema as commandSchema, Dispatcher, type Outputs } from '../commands/dispatcher.ts';
import { openPlatformKeys } from '../commands/platform-keys.ts';
import { createSignedCommands, schema as signedSchema } from '../commands/signed.ts';
import type { Role } from '../contracts/contract.ts';
import type { JournalRecord } from '../contracts/record.ts';
import { openEvidence } from '../devices/evidence.ts';
import { createHost } from '../devices/host.ts';
import { Inventory, schema as inventorySchema } from '../devices/inventory.ts';
import { loadProfiles } from '../devices/profiles.ts';
import { schema as repeatSchema } from '../devices/repeats.ts';
import { createNotices, schema as noticeSchema } from '../duty/notices.ts';
import { createWorkOrders, schema as workOrderSchema } from '../duty/work-orders.ts';
import { Journal } from '../journal/journal.ts';
import { createOnce, schema as onceSchema } from '../journal/once.ts';
import { Linkages, schema as linkageSchema } from '../linkages/linkages.ts';
import { shapeOf } from '../linkages/site.ts';
import { createLinkageViews } from '../linkages/view.ts';
import { silentLog } from '../log.ts';
import { createOutputs } from '../outputs.ts';
import { schema as replaySchema } from '../uplink/replay-store.ts';
import { type Auth, schema as authSchema, openAuth } from './auth.ts';
import type { DemoAction, Parts } from './parts.ts';
import { type Api, createServer } from './server.ts';

const profiles = loadProfiles();

export const SECRETS = { password: 'Kestrel-4417-lane', pin: '472901', token: 'trial-token-0001-of-the-platform' };
/** The account of each role in the demo. */
export const ACCOUNTS: Readonly<Record<Exclude<Role, 'platform'>, string>> = {
  guard: 'demo-guard',
  'shift-leader': 'demo-leader',
  installer: 'demo-installer',
  auditor: 'demo-auditor',
  admin: 'demo-admin',
};

type Method = 'GET' | 'POST' | 'PUT' | 'DELETE' | 'HEAD';
export interface Answer {
  readonly status: number;
  readonly body: string;
  readonly headers: Readonly<Record<string, unknown>>;
  json<T>(): T;
}
export interface Call {
  readonly as?: Role | 'flow';
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface TestGateway extends AsyncDisposable {
  readonly directory: string;
  readonly journal: Journal;
  readonly inventory: Inventory;
  readonly auth: Auth;
  readonly api: Api;
  readonly parts: Parts;
  /** What the barrier was told, and what it will do. */
  readonly barrier: { readonly orders: string[]; answers: boolean };
  readonly played: { action: DemoAction; plate?: string }[];
  /** Headers that make a request come from this role. */
  login(role: Role | 'flow'): Promise<Record<string, string>>;
  call(method: Method, url: string, call?: Call): Promise<Answer>;
  records(): JournalRecord[];
}

export interface TestOptions {
  readonly clock?: Clock;
  readonly limits?: Parts['limits'];
  readonly mode?: 'demo' | 'site';
  readonly host?: string;
  /** An existing one is opened again and left to its first owner. */
  readonly directory?: string;
  readonly parts?: Partial<Parts>;
  /** What the site says beside its barrier. */
  readonly outputs?: Partial<Outputs>;
}

/** Limits wide enough for a test that is not about them. */
const WIDE = {
  requestsPerSecond: 100_000,
  anonymousPerSecond: 100_000,
  flowRequestsPerSecond: 100_000,
  flowReadsPerSecond: 100_000,
};

export async function openTestGateway(options: TestOptions = {}): Promise<TestGateway> {
  const { clock = systemClock, mode = 'demo', host: address = '127.0.0.1' } = options;
  const directory = options.directory ?? mkdtempSync(join(tmpdir(), 'gh-api-'));
  const log = silentLog;
  const journal = await Journal.open({
    directory,
    clock,
    log,
    schema: [
      ...[alarmSchema, commandSchema, signedSchema, inventorySchema, repeatSchema, authSchema, replaySchema],
      linkageSchema,
      ...[onceSchema, noticeSchema, workOrderSchema],
    ],
  });
  const inventory = Inventory.open(journal, { profiles, driverOf });
  const alarms = createAlarms({ journal, clock });
  const evidence = openEvidence(join(directory, 'evidence'));
  const once = createOnce({ journal, clock });
  const workOrders = createWorkOrders({ journal, clock, once, log });
  const host = createHost({
    journal,
    alarms,
    evidence,
    driverOf,
    clock,
    log,
  });
  const barrier = { orders: [] as string[], answers: true };
  const outputs = {
    ...createOutputs({ inventory, host, journal, alarms, forbidden: () => undefined }),
    ...outputOf(barrier),
    ...options.outputs,
  };
  const dispatcher = new Dispatcher({ journal, clock, log, outputs });
  const platformKeys = openPlatformKeys({ journal, clock });
  const signed = createSignedCommands({
    ...{ journal, dispatcher, keys: platformKeys, clock, log, clockQuality: () => 'synced' },
    zoneOf: (device) => inventory.device(device)?.zone,
  });
  const auth = await openAuth({ journal, clock, log, directory, mode, loopbackOnly: address === '127.0.0.1' });
  if (mode === 'demo' && address === '127.0.0.1') await auth.accounts.createDemo(SECRETS);
  if (inventory.isEmpty()) await furnish(inventory);
  for (const device of inventory.devices()) if (device.driver.kind === 'message') host.attach(device);
  const settingsOf = (device: string) => inventory.device(device)?.settings ?? {};
  const linkages = new Linkages({
    ...{ journal, alarms, dispatcher, outputs, clock, log, settingsOf },
    site: () => shapeOf(inventory),
  });
  linkages.start();
  const linkageViews = createLinkageViews({
    ...{ linkages, journal, outputs, clock, settingsOf },
    linkOf: (device) => host.view(device).state,
  });
  const played: { action: DemoAction; plate?: string }[] = [];
  const parts: Parts = {
    config: { dataDir: directory, http: { host: address, port: 0 }, devices: { host: address, port: 0 } },
    ...{ clock, log, journal, auth, inventory, alarms, host, evidence, dispatcher, platformKeys, signed },
    notices: createNotices({ journal, clock, once }),
    workOrders,
    linkages: linkageViews,
    calendar: createCalendar({ site: inventory, once, clock }),
    version: '0.0.0-test',
    access: createAccess({ inventory, journal, clock }),
    demo: () => ({
      play: async (action, body) => {
        played.push({ action, ...body });
      },
    }),
    deviceSide: () => ({
      http: { scheme: 'http', host: '127.0.0.1', port: 8081 },
      mqtt: { scheme: 'mqtt', host: '127.0.0.1', port: 1883 },
    }),
    checkAnswers: true,
    boothDirectory: join(directory, 'booth'),
    ...options.parts,
    limits: { ...WIDE, ...options.limits },
  };
  const api = await createServer(parts);

  const known = new Map<string, Record<string, string>>();
  async function login(role: Role | 'flow'): Promise<Record<string, string>> {
    const found = known.get(role);
    if (found) return found;
    const made = await loginOnce(role);
    known.set(role, made);
    return made;
  }
  async function loginOnce(role: Role | 'flow'): Promise<Record<string, string>> {
    if (role === 'flow') return { authorization: `Bearer ${auth.flowToken}`, 'x-gatehouse-flow': 'lane-1' };
    if (role === 'platform') return { authorization: `Bearer ${SECRETS.token}` };
    const payload = { name: ACCOUNTS[role], password: SECRETS.password };
    const answer = await api.inject({ method: 'POST', url: '/api/v1/sessions', payload });
    if (answer.statusCode !== 201) throw new Error(`log-in of ${role}: ${answer.body}`);
    return { cookie: String(answer.headers['set-cookie']).split(';')[0] ?? '', 'x-gatehouse': '1' };
  }

  return {
    ...{ directory, journal, inventory, auth, api, parts, barrier, played, login },
    async call(method, url, { as, body, headers = {} } = {}) {
      const answer = await api.inject({
        method,
        url,
        headers: { ...(as === undefined ? {} : await login(as)), ...headers },
        ...(body === undefined ? {} : { payload: body as object }),
      });
      return {
        status: answer.statusCode,
        body: answer.body,
        headers: answer.headers,
        json: <T>() => JSON.parse(answer.body) as T,
      };
    },
    records: () => journal.read({ limit: 500 }).items,
    async [Symbol.asyncDispose]() {
      await api.close();
      signed.stop();
      await dispatcher.stop();
      await host.close();
      linkages.stop();
      alarms.stop();
      workOrders.stop();
      await auth[Symbol.asyncDispose]();
      await journal[Symbol.asyncDispose]();
      if (options.directory === undefined) rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** A barrier that does at once what it is told, or never answers. */
function outputOf(barrier: { orders: string[]; answers: boolean }): Pick<Outputs, 'command' | 'read'> {
  let open = false;
  return {
    async command(device, command, _input, turn) {
      await turn.begin();
      barrier.orders.push(`${device} ${command}`);
      if (!barrier.answers) await new Promise((_resolve, reject) => turn.signal.addEventListener('abort', reject));
      open = command === 'open' || command === 'lockOpen';
      return {};
    },
    read: async (_device, points) => points.map((point) => ({ point, value: open ? 'open' : 'closed' })),
  };
}

const ACTOR = 'system:test';

async function furnish(inventory: Inventory): Promise<void> {
  await inventory.putSite({ id: 'demo', name: '演示小区', timeZone: 'Asia/Shanghai' }, ACTOR);
  await inventory.putZone({ id: 'east-in', name: '东门进', kind: 'lane' }, ACTOR);
  await inventory.putDevice(
    {
      id: 'gate-east-in',
      name: '东门进道闸',
      zone: 'east-in',
      profile: 'waveshare/relay-8ch-barrier',
      address: { host: '127.0.0.1', port: 15020, unit: 1 },
    },
    ACTOR,
  );
  await inventory.putDevice(
    { id: 'camera-east-in', name: '东门进相机', zone: 'east-in', profile: 'vzenith/lpr-http' },
    ACTOR,
  );
  await inventory.putDevice(
    { id: 'smoke-b3-1-5f', name: '3栋1单元5层烟感', zone: 'east-in', profile: 'gatehouse/smoke-mqtt' },
    ACTOR,
  );
  await inventory.putPerson({ id: 'zhang', name: '张三丰', room: '3-1-1202', phone: '13812345678' }, ACTOR);
  await inventory.putVehicle({ plate: '粤B12345', kind: 'resident', person: 'zhang' }, ACTOR);
}
