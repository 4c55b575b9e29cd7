import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { Aedes } from 'aedes';
import { afterEach, describe, expect, test } from 'vitest';
import type { GatehouseError } from '../../runtime/errors.ts';
import { manualClock } from '../../test/manual-clock.ts';
import type { Profile } from '../driver.ts';
import { mqttJson } from './driver.ts';
import { SmokeDetector } from './simulator.ts';

const profile: Profile = {
  id: 'test/smoke',
  scenario: 'smoke-alarm@1',
  role: 'detector',
  driver: 'mqtt-json',
  title: { zh: '烟感', en: 'Smoke' },
  source: 'test',
  offlineAfterMs: 60_000,
  points: { smokeDetected: {}, smoke: {}, battery: {}, tampered: {} },
  frames: [],
};
const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

const decode = (channel: string, text: string) =>
  mqttJson.decode(profile, { body: new TextEncoder().encode(text), topic: `gatehouse/devices/smoke-1/up/${channel}` });
const codeOf = (action: () => unknown): string => {
  try {
    action();
  } catch (error) {
    return (error as GatehouseError).code;
  }
  return 'nothing thrown';
};

describe('telemetry', () => {
  test('with device time, or the values alone', () => {
    expect(decode('telemetry', '{"at":1795233600000,"values":{"smoke":0.4,"tampered":false}}').readings).toEqual([
      { point: 'smoke', value: 0.4, at: 1_795_233_600_000 },
      { point: 'tampered', value: false, at: 1_795_233_600_000 },
    ]);
    expect(decode('telemetry', '{"at":1795233600000,"smoke":0.4}').readings).toEqual([
      { point: 'smoke', value: 0.4, at: 1_795_233_600_000 },
    ]);
  });
  test('a device clock that was never set is no time, and one odd value costs only itself', () => {
    expect(decode('telemetry', '{"at":86400000,"values":{"smoke":1,"battery":null,"tampered":[]}}').readings).toEqual([
      { point: 'smoke', value: 1 },
    ]);
  });
  test('points the model does not have are left out', () => {
    expect(decode('telemetry', '{"values":{"rssi":-70,"constructor":1,"__proto__":{"smoke":9}}}').readings).toEqual([]);
  });
});

test('an event has a name, its data, and a key when the device gives one', () => {
  expect(decode('event', '{"name":"self-test","data":{"passed":true},"key":"7","at":1795233600000}').events).toEqual([
    { name: 'self-test', data: { passed: true }, key: '7', at: 1_795_233_600_000 },
  ]);
  expect(decode('event', '{"name":"self-test"}').events).toEqual([{ name: 'self-test', data: {} }]);
});

test.each([
  ['telemetry', ''],
  ['telemetry', '{"values":'],
  ['telemetry', '[1,2]'],
  ['telemetry', '"smoke"'],
  ['telemetry', JSON.stringify({ smoke: 'x'.repeat(1_000_000) })],
  ['telemetry', '\ufffd\u0000'],
  ['event', '{"data":{}}'],
  ['event', '{"name":"a","data":[1]}'],
  ['event', `{"name":"${'a'.repeat(300)}"}`],
  ['state', '{}'],
  ['telemetry/x', '{}'],
])('not readable: %s %s', (channel, text) => {
  expect(codeOf(() => decode(channel, text))).toBe('driver.frame');
});

test('the simulated detector reports over a real broker, at once when something changes', async () => {
  const clock = manualClock();
  const broker = await Aedes.createBroker();
  const heard: string[] = [];
  let told: () => void = () => {};
  broker.on('publish', (packet, client) => {
    if (!client) return;
    const message = mqttJson.decode(profile, { body: Buffer.from(packet.payload), topic: packet.topic });
    for (const { point, value } of message.readings) heard.push(`${point}=${value}`);
    for (const { name } of message.events) heard.push(name);
    told();
  });
  const server = createServer(broker.handle);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(() => new Promise<void>((resolve) => broker.close(() => server.close(() => resolve()))));
  const until = (line: string, from = heard.length) =>
    new Promise<void>((resolve) => {
      told = () => {
        if (heard.slice(from).includes(line)) resolve();
      };
      told();
    });
  const { port } = server.address() as AddressInfo;
  const detector = new SmokeDetector({
    device: 'smoke-1',
    host: '127.0.0.1',
    port,
    username: 'u',
    password: 'p',
    clock,
  });
  closers.push(() => detector.stop());
  detector.start();
  await until('smokeDetected=false', 0);
  await detector.smoke(20);
  await until('smokeDetected=true', 0);
  await detector.smoke(8);
  expect(detector.state.smokeDetected).toBe(true); // the air is not clear yet
  await detector.smoke(0.2);
  expect(detector.state.smokeDetected).toBe(false);
  await detector.selfTest();
  await until('self-test', 0);
  const regular = until('battery=92');
  await clock.advance(30_000);
  await regular;
});
