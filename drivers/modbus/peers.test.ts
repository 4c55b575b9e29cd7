/**
 * The driver and the simulator against software of others: pymodbus as a slave, mbpoll (libmodbus) as a master, the
 * server of modbus-serial; over TCP, and as RTU on a pair of pseudo-terminals made by socat.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import modbusSerial from 'modbus-serial';
import { afterEach, describe, expect, test } from 'vitest';
import type { GatehouseError } from '../../runtime/errors.ts';
import type { Profile } from '../driver.ts';
import { atOnce, barrierProfile, isOffline, isOnline, openRig, reads, sensorProfile } from './rig.ts';
import type { Address } from './schema.ts';
import { ModbusSimulator, RelayBoard, SimulatedSlave, table } from './simulator.ts';

const run = promisify(execFile);
const never = new AbortController().signal;
const closers: (() => Promise<unknown> | undefined)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** Starts a program, waits for what it says when it is ready, and ends it after the test. */
async function start(command: string, args: string[], ready: RegExp): Promise<string> {
  const child: ChildProcess = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  closers.push(() => {
    child.kill('SIGKILL');
    return ended;
  });
  return await new Promise((resolve, reject) => {
    let said = '';
    const hear = (chunk: Buffer) => {
      said += chunk.toString();
      const match = ready.exec(said);
      if (match) resolve(match[1] ?? match[0]);
    };
    child.stdout?.on('data', hear);
    child.stderr?.on('data', hear);
    child.once('error', reject);
    child.once('close', () => reject(new Error(`${command} ended: ${said}`)));
  });
}

const slaveScript = new URL('pymodbus-slave.py', import.meta.url).pathname;
/** Debian's own Python: its packages are not those of another one on the path. */
const pymodbus = (args: string[], ready: RegExp) => start('/usr/bin/python3', [slaveScript, ...args], ready);

/** Two pseudo-terminals that are one RS-485 line. */
async function serialLine(): Promise<[string, string]> {
  const directory = mkdtempSync(join(tmpdir(), 'line-'));
  closers.push(() => Promise.resolve(rmSync(directory, { recursive: true, force: true })));
  const ends: [string, string] = [join(directory, 'a'), join(directory, 'b')];
  await start('socat', ['-d', '-d', ...ends.map((end) => `pty,raw,echo=0,link=${end}`)], /starting data transfer loop/);
  return ends;
}

function rig(where: Address, devices: Parameters<typeof openRig>[1]) {
  const one = openRig(where, devices);
  closers.push(() => one.link.close());
  return one;
}
const shipped = new URL('../../firmware-profiles/', import.meta.url);
const profileOf = (id: string): Profile => ({
  id,
  ...(JSON.parse(readFileSync(new URL(`${id}.json`, shipped), 'utf8')) as Omit<Profile, 'id'>),
});

/** What the driver must do with the pymodbus slave, whatever lies between them. */
async function holdAgainstPymodbus(where: Address): Promise<void> {
  const { link, until, said } = rig(where, {
    gate: { profile: barrierProfile(50) },
    station: { profile: profileOf('generic/env-station-rtu') },
    zone: { profile: { ...profileOf('generic/di-perimeter'), points: {} } },
    silent: { profile: sensorProfile(100, 600), unit: 2 },
  });
  await until(reads('gate', 'barrierState', 'closed'), 0);
  await until(reads('station', 'temperature', -10.1), 0);
  await until(reads('station', 'pm10', 60), 0);
  expect(await link.command('zone', 'arm', {}, atOnce())).toEqual({ function: 5, address: 0, value: 0xff00 });
  expect(await link.command('zone', 'disarm', {}, atOnce())).toEqual({ function: 5, address: 0, value: 0 });
  // A strict slave knows no pulse: it says so, and nothing is left open.
  const refused: unknown = await link.command('gate', 'open', {}, atOnce()).catch((error: unknown) => error);
  expect((refused as GatehouseError).code).toBe('driver.refused');
  expect(await until(isOffline('silent'), 0)).toMatch(/no answer|half a frame/);
  await until(reads('gate', 'loopOccupied', false));
  expect(said.filter((one) => 'offline' in one).map((one) => one.device)).toEqual(['silent']);
}

describe('the driver against pymodbus', () => {
  test('over TCP', async () => {
    const port = Number(await pymodbus(['tcp'], /(\d+)\n/));
    await holdAgainstPymodbus({ host: '127.0.0.1', port, timeoutMs: 300 });
  });

  test('over RTU on a serial line', async () => {
    const [ours, theirs] = await serialLine();
    await pymodbus(['serial', theirs], /serving/);
    await holdAgainstPymodbus({ transport: 'serial', path: ours, timeoutMs: 300, gapMs: 5 });
  });

  test('a 32-bit float of a PLC with its words swapped', async () => {
    const port = Number(await pymodbus(['tcp'], /(\d+)\n/));
    const profile: Profile = {
      ...sensorProfile(60_000),
      points: { level: { read: 'holding-register', address: 600, as: 'float32', order: 'CDAB' } as object },
    };
    const { link } = rig({ host: '127.0.0.1', port }, { plc: { profile } });
    expect(await link.read('plc', ['level'], never)).toEqual([{ point: 'level', value: 25.125 }]);
  });
});

