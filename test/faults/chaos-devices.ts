/**
 * The process of the compound's devices, which outlives every gateway: barriers, perimeter zones, cameras, smoke detectors
 * and stations on their real protocols. It keeps a log of what they were made to do and of what was so.
 */
import mqtt from 'mqtt';
import type { Request } from '../../drivers/modbus/frame.ts';
import { ModbusSimulator, SimulatedSlave } from '../../drivers/modbus/simulator.ts';
import { SimulatedCamera, type SimulatedRead } from '../../drivers/vzenith/simulator.ts';
import { delay, every, systemClock } from '../../runtime/clock.ts';
import { Barrier } from '../../runtime/demo/barrier.ts';
import { Lane } from '../../runtime/demo/lane.ts';
import { Perimeter } from '../../runtime/demo/perimeter.ts';
import { reasonOf } from '../../runtime/errors.ts';
import { type Board, boards } from './chaos-boards.ts';
import {
  type Addresses,
  type DeviceLog,
  type FromDevices,
  type Layout,
  mono,
  type Occurrence,
  type ToDevices,
  type Wire,
} from './chaos-log.ts';

const LOOK_MS = 50;
const LATE_MS = 50;
const CALM_MS = 1500;
const CLOSE_RELAY = 1;
const HOLD_RELAY = 2;
const ACK_MS = 5000;
const AGAIN_MS = 200;
/** A camera keeps so many results; the oldest goes first. */
const CAMERA_KEEPS = 100;
/** More than the deadband of the profile apart, so that every sample is a record. */
const LEVELS = 8;
const SMOKE_LEVEL = 20;
const FIRST_REGISTER = 500;
const REGISTERS = 5;
/** From here on they are dust, not tenths. */
const DUST = 3;

const log: DeviceLog = {
  ...{ done: [], truths: [], occurrences: [], samples: [], seen: [], answered: [], lags: [] },
  passed: 0,
};
let lookedAt = mono();

/** As the oracle names an output, too. */
function outputOf(request: Request): string {
  if (!('value' in request) || request.function !== 5) return `${request.function}:${request.address}`;
  const isCoil = request.value === 0 || request.value === 0xff00;
  return isCoil ? `5:${request.address}:${request.value === 0 ? 0 : 1}` : `5:${request.address}=${request.value}`;
}

/** A device behind a Modbus line, and how the wire to it is. */
interface Wired {
  readonly simulator: ModbusSimulator;
  readonly slave: SimulatedSlave;
  readonly rtu: boolean;
  port: number;
  /** Nobody listens there now. */
  cut: boolean;
}

class WitnessedCamera extends SimulatedCamera {
  readonly #kept: (string | undefined)[] = [];

  constructor(serial: string) {
    super({ serial, retryMs: 500 });
    this.onAnswer = () => {
      if (this.answers.at(-1)?.status !== 200) return;
      const plate = this.#kept.shift();
      if (plate !== undefined) log.answered.push(plate);
    };
  }

  override see(read: SimulatedRead): object {
    this.#kept.push(read.plate);
    if (this.#kept.length > CAMERA_KEEPS) this.#kept.shift();
    if (read.plate !== undefined) log.seen.push(read.plate);
    return super.see(read);
  }
}

/** A detector that says everything until it is acknowledged, one thing after the other. */
class WitnessedDetector {
  readonly #device: string;
  readonly #everyMs: number;
  readonly #changes: { readonly smoke: boolean; readonly occurrence: Occurrence }[] = [];
  #url: URL | undefined;
  #turn = 0;
  #lastAt = 0;
  #smoke = false;

  constructor(device: string, everyMs: number) {
    this.#device = device;
    this.#everyMs = everyMs;
  }

  meet(address: string): void {
    const first = this.#url === undefined;
    this.#url = new URL(address);
    if (first) void this.#live();
  }

