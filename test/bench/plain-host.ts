/**
 * What a gateway of this kind weighs before it does anything: a Fastify server and stock Node-RED as its child. Started
 * as `plain-host.ts <folder>`; says `{ up, child }` once both are ready.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import Fastify from 'fastify';
import { loadNodeRed } from '../../runtime/flows/node-red.ts';

export interface PlainUp {
  readonly up: true;
  /** Process id of Node-RED. */
  readonly child: number;
}

const HOST = '127.0.0.1';
const RED_ROLE = 'node-red';

async function runNodeRed(userDir: string): Promise<void> {
  const red = loadNodeRed();
  const server = createServer();
  red.init(server, {
    userDir,
    flowFile: 'flows.json',
    httpAdminRoot: '/editor',
    httpNodeRoot: false,
    credentialSecret: false,
    telemetry: { enabled: false },
    logging: { console: { level: 'off' } },
  });
  const started = new Promise<void>((resolve) => red.events.on('flows:started', resolve));
  await red.start();
  server.on('request', red.httpAdmin).listen(0, HOST);
  await Promise.all([started, once(server, 'listening')]);
  process.send?.({ up: true });
}

async function runHost(folder: string): Promise<void> {
  const child: ChildProcess = fork(import.meta.filename, [folder, RED_ROLE]);
  const childUp = once(child, 'message');
  const app = Fastify();
  app.get('/', () => ({ ok: true }));
  await app.listen({ host: HOST, port: 0 });
  await childUp;
  process.send?.({ up: true, child: child.pid ?? 0 } satisfies PlainUp);
  process.on('SIGTERM', () => {
    child.once('exit', () => process.exit(0));
    child.kill('SIGKILL');
  });
}

if (import.meta.main) {
  const [folder = '', role] = process.argv.slice(2);
  process.on('disconnect', () => process.exit(0));
  await (role === RED_ROLE ? runNodeRed(folder) : runHost(folder));
}
