/** The environment station over a real serial path: a pseudo-terminal pair, RTU frames, the whole gateway above it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { ModbusSimulator, SimulatedSlave, table } from '../drivers/modbus/simulator.ts';
import type { DeviceView } from '../runtime/contracts/api.ts';
import { type Gateway, startGateway } from './site.ts';

let gateway: Gateway | undefined;
let cable: ChildProcess | undefined;
let simulator: ModbusSimulator | undefined;
let directory: string | undefined;
afterEach(async () => {
  await gateway?.[Symbol.asyncDispose]();
  await simulator?.close();
  cable?.kill();
  if (directory) rmSync(directory, { recursive: true, force: true });
});

/** Two ends of a serial line. @throws if socat is not installed */
async function serialPair(folder: string): Promise<[string, string]> {
  const ends: [string, string] = [join(folder, 'ours'), join(folder, 'theirs')];
  const child = spawn('socat', ['-d', '-d', ...ends.map((end) => `pty,raw,echo=0,link=${end}`)], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  cable = child;
  await new Promise<void>((resolve, reject) => {
    child.once('error', () => reject(new Error('socat is missing: sudo apt-get install socat')));
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said += text;
      if (said.includes('starting data transfer loop')) resolve();
    });
  });
  return ends;
}

test('an installer moves the station to a serial port; its values come, a limit raises its alarm, silence is told', {
  timeout: 120_000,
}, async () => {
  directory = mkdtempSync(join(tmpdir(), 'gh-serial-'));
  const [ours, theirs] = await serialPair(directory);
  // Humidity 65.8 %, temperature -10.1, noise 52.4 dB, PM2.5 35, PM10 60: the frame of the profile.
  const registers = table(500, [658, 0xff9b, 524, 35, 60]);
  simulator = new ModbusSimulator([[1, new SimulatedSlave({ holdingRegisters: registers })]]);
  await simulator.openSerial(theirs);
  gateway = await startGateway();
  const from = (await gateway.json<{ head: string }>('/status')).head;
  const moved = await gateway.api('/devices/station-garden', {
    method: 'PUT',
    as: 'demo-installer',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      id: 'station-garden',
      name: '中心花园环境站',
      zone: 'garden',
      profile: 'generic/env-station-rtu',
      address: { transport: 'serial', path: ours, baudRate: 9600 },
    }),
  });
  expect(moved.status, await moved.text()).toBe(200);
  await gateway.record(
    (record) => record.device === 'station-garden' && record.name === 'temperature' && record.data === -10.1,
    from,
  );
  const view = await gateway.json<DeviceView>('/devices/station-garden');
  expect(view.link.state).toBe('online');
  expect(Object.fromEntries(Object.entries(view.points).map(([name, point]) => [name, point.value]))).toMatchObject({
    humidity: 65.8,
    temperature: -10.1,
    noise: 52.4,
    pm25: 35,
    pm10: 60,
  });
  await gateway.record((record) => record.kind === 'audit' && record.device === 'station-garden', from);

  registers.set(503, 120);
  await gateway.record((record) => record.kind === 'alarm' && record.name === 'pm25High', from);
  registers.set(502, 0x7fff);
  const lost = await gateway.record(
    (record) => record.device === 'station-garden' && record.name === 'noise' && record.quality === 'bad',
    from,
  );
  expect(lost.kind).toBe('telemetry');
  await simulator.close();
  simulator = undefined;
  await gateway.record(
    (record) => record.device === 'station-garden' && record.kind === 'alarm' && record.name === 'offline',
    from,
  );
});
