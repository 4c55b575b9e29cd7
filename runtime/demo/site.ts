/** The demo compound: its devices, on their real protocols, and what can be made to happen to them. */
import { ModbusSimulator, type SimulatedSlave } from '../../drivers/modbus/simulator.ts';
import { SmokeDetector } from '../../drivers/mqtt-json/simulator.ts';
import { SimulatedCamera } from '../../drivers/vzenith/simulator.ts';
import type { Clock } from '../clock.ts';
import { reasonOf } from '../errors.ts';
import { Barrier } from './barrier.ts';
import { Lane } from './lane.ts';
import { LifeSafety } from './life-safety.ts';
import type { DemoAction, DemoStart, DemoStats } from './messages.ts';
import { Perimeter } from './perimeter.ts';
import { Station } from './station.ts';
import { Traffic } from './traffic.ts';

const LANES = [
  { zone: 'east-in', way: 'in', serial: 'fe71e106-0000001a' },
  { zone: 'east-out', way: 'out', serial: 'fe71e106-0000001b' },
] as const;
const STATION = 'station-garden';
const PERIMETER = 'zone-east-2';
const SMOKE = 'smoke-b3-1-5f';
const SMOKE_LEVEL = 20;
const CLEAN_AIR = 0.2;
const SMOKE_MS = 60_000;

export class DemoSite {
  readonly #clock: Clock;
  readonly #lanes = new Map<string, Lane>();
  readonly #boards = new Map<string, ModbusSimulator>();
  readonly #ports: Record<string, number> = {};
  readonly #traffic: Traffic;
  readonly #station: Station;
  readonly #perimeter: Perimeter;
  readonly #lifeSafety: LifeSafety;
  #detector: SmokeDetector | undefined;
  #cancelSmoke = (): void => {};

  constructor(clock: Clock, random: () => number = Math.random) {
    this.#clock = clock;
    this.#station = new Station(clock);
    this.#perimeter = new Perimeter(clock);
    this.#lifeSafety = new LifeSafety(clock);
    for (const { zone, serial } of LANES) {
      const barrier = new Barrier(clock);
      this.#lanes.set(zone, new Lane(new SimulatedCamera({ serial, clock }), barrier, clock));
      this.#board(`gate-${zone}`, barrier.board);
    }
    this.#board(STATION, this.#station.slave);
    this.#board(PERIMETER, this.#perimeter.slave);
    for (const [device, slave] of Object.entries(this.#lifeSafety.slaves)) this.#board(device, slave);
    this.#traffic = new Traffic({
      clock,
      random,
      lanes: LANES.flatMap(({ zone, way }) => {
        const lane = this.#lanes.get(zone);
        return lane ? [{ lane, way }] : [];
      }),
    });
  }

  /** Listens, pushes and logs in as told; told again, it goes on with the new addresses. @returns ports by device. */
  async start({ ports, push, mqtt, plates }: DemoStart, carsMs?: number): Promise<Record<string, number>> {
    for (const [device, board] of this.#boards) {
      this.#ports[device] ??= await listen(board, device === STATION, ports[device] ?? 0);
    }
    for (const [zone, lane] of this.#lanes) {
      const url = push[`camera-${zone}`];
      if (url !== undefined) lane.camera.pushTo(url);
    }
    await this.#detector?.stop();
    this.#detector = new SmokeDetector({ device: SMOKE, ...mqtt, clock: this.#clock });
    this.#detector.start();
    this.#traffic.start(plates, carsMs);
    return { ...this.#ports };
  }

  /** @throws Error saying what is wrong with the arguments. */
  async do(action: DemoAction, args: Readonly<Record<string, unknown>> = {}): Promise<Record<string, unknown>> {
    const zone = typeof args.lane === 'string' ? args.lane : 'east-in';
    const lane = this.#lanes.get(zone);
    if (!lane) throw new Error(`No lane ${zone}`);
    switch (action) {
      case 'arrival':
        return this.#arrive(zone, lane, args.plate);
      case 'forced-arm':
        lane.barrier.force();
        return { lane: zone };
      case 'smoke':
        await this.#smoke();
        return { device: SMOKE };
      case 'self-test':
        await this.#detector?.selfTest();
        return { device: SMOKE };
      case 'intrusion':
        this.#perimeter.intrude();
        return { device: PERIMETER };
      case 'noise':
        this.#station.noise();
        return { device: STATION };
      case 'clear':
        await this.#clear();
        return {};
      case 'stats':
        return { ...this.stats() };
      default: {
        const device = this.#lifeSafety.actions[action]?.();
        if (device === undefined) throw new Error(`Nothing is called ${action}`);
        return { device };
      }
    }
  }

  stats(): DemoStats {
    const lanes = [...this.#lanes];
    return {
      pulses: Object.fromEntries(lanes.map(([zone, { barrier }]) => [`gate-${zone}`, [...barrier.board.closings]])),
      lanes: Object.fromEntries(
        lanes.map(([zone, { barrier, counts }]) => [
          zone,
          { ...counts, barrier: barrier.state, occupied: barrier.occupied },
        ]),
      ),
    };
  }

  async stop(): Promise<void> {
    this.#traffic.stop();
    this.#cancelSmoke();
    this.#perimeter.clear();
    this.#lifeSafety.clear();
    for (const lane of this.#lanes.values()) lane.stop();
    await Promise.all([...this.#boards.values()].map((board) => board.close()));
    await this.#detector?.stop();
  }

  #board(device: string, slave: SimulatedSlave): void {
    this.#boards.set(device, new ModbusSimulator([[1, slave]], this.#clock));
  }

  #arrive(zone: string, lane: Lane, plate: unknown): Record<string, unknown> {
    if (plate !== undefined && (typeof plate !== 'string' || plate.length > 16)) throw new Error('Not a plate');
    const way = LANES.find((one) => one.zone === zone)?.way ?? 'in';
    const car = plate === undefined ? this.#traffic.car(way) : { plate };
    if (!lane.arrive(car)) throw new Error(`The lane ${zone} is full`);
    return { lane: zone, ...car };
  }

  async #smoke(): Promise<void> {
    this.#cancelSmoke();
    this.#cancelSmoke = this.#clock.after(SMOKE_MS, () => void this.#detector?.smoke(CLEAN_AIR));
    await this.#detector?.smoke(SMOKE_LEVEL);
  }

  async #clear(): Promise<void> {
    this.#cancelSmoke();
    this.#perimeter.clear();
    this.#station.quiet();
    this.#lifeSafety.clear();
    for (const { barrier } of this.#lanes.values()) barrier.release();
    await this.#detector?.smoke(CLEAN_AIR);
  }
}

/** @returns the port it got: another one if the wanted one is taken. */
async function listen(board: ModbusSimulator, rtu: boolean, port: number): Promise<number> {
  const start = (wanted: number): Promise<number> => (rtu ? board.listenRtuTcp(wanted) : board.listenTcp(wanted));
  return await start(port).catch((error: unknown) => {
    if (port === 0) throw new Error(`No port for a simulated device: ${reasonOf(error)}`);
    return start(0);
  });
}
