/** Brings the demo compound up beside the gateway: log-ins that stay the same, devices at the ports they really have. */
import { randomBytes, randomInt } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Config } from '../config.ts';
import type { Inventory } from '../devices/inventory.ts';
import { writeDurably } from '../journal/identity.ts';
import { connectDemo, type Demo } from './client.ts';

const ACTOR = 'system:demo';
/** Plates nobody in the compound has, of other provinces. */
const STRANGERS = ['京A7K902', '湘A52T18', '浙C9Q377', '苏E20R54', '闽D66P01', '赣B31M95'];
/** Fails over to a stranger when nobody may pass. */
const MANY = 500;

export interface DemoSecrets {
  readonly password: string;
  readonly pin: string;
  readonly token: string;
}

/** Random at the first start and kept with the other secrets, so that a restart does not change the log-in. */
export function demoSecrets(config: Pick<Config, 'dataDir' | 'demoPassword' | 'demoPin' | 'demoToken'>): DemoSecrets {
  const file = join(config.dataDir, 'secrets', 'demo.json');
  const kept = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as DemoSecrets) : undefined;
  const made = kept ?? {
    password: randomBytes(9).toString('base64url'),
    pin: String(randomInt(1_000_000)).padStart(6, '0'),
    token: randomBytes(24).toString('base64url'),
  };
  if (!kept) writeDurably(file, JSON.stringify(made));
  return {
    password: config.demoPassword ?? made.password,
    pin: config.demoPin ?? made.pin,
    token: config.demoToken ?? made.token,
  };
}

interface Where {
  readonly dataDir: string;
  /** `http://host:port` of the device listener. */
  readonly devices: string;
  readonly mqtt: { readonly host: string; readonly port: number };
}

/** Starts or finds the simulated devices and moves the inventory to the ports they were given. */
export async function startDemo(inventory: Inventory, where: Where): Promise<Demo> {
  const devices = inventory.devices();
  const polled = devices.filter((device) => device.driver.kind === 'link');
  const cameras = devices.filter((device) => device.driver.kind === 'message' && device.driver.via === 'http');
  const detector = devices.find((device) => device.driver.kind === 'message' && device.driver.via === 'mqtt');
  const secret = (id: string) => inventory.secretOf(id) ?? '';
  const known = inventory
    .vehicles({ limit: MANY })
    .filter((vehicle) => vehicle.kind !== 'blocked' && (vehicle.validTo ?? Number.POSITIVE_INFINITY) > Date.now());
  const demo = await connectDemo(where.dataDir, {
    ports: Object.fromEntries(polled.map(({ id, address }) => [id, Number(address.port)])),
    push: Object.fromEntries(cameras.map(({ id }) => [id, `${where.devices}/push/${id}?key=${secret(id)}`])),
    mqtt: { ...where.mqtt, username: detector?.id ?? '', password: detector ? secret(detector.id) : '' },
    plates: { known: known.map(({ plate }) => plate), unknown: STRANGERS },
  });
  for (const { id } of polled) {
    const port = demo.ports[id];
    const entry = inventory.deviceInput(id);
    if (!entry || port === undefined || port === entry.address?.port) continue;
    await inventory.putDevice({ ...entry, address: { ...entry.address, port } }, ACTOR, { create: false });
  }
  return demo;
}
