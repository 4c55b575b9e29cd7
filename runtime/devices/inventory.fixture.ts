/** For tests: a journal in a directory of its own and two made-up drivers, one asked and one that speaks first. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Type } from 'typebox';
import type { Driver, LinkDriver, MessageDriver, Profile } from '../../drivers/driver.ts';
import { type Clock, systemClock } from '../clock.ts';
import type { DeviceInput } from '../contracts/api.ts';
import { GatehouseError } from '../errors.ts';
import { Journal } from '../journal/journal.ts';
import { silentLog } from '../log.ts';
import type { Catalogue } from './device.ts';
import { Inventory, schema } from './inventory.ts';

const closed = { additionalProperties: false } as const;
const unit = Type.Optional(Type.Integer({ minimum: 1, maximum: 247, default: 1 }));
const tcp = Type.Object(
  {
    transport: Type.Optional(Type.Literal('tcp')),
    host: Type.String({ maxLength: 64 }),
    port: Type.Optional(Type.Integer()),
    unit,
    login: Type.Optional(Type.Object({ user: Type.String(), password: Type.String() }, closed)),
  },
  closed,
);
const serial = Type.Object(
  {
    transport: Type.Literal('serial'),
    path: Type.String({ pattern: '^/' }),
    baudRate: Type.Optional(Type.Integer({ default: 9600 })),
    parity: Type.Optional(Type.Enum(['none', 'even', 'odd'], { default: 'none' })),
    unit,
  },
  closed,
);
const unused = () => {
  throw new GatehouseError('driver.closed', 'not in these tests');
};
const endpoint = (a: Readonly<Record<string, unknown>>) =>
  a.transport === 'serial' ? `${a.path}` : `${a.host}:${a.port ?? 502}`;

const bus: LinkDriver = {
  kind: 'link',
  protocol: 'bus',
  address: Type.Union([tcp, serial]),
  point: Type.Object({}),
  command: Type.Object({}),
  lineOf: (a) => `${a.transport ?? 'tcp'}:${endpoint(a)}`,
  identityOf: (a) => `bus:${endpoint(a)}/${a.unit ?? 1}`,
  open: unused,
  decode: unused,
};
const talker: MessageDriver = {
  kind: 'message',
  protocol: 'talker',
  via: 'http',
  address: Type.Object({}, closed),
  point: Type.Object({}),
  decode: unused,
  refusal: () => undefined,
};

const profileOf = (
  id: string,
  scenario: string,
  role: string,
  driver: string,
  commands?: Profile['commands'],
): Profile => ({
  id,
  scenario: `${scenario}@1`,
  role,
  driver,
  title: { zh: id, en: id },
  source: 'made up',
  offlineAfterMs: 1000,
  points: {},
  frames: [],
  ...(commands ? { commands } : {}),
});

export const profiles = new Map(
  [
    profileOf('acme/barrier', 'vehicle-gate', 'barrier', 'bus', { open: {}, close: {} }),
    profileOf('acme/camera', 'vehicle-gate', 'camera', 'talker'),
    profileOf('acme/station', 'environment-monitoring', 'station', 'bus'),
  ].map((profile) => [profile.id, profile]),
);
const drivers = new Map<string, Driver>([
  ['bus', bus],
  ['talker', talker],
]);
export const catalogue: Catalogue = { profiles, driverOf: (protocol) => drivers.get(protocol) };

export interface TestSite extends AsyncDisposable {
  readonly directory: string;
  readonly journal: Journal;
  readonly inventory: Inventory;
}

/** @param directory an existing one is opened again and left to its first owner */
export async function openSite({
  clock = systemClock,
  directory,
}: {
  clock?: Clock;
  directory?: string;
} = {}): Promise<TestSite> {
  const at = directory ?? mkdtempSync(join(tmpdir(), 'gh-inventory-'));
  const journal = await Journal.open({ directory: at, clock, log: silentLog, schema: [schema] });
  return {
    directory: at,
    journal,
    inventory: Inventory.open(journal, catalogue),
    async [Symbol.asyncDispose]() {
      await journal[Symbol.asyncDispose]();
      if (directory === undefined) rmSync(at, { recursive: true, force: true });
    },
  };
}

export const ACTOR = 'user:lin';

/** Two lanes below one area, a barrier in each, a camera in the first. */
export async function furnish(inventory: Inventory): Promise<void> {
  await inventory.putZone({ id: 'compound', name: '小区', kind: 'area' }, ACTOR);
  await inventory.putZone({ id: 'east-in', name: '东门进', kind: 'lane', parent: 'compound' }, ACTOR);
  await inventory.putZone({ id: 'west-in', name: '西门进', kind: 'lane', parent: 'compound' }, ACTOR);
  await inventory.putDevice(barrier('gate-east-in', 'east-in', { host: '10.0.0.5' }), ACTOR);
  await inventory.putDevice(barrier('gate-west-in', 'west-in', { host: '10.0.0.6' }), ACTOR);
  await inventory.putDevice(
    { id: 'camera-east-in', name: '东门进相机', zone: 'east-in', profile: 'acme/camera' },
    ACTOR,
  );
  await inventory.putPerson({ id: 'zhang', name: '张三丰', room: '3-1-1202', phone: '13812345678' }, ACTOR);
}

export const barrier = (id: string, zone: string, address: Record<string, unknown>): DeviceInput => ({
  id,
  name: id,
  zone,
  profile: 'acme/barrier',
  address,
});
