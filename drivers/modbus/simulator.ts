/**
 * Modbus slaves that speak over TCP, over a transparent serial server and on a serial port, with the faults that are
 * met on site. For tests, the demo compound and benchmarks; nothing of the gateway imports it.
 */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { type Clock, systemClock } from '../../runtime/clock.ts';
import { decodeRequest, type Request, wrapRtu, wrapTcp } from './frame.ts';
import { RtuRequestFramer, TcpFramer } from './framers.ts';

/** A Map will do; or anything that computes. `get` gives undefined for an address the device does not have. */
export interface Table<T> {
  get(address: number): T | undefined;
  set(address: number, value: T): unknown;
}

/** What is wrong with the device. All off: it is healthy. */
export interface Behaviour {
  /** Carries out what it is told and does not answer. */
  silent?: boolean;
  /** Nothing reaches it. */
  deaf?: boolean;
  /** Answers in the name of this unit. */
  answersAs?: number;
  badChecksum?: boolean;
  /** Every request is refused with this. */
  exception?: number;
  lateMs?: number;
  /** Only so many bytes of the answer are sent. */
  cutAt?: number;
  /** Sent before the answer. */
  junk?: Uint8Array;
  /** Added to the value a write is confirmed with. */
  wrongEcho?: boolean;
}

export interface SlaveTables {
  readonly coils?: Table<boolean>;
  readonly discreteInputs?: Table<boolean>;
  readonly holdingRegisters?: Table<number>;
  readonly inputRegisters?: Table<number>;
}

/** A table of `values.length` neighbours, from address `first` on. */
export const table = <T>(first: number, values: readonly T[]): Map<number, T> =>
  new Map(values.map((value, i) => [first + i, value]));

const REFUSED = { function: 1, address: 2, value: 3 } as const;

export class SimulatedSlave {
  readonly tables: SlaveTables;
  behaviour: Behaviour = {};
  /** Requests answered or swallowed, newest last, at most a thousand. */
  readonly requests: Request[] = [];
  /** Every write that was carried out. */
  onWrite: (request: Request) => void = () => {};

  constructor(tables: SlaveTables) {
    this.tables = tables;
  }

  /** @returns the PDU of the answer. */
  answer(request: Request): Buffer {
    if (this.requests.push(request) > 1000) this.requests.shift();
    const exception = this.behaviour.exception;
    if (exception !== undefined) return refuse(request, exception);
    const pdu = this.#carryOut(request);
    if (this.behaviour.wrongEcho && !('count' in request)) pdu.writeUInt16BE((pdu.readUInt16BE(3) + 1) & 0xffff, 3);
    return pdu;
  }

  #carryOut(request: Request): Buffer {
    const { coils, discreteInputs, holdingRegisters, inputRegisters } = this.tables;
    switch (request.function) {
      case 1:
        return readBits(request, coils);
      case 2:
        return readBits(request, discreteInputs);
      case 3:
        return readRegisters(request, holdingRegisters);
      case 4:
        return readRegisters(request, inputRegisters);
      case 5:
        if (coils?.get(request.address) === undefined) return refuse(request, REFUSED.address);
        if (request.value !== 0xff00 && request.value !== 0) return refuse(request, REFUSED.value);
        coils.set(request.address, request.value === 0xff00);
        return this.#written(request, request.value);
      case 6:
        if (holdingRegisters?.get(request.address) === undefined) return refuse(request, REFUSED.address);
        holdingRegisters.set(request.address, request.value);
        return this.#written(request, request.value);
      default:
        return this.#writeMany(request);
    }
  }

  #writeMany(request: Extract<Request, { values: readonly number[] }>): Buffer {
    const { coils, holdingRegisters } = this.tables;
    const target = request.function === 15 ? coils : holdingRegisters;
    if (!target || request.values.some((_, i) => target.get(request.address + i) === undefined)) {
      return refuse(request, target ? REFUSED.address : REFUSED.function);
    }
    for (const [i, value] of request.values.entries()) {
      if (request.function === 15) coils?.set(request.address + i, value !== 0);
      else holdingRegisters?.set(request.address + i, value);
    }
    return this.#written(request, request.values.length);
  }

  #written(request: Request, word: number): Buffer {
    this.onWrite(request);
    const pdu = Buffer.alloc(5);
    pdu.writeUInt8(request.function, 0);
    pdu.writeUInt16BE(request.address, 1);
    pdu.writeUInt16BE(word, 3);
    return pdu;
  }
}

