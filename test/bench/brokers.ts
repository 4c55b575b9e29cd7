/** Mosquitto, started for a measurement. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { openFolder } from './scratch.ts';

export const HOST = '127.0.0.1';

export const hasMosquitto = (): boolean => spawnSync('mosquitto', ['-h'], { stdio: 'ignore' }).error === undefined;

/** A port that is free now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, HOST);
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

/** A child that is ended when disposed of, and when the benchmark fails before. */
export function owned(child: ChildProcess): AsyncDisposable {
  const gone = child.exitCode === null && child.signalCode === null ? once(child, 'exit') : Promise.resolve();
  const stop = () => void child.kill('SIGKILL');
  process.once('exit', stop);
  return {
    async [Symbol.asyncDispose]() {
      process.off('exit', stop);
      stop();
      await gone;
    },
  };
}

export interface RunningBroker extends AsyncDisposable {
  readonly port: number;
}

/** Keeps nothing on disk; queues without limit for a consumer that is slow or away. It may take a moment to listen. */
export async function startMosquitto(): Promise<RunningBroker> {
  const stack = new AsyncDisposableStack();
  const folder = stack.use(openFolder());
  const port = await freePort();
  const file = join(folder.path, 'mosquitto.conf');
  const unlimited = 'max_queued_messages 0\nmax_inflight_messages 0\n';
  writeFileSync(
    file,
    `listener ${port} ${HOST}\nallow_anonymous true\nset_tcp_nodelay true\nlog_type error\n${unlimited}`,
  );
  stack.use(owned(spawn('mosquitto', ['-c', file], { stdio: 'ignore' })));
  return { port, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}
