import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createServer as createTcp } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Aedes } from 'aedes';
import { afterEach, expect, test } from 'vitest';
import { atOnce, isOffline, isOnline, openRig, reads } from '../../drivers/modbus/rig.ts';
import { decodePush } from '../../drivers/vzenith/frame.ts';
import { isAlive } from '../../test/launch.ts';
import { loadProfiles } from '../devices/profiles.ts';
import { connectDemo, type Demo } from './client.ts';
import { type DemoStart, type DemoStats, socketPathOf } from './messages.ts';

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

const profiles = loadProfiles();
const profileOf = (id: string) => {
  const profile = profiles.get(id);
  if (!profile) throw new Error(id);
  return profile;
};

/** What a gateway listens with: an HTTP listener for pushes and a broker. */
async function gateway(prefix = 'demo-') {
  const directory = mkdtempSync(join(tmpdir(), prefix));
  closers.push(() => Promise.resolve(rmSync(directory, { recursive: true, force: true })));
  const plates: (string | undefined)[] = [];
  const messages: string[] = [];
  let listeners: (() => void)[] = [];
  const tell = () => {
    for (const listener of listeners) listener();
  };
  const http: Server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const push = decodePush(Buffer.concat(chunks), request.headers['content-type']);
      if (push.kind === 'plate') plates.push(push.event.data.plate as string | undefined);
      response.end('{}');
      tell();
    });
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  closers.push(() => new Promise((resolve) => http.close(resolve)));
  const broker = await Aedes.createBroker();
  broker.on('publish', (packet, client) => {
    if (client) messages.push(`${packet.topic} ${packet.payload.toString()}`);
    tell();
  });
  const tcp = createTcp(broker.handle);
  await new Promise<void>((resolve) => tcp.listen(0, '127.0.0.1', resolve));
  closers.push(() => new Promise<void>((resolve) => broker.close(() => tcp.close(() => resolve()))));
  const start: DemoStart = {
    ports: {},
    push: { 'camera-east-in': `http://127.0.0.1:${(http.address() as AddressInfo).port}/push/camera-east-in` },
    mqtt: { host: '127.0.0.1', port: (tcp.address() as AddressInfo).port, username: 'smoke', password: 'smoke' },
    plates: { known: ['粤B12345'], unknown: ['粤Z99999'] },
  };
  const until = (isSo: () => boolean): Promise<void> =>
    new Promise((resolve) => {
      const look = () => {
        if (!isSo()) return;
        listeners = listeners.filter((other) => other !== look);
        resolve();
      };
      listeners.push(look);
      look();
    });
  return { directory, start, plates, messages, until };
}

async function compound(directory: string, start: DemoStart): Promise<Demo> {
  process.env.GATEHOUSE_DEMO_CARS = '0';
  const demo = await connectDemo(directory, start);
  closers.push(async () => {
    await demo.stop();
    await ended(demo.pid);
  });
  return demo;
}
/** A detached process tells nobody but the kernel that it has ended. */
async function ended(pid: number): Promise<void> {
  while (isAlive(pid)) await new Promise((resolve) => setTimeout(resolve, 20));
}
const gateAt = (port: number | undefined) => ({ host: '127.0.0.1', port: port ?? 0, unit: 1 });

test('a car arrives, is pushed, and passes once the real driver has opened the barrier', async () => {
  const { directory, start, plates, until } = await gateway();
  const demo = await compound(directory, start);
  const gate = openRig(gateAt(demo.ports['gate-east-in']), {
    gate: { profile: profileOf('waveshare/relay-8ch-barrier') },
  });
  closers.push(() => gate.link.close());
  await gate.until(reads('gate', 'barrierState', 'closed'), 0);
  expect(await demo.do('arrival', { plate: '粤B12345' })).toEqual({ lane: 'east-in', plate: '粤B12345' });
  await until(() => plates.includes('粤B12345'));
  await gate.link.command('gate', 'open', {}, atOnce());
  await gate.until(reads('gate', 'barrierState', 'open'));
  await gate.until(reads('gate', 'loopOccupied', true));
  await gate.until(reads('gate', 'loopOccupied', false));
  await gate.until(reads('gate', 'barrierState', 'closed'));
  const stats = (await demo.do('stats')) as unknown as DemoStats;
  expect(stats.pulses['gate-east-in']?.slice(0, 3)).toEqual([1, 0, 0]);
  expect(stats.lanes['east-in']).toMatchObject({ arrived: 1, passed: 1, turnedBack: 0, barrier: 'closed' });
});

