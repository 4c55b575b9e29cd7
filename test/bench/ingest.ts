/**
 * Telemetry over MQTT at QoS 1 from 50 devices, as fast as it goes: ours checks it against the contract and acknowledges
 * it once it is on the disk. Against the broker library alone with a consumer in its process, and against Mosquitto with
 * one behind it, where it is installed; both keep nothing.
 */
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { Aedes } from 'aedes';
import { driverOf } from '../../drivers/index.ts';
import { schema as alarmSchema, createAlarms } from '../../runtime/alarms/alarms.ts';
import { startBroker } from '../../runtime/broker.ts';
import { systemClock as clock } from '../../runtime/clock.ts';
import { openEvidence } from '../../runtime/devices/evidence.ts';
import { createHost } from '../../runtime/devices/host.ts';
import { Inventory, schema as inventorySchema } from '../../runtime/devices/inventory.ts';
import { loadProfiles } from '../../runtime/devices/profiles.ts';
import { schema as repeatSchema } from '../../runtime/devices/repeats.ts';
import { Journal } from '../../runtime/journal/journal.ts';
import { silentLog as log } from '../../runtime/log.ts';
import { createRules, schema as ruleSchema } from '../../runtime/rules/rules.ts';
import { HOST, hasMosquitto, startMosquitto } from './brokers.ts';
import { startLoad } from './load.ts';
import { alternate, type Benchmark, compare } from './measure.ts';
import { openSubscriber } from './mqtt-wire.ts';
import { openFolder } from './scratch.ts';

const DEVICES = 50;
const WINDOW = 20;
/** Enough for the compiler to have seen the code, as it has in a gateway that runs for days. */
const WARM_UP = 50_000;
const WARM_UP_MOST_MS = 10_000;
const LOOK_MS = 20;
const MEASURE_MS = 1500;
const LISTENS_MS = 5000;

const ids = Array.from({ length: DEVICES }, (_, n) => `smoke-${n}`);
const strangers = ids.map((id) => ({ id, password: 'none' }));

interface Found {
  /** Messages a second. */
  readonly rate: number;
  /** Microseconds of processor time for a message, of everything in this process but the load. */
  readonly processorUs: number;
}

/** What `received` counts while the devices send. */
async function measure(port: number, devices: typeof strangers, received: () => number): Promise<Found> {
  const load = await startLoad({ host: HOST, port, devices, pace: { window: WINDOW } });
  const look = async () => {
    const { user, system } = process.cpuUsage();
    return { at: performance.now(), count: received(), processorUs: user + system - (await load.processorUs()) };
  };
  for (const end = performance.now() + WARM_UP_MOST_MS; received() < WARM_UP && performance.now() < end; )
    await pause(LOOK_MS);
  const before = await look();
  await pause(MEASURE_MS);
  const after = await look();
  await load.stop();
  const count = after.count - before.count;
  return {
    rate: (count * 1000) / (after.at - before.at),
    processorUs: (after.processorUs - before.processorUs) / count,
  };
}

/** The part of the core that a device's message passes, with the limit on a device's rate lifted. */
export async function ours(): Promise<Found> {
  using folder = openFolder();
  const schema = [alarmSchema, ruleSchema, inventorySchema, repeatSchema];
  await using journal = await Journal.open({ directory: folder.path, clock, log, schema });
  const inventory = Inventory.open(journal, { profiles: loadProfiles(), driverOf });
  const zone = { kind: 'zone', entry: { id: 'corridor', name: 'corridor', kind: 'area' } } as const;
  const detectors = ids.map(
    (id) => ({ kind: 'device', entry: { id, name: id, zone: 'corridor', profile: 'gatehouse/smoke-mqtt' } }) as const,
  );
  const { problems } = await inventory.putAll([zone, ...detectors], 'system:bench');
  if (problems.length > 0) throw new Error(`${problems.length} problems with the site of this benchmark`);
  const alarms = createAlarms({ journal, clock });
  const host = createHost({ journal, alarms, evidence: openEvidence(folder.path), driverOf, clock, log });
  for (const device of inventory.devices()) host.attach(device);
  const rules = createRules({ journal, alarms, site: inventory.siteView(), clock, log });
  await rules.start();
  const broker = await startBroker({
    host: HOST,
    port: 0,
    log,
    clock,
    devices: { exists: (id) => inventory.device(id) !== undefined, secretOf: (id) => inventory.secretOf(id) },
    onMessage: (device, topic, body, done) => host.take(device, { topic, body }, done),
    limits: { messagesPerSecond: 1e9 },
  });
  try {
    const devices = ids.map((id) => ({ id, password: inventory.secretOf(id) ?? '' }));
    return await measure(broker.port, devices, () => journal.head().seq);
  } finally {
    await broker.close();
    rules.stop();
    await host.close();
    alarms.stop();
  }
}

async function aedesAlone(): Promise<Found> {
  const aedes = await Aedes.createBroker();
  let count = 0;
  aedes.on('publish', (_packet, client) => {
    if (client) count++;
  });
  const server = createServer({ noDelay: true }, (socket) => aedes.handle(socket));
  server.listen(0, HOST);
  await once(server, 'listening');
  try {
    return await measure((server.address() as AddressInfo).port, strangers, () => count);
  } finally {
    await new Promise<void>((resolve) => aedes.close(resolve));
    server.close();
  }
}

async function mosquitto(): Promise<number> {
  await using broker = await startMosquitto();
  let count = 0;
  const end = await connected(() => openSubscriber(HOST, broker.port, () => count++));
  const { rate } = await measure(broker.port, strangers, () => count);
  end();
  return rate;
}

async function connected<T>(attempt: () => Promise<T>): Promise<T> {
  for (const until = performance.now() + LISTENS_MS; ; ) {
    try {
      return await attempt();
    } catch (error) {
      if (performance.now() > until) throw error;
      await pause(20);
    }
  }
}

export const ingest: Benchmark = {
  name: 'ingest',
  about: `telemetry of ${DEVICES} MQTT devices at QoS 1, checked and durable before its PUBACK, against brokers that keep nothing`,
  async run(rounds) {
    const name = 'durable MQTT ingest';
    const peer = 'Aedes alone, consumer in process';
    const pairs = await alternate(rounds, ours, aedesAlone);
    const results = [
      compare(
        name,
        'msg/s',
        peer,
        pairs.map(([own, other]) => [own.rate, other.rate]),
      ),
      // Says more than the rate where other work shares the processors.
      compare(
        'processor time for a message',
        'us',
        peer,
        pairs.map(([own, other]) => [own.processorUs, other.processorUs]),
      ),
    ];
    if (hasMosquitto()) {
      const ownRate = async () => (await ours()).rate;
      results.push(compare(name, 'msg/s', 'Mosquitto to a consumer', await alternate(rounds, ownRate, mosquitto)));
    }
    return results;
  },
};