const refuse = (request: Request, exception: number): Buffer => Buffer.from([request.function | 0x80, exception]);

function readBits(request: Extract<Request, { count: number }>, from: Table<boolean> | undefined): Buffer {
  if (!from) return refuse(request, REFUSED.function);
  if (request.count < 1 || request.count > 2000) return refuse(request, REFUSED.value);
  const pdu = Buffer.alloc(2 + Math.ceil(request.count / 8));
  pdu.writeUInt8(request.function, 0);
  pdu.writeUInt8(pdu.length - 2, 1);
  for (let i = 0; i < request.count; i++) {
    const bit = from.get(request.address + i);
    if (bit === undefined) return refuse(request, REFUSED.address);
    if (bit) pdu[2 + (i >> 3)] = (pdu[2 + (i >> 3)] ?? 0) | (1 << (i & 7));
  }
  return pdu;
}

function readRegisters(request: Extract<Request, { count: number }>, from: Table<number> | undefined): Buffer {
  if (!from) return refuse(request, REFUSED.function);
  if (request.count < 1 || request.count > 125) return refuse(request, REFUSED.value);
  const pdu = Buffer.alloc(2 + request.count * 2);
  pdu.writeUInt8(request.function, 0);
  pdu.writeUInt8(request.count * 2, 1);
  for (let i = 0; i < request.count; i++) {
    const word = from.get(request.address + i);
    if (word === undefined) return refuse(request, REFUSED.address);
    pdu.writeUInt16BE(word & 0xffff, 2 + i * 2);
  }
  return pdu;
}

/**
 * A relay board as Waveshare builds them: relays are coils 0…, and FC05 at 0x0200 + n closes relay n for the given
 * time in 100 ms and opens it by itself, whatever becomes of the master.
 */
export class RelayBoard extends SimulatedSlave {
  /** Times each relay was ordered to close, by pulse or for good. */
  readonly closings: number[];
  /** A relay changed. */
  onRelay: (relay: number, closed: boolean) => void = () => {};
  readonly #relays: boolean[];
  readonly #cancel = new Map<number, () => void>();
  readonly #clock: Clock;

  /** @param holdingRegisters of another module on the same board. */
  constructor(
    relays: number,
    discreteInputs: Table<boolean>,
    clock: Clock = systemClock,
    holdingRegisters?: Table<number>,
  ) {
    super({
      discreteInputs,
      ...(holdingRegisters ? { holdingRegisters } : {}),
      coils: { get: (address) => this.#relays[address], set: (address, closed) => this.#order(address, closed) },
    });
    this.#clock = clock;
    this.#relays = new Array<boolean>(relays).fill(false);
    this.closings = new Array<number>(relays).fill(0);
  }

  override answer(request: Request): Buffer {
    const relay = request.address - PULSE_BASE;
    const pulse = request.function === 5 && this.#relays[relay] !== undefined && this.behaviour.exception === undefined;
    if (!pulse) return super.answer(request);
    this.requests.push(request);
    this.#order(relay, true);
    this.#cancel.set(
      relay,
      this.#clock.after(request.value * PULSE_UNIT_MS, () => this.#change(relay, false)),
    );
    this.onWrite(request);
    const pdu = Buffer.from([5, 0, 0, 0, 0]);
    pdu.writeUInt16BE(request.address, 1);
    pdu.writeUInt16BE(this.behaviour.wrongEcho ? request.value + 1 : request.value, 3);
    return pdu;
  }

  #order(relay: number, closed: boolean): void {
    this.#cancel.get(relay)?.();
    this.#cancel.delete(relay);
    if (closed) this.closings[relay] = (this.closings[relay] ?? 0) + 1;
    this.#change(relay, closed);
  }

  #change(relay: number, closed: boolean): void {
    if (this.#relays[relay] === closed) return;
    this.#relays[relay] = closed;
    this.onRelay(relay, closed);
  }
}

const PULSE_BASE = 0x0200;
const PULSE_UNIT_MS = 100;

function transmit(frame: Buffer, behaviour: Behaviour, write: (bytes: Uint8Array) => unknown): void {
  if (behaviour.junk) write(behaviour.junk);
  write(frame.subarray(0, behaviour.cutAt ?? frame.length));
}

