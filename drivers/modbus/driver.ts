/**
 * Modbus over TCP, RTU through a serial server, and RTU on a serial port. One line has one queue and one request in
 * flight; the unit id, the timeout and the expected answer belong to the request.
 */
import { delay } from '../../runtime/clock.ts';
import { GatehouseError, reasonOf } from '../../runtime/errors.ts';
import type {
  AttachedDevice,
  CommandTurn,
  DriverContext,
  Link,
  LinkDriver,
  Profile,
  ProfileFrame,
  Reading,
} from '../driver.ts';
import { encodeCommand } from './command.ts';
import { connectSerial, connectTcp } from './connection.ts';
import { crcHolds, decodeAnswer, decodeRequest, type WriteManyRequest, type WriteRequest } from './frame.ts';
import { type Counters, Line, type Turn } from './line.ts';
import { type Block, decodeBlock, planPoint } from './planner.ts';
import { type Address, address, type Command, command, DEFAULT_PORT, type Point, point } from './schema.ts';
import { type Group, Slave } from './slave.ts';

/** A gateway says that it could not reach the device behind it: the device itself said nothing. */
const GATEWAY_EXCEPTIONS = [10, 11];
/** The device has not carried out the order and never will: refused, and not "somewhere between". */
const DEFINITE_EXCEPTIONS = [1, 2, 3, 6, 10];
const BUSY = 6;
const BUSY_TRIES = 3;
const BUSY_WAIT_MS = 100;
const ILLEGAL_ADDRESS = [2, 3];

const exceptionOf = (error: unknown): number | undefined =>
  error instanceof GatehouseError && error.code === 'driver.refused' ? Number(error.detail?.exception) : undefined;

export class ModbusLink implements Link {
  readonly #line: Line;
  readonly #context: DriverContext;
  readonly #slaves = new Map<string, Slave>();
  #cancelWake = (): void => {};

  constructor(where: Address, context: DriverContext) {
    this.#context = context;
    const serial = where.transport === 'serial';
    this.#line = new Line({
      name: lineOf(where),
      framing: where.transport === 'rtu-tcp' || serial ? 'rtu' : 'tcp',
      connect: serial ? connectSerial(where) : connectTcp(where.host, where.port ?? DEFAULT_PORT, context.clock),
      ...(serial ? { baudRate: where.baudRate ?? 9600 } : {}),
      clock: context.clock,
      log: context.log,
      poll: () => this.#nextPoll(),
      up: (fresh) => {
        if (fresh) for (const slave of this.#slaves.values()) slave.lineUp();
      },
      down: (reason) => {
        for (const slave of this.#slaves.values()) slave.lineDown(reason);
      },
    });
    this.#line.start();
  }

  get counters(): Counters {
    return this.#line.counters;
  }

  attach(device: AttachedDevice): void {
    const { sink, clock } = this.#context;
    this.detach(device.id);
    const slave = new Slave(device, device.address as Address, clock, {
      readings: (readings) => sink.readings(device.id, readings),
      online: () => {
        this.#revived(slave);
        sink.online(device.id);
      },
      offline: (reason) => sink.offline(device.id, reason),
    });
    this.#slaves.set(device.id, slave);
    if (this.#line.downReason !== undefined) slave.lineDown(this.#line.downReason);
    this.#line.wake();
  }

  /** The first answer on a line that was dead as a whole: the others are asked now, not when their turn comes. */
  #revived(first: Slave): void {
    const others = [...this.#slaves.values()].filter((slave) => slave !== first);
    if (others.some(({ isOffline }) => !isOffline)) return;
    for (const slave of others) slave.lineUp();
    this.#line.wake();
  }

  detach(device: string): void {
    this.#slaves.get(device)?.stop();
    this.#slaves.delete(device);
  }

  async command(
    device: string,
    name: string,
    input: Readonly<Record<string, unknown>>,
    turn: CommandTurn,
  ): Promise<Record<string, unknown>> {
    const slave = this.#slave(device);
    const definition = slave.device.profile.commands?.[name] as Command | undefined;
    if (!definition) throw new GatehouseError('command.unsupported', `${device} has no command ${name}`);
    const request = encodeCommand(definition, slave.unit, input);
    await this.#line.ready();
    return await this.#line.take(
      'order',
      async () => {
        await this.#line.settle(slave.gapMs);
        await turn.begin();
        await this.#write(slave, request, turn.signal);
        const { function: code, address: at } = request;
        return {
          function: code,
          address: at,
          ...('value' in request ? { value: request.value } : { values: request.values }),
        };
      },
      turn.signal,
    );
  }

