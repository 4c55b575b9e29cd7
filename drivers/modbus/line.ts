/**
 * One line: a connection, and one request in flight on it. Whoever asks waits for the line; orders go first, then
 * questions of the host, then polls, which the line takes only when nobody else waits.
 */
import { type Clock, delay } from '../../runtime/clock.ts';
import { GatehouseError, reasonOf } from '../../runtime/errors.ts';
import type { Log } from '../../runtime/log.ts';
import type { Connect, Connection } from './connection.ts';
import { decodeAnswer, encodeRtu, encodeTcp, type Request } from './frame.ts';
import { RtuReceiver, silence, TcpFramer } from './framers.ts';

/** What the line has seen since it was opened. */
export interface Counters {
  requests: number;
  answers: number;
  timeouts: number;
  /** Answers that came after their time, or for nobody. */
  late: number;
  /** Bytes that belonged to no frame. */
  junk: number;
  badFrames: number;
  mismatches: number;
  connects: number;
  /** Exception code → how often. */
  readonly exceptions: Record<number, number>;
}

export type Turn = () => Promise<void>;
type Priority = 'order' | 'question';

export interface LineOptions {
  readonly name: string;
  readonly framing: 'tcp' | 'rtu';
  readonly connect: Connect;
  /** Bits per second on the wire, where we know them: long frames at 2400 baud take longer than the timeout. */
  readonly baudRate?: number;
  readonly clock: Clock;
  readonly log: Log;
  /** A poll that is due, if any. Asked again after every turn and after `wake`. */
  readonly poll: () => Turn | undefined;
  /** The line is connected. @param fresh for the first time, or for the first time after `down`. */
  readonly up: (fresh: boolean) => void;
  readonly down: (reason: string) => void;
}

interface Waiting {
  readonly run: Turn;
  readonly reject: (error: unknown) => void;
}

interface Pending {
  readonly request: Request;
  readonly transaction: number;
  readonly timeoutMs: number;
  readonly resolve: (data: Buffer) => void;
  readonly reject: (error: unknown) => void;
  readonly cancel: () => void;
}

/** A refused connect costs nobody anything, and a gate must be back within seconds of its network. */
const RECONNECT_FIRST_MS = 100;
const RECONNECT_MAX_MS = 2000;
/** So many requests without one byte: the connection may be half open, as after a router lost its table. */
const SILENT_BEFORE_REOPEN = 3;

export class Line {
  readonly counters: Counters = {
    requests: 0,
    answers: 0,
    timeouts: 0,
    late: 0,
    junk: 0,
    badFrames: 0,
    mismatches: 0,
    connects: 0,
    exceptions: {},
  };
  readonly #options: LineOptions;
  readonly #receiver = new RtuReceiver();
  #tcp = new TcpFramer();
  #connection: Connection | undefined;
  #connecting: Promise<void> | undefined;
  #cancelRetry = (): void => {};
  #retryMs = RECONNECT_FIRST_MS;
  /** What was told to the devices last. */
  #told: 'nothing' | 'up' | 'down' = 'nothing';
  #reason = '';
  /** This connection has carried an answer. */
  #proven = false;
  readonly #closing = new AbortController();
  #running = false;
  #orders: Waiting[] = [];
  #questions: Waiting[] = [];
  #pending: Pending | undefined;
  #transaction = 0;
  #silent = 0;
  #lastByteAt = Number.NEGATIVE_INFINITY;

  constructor(options: LineOptions) {
    this.#options = options;
  }

  get name(): string {
    return this.#options.name;
  }

  get isUp(): boolean {
    return this.#connection !== undefined;
  }

  /** Why the line is down, while it is. */
  get downReason(): string | undefined {
    return this.#told === 'down' ? this.#reason : undefined;
  }

  /** Connects, and keeps connecting until `close`. */
  start(): void {
    void this.#connect();
  }

