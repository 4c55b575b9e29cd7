/** A PostgreSQL of our own: in a temporary directory, on a Unix socket there and nowhere else. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, globSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';

export interface Postgres extends AsyncDisposable {
  /** Makes an empty database. @returns its address */
  database(): Promise<string>;
  /** SIGKILL to the server process, as a power cut would end it. */
  kill(): Promise<void>;
  start(): Promise<void>;
}

const READY_MS = 30_000;

/** Debian keeps the programs of each version beside each other and out of the path. */
function program(name: string): string {
  const [newest] = globSync(`/usr/lib/postgresql/*/bin/${name}`).sort((a, b) => versionOf(b) - versionOf(a));
  if (!newest) throw new Error('no PostgreSQL: sudo apt-get install postgresql');
  return newest;
}
const versionOf = (path: string): number => Number(/postgresql\/(\d+)/.exec(path)?.[1] ?? 0);

export async function startPostgres(): Promise<Postgres> {
  const directory = mkdtempSync(join(tmpdir(), 'gh-postgres-'));
  const data = join(directory, 'data');
  // PostgreSQL refuses to run as root.
  const user: string[] = [];
  if (process.getuid?.() === 0) {
    const idOf = (which: string) => Number(execFileSync('id', [which, 'postgres'], { encoding: 'utf8' }));
    chownSync(directory, idOf('-u'), idOf('-g'));
    user.push('setpriv', '--reuid=postgres', '--regid=postgres', '--clear-groups');
  }
  const command = (name: string, ...args: string[]): [string, string[]] => {
    const [first = '', ...rest] = [...user, program(name), ...args];
    return [first, rest];
  };
  const [initdb, wanted] = command(
    'initdb',
    '-D',
    data,
    '-U',
    'postgres',
    '-A',
    'trust',
    '-E',
    'UTF8',
    '--locale=C.UTF-8',
    '--no-sync',
  );
  execFileSync(initdb, wanted, { stdio: 'ignore', cwd: '/' });
  const address = (name: string) => `postgresql://postgres@localhost/${name}?host=${encodeURIComponent(directory)}`;

  let server: ChildProcess | undefined;
  /** setpriv becomes what it starts, so the child is the server itself. */
  async function stop(signal: 'SIGINT' | 'SIGKILL'): Promise<void> {
    const running = server;
    server = undefined;
    if (!running || running.exitCode !== null || running.signalCode !== null) return;
    const gone = once(running, 'exit');
    running.kill(signal);
    await gone;
  }
  async function start(): Promise<void> {
    // Processes die here, not machines: what was written is there without a flush, and a restart need not flush it all.
    const settings = ['listen_addresses=', 'fsync=off', `unix_socket_directories=${directory}`, 'max_connections=50'];
    const [postgres, args] = command('postgres', '-D', data, ...settings.flatMap((one) => ['-c', one]));
    for (const deadline = performance.now() + READY_MS; ; await sleep(30)) {
      // After a kill the first attempt may end at once: children of the one before have not noticed yet.
      if (!server || server.exitCode !== null) server = spawn(postgres, args, { stdio: 'ignore', cwd: '/' });
      const client = new pg.Client({ connectionString: address('postgres') });
      try {
        await client.connect();
        return await client.end();
      } catch (error) {
        if (performance.now() > deadline) throw error;
      }
    }
  }

  const removed = () => rmSync(directory, { recursive: true, force: true });
  try {
    await start();
  } catch (error) {
    await stop('SIGKILL');
    removed();
    throw error;
  }
  let made = 0;
  return {
    start,
    kill: () => stop('SIGKILL'),
    async database() {
      const name = `db${++made}`;
      const client = new pg.Client({ connectionString: address('postgres') });
      await client.connect();
      await client.query(`CREATE DATABASE ${name}`);
      await client.end();
      return address(name);
    },
    async [Symbol.asyncDispose]() {
      await stop('SIGINT');
      removed();
    },
  };
}