test('smoke, self-test, intrusion, noise and a forced arm come over their own protocols, and clear ends them', async () => {
  const { directory, start, messages, until } = await gateway();
  const demo = await compound(directory, start);
  const zone = openRig(gateAt(demo.ports['zone-east-2']), { zone: { profile: profileOf('generic/di-perimeter') } });
  const station = openRig(
    { ...gateAt(demo.ports['station-garden']), transport: 'rtu-tcp' },
    { station: { profile: profileOf('generic/env-station-rtu') } },
  );
  const gate = openRig(gateAt(demo.ports['gate-east-in']), {
    gate: { profile: profileOf('waveshare/relay-8ch-barrier') },
  });
  closers.push(
    () => zone.link.close(),
    () => station.link.close(),
    () => gate.link.close(),
  );
  await zone.until(reads('zone', 'zoneState', 'armed'), 0);
  await gate.until(reads('gate', 'barrierState', 'closed'), 0);
  await demo.do('intrusion');
  await demo.do('forced-arm');
  await zone.until(reads('zone', 'zoneState', 'alarm'));
  await gate.until(reads('gate', 'barrierState', 'between'));
  await demo.do('noise');
  await station.until((one) =>
    'readings' in one && one.readings.some((r) => r.point === 'noise' && Number(r.value) > 70) ? true : undefined,
  );
  await until(() => messages.some((one) => one.includes('"smokeDetected":false')));
  await demo.do('smoke');
  await until(() => messages.some((one) => one.includes('"smokeDetected":true')));
  await demo.do('self-test');
  await until(() =>
    messages.some((one) => one.startsWith('gatehouse/devices/smoke-b3-1-5f/up/event {"name":"self-test"')),
  );
  await demo.do('clear');
  await zone.until(reads('zone', 'zoneState', 'armed'));
  await gate.until(reads('gate', 'barrierState', 'closed'));
  await until(() => messages.at(-1)?.includes('"smokeDetected":false') === true);
  await zone.link.command('zone', 'disarm', {}, atOnce());
  await zone.until(reads('zone', 'zoneState', 'disarmed'));
});

test('what life depends on speaks Modbus too: fire, an e-bike, heat, gas, people shut in', async () => {
  const { directory, start } = await gateway();
  const demo = await compound(directory, start);
  const rig = (device: string, profile: string) => {
    const opened = openRig(gateAt(demo.ports[device]), { [device]: { profile: profileOf(profile) } });
    closers.push(() => opened.link.close());
    return opened;
  };
  const panel = rig('fire-panel', 'generic/di-fire-panel');
  const door = rig('door-b3-1', 'generic/relay-door');
  const car = rig('elevator-b3-1', 'generic/io-elevator');
  const guard = rig('ebike-guard-b3-1', 'generic/relay-ebike-guard');
  const shed = rig('charging-shed', 'generic/io-ebike-zone');
  const gas = rig('gas-b3-1-502', 'generic/io-gas-alarm');
  const siren = rig('siren-b3-1', 'generic/relay-siren');
  await panel.until(reads('fire-panel', 'fire', false), 0);
  await demo.do('fire');
  await panel.until(reads('fire-panel', 'fire', true));
  await door.until(reads('door-b3-1', 'lockState', 'locked'), 0);
  await door.link.command('door-b3-1', 'release', {}, atOnce());
  await door.until(reads('door-b3-1', 'lockState', 'released'));
  await siren.link.command('siren-b3-1', 'sirenOn', {}, atOnce());
  await siren.until(reads('siren-b3-1', 'sounding', true), 0);
  await demo.do('ebike-in-elevator');
  await guard.until(reads('ebike-guard-b3-1', 'ebikePresent', true));
  await guard.link.command('ebike-guard-b3-1', 'hold', {}, atOnce());
  await guard.until(reads('ebike-guard-b3-1', 'held', true));
  await guard.link.command('ebike-guard-b3-1', 'release', {}, atOnce());
  await guard.until(reads('ebike-guard-b3-1', 'held', false));
  await demo.do('entrapment');
  await car.until(reads('elevator-b3-1', 'trapped', true), 0);
  await demo.do('charger-overheat');
  await shed.until(reads('charging-shed', 'socketTemp', 96), 0);
  await shed.until(reads('charging-shed', 'current', 12.5), 0);
  await shed.link.command('charging-shed', 'cutZone', {}, atOnce());
  await shed.until(reads('charging-shed', 'current', 0));
  await demo.do('gas');
  await gas.until(reads('gas-b3-1-502', 'valveClosed', true));
  await demo.do('clear');
  await panel.until(reads('fire-panel', 'fire', false));
  await gas.until(reads('gas-b3-1-502', 'valveClosed', false));
  expect(await demo.do('stats')).toHaveProperty('lanes');
});

test('a killed compound is started again on its ports, and the next core finds a living one', async () => {
  const { directory, start } = await gateway();
  const demo = await compound(directory, start);
  const { ports, pid } = demo;
  const gate = openRig(gateAt(ports['gate-east-in']), { gate: { profile: profileOf('waveshare/relay-8ch-barrier') } });
  closers.push(() => gate.link.close());
  await gate.until(isOnline('gate'), 0);
  process.kill(pid, 'SIGKILL');
  await gate.until(isOffline('gate'));
  await gate.until(isOnline('gate'));
  expect(await demo.do('stats')).toHaveProperty('pulses');
  expect(demo.ports).toEqual(ports);
  expect(demo.pid).not.toBe(pid);
  const survivor = demo.pid;
  await demo.leave();
  const next = await compound(directory, start);
  expect(next.pid).toBe(survivor);
  expect(next.ports).toEqual(ports);
});

test('a data directory with a long path is no obstacle', async () => {
  const { directory, start } = await gateway(`demo-${'long-'.repeat(30)}`);
  const demo = await compound(directory, start);
  expect(await demo.do('stats')).toHaveProperty('lanes');
  closers.unshift(() => Promise.resolve(rmSync(dirname(socketPathOf(directory)), { recursive: true })));
});

test('a port that is taken is replaced by a free one', async () => {
  const { directory, start } = await gateway();
  const taken = createTcp();
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
  closers.push(() => new Promise((resolve) => taken.close(resolve)));
  const { port } = taken.address() as AddressInfo;
  const demo = await compound(directory, { ...start, ports: { ...start.ports, 'gate-east-in': port } });
  expect(demo.ports['gate-east-in']).toBeGreaterThan(0);
  expect(demo.ports['gate-east-in']).not.toBe(port);
});