  /** Resolves when connected; tries at once instead of waiting for the next attempt. @throws `driver.closed` */
  async ready(): Promise<void> {
    if (this.#connection) return;
    await this.#connect();
    if (!this.#connection)
      throw new GatehouseError('driver.closed', this.#reason || `${this.#options.name} is not connected`);
  }

  /** Waits for the line and runs `turn` with it. Leaves the queue when the signal is aborted before its turn. */
  take<T>(priority: Priority, turn: () => Promise<T>, signal: AbortSignal): Promise<T> {
    if (this.#closing.signal.aborted) return Promise.reject(this.#closedError());
    if (signal.aborted) return Promise.reject(signal.reason as unknown);
    const queue = priority === 'order' ? this.#orders : this.#questions;
    return new Promise<T>((resolve, reject) => {
      const leave = () => {
        const place = queue.indexOf(waiting);
        if (place >= 0) queue.splice(place, 1);
        reject(signal.reason);
      };
      const waiting: Waiting = {
        run: async () => {
          signal.removeEventListener('abort', leave);
          await turn().then(resolve, reject);
        },
        reject,
      };
      signal.addEventListener('abort', leave, { once: true });
      queue.push(waiting);
      this.wake();
    });
  }

  /** Something is to be done. */
  wake(): void {
    if (!this.#running) void this.#run();
  }

  /** Waits until the line has been silent for `gapMs`. */
  async settle(gapMs: number): Promise<void> {
    for (;;) {
      const left = this.#lastByteAt + gapMs - this.#options.clock.mono();
      if (!(left > 0)) return;
      await delay(this.#options.clock, left);
    }
  }

  /**
   * Sends one request and waits for its answer. Only for the holder of the turn.
   * @returns data bytes, see {@link decodeAnswer}.
   * @throws {GatehouseError} `driver.closed`: nothing was sent. `driver.refused`: the device says no. Everything else
   *   (`driver.timeout`, `driver.frame`, `driver.mismatch`): sent, and nobody knows what the device made of it.
   */
  exchange(request: Request, timeoutMs: number): Promise<Buffer> {
    const { clock, framing } = this.#options;
    const connection = this.#connection;
    if (!connection) {
      return Promise.reject(new GatehouseError('driver.closed', `${this.#options.name} is not connected`));
    }
    return new Promise((resolve, reject) => {
      this.#transaction = (this.#transaction + 1) & 0xffff;
      const transaction = this.#transaction;
      const bytes = framing === 'tcp' ? encodeTcp(request, transaction) : encodeRtu(request);
      this.counters.late += this.#receiver.clear() > 0 ? 1 : 0;
      this.counters.requests++;
      const cancel = clock.after(timeoutMs + this.#wireMs(bytes.length, request), () => this.#expired());
      this.#pending = { request, transaction, timeoutMs, resolve, reject, cancel };
      connection.write(bytes);
      this.#lastByteAt = clock.mono();
    });
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.#cancelRetry();
    const error = this.#closedError();
    this.#settlePending((pending) => pending.reject(error));
    for (const waiting of [...this.#orders.splice(0), ...this.#questions.splice(0)]) waiting.reject(error);
    await this.#connecting;
    const connection = this.#connection;
    this.#connection = undefined;
    await connection?.close();
  }

  async #run(): Promise<void> {
    this.#running = true;
    try {
      for (;;) {
        const turn = this.#orders.shift()?.run ?? this.#questions.shift()?.run ?? this.#options.poll();
        if (!turn) return;
        await turn();
      }
    } finally {
      this.#running = false;
    }
  }

  #closedError(): GatehouseError {
    return new GatehouseError('driver.closed', `${this.#options.name} is closed`);
  }

  /** Time the frames of one exchange need on a serial line, ms; eleven bits per byte. */
  #wireMs(sent: number, request: Request): number {
    const { baudRate } = this.#options;
    if (baudRate === undefined) return 0;
    const answer = 'count' in request ? 5 + (request.function <= 2 ? request.count / 8 : request.count * 2) : 8;
    return Math.ceil(((sent + answer) * 11_000) / baudRate);
  }

  #connect(): Promise<void> {
    if (this.#connecting || this.#connection || this.#closing.signal.aborted)
      return this.#connecting ?? Promise.resolve();
    this.#cancelRetry();
    this.#connecting = this.#attempt().finally(() => {
      this.#connecting = undefined;
    });
    return this.#connecting;
  }

  async #attempt(): Promise<void> {
    try {
      this.#tcp = new TcpFramer();
      const connection = await this.#options.connect(
        { data: (chunk) => this.#received(chunk), closed: (reason) => this.#lost(reason) },
        this.#closing.signal,
      );
      if (this.#closing.signal.aborted) return await connection.close();
      this.#connection = connection;
      this.#silent = 0;
      this.counters.connects++;
      this.#receiver.clear();
      this.#proven = false;
      const fresh = this.#told !== 'up';
      this.#told = 'up';
      this.#options.log.info({ line: this.#options.name }, 'line connected');
      this.#options.up(fresh);
      this.wake();
    } catch (error) {
      this.#reportDown(reasonOf(error));
      this.#retryLater();
    }
  }

  #retryLater(): void {
    if (this.#closing.signal.aborted) return;
    const wait = this.#retryMs * (0.8 + 0.4 * Math.random()); // many devices behind one switch come back together
    this.#retryMs = Math.min(this.#retryMs * 2, RECONNECT_MAX_MS);
    this.#cancelRetry();
    this.#cancelRetry = this.#options.clock.after(wait, () => void this.#connect());
  }

  #reportDown(reason: string): void {
    if (this.#told === 'down' || this.#closing.signal.aborted) return;
    this.#told = 'down';
    this.#reason = reason;
    this.#options.log.warn({ line: this.#options.name, reason }, 'line down');
    this.#options.down(reason);
  }

  /**
   * The connection is gone. Tried again at once, and only when that fails the devices count as offline. A peer that
   * accepts and hangs up without one answer is a failed attempt.
   */
  #lost(reason: string): void {
    this.#connection = undefined;
    this.#options.log.info({ line: this.#options.name, reason }, 'connection lost');
    this.#settlePending(({ request, reject }) =>
      reject(new GatehouseError('driver.timeout', `${request.unit}: sent, then ${reason}`)),
    );
    if (this.#proven) {
      void this.#connect();
    } else {
      this.#reportDown(reason);
      this.#retryLater();
    }
  }

  /** Ends the connection from our side: what still arrives on it can no longer be told apart. */
  #reopen(reason: string): void {
    const connection = this.#connection;
    if (!connection) return;
    void connection.close();
    this.#connection = undefined;
    this.#options.log.warn({ line: this.#options.name, reason }, 'line reopened');
    // A peer that sends rubbish on every connection must not be reconnected to as fast as the network allows.
    this.#retryLater();
  }

  #received(chunk: Buffer): void {
    this.#lastByteAt = this.#options.clock.mono();
    this.#silent = 0;
    if (this.#options.framing === 'rtu') this.#receivedRtu(chunk);
    else this.#receivedTcp(chunk);
  }

  #receivedTcp(chunk: Buffer): void {
    try {
      this.#tcp.push(chunk, (transaction, unit, pdu) => {
        if (this.#pending?.transaction === transaction) this.#answered(unit, pdu);
        else this.counters.late++;
      });
    } catch (error) {
      this.counters.badFrames++;
      this.#settlePending((pending) => pending.reject(error));
      this.#reopen(reasonOf(error));
    }
  }

  #receivedRtu(chunk: Buffer): void {
    this.#receiver.push(chunk);
    const pending = this.#pending;
    const found = pending && this.#receiver.take(pending.request);
    if (!pending || !found) return;
    this.counters.junk += found.junk;
    this.#answered(pending.request.unit, found.pdu);
  }

  #answered(unit: number, pdu: Buffer): void {
    this.#settlePending(({ request, resolve, reject }) => {
      try {
        const data = decodeAnswer(request, unit, pdu);
        this.counters.answers++;
        this.#proven = true;
        this.#retryMs = RECONNECT_FIRST_MS;
        resolve(data);
      } catch (error) {
        if (error instanceof GatehouseError && error.code === 'driver.refused') {
          const exception = Number(error.detail?.exception);
          this.counters.exceptions[exception] = (this.counters.exceptions[exception] ?? 0) + 1;
        } else {
          this.counters.mismatches++;
        }
        reject(error);
      }
    });
  }

  #expired(): void {
    const silent = this.#options.framing === 'tcp' || this.#receiver.received === 0;
    this.#settlePending(({ request, timeoutMs, reject }) => {
      const error = silent ? silence(request, timeoutMs) : this.#receiver.diagnose(request, timeoutMs);
      if (error.code === 'driver.frame') this.counters.badFrames++;
      else if (error.code === 'driver.mismatch') this.counters.mismatches++;
      else this.counters.timeouts++;
      reject(error);
    });
    this.#receiver.clear();
    // A serial port stays open: reopening helps no slave, and some systems lock the port for good.
    if (silent && ++this.#silent >= SILENT_BEFORE_REOPEN && this.#options.baudRate === undefined) {
      this.#reopen('nothing received');
    }
  }

  #settlePending(settle: (pending: Pending) => void): void {
    const pending = this.#pending;
    if (!pending) return;
    this.#pending = undefined;
    pending.cancel();
    settle(pending);
  }
}
