/**
 * A safety linkage in the core: from a smoke detector's MQTT message to the order that cuts off the charging of its zone,
 * through everything: contract, commit, linkage, command, driver. Against the bare path with two durable commits.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { ModbusSimulator, SimulatedSlave, table } from '../../drivers/modbus/simulator.ts';
import { type BenchGateway, startOwnSite } from './bench-site.ts';
import { floorTimes } from './event-to-relay.ts';
import { alternate, type Benchmark, compare, percentile } from './measure.ts';
import { openPublisher, type Publisher, publish } from './mqtt-wire.ts';

/** So many that each is at rest again when its turn comes. */
const SHEDS = 24;
const EVENTS = 150;
const WARM_UP = 100;
const EVERY_MS = 60;
const ANSWER_MS = 5000;

interface Shed {
  readonly port: number;
  readonly slave: SimulatedSlave;
  ordered(): Promise<number>;
}

async function openShed(lines: ModbusSimulator[]): Promise<Shed> {
  const coils = table(0, [false]);
  const registers = () => [coils.get(0) === true ? 0 : 1250, 310];
  const inputs = () => [coils.get(0) === true, false, false];
  const slave = new SimulatedSlave({
    coils,
    discreteInputs: { get: (address) => inputs()[address], set: () => undefined },
    inputRegisters: { get: (address) => registers()[address], set: () => undefined },
  });
  let onOrder = (_at: number): void => {};
  slave.onWrite = () => {
    if (coils.get(0)) onOrder(performance.now());
  };
  const line = new ModbusSimulator([[1, slave]]);
  lines.push(line);
  return { port: await line.listenTcp(), slave, ordered: () => new Promise((resolve) => (onOrder = resolve)) };
}

const siteOf = (sheds: readonly Shed[]) => ({
  site: { id: 'bench', name: 'Bench', timeZone: 'Asia/Shanghai' },
  zones: sheds.map((_, n) => ({ id: `shed-${n}`, name: `shed-${n}`, kind: 'area' })),
  devices: sheds.flatMap(({ port }, n) => [
    {
      ...{ id: `zone-${n}`, name: `zone-${n}`, zone: `shed-${n}`, profile: 'generic/io-ebike-zone' },
      address: { host: '127.0.0.1', port, unit: 1 },
    },
    { id: `smoke-${n}`, name: `smoke-${n}`, zone: `shed-${n}`, profile: 'gatehouse/smoke-mqtt' },
  ]),
});

/** Smoke, the order, and everything as before. */
async function oneFire(shed: Shed, detector: Publisher, id: string): Promise<number> {
  const say = (smokeDetected: boolean) =>
    detector.socket.write(
      publish(`gatehouse/devices/${id}/up/telemetry`, smokeDetected ? 1 : 2, JSON.stringify({ smokeDetected })),
    );
  const ordered = shed.ordered();
  const began = performance.now();
  say(true);
  const at = await Promise.race([ordered, pause(ANSWER_MS)]);
  if (at === undefined) throw new Error(`${id}: nothing was cut off within ${ANSWER_MS} ms`);
  await pause(EVERY_MS / 2);
  say(false);
  shed.slave.tables.coils?.set(0, false); // by somebody on site
  return at - began;
}

async function fires(sheds: readonly Shed[], detectors: readonly Publisher[], count: number): Promise<number[]> {
  const times: number[] = [];
  for (let n = 0; n < count; n++) {
    await pause((EVERY_MS / 2) * (0.5 + Math.random()));
    const place = n % SHEDS;
    const [shed, detector] = [sheds[place], detectors[place]];
    if (shed && detector) times.push(await oneFire(shed, detector, `smoke-${place}`));
  }
  return times;
}

async function logIn({ detectors: { host, port, devices } }: BenchGateway): Promise<Publisher[]> {
  const publishers: Publisher[] = [];
  for (let n = 0; n < SHEDS; n++) {
    const device = devices.find(({ id }) => id === `smoke-${n}`);
    publishers.push(await openPublisher(host, port, `smoke-${n}`, device?.password ?? ''));
  }
  return publishers;
}

export const linkage: Benchmark = {
  name: 'linkage',
  about: 'smoke over MQTT to charging cut off by the core, against the bare path with two commits',
  async run(rounds) {
    await using stack = new AsyncDisposableStack();
    const lines: ModbusSimulator[] = [];
    stack.defer(() => Promise.all(lines.map((line) => line.close())).then(() => undefined));
    const sheds: Shed[] = [];
    for (let n = 0; n < SHEDS; n++) sheds.push(await openShed(lines));
    const site = stack.use(await startOwnSite(siteOf(sheds)));
    const detectors = await logIn(site);
    stack.defer(() => {
      for (const { socket } of detectors) socket.destroy();
    });
    await fires(sheds, detectors, WARM_UP);
    const pairs = await alternate(
      rounds,
      () => fires(sheds, detectors, EVENTS),
      () => floorTimes(true, false, (plate) => JSON.stringify({ plate })),
    );
    return ([0.5, 0.99] as const).map((share) =>
      compare(
        `safety linkage p${share * 100}`,
        'ms',
        'HTTP in, two commits, Modbus out',
        pairs.map(([ours, floor]) => [percentile(ours, share), percentile(floor, share)] as const),
      ),
    );
  },
};
