/** Fire, in worlds that are not well: the time from the contact of the panel to the order at each output (F7). */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { AlarmView, CommandView } from '../../runtime/contracts/api.ts';
import { percentile } from '../bench/measure.ts';
import { endCompound } from '../compound.ts';
import { type Gateway, startGateway } from '../site.ts';
import { type FireSite, openFireSite } from './linkages-site.ts';
import { flowProcess } from './processes.ts';
import { type Fault, type FaultyDisk, faultyDisk } from './shim.ts';
import { hold, type Trial, type TrialContext } from './trial.ts';

/** From input to output (F7). */
const MOST_MS = 3000;
const SIZES = { slice: { each: 2, rounds: 1 }, normal: { each: 10, rounds: 3 }, long: { each: 25, rounds: 20 } };
/** In `npm test`, where seconds count; the others follow in `npm run faults`. */
const IN_SLICE = ['uplink down', 'disk broken'];
const WAIT_MS = 15_000;
const RECORDED_MS = 60_000;
const LEADER = 'demo-leader';
/** What fills one processor beside it. */
const BURN = 'for (;;) Math.sqrt(Math.random());';

interface World {
  readonly name: string;
  readonly disk?: Fault;
  /** Makes it so. The returned function makes it well. */
  begin?(gateway: Gateway): Promise<() => unknown>;
}

async function until(isSo: () => unknown, withinMs: number, promise: string, what: string): Promise<void> {
  for (const end = performance.now() + withinMs; !(await isSo()); await sleep(20))
    hold(promise, performance.now() < end, `${what} within ${withinMs} ms`);
}

/** A broker that takes connections and never says a word. */
async function muteBroker(port: number): Promise<() => void> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => void sockets.add(socket.on('error', () => undefined).resume()));
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return () => {
    for (const socket of sockets) socket.destroy();
    server.close();
  };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}

/** A named person resets what the fire has left. */
async function reset(gateway: Gateway, site: FireSite): Promise<void> {
  const fire = async () =>
    (await gateway.json<{ items: AlarmView[] }>('/alarms?device=trial-panel&kind=fire', { as: LEADER })).items[0];
  await until(fire, RECORDED_MS, 'F7', 'the alarm is not raised');
  site.fire(false);
  await until(async () => (await fire())?.returnedAt !== undefined, RECORDED_MS, 'F7', 'the alarm does not return');
  const id = (await fire())?.id ?? '';
  await gateway.post(`/alarms/${id}/ack`, {}, LEADER);
  await gateway.post(`/alarms/${id}/reset`, {}, LEADER);
  await gateway.post(`/alarms/${id}/resolve`, { disposition: 'test' }, LEADER);
  const released = () =>
    site.outputs.every(({ slave, relay, profile }) => profile.includes('zone') || !slave.tables.coils?.get(relay));
  await until(released, RECORDED_MS, 'F1', 'not everything is let go after the reset');
  const ended = async () =>
    (await gateway.json<{ places: { state: string }[] }>('/linkages/L02', { as: LEADER })).places[0]?.state === 'ready';
  await until(ended, RECORDED_MS, 'F1', 'the linkage has not ended');
  site.restore();
}

