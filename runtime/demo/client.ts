/** The core's side of the demo compound: starts its process, tells it where to connect, makes things happen in it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, lstatSync, mkdirSync, openSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { reasonOf } from '../errors.ts';
import { type DemoAction, type DemoStart, type FromCompound, lines, socketPathOf } from './messages.ts';

const COMPOUND = fileURLToPath(new URL('compound.ts', import.meta.url));
const START_MS = 15_000;
const TRY_EVERY_MS = 50;
const ANSWER_MS = 10_000;
const RESPAWN_MS = 500;

export interface Demo {
  /** Ports the simulated devices listen on, by device. */
  readonly ports: Readonly<Record<string, number>>;
  /** Process of the compound. */
  readonly pid: number;
  /**
   * Makes something happen in the compound; `stats` counts.
   * @throws Error with the compound's own words, or when it does not answer.
   */
  do(action: DemoAction, args?: Readonly<Record<string, unknown>>): Promise<Record<string, unknown>>;
  /** Ends the compound. */
  stop(): Promise<void>;
  /** Goes, and leaves the compound to the next core; alone it ends after 30 s. */
  leave(): Promise<void>;
}

interface Waiting {
  readonly resolve: (result: Record<string, unknown>) => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
}

/**
 * Connects to the compound of this data directory, starting one if there is none. If it dies it is started again, on
 * the same ports.
 * @throws Error if no compound can be started.
 */
export async function connectDemo(dataDir: string, start: DemoStart): Promise<Demo> {
  const waiting = new Map<number, Waiting>();
  let lastId = 0;
  let ports = start.ports;
  let pid = 0;
  let closing = false;
  let socket: Socket | undefined;
  let up: Promise<void> | undefined;

  const ask = (on: Socket, message: object): Promise<Record<string, unknown>> =>
    new Promise((resolve, reject) => {
      const id = ++lastId;
      const timer = setTimeout(() => {
        waiting.delete(id);
        reject(new Error(`The demo compound did not answer within ${ANSWER_MS} ms`));
      }, ANSWER_MS);
      waiting.set(id, { resolve, reject, timer });
      on.write(`${JSON.stringify({ id, ...message })}\n`);
    });

  const settle = (line: string): void => {
    const reply = JSON.parse(line) as FromCompound;
    const one = waiting.get(reply.id);
    if (!one) return;
    waiting.delete(reply.id);
    clearTimeout(one.timer);
    if ('error' in reply) one.reject(new Error(reply.error));
    else one.resolve(reply.result);
  };

  const lost = (): void => {
    socket = undefined;
    for (const one of waiting.values()) {
      clearTimeout(one.timer);
      one.reject(new Error('The demo compound has gone'));
    }
    waiting.clear();
    if (closing) return;
    revive();
  };

  const revive = (): void => {
    up = pause(RESPAWN_MS).then(open);
    // Whoever asks for something meanwhile hears why it failed; here it is only tried again.
    up.catch(() => {
      if (!closing) revive();
    });
  };

  const open = async (): Promise<void> => {
    if (closing) return;
    const fresh = await reach(dataDir);
    fresh.setEncoding('utf8');
    fresh.on('data', lines(settle));
    fresh.on('error', () => fresh.destroy());
    fresh.once('close', lost);
    const carsMs = carsFromEnvironment();
    const answer = await ask(fresh, { do: 'start', ...start, ports, ...(carsMs === undefined ? {} : { carsMs }) });
    ports = answer.ports as Record<string, number>;
    pid = Number(answer.pid);
    socket = fresh;
  };

  const end = async (last?: object): Promise<void> => {
    closing = true;
    const open = socket;
    if (!open) return;
    const gone = once(open, 'close');
    if (last) await ask(open, last).catch(() => undefined);
    open.end();
    await gone;
  };

  up = open();
  await up;
  return {
    get ports() {
      return ports;
    },
    get pid() {
      return pid;
    },
    async do(action, args) {
      await up;
      if (!socket) throw new Error('The demo compound is not running');
      return await ask(socket, { do: action, ...(args === undefined ? {} : { args }) });
    },
    stop: () => end({ do: 'stop' }),
    leave: () => end(),
  };
}

/** `GATEHOUSE_DEMO_CARS`: ms between cars, 0 for none. */
function carsFromEnvironment(): number | undefined {
  const value = process.env.GATEHOUSE_DEMO_CARS;
  if (value === undefined || value === '') return undefined;
  const ms = Number(value);
  if (!Number.isInteger(ms) || ms < 0) throw new Error(`GATEHOUSE_DEMO_CARS is a whole number of ms, not "${value}"`);
  return ms;
}

/** A connection to the compound, which is started if nobody answers. */
async function reach(dataDir: string): Promise<Socket> {
  const path = socketPathOf(dataDir);
  const folder = dirname(path);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const { uid } = lstatSync(folder);
  // Under the system's temporary folder, somebody else could have been there first.
  if (uid !== (process.getuid?.() ?? uid)) throw new Error(`${folder} belongs to another user`);
  const running = await tryConnect(path);
  if (typeof running !== 'string') return running;
  rmSync(path, { force: true }); // left by one that was killed
  launch(dataDir);
  const until = performance.now() + START_MS;
  let last = running;
  while (performance.now() < until) {
    await pause(TRY_EVERY_MS);
    const found = await tryConnect(path);
    if (typeof found !== 'string') return found;
    last = found;
  }
  throw new Error(`The demo compound did not start: ${last}; see ${logOf(dataDir)}`);
}

const tryConnect = (path: string): Promise<Socket | string> =>
  new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.removeAllListeners('error');
      resolve(socket);
    });
    socket.once('error', (error) => resolve(reasonOf(error)));
  });

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms).unref());

const logOf = (dataDir: string): string => join(dataDir, 'demo.log');

/** In a process group of its own: what ends the core does not end the devices. */
function launch(dataDir: string): void {
  const log = openSync(logOf(dataDir), 'w');
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', COMPOUND, dataDir], {
    detached: true,
    stdio: ['ignore', log, log],
  });
  child.unref();
  closeSync(log);
}