  async smoke(ms: number): Promise<void> {
    const occurrence: Occurrence = { device: this.#device, alarm: 'smoke', on: mono(), off: Number.POSITIVE_INFINITY };
    log.occurrences.push(occurrence);
    this.#changes.push({ smoke: true, occurrence });
    while (occurrence.acked === undefined) await delay(systemClock, LOOK_MS);
    await delay(systemClock, ms);
    occurrence.off = mono();
    this.#changes.push({ smoke: false, occurrence });
    while (this.#changes.length > 0) await delay(systemClock, LOOK_MS);
  }

  async #live(): Promise<void> {
    // Not all at the same moment.
    let pause = Math.random() * this.#everyMs;
    for (;;) {
      const until = mono() + pause;
      while (this.#changes.length === 0 && mono() < until) await delay(systemClock, LOOK_MS);
      await this.#say();
      pause = this.#everyMs;
    }
  }

  async #say(): Promise<void> {
    const change = this.#changes[0];
    if (change) this.#smoke = change.smoke;
    this.#lastAt = Math.max(this.#lastAt + 1, Date.now());
    this.#turn++;
    const value = (this.#smoke ? SMOKE_LEVEL : 0) + (this.#turn % LEVELS) / 2;
    const sample = { device: this.#device, at: this.#lastAt, value };
    const values = { smokeDetected: this.#smoke, smoke: value };
    const body = JSON.stringify({ at: sample.at, values });
    while (!(await this.#deliver(body))) await delay(systemClock, AGAIN_MS);
    log.samples.push(sample);
    if (!change) return;
    if (change.smoke) change.occurrence.acked = mono();
    this.#changes.shift();
  }

  #client: mqtt.MqttClient | undefined;

  /** @returns whether it was acknowledged */
  async #deliver(body: string): Promise<boolean> {
    const { hostname, port, password } = this.#url as URL;
    this.#client ??= mqtt.connect({
      host: hostname,
      port: Number(port),
      protocolVersion: 4,
      clientId: this.#device,
      username: this.#device,
      password: decodeURIComponent(password),
      reconnectPeriod: 0,
      connectTimeout: 3000,
      keepalive: 30,
    });
    const client = this.#client;
    const drop = () => {
      if (this.#client === client) this.#client = undefined;
      client.end(true);
    };
    const sent = new Promise<boolean>((resolve) => {
      const settle = (acked: boolean) => {
        clearTimeout(timer);
        client.off('close', lost);
        resolve(acked);
      };
      const lost = () => settle(false);
      const timer = setTimeout(lost, ACK_MS);
      client.once('close', lost);
      const publish = () =>
        client.publish(`gatehouse/devices/${this.#device}/up/telemetry`, body, { qos: 1 }, (error) => settle(!error));
      if (client.connected) publish();
      else client.once('connect', publish);
    });
    client.removeAllListeners('error');
    client.on('error', () => {}); // it closes as well
    const acked = await sent;
    if (!acked) drop();
    return acked;
  }
}

const wired = new Map<string, Wired>();
const cameras = new Map<string, WitnessedCamera>();
const detectors = new Map<string, WitnessedDetector>();
const perimeters = new Map<string, Perimeter>();
const made = new Map<string, Board>();
const lanes: Lane[] = [];
/** What is sampled of each device. */
const looks = new Map<string, () => Readonly<Record<string, string | number | boolean>>>();
const known = new Map<string, string | number | boolean>();

function look(): void {
  const late = mono() - lookedAt - LOOK_MS;
  if (late > LATE_MS) log.lags.push({ at: lookedAt, ms: late });
  lookedAt = mono();
  for (const [device, points] of looks) {
    for (const [point, value] of Object.entries(points())) {
      if (known.get(`${device}/${point}`) === value) continue;
      known.set(`${device}/${point}`, value);
      log.truths.push({ at: mono(), device, point, value });
    }
  }
  log.passed = lanes.reduce((sum, { counts }) => sum + counts.passed, 0);
}

function wire(device: string, simulator: ModbusSimulator, slave: SimulatedSlave, rtu = false): void {
  slave.onWrite = (request) => void log.done.push({ at: mono(), device, output: outputOf(request) });
  wired.set(device, { simulator, slave, rtu, port: 0, cut: false });
}

async function build(layout: Layout): Promise<Record<string, number>> {
  for (const { id, camera } of layout.gates) {
    const barrier = new Barrier(systemClock);
    const eye = new WitnessedCamera(`fe71e106-${camera}`);
    cameras.set(camera, eye);
    lanes.push(new Lane(eye, barrier, systemClock));
    wire(id, new ModbusSimulator([[1, barrier.board]]), barrier.board);
    const holds = () => barrier.board.tables.coils?.get(HOLD_RELAY) === true;
    const locks = () => barrier.board.tables.coils?.get(CLOSE_RELAY) === true;
    looks.set(id, () => ({
      ...{ barrierState: barrier.state, loopOccupied: barrier.occupied, held: holds(), locked: locks() },
    }));
  }
  for (const id of layout.zones) {
    const perimeter = new Perimeter(systemClock);
    perimeters.set(id, perimeter);
    wire(id, new ModbusSimulator([[1, perimeter.slave]]), perimeter.slave);
    looks.set(id, () => ({ zoneState: stateOf(perimeter) }));
  }
  for (const { id, profile } of layout.boards) {
    const board = boards[profile]?.();
    if (!board) throw new Error(`nobody builds a ${profile}`);
    made.set(id, board);
    wire(id, new ModbusSimulator([[1, board]]), board);
    looks.set(id, board.truths);
  }
  for (const id of layout.smokes) detectors.set(id, new WitnessedDetector(id, layout.sampleMs));
  for (const [number, ids] of layout.lines.entries()) {
    const slaves = ids.map((_, unit) => [unit + 1, station(number * 100 + unit, layout.changeMs)] as const);
    const simulator = new ModbusSimulator(slaves);
    for (const [index, id] of ids.entries()) wire(id, simulator, slaves[index]?.[1] ?? new SimulatedSlave({}), true);
  }
  for (const one of wired.values()) {
    const shared = [...wired.values()].find((other) => other.simulator === one.simulator && other.port > 0);
    one.port = shared?.port ?? (one.rtu ? await one.simulator.listenRtuTcp() : await one.simulator.listenTcp());
  }
  every(systemClock, LOOK_MS, look);
  traffic(layout);
  return Object.fromEntries([...wired].map(([id, { port }]) => [id, port]));
}

/** Registers that change in turn, each by more than its deadband; on the first line where the air is bad, there are alarms. */
function station(offset: number, changeMs: number): SimulatedSlave {
  const value = (address: number) => {
    const place = address - FIRST_REGISTER;
    if (place < 0 || place >= REGISTERS) return undefined;
    const turn = Math.floor((Date.now() + (offset * 37 + place * 211) * 17) / changeMs);
    const dust = place >= DUST && offset >= 100;
    return dust ? 20 + 2 * (turn % LEVELS) : 300 + 20 * (turn % LEVELS);
  };
  return new SimulatedSlave({ holdingRegisters: { get: value, set: () => undefined } });
}

const stateOf = ({ slave }: Perimeter): string => {
  const input = (address: number) => slave.tables.discreteInputs?.get(address) === true;
  if (!input(2)) return 'disarmed';
  return input(0) ? 'alarm' : 'armed';
};

let stopTraffic = (): void => {};
function traffic({ carsMs, plates }: Layout): void {
  let count = 0;
  stopTraffic = every(systemClock, carsMs, () => {
    const lane = lanes[count % lanes.length];
    const plate = plates[count % plates.length];
    count++;
    lane?.arrive(plate === undefined ? {} : { plate });
  });
}

function meet({ push, mqtt: addresses }: Addresses): void {
  for (const [id, url] of Object.entries(push)) cameras.get(id)?.pushTo(url);
  for (const [id, url] of Object.entries(addresses)) detectors.get(id)?.meet(url);
}

async function happen(device: string, what: string, ms: number): Promise<void> {
  if (what === 'smoke') return detectors.get(device)?.smoke(ms);
  const perimeter = perimeters.get(device);
  const trouble = perimeter
    ? { alarm: what, begin: () => perimeter.intrude(), end: () => perimeter.clear() }
    : made.get(device)?.troubles[what];
  if (!trouble) throw new Error(`${what} does not happen at ${device}`);
  const occurrence: Occurrence = { device, alarm: trouble.alarm, on: mono(), off: Number.POSITIVE_INFINITY };
  log.occurrences.push(occurrence);
  trouble.begin();
  await delay(systemClock, ms);
  occurrence.off = mono();
  trouble.end();
  await delay(systemClock, CALM_MS); // long enough to be seen between two
}

async function setWire(device: string, state: Wire): Promise<void> {
  const one = wired.get(device);
  if (!one) throw new Error(`${device} has no wire`);
  one.slave.behaviour = state === 'deaf' ? { deaf: true } : {};
  if (one.cut === (state === 'cut')) return;
  one.cut = !one.cut;
  if (one.cut) await one.simulator.close();
  else await (one.rtu ? one.simulator.listenRtuTcp(one.port) : one.simulator.listenTcp(one.port));
}

async function answer(message: ToDevices): Promise<unknown> {
  switch (message.do) {
    case 'build':
      return build(message.layout);
    case 'meet':
      return meet(message.addresses);
    case 'happen':
      return happen(message.device, message.what, message.ms);
    case 'behave': {
      const one = wired.get(message.device);
      if (one) one.slave.behaviour = message.behaviour;
      return undefined;
    }
    case 'wire':
      return setWire(message.device, message.wire);
    case 'rest':
      return stopTraffic();
    case 'log':
      return log;
  }
}

process.on('message', (message: ToDevices & { readonly id: number }) => {
  const reply = (part: Omit<FromDevices, 'id'>) => process.send?.({ id: message.id, ...part });
  answer(message).then(
    (result) => reply({ result }),
    (error: unknown) => reply({ error: reasonOf(error) }),
  );
});
process.once('disconnect', () => process.exit(0));