/** Silence that ends an RTU frame, ms: generous, a pseudo-terminal has no bit times. */
const RTU_SILENCE_MS = 15;

/** One line with slaves on it. A unit that is not there is not answered. */
export class ModbusSimulator {
  readonly slaves: Map<number, SimulatedSlave>;
  readonly #clock: Clock;
  readonly #sockets = new Set<Socket>();
  readonly #closers: (() => Promise<void>)[] = [];

  constructor(slaves: Iterable<readonly [number, SimulatedSlave]>, clock: Clock = systemClock) {
    this.slaves = new Map(slaves);
    this.#clock = clock;
  }

  get connections(): number {
    return this.#sockets.size;
  }

  /** Modbus TCP. @returns the port. */
  listenTcp(port = 0, host = '127.0.0.1'): Promise<number> {
    return this.#listen(port, host, (socket) => {
      const framer = new TcpFramer();
      socket.on('data', (chunk) => {
        try {
          framer.push(chunk, (transaction, unit, pdu) => {
            this.#handle(unit, pdu, (as, answer, behaviour) =>
              transmit(wrapTcp(transaction, as, answer), behaviour, (bytes) => socket.write(bytes)),
            );
          });
        } catch {
          socket.destroy(); // what follows a broken header cannot be read
        }
      });
    });
  }

  /** RTU frames over TCP, as through a transparent serial server. @returns the port. */
  listenRtuTcp(port = 0, host = '127.0.0.1'): Promise<number> {
    return this.#listen(port, host, (socket) => {
      const receive = this.#rtu((bytes) => socket.write(bytes));
      socket.on('data', receive);
    });
  }

  /** RTU on a serial port or one end of a pseudo-terminal pair. */
  async openSerial(path: string, baudRate = 9600): Promise<void> {
    const { SerialPort } = await import('serialport');
    const port = new SerialPort({ path, baudRate, autoOpen: false });
    await new Promise<void>((resolve, reject) => port.open((error) => (error ? reject(error) : resolve())));
    port.on(
      'data',
      this.#rtu((bytes) => port.write(Buffer.from(bytes))),
    );
    this.#closers.push(() => new Promise((resolve) => port.close(() => resolve())));
  }

  /** Cuts every connection, as a switch that loses power; listening goes on. */
  disconnect(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async close(): Promise<void> {
    this.disconnect();
    await Promise.all(this.#closers.splice(0).map((close) => close()));
  }

  async #listen(port: number, host: string, serve: (socket: Socket) => void): Promise<number> {
    const server: Server = createServer({ noDelay: true }, (socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
      socket.on('error', () => socket.destroy());
      serve(socket);
    });
    server.listen(port, host);
    await once(server, 'listening');
    this.#closers.push(() => new Promise((resolve) => server.close(() => resolve())));
    return (server.address() as AddressInfo).port;
  }

  #rtu(write: (bytes: Uint8Array) => unknown): (chunk: Buffer) => void {
    const framer = new RtuRequestFramer();
    const deliver = (unit: number, pdu: Buffer) =>
      this.#handle(unit, pdu, (as, answer, behaviour) => {
        const frame = wrapRtu(as, answer);
        if (behaviour.badChecksum) frame[frame.length - 1] = (frame[frame.length - 1] ?? 0) ^ 0xff;
        transmit(frame, behaviour, write);
      });
    let cancel = (): void => {};
    return (chunk) => {
      cancel();
      framer.push(chunk, deliver);
      cancel = this.#clock.after(RTU_SILENCE_MS, () => framer.flush(deliver));
    };
  }

  #handle(unit: number, pdu: Buffer, answer: (unit: number, pdu: Buffer, behaviour: Behaviour) => void): void {
    const slave = this.slaves.get(unit);
    if (!slave || slave.behaviour.deaf) return;
    const request = decodeRequest(unit, pdu);
    const { behaviour } = slave;
    const out = request ? slave.answer(request) : Buffer.from([(pdu[0] ?? 0) | 0x80, REFUSED.function]);
    if (behaviour.silent) return;
    const send = () => answer(behaviour.answersAs ?? unit, out, behaviour);
    if (behaviour.lateMs === undefined) send();
    else this.#clock.after(behaviour.lateMs, send);
  }
}