  async read(device: string, points: readonly string[], signal: AbortSignal): Promise<Reading[]> {
    const slave = this.#slave(device);
    const blocks = slave.blocksFor(points);
    if (!blocks) throw new GatehouseError('profile.invalid', `${device} has no point among ${points.join(', ')}`);
    await this.#line.ready();
    if (slave.quietMs > 0) await delay(this.#context.clock, slave.quietMs, signal);
    const readings: Reading[] = [];
    for (const block of blocks) {
      readings.push(
        ...(await this.#line.take('question', () => this.#readBlock(slave, block, slave.timeoutMs), signal)),
      );
    }
    return readings;
  }

  async close(): Promise<void> {
    this.#cancelWake();
    for (const slave of this.#slaves.values()) slave.stop();
    this.#slaves.clear();
    await this.#line.close();
  }

  #slave(device: string): Slave {
    const slave = this.#slaves.get(device);
    if (!slave) throw new GatehouseError('driver.closed', `${device} is not on ${this.#line.name}`);
    return slave;
  }

  /** The poll that has waited longest. Sets the alarm clock when none is due. */
  #nextPoll(): Turn | undefined {
    this.#cancelWake();
    if (!this.#line.isUp) return undefined;
    let soonest = Number.POSITIVE_INFINITY;
    let chosen: { slave: Slave; group: Group } | undefined;
    for (const slave of this.#slaves.values()) {
      for (const group of slave.groups) {
        const dueAt = slave.dueAt(group);
        if (dueAt >= soonest && chosen) continue;
        soonest = dueAt;
        chosen = { slave, group };
      }
    }
    if (!chosen) return undefined;
    const { slave, group } = chosen;
    const wait = soonest - this.#context.clock.mono();
    if (wait <= 0) return () => this.#poll(slave, group);
    this.#cancelWake = this.#context.clock.after(wait, () => this.#line.wake());
    return undefined;
  }

  async #poll(slave: Slave, group: Group): Promise<void> {
    const block = slave.takeBlock(group);
    if (!block) return;
    try {
      slave.deliver(await this.#readBlock(slave, block, slave.pollTimeoutMs));
    } catch (error) {
      if (ILLEGAL_ADDRESS.includes(exceptionOf(error) ?? 0) && slave.split(group, block)) {
        this.#context.log.warn(
          { device: slave.id, reason: reasonOf(error) },
          'reads its points one by one from now on',
        );
      } else {
        this.#context.log.debug({ device: slave.id, reason: reasonOf(error) }, 'poll failed');
      }
    }
  }

  async #readBlock(slave: Slave, block: Block, timeoutMs: number): Promise<Reading[]> {
    await this.#line.settle(slave.gapMs);
    const { function: code, address: at, count } = block;
    const data = await this.#exchange(slave, { unit: slave.unit, function: code, address: at, count }, timeoutMs);
    return decodeBlock(block, data);
  }

  async #write(slave: Slave, request: WriteRequest | WriteManyRequest, signal: AbortSignal): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        await this.#exchange(slave, request, slave.timeoutMs);
        return;
      } catch (error) {
        const exception = exceptionOf(error);
        if (exception === BUSY && attempt < BUSY_TRIES && !signal.aborted) {
          await delay(this.#context.clock, BUSY_WAIT_MS);
          continue;
        }
        if (exception === undefined ? isNotSent(error) : DEFINITE_EXCEPTIONS.includes(exception)) throw error;
        throw new GatehouseError('driver.timeout', `sent, outcome unknown: ${reasonOf(error)}`, { cause: error });
      }
    }
  }

  async #exchange(slave: Slave, request: Parameters<Line['exchange']>[0], timeoutMs: number): Promise<Buffer> {
    const startedAt = this.#context.clock.mono();
    try {
      const data = await this.#line.exchange(request, timeoutMs);
      slave.answered(this.#context.clock.mono() - startedAt);
      return data;
    } catch (error) {
      const exception = exceptionOf(error);
      if (exception !== undefined && !GATEWAY_EXCEPTIONS.includes(exception)) {
        slave.answered(this.#context.clock.mono() - startedAt);
      } else if (!isNotSent(error)) {
        slave.failed(reasonOf(error), this.#slaves.size === 1);
      }
      throw error;
    }
  }
}

const isNotSent = (error: unknown): boolean => error instanceof GatehouseError && error.code === 'driver.closed';

const endpointOf = (where: Address): string =>
  where.transport === 'serial' ? where.path : `${where.host.toLowerCase()}:${where.port ?? DEFAULT_PORT}`;
const lineOf = (where: Address): string => `${where.transport ?? 'tcp'}:${endpointOf(where)}`;

export const modbus: LinkDriver = {
  kind: 'link',
  protocol: 'modbus',
  address,
  point,
  command,
  lineOf: (where) => lineOf(where as Address),
  // Without the transport: two framings on one port would answer the same bytes.
  identityOf: (where) => `modbus:${endpointOf(where as Address)}/${(where as Address).unit ?? 1}`,
  open: (where, context) => new ModbusLink(where as Address, context),
  decode: decodeFrame,
};

/** `request` and `receive` are whole RTU frames in hex: a frame means something only as the answer to its request. */
function decodeFrame(profile: Profile, frame: ProfileFrame): Reading[] {
  const request = decodeRequest(...unwrap(frame.request ?? '', 'request'));
  if (!request) throw new GatehouseError('driver.frame', `Not a request: ${frame.request}`);
  const data = decodeAnswer(request, ...unwrap(frame.receive, 'answer'));
  if (!('count' in request)) return [];
  const end = request.address + request.count;
  return Object.entries(profile.points)
    .map(([name, definition]) => planPoint(name, definition as Point))
    .filter((p) => p.function === request.function && p.address >= request.address && p.address + p.span <= end)
    .map((p) => p.decode(data, request.address));
}

function unwrap(hex: string, what: string): [unit: number, pdu: Buffer] {
  const bytes = Buffer.from(hex.replaceAll(/\s/g, ''), 'hex');
  if (bytes.length < 5 || !crcHolds(bytes, 0, bytes.length)) {
    throw new GatehouseError('driver.frame', `Checksum of the ${what} does not hold: ${hex}`);
  }
  return [bytes.readUInt8(0), bytes.subarray(1, -2)];
}
