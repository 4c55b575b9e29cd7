/**
 * The process of the demo compound: `node runtime/demo/compound.ts <data directory>`. It outlives a killed core, as real
 * devices do, and ends by itself when no core has been connected for a while.
 */
import { chmodSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { systemClock } from '../clock.ts';
import { reasonOf } from '../errors.ts';
import { demoActions, type FromCompound, lines, socketPathOf, type ToCompound } from './messages.ts';
import { DemoSite } from './site.ts';

const ALONE_MS = 30_000;

function run(dataDir: string): void {
  const path = socketPathOf(dataDir);
  const site = new DemoSite(systemClock);
  const cores = new Set<Socket>();
  let alone: NodeJS.Timeout | undefined;

  let ending = false;
  const end = async (): Promise<void> => {
    if (ending) return;
    ending = true;
    clearTimeout(alone);
    server.close();
    for (const core of cores) core.end();
    await site.stop();
  };
  const watch = (): void => {
    clearTimeout(alone);
    if (cores.size === 0 && !ending) alone = setTimeout(() => void end(), ALONE_MS);
  };
  const answer = async (message: ToCompound): Promise<Record<string, unknown>> => {
    if (message.do === 'start') return { ports: await site.start(message, message.carsMs), pid: process.pid };
    if (message.do === 'stop') return {};
    if (!demoActions.includes(message.do)) throw new Error(`Unknown action ${String(message.do)}`);
    return await site.do(message.do, message.args);
  };
  const handle = async (core: Socket, line: string): Promise<void> => {
    let id = 0;
    let reply: FromCompound;
    let stop = false;
    try {
      const message = JSON.parse(line) as ToCompound;
      id = message.id;
      stop = message.do === 'stop';
      reply = { id, result: await answer(message) };
    } catch (error) {
      reply = { id, error: reasonOf(error) };
    }
    if (!core.destroyed) core.write(`${JSON.stringify(reply)}\n`);
    if (stop) await end();
  };

  const server = createServer((core) => {
    cores.add(core);
    watch();
    core.setEncoding('utf8');
    core.on('error', () => core.destroy());
    core.on('close', () => {
      cores.delete(core);
      watch();
    });
    core.on(
      'data',
      lines((line) => void handle(core, line)),
    );
  });
  server.on('error', (error) => {
    console.error(reasonOf(error)); // another compound was faster: it serves
    process.exitCode = 1;
    void site.stop();
  });
  server.listen(path, () => {
    chmodSync(path, 0o600);
    watch();
  });
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void end());
}

const dataDir = process.argv[2];
if (dataDir === undefined) throw new Error('Usage: node runtime/demo/compound.ts <data directory>');
run(dataDir);