test('a serial port that goes away is offline, and a line that comes back is taken up again', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'line-'));
  closers.push(() => Promise.resolve(rmSync(directory, { recursive: true, force: true })));
  const [ours, theirs] = [join(directory, 'a'), join(directory, 'b')];
  const line = async () => {
    const args = ['-d', '-d', `pty,raw,echo=0,link=${ours}`, `pty,raw,echo=0,link=${theirs}`];
    await start('socat', args, /starting data transfer loop/);
    const cut = closers.pop();
    const simulator = new ModbusSimulator([[1, new SimulatedSlave({ holdingRegisters: table(0, [200, 500]) })]]);
    await simulator.openSerial(theirs);
    return async () => {
      await simulator.close();
      await cut?.();
    };
  };
  const unplug = await line();
  const { until, said } = rig(
    { transport: 'serial', path: ours, timeoutMs: 200, gapMs: 1 },
    { sensor: { profile: sensorProfile(20) } },
  );
  await until(reads('sensor', 'temperature', 20), 0);
  const before = said.length;
  await unplug();
  expect(await until(isOffline('sensor'), before)).toContain(ours);
  closers.push(await line());
  await until(isOnline('sensor'));
});

describe('the simulator against mbpoll', () => {
  const slaves = () => {
    const inputs = table(0, [false, true, true, false, false, false, false, false]);
    const relays = new RelayBoard(8, inputs);
    const registers = new SimulatedSlave({ holdingRegisters: table(500, [658, 0xff9b, 524, 35, 60]) });
    const simulator = new ModbusSimulator([
      [1, relays],
      [3, registers],
    ]);
    closers.push(() => simulator.close());
    return { simulator, relays, registers };
  };
  const poll = async (where: string[], ...args: string[]) =>
    (await run('mbpoll', [...where, '-0', '-1', '-q', '-o', '2', ...args])).stdout;
  const values = (output: string) => [...output.matchAll(/^\[(\d+)\]:\s+(-?\d+)/gm)].map((line) => Number(line[2]));

  async function holdAgainstMbpoll(where: string[], target: string, { relays, registers }: ReturnType<typeof slaves>) {
    expect(values(await poll(where, '-a', '1', '-t', '1', '-r', '0', '-c', '8', target))).toEqual([
      0, 1, 1, 0, 0, 0, 0, 0,
    ]);
    expect(values(await poll(where, '-a', '3', '-t', '4', '-r', '500', '-c', '5', target))).toEqual([
      658, 65_435, 524, 35, 60,
    ]);
    await poll(where, '-a', '1', '-t', '0', '-r', '2', target, '1');
    await poll(where, '-a', '1', '-t', '0', '-r', '4', target, '1', '1', '1');
    expect(values(await poll(where, '-a', '1', '-t', '0', '-r', '0', '-c', '8', target))).toEqual([
      0, 0, 1, 0, 1, 1, 1, 0,
    ]);
    await poll(where, '-a', '3', '-t', '4', '-r', '503', target, '41', '77');
    expect(values(await poll(where, '-a', '3', '-t', '4', '-r', '503', '-c', '2', target))).toEqual([41, 77]);
    expect(relays.closings).toEqual([0, 0, 1, 0, 1, 1, 1, 0]);
    const refused = poll(where, '-a', '3', '-t', '4', '-r', '505', '-c', '1', target);
    await expect(refused).rejects.toMatchObject({ stderr: expect.stringContaining('Illegal data address') as string });
    registers.behaviour = { silent: true };
    const silent = poll(where, '-a', '3', '-t', '4', '-r', '500', '-c', '1', target);
    await expect(silent).rejects.toMatchObject({ stderr: expect.stringContaining('timed out') as string });
  }

  test('over TCP', async () => {
    const all = slaves();
    const port = await all.simulator.listenTcp();
    await holdAgainstMbpoll(['-m', 'tcp', '-p', String(port)], '127.0.0.1', all);
  });

  test('over RTU on a serial line', async () => {
    const all = slaves();
    const [ours, theirs] = await serialLine();
    await all.simulator.openSerial(ours);
    await holdAgainstMbpoll(['-m', 'rtu', '-b', '9600', '-P', 'none'], theirs, all);
  });
});

test('the driver against the server of modbus-serial', async () => {
  const probe = createServer();
  const port = await new Promise<number>((resolve) => {
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });
  const writes: string[] = [];
  const server = new modbusSerial.ServerTCP(
    {
      getDiscreteInput: (address: number) => address === 1,
      setCoil: (address: number, value: boolean) => {
        writes.push(`${address}=${value}`);
      },
    },
    { host: '127.0.0.1', port, unitID: 1 },
  );
  await new Promise<void>((resolve) => server.on('initialized', () => resolve()));
  closers.push(() => new Promise<void>((resolve) => server.close(() => resolve())));
  const profile = { ...profileOf('generic/di-perimeter') };
  const { link, until } = rig({ host: '127.0.0.1', port }, { zone: { profile } });
  await until(reads('zone', 'tampered', true), 0);
  await link.command('zone', 'disarm', {}, atOnce());
  expect(writes).toEqual(['0=false']);
});