async function burnOnce(
  gateway: Gateway,
  site: FireSite,
  disk: FaultyDisk,
  world: World,
): Promise<{ times: number[]; late: number }> {
  const heal = await world.begin?.(gateway);
  if (world.disk) disk.set(world.disk);
  await sleep(300);
  const startedAt = Date.now();
  const began = performance.now();
  site.fire(true);
  const all = () => site.outputs.every(({ orderedAt }) => orderedAt !== undefined);
  await until(all, WAIT_MS, 'F7', `${world.name}: not every output was ordered`);
  const times = site.outputs.map(({ orderedAt = 0 }) => orderedAt - began);
  disk.set({});
  await heal?.();
  const cured = performance.now();
  const recorded = async () => {
    const query = '/records?kind=event&name=linkage.started&limit=500';
    const { items } = await gateway.json<{ items: { at: number }[] }>(query, { as: LEADER });
    return items.some(({ at }) => at >= startedAt);
  };
  await until(recorded, RECORDED_MS, 'AU5', `${world.name}: what was done is not on record`);
  const [door] = site.outputs.filter(({ profile }) => profile === 'generic/relay-door');
  const opened = async () => {
    const { items } = await gateway.json<{ items: CommandView[] }>(`/commands?device=${door?.id}`, { as: LEADER });
    const last = items.find(({ command }) => command === 'release');
    return last?.state === 'succeeded' && last.createdAt >= startedAt;
  };
  await until(opened, RECORDED_MS, 'AU5', `${world.name}: the command to ${door?.id} is not on record`);
  const late = performance.now() - cured;
  await reset(gateway, site);
  return { times, late };
}

async function tryWorld(
  gateway: Gateway,
  site: FireSite,
  disk: FaultyDisk,
  world: World,
  { size, say }: TrialContext,
): Promise<void> {
  const times: number[] = [];
  let latest = 0;
  for (let round = 0; round < SIZES[size].rounds; round++) {
    const found = await burnOnce(gateway, site, disk, world);
    times.push(...found.times);
    latest = Math.max(latest, found.late);
  }
  const [p50, p99] = [percentile(times, 0.5), percentile(times, 0.99)];
  const figures = `p50 ${Math.round(p50)} ms, p99 ${Math.round(p99)} ms, most ${Math.round(Math.max(...times))} ms`;
  say(`${world.name}: ${times.length} outputs, ${figures}; on record ${Math.round(latest)} ms after it is well`);
  hold('F7', p99 <= MOST_MS, `${world.name}: ${figures}`);
}

export const linkages: Trial = {
  id: 'linkages',
  promises: ['F1', 'F2', 'F4', 'F5', 'F7', 'R7', 'AU5'],
  about: `fire reaches every output within ${MOST_MS} ms with the box busy and flows, uplink, broker or disk dead`,
  async run(context) {
    const data = mkdtempSync(join(tmpdir(), 'gh-linkages-site-'));
    await using stack = new AsyncDisposableStack();
    stack.defer(() => rmSync(data, { recursive: true, force: true, maxRetries: 5 }));
    stack.defer(() => endCompound(data));
    const disk = stack.use(faultyDisk(data));
    const port = await freePort();
    const env = { ...disk.environment, GATEHOUSE_UPLINK: `mqtt://127.0.0.1:${port}` };
    const gateway = stack.use(await startGateway({ data, env, cars: 2000 }));
    const site = stack.use(await openFireSite(gateway, SIZES[context.size].each));
    const burner: ChildProcess = spawn(process.execPath, ['-e', BURN], { stdio: 'ignore' });
    stack.defer(() => void burner.kill('SIGKILL'));
    const heard = async ({ id }: { id: string }) => (await gateway.device(id)).link.state === 'online';
    for (const output of site.outputs) await until(() => heard(output), WAIT_MS, 'F7', `${output.id} is not online`);
    const worlds: readonly World[] = [
      { name: 'uplink down' },
      { name: 'broker dead', begin: () => muteBroker(port) },
      {
        name: 'flows killed',
        async begin({ pid }) {
          const flows = await flowProcess(pid);
          if (flows !== undefined) process.kill(flows, 'SIGKILL');
          return () => undefined;
        },
      },
      { name: 'disk read-only', disk: { error: 'EROFS' } },
      { name: 'disk full', disk: { error: 'ENOSPC', at: ['write', 'create'] } },
      { name: 'disk broken', disk: { error: 'EIO' } },
      { name: 'disk hangs for 2 s at each flush', disk: { flushMs: 2000 } },
    ];
    const chosen = context.size === 'slice' ? worlds.filter(({ name }) => IN_SLICE.includes(name)) : worlds;
    for (const world of chosen) await tryWorld(gateway, site, disk, world, context);
  },
};
