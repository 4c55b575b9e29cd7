/** The device broker against a foreign client (mosquitto_pub, mosquitto_sub) and raw sockets. */
import { execFile } from 'node:child_process';
import { connect, type Socket } from 'node:net';
import mqtt from 'mqtt';
import { generate as selfSigned } from 'selfsigned';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { type Broker, type BrokerOptions, type Refusal, startBroker } from '../runtime/broker.ts';
import { systemClock } from '../runtime/clock.ts';
import { GatehouseError } from '../runtime/errors.ts';
import { silentLog } from '../runtime/log.ts';
import { manualClock } from './manual-clock.ts';

const secrets: Readonly<Record<string, string>> = { 'smoke-1': 'flame-7Qm2', 'smoke-2': 'ember-9Xk4' };
const secretOf = (id: string) => (Object.hasOwn(secrets, id) ? secrets[id] : undefined);
const EVENT = 'gatehouse/devices/smoke-1/up/event';

let broker: Broker;
const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function start(options: Partial<BrokerOptions> = {}) {
  const messages: { device: string; topic: string; payload: string }[] = [];
  const refusals: Refusal[] = [];
  const life: string[] = [];
  broker = await startBroker({
    host: '127.0.0.1',
    port: 0,
    log: silentLog,
    clock: systemClock,
    devices: { exists: (id) => Object.hasOwn(secrets, id), secretOf: (id) => secretOf(id) },
    onMessage(device, topic, payload, done) {
      messages.push({ device, topic, payload: Buffer.from(payload).toString() });
      done();
    },
    onConnect: (device) => life.push(`+${device}`),
    onDisconnect: (device) => life.push(`-${device}`),
    onRefused: (refusal) => refusals.push(refusal),
    ...options,
  });
  closing.push(() => broker.close());
  return { messages, refusals, life };
}

/** Runs mosquitto_pub as a device would; resolves with its exit code, or null if it had to be ended after 5 s. */
function pub(...extra: string[]): Promise<{ code: number | null; output: string }> {
  const args = ['-h', '127.0.0.1', '-p', String(broker.port), '-V', '311', '-q', '1', '-d', ...extra];
  return new Promise((resolve) => {
    execFile('mosquitto_pub', args, { timeout: 5000, killSignal: 'SIGKILL' }, (error, stdout, stderr) => {
      resolve({ code: error ? (typeof error.code === 'number' ? error.code : null) : 0, output: stdout + stderr });
    });
  });
}
const as = (device: string, password = secrets[device] ?? '') => ['-i', device, '-u', device, '-P', password];

function raw(): { socket: Socket; closed: Promise<void>; received: Buffer[] } {
  const socket = connect({ host: '127.0.0.1', port: broker.port });
  const received: Buffer[] = [];
  socket.on('data', (chunk) => received.push(chunk)).on('error', () => {});
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  closing.push(() => socket.destroy());
  return { socket, closed, received };
}
const text = (value: string | Buffer) => {
  const bytes = Buffer.from(value);
  return Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 0xff]), bytes]);
};
const packet = (header: number, body: Buffer) => {
  const length: number[] = [];
  for (let left = body.length; ; ) {
    const more = left >> 7;
    length.push((left & 0x7f) | (more ? 0x80 : 0));
    if (!more) break;
    left = more;
  }
  return Buffer.concat([Buffer.from([header, ...length]), body]);
};
const connectPacket = (device: string, password = secrets[device] ?? '', keepalive = 60) =>
  packet(
    0x10,
    Buffer.concat([
      text('MQTT'),
      Buffer.from([4, 0xc2, keepalive >> 8, keepalive & 0xff]),
      text(device),
      text(device),
      text(password),
    ]),
  );
const publishPacket = (topic: string | Buffer, payload: string | Buffer, id = 1) =>
  packet(0x32, Buffer.concat([text(topic), Buffer.from([id >> 8, id & 0xff]), Buffer.from(payload)]));

describe('a device that keeps the rules', () => {
  test('R1 gets its PUBACK only after the message is stored', async () => {
    const store = Promise.withResolvers<void>();
    await start({ onMessage: (_device, _topic, _payload, done) => void store.promise.then(() => done()) });
    const { socket, received } = raw();
    socket.write(connectPacket('smoke-1'));
    await vi.waitFor(() => expect(Buffer.concat(received)).toEqual(Buffer.from([0x20, 2, 0, 0])));
    socket.write(publishPacket(EVENT, '{}', 7));
    socket.write(Buffer.from([0xc0, 0])); // a ping, which does not wait for the disk
    await vi.waitFor(() => expect(Buffer.concat(received).subarray(4)).toEqual(Buffer.from([0xd0, 0])));
    store.resolve();
    await vi.waitFor(() => expect(Buffer.concat(received).subarray(6)).toEqual(Buffer.from([0x40, 2, 0, 7])));
  });

  test('a foreign client delivers with QoS 1, and both its coming and its going are told', async () => {
    const { messages, refusals, life } = await start();
    const result = await pub(...as('smoke-1'), '-t', EVENT, '-m', '{"name":"smoke","data":{"level":"高"}}');
    expect(result).toMatchObject({ code: 0 });
    expect(messages).toEqual([{ device: 'smoke-1', topic: EVENT, payload: '{"name":"smoke","data":{"level":"高"}}' }]);
    await vi.waitFor(() => expect(life).toEqual(['+smoke-1', '-smoke-1']));
    expect(refusals).toEqual([]);
  });

  test('the topics of its own profile are open to it, to nobody else', async () => {
    const topicsOf = (device: string) =>
      device === 'smoke-1'
        ? { publish: ['vendor/a1b2/report'], subscribe: ['vendor/a1b2/set'] }
        : { publish: [], subscribe: [] };
    const { messages } = await start({ topicsOf });
    expect(await pub(...as('smoke-1'), '-t', 'vendor/a1b2/report', '-m', '1')).toMatchObject({ code: 0 });
    await pub(...as('smoke-2'), '-t', 'vendor/a1b2/report', '-m', '2');
    expect(messages.map((message) => message.payload)).toEqual(['1']);
  });

  test('messages at QoS 0, 1 and 2 arrive, the last two with their answers', async () => {
    const { messages } = await start();
    const device = await mqtt.connectAsync({ host: '127.0.0.1', port: broker.port, ...login('smoke-1') });
    closing.push(() => device.end(true));
    for (const qos of [0, 1, 2] as const) await device.publishAsync(EVENT, `qos ${qos}`, { qos });
    expect(messages.map((message) => message.payload)).toEqual(['qos 0', 'qos 1', 'qos 2']);
  });

  test('a retained message is delivered once and not kept', async () => {
    const topicsOf = () => ({ publish: [], subscribe: [EVENT] });
    const { messages } = await start({ topicsOf });
    expect(await pub(...as('smoke-1'), '-t', EVENT, '-m', 'kept?', '-r')).toMatchObject({ code: 0 });
    const later = mqtt.connect({ host: '127.0.0.1', port: broker.port, ...login('smoke-1'), reconnectPeriod: 0 });
    closing.push(() => later.end(true));
    const heard: string[] = [];
    later.on('message', (_topic, payload) => heard.push(payload.toString()));
    await later.subscribeAsync(EVENT, { qos: 1 });
    await later.publishAsync(EVENT, 'live', { qos: 1 });
    await vi.waitFor(() => expect(heard).toContain('live'));
    expect(heard).toEqual(['live']);
    expect(messages).toHaveLength(2);
  });

  test('its will is delivered when it dies', async () => {
    const { messages } = await start();
    const device = mqtt.connect({
      host: '127.0.0.1',
      port: broker.port,
      ...login('smoke-1'),
      reconnectPeriod: 0,
      will: { topic: EVENT, payload: Buffer.from('{"name":"gone"}'), qos: 1, retain: true },
    });
    await new Promise<void>((resolve) => device.once('connect', () => resolve()));
    device.stream.destroy();
    await vi.waitFor(() => expect(messages).toEqual([{ device: 'smoke-1', topic: EVENT, payload: '{"name":"gone"}' }]));
  });

  test('TLS carries it, and off loopback nothing else does', async () => {
    const pems = await selfSigned([{ name: 'commonName', value: 'localhost' }], { keySize: 2048 });
    const { messages } = await start({ tls: { key: pems.private, cert: pems.cert } });
    const device = await mqtt.connectAsync({
      protocol: 'mqtts',
      host: 'localhost',
      port: broker.port,
      ca: pems.cert,
      ...login('smoke-1'),
    });
    await device.publishAsync(EVENT, 'secret', { qos: 1 });
    await device.endAsync();
    expect(messages).toHaveLength(1);
    const open = startBroker({
      host: '0.0.0.0',
      port: 0,
      log: silentLog,
      clock: systemClock,
      devices: { exists: () => false, secretOf: () => undefined },
      onMessage: () => undefined,
    });
    await expect(open).rejects.toMatchObject({ code: 'config.invalid' });
  });
});

const login = (device: string, password = secrets[device] ?? '') => ({
  clientId: device,
  username: device,
  password,
});

describe('a device that does not', () => {
  test.each([
    ['a wrong password', ['-i', 'smoke-1', '-u', 'smoke-1', '-P', 'wrong']],
    ['no password', ['-i', 'smoke-1', '-u', 'smoke-1']],
    ['the right password of another device', ['-i', 'smoke-1', '-u', 'smoke-1', '-P', secrets['smoke-2'] ?? '']],
    ['a user name that is not its client id', ['-i', 'smoke-1', '-u', 'smoke-2', '-P', secrets['smoke-2'] ?? '']],
    ['an unknown id', ['-i', 'ghost', '-u', 'ghost', '-P', 'x']],
    ['an inherited name as id', ['-i', 'constructor', '-u', 'constructor', '-P', 'x']],
  ])('is refused with %s', async (_what, credentials) => {
    const { messages, refusals, life } = await start();
    const { code, output } = await pub(...credentials, '-t', EVENT, '-m', 'x');
    expect(code).not.toBe(0);
    expect(output).toMatch(/bad user name or password|not authorised/i);
    expect(messages).toEqual([]);
    expect(life).toEqual([]);
    expect(refusals[0]).toMatchObject({ reason: 'credentials', address: '127.0.0.1' });
  });

  test.each([
    ['the topic of another device', 'gatehouse/devices/smoke-2/up/event'],
    ['a topic below its own', `${EVENT}/more`],
    ['its own way down', 'gatehouse/devices/smoke-1/down/set'],
    ['a broker topic', '$SYS/broker/x'],
    ['a foreign topic', 'anything'],
  ])('is cut off when it publishes to %s', async (_what, topic) => {
    const { messages, refusals, life } = await start();
    await pub(...as('smoke-1'), '-t', topic, '-m', 'x', '-q', '0');
    await vi.waitFor(() => expect(refusals[0]).toMatchObject({ reason: 'publish', device: 'smoke-1' }));
    expect(refusals[0]?.detail).toContain(topic.slice(0, 100));
    await vi.waitFor(() => expect(life.at(-1)).toBe('-smoke-1'));
    expect(messages).toEqual([]);
  });

  test.each([
    ['everything', '#'],
    ['every device', 'gatehouse/devices/+/down/#'],
    ['the broker', '$SYS/#'],
    ['another device', 'gatehouse/devices/smoke-2/down/#'],
    ['its own way up', EVENT],
    ['a wildcard of its own', 'gatehouse/devices/smoke-1/down/+/x'],
  ])('is cut off when it subscribes to %s', async (_what, filter) => {
    const { refusals } = await start();
    const device = mqtt.connect({ host: '127.0.0.1', port: broker.port, ...login('smoke-1'), reconnectPeriod: 0 });
    closing.push(() => device.end(true));
    const closed = new Promise<void>((resolve) => device.once('close', () => resolve()));
    device.subscribe(filter, () => {});
    await closed;
    expect(refusals[0]).toMatchObject({ reason: 'subscribe', device: 'smoke-1', detail: `subscribe to ${filter}` });
  });

  test('may listen below its own down/', async () => {
    const { refusals } = await start();
    const device = await mqtt.connectAsync({ host: '127.0.0.1', port: broker.port, ...login('smoke-1') });
    closing.push(() => device.end(true));
    const granted = await device.subscribeAsync(
      ['gatehouse/devices/smoke-1/down/#', 'gatehouse/devices/smoke-1/down/set'],
      { qos: 1 },
    );
    expect(granted.map((grant) => grant.qos)).toEqual([1, 1]);
    expect(refusals).toEqual([]);
  });

  test('is refused at the door with a will on a foreign topic', async () => {
    const { messages, refusals, life } = await start();
    const will = ['--will-topic', 'gatehouse/devices/smoke-2/up/event', '--will-payload', 'x'];
    expect((await pub(...as('smoke-1'), ...will, '-t', EVENT, '-m', 'x')).code).not.toBe(0);
    expect(refusals[0]).toMatchObject({ reason: 'will', device: 'smoke-1' });
    expect(life).toEqual([]);
    expect(messages).toEqual([]);
  });

  test('learns from the log that MQTT 5 is not spoken', async () => {
    const { refusals } = await start();
    const { code, output } = await pub(...as('smoke-1'), '-V', '5', '-t', EVENT, '-m', 'x');
    expect(code).not.toBe(0);
    expect(output).not.toBe('');
    expect(refusals[0]).toMatchObject({ reason: 'protocol', device: 'smoke-1' });
    expect(refusals[0]?.detail).toContain('3.1.1');
  });
});

describe('input limits', () => {
  test('a payload of 1 MB ends the connection before it is buffered', async () => {
    const { messages, refusals } = await start();
    const { closed, socket, received } = raw();
    socket.write(connectPacket('smoke-1'));
    await vi.waitFor(() => expect(Buffer.concat(received)).toHaveLength(4));
    socket.write(publishPacket(EVENT, Buffer.alloc(1 << 20, 0x61)));
    await closed;
    expect(refusals[0]).toMatchObject({ reason: 'packet', address: '127.0.0.1' });
    expect(refusals[0]?.detail).toMatch(/packet of 10486\d\d bytes, at most 65536/);
    expect(messages).toEqual([]);
    const foreign = await pub(
      ...as('smoke-2'),
      '-t',
      'gatehouse/devices/smoke-2/up/event',
      '-s'.repeat(0) || '-m',
      'x',
    );
    expect(foreign.code).toBe(0); // the broker goes on
  });

  test('a CONNECT of more than 4 KiB, a first packet that is none and a bad length field end it at once', async () => {
    const { refusals } = await start();
    for (const bytes of [
      connectPacket('smoke-1', 'x'.repeat(5000)),
      publishPacket(EVENT, 'x'),
      Buffer.from([0x10, 0xff, 0xff, 0xff, 0xff, 0x01]),
    ]) {
      const { closed, socket } = raw();
      socket.write(bytes);
      await closed;
    }
    expect(refusals).toHaveLength(1); // one report, the others are counted
    expect(refusals[0]).toMatchObject({ reason: 'packet' });
  });

  test('bytes sent before the log-in is answered wait, and count only when it succeeds', async () => {
    const { messages } = await start();
    const good = raw();
    good.socket.write(Buffer.concat([connectPacket('smoke-1'), publishPacket(EVENT, 'early', 3)]));
    await vi.waitFor(() => expect(Buffer.concat(good.received)).toEqual(Buffer.from([0x20, 2, 0, 0, 0x40, 2, 0, 3])));
    const bad = raw();
    bad.socket.write(Buffer.concat([connectPacket('smoke-2', 'wrong'), publishPacket(EVENT, 'never')]));
    await bad.closed;
    expect(messages.map((message) => message.payload)).toEqual(['early']);
  });

  test('half packets, split at every byte, are put together', async () => {
    const { messages } = await start();
    const { socket, received } = raw();
    socket.setNoDelay(true);
    for (const byte of connectPacket('smoke-1')) socket.write(Buffer.from([byte]));
    await vi.waitFor(() => expect(Buffer.concat(received)).toHaveLength(4));
    for (const byte of publishPacket(EVENT, 'in pieces')) socket.write(Buffer.from([byte]));
    await vi.waitFor(() => expect(messages.map((message) => message.payload)).toEqual(['in pieces']));
  });

  test('half a packet and silence is cut off at CONNECT, and a connection that says nothing too', async () => {
    await start({ limits: { connectMs: 100 } });
    const half = raw();
    half.socket.write(connectPacket('smoke-1').subarray(0, 10));
    const silent = raw();
    await Promise.all([half.closed, silent.closed]);
  });

  test.each([
    ['a NUL', Buffer.from('gatehouse/devices/smoke-1/up/event\u0000')],
    ['a newline', Buffer.from('gatehouse/devices/smoke-1/up/\nevent')],
    ['invalid UTF-8', Buffer.from([...Buffer.from('gatehouse/devices/smoke-1/up/'), 0xc3, 0x28])],
    ['300 bytes', Buffer.from(`${EVENT}/${'x'.repeat(300)}`)],
    ['nine levels', Buffer.from('gatehouse/devices/smoke-1/up/a/b/c/d/e')],
    ['a wildcard', Buffer.from('gatehouse/devices/smoke-1/up/+')],
  ])('a topic with %s ends the connection', async (_what, topic) => {
    const { messages, life } = await start();
    const { socket, closed, received } = raw();
    socket.write(connectPacket('smoke-1'));
    await vi.waitFor(() => expect(Buffer.concat(received)).toHaveLength(4));
    socket.write(publishPacket(topic, 'x'));
    await closed;
    expect(messages).toEqual([]);
    await vi.waitFor(() => expect(life.at(-1)).toBe('-smoke-1'));
  });

  test('five connections of one address may wait for their log-in, the sixth is closed', async () => {
    const { refusals } = await start();
    const waiting = Array.from({ length: 5 }, raw);
    await Promise.all(waiting.map(({ socket }) => new Promise((resolve) => socket.once('connect', resolve))));
    await raw().closed;
    expect(refusals[0]).toMatchObject({ reason: 'too-many', address: '127.0.0.1' });
    waiting[0]?.socket.destroy();
    await vi.waitFor(async () => {
      expect(await pub(...as('smoke-1'), '-t', EVENT, '-m', 'x')).toMatchObject({ code: 0 });
    });
  });

  test.each([0, 5, 301])('a keep-alive of %i s is refused', async (keepalive) => {
    const { refusals } = await start();
    const { socket, closed } = raw();
    socket.write(connectPacket('smoke-1', secrets['smoke-1'], keepalive));
    await closed;
    expect(refusals[0]).toMatchObject({ reason: 'keepalive', device: 'smoke-1' });
  });

  test('silence of one and a half keep-alives ends the connection, and any packet is a sign of life', async () => {
    const clock = manualClock();
    const { life } = await start({ clock });
    const { socket, closed, received } = raw();
    socket.write(connectPacket('smoke-1', secrets['smoke-1'], 10));
    await vi.waitFor(() => expect(life).toEqual(['+smoke-1']));
    for (let n = 1; n <= 3; n++) {
      await clock.advance(14_000);
      socket.write(publishPacket(EVENT, 'alive', n));
      await vi.waitFor(() => expect(Buffer.concat(received)).toHaveLength(4 + 4 * n));
    }
    expect(life).toEqual(['+smoke-1']);
    await clock.advance(17_000);
    await closed;
    await vi.waitFor(() => expect(life).toEqual(['+smoke-1', '-smoke-1']));
  });

  test('what the journal has not taken yet is bounded: a device that goes on sending waits in its own socket', async () => {
    const waiting: (() => void)[] = [];
    await start({
      onMessage: (_device, _topic, _payload, done) => waiting.push(done),
      limits: { messagesPerSecond: 1e6 },
    });
    const { socket, received } = raw();
    socket.write(connectPacket('smoke-1'));
    await vi.waitFor(() => expect(Buffer.concat(received)).toHaveLength(4));
    const count = 2000;
    for (let n = 1; n <= count; n++) socket.write(publishPacket(EVENT, 'x'.repeat(1000), n));
    let answered = 0;
    let most = 0;
    while (answered < count) {
      await vi.waitFor(() => expect(waiting.length).toBeGreaterThan(0));
      most = Math.max(most, waiting.length);
      for (const done of waiting.splice(0)) {
        done();
        answered++;
      }
    }
    expect(most).toBeLessThan(200); // what one read of a socket brings, and the 64 that stop the next
    await vi.waitFor(() => expect(Buffer.concat(received)).toHaveLength(4 + 4 * count));
  });

  test('a flood is slowed down to the rate in its order, and one that goes on is cut off', async () => {
    const clock = manualClock();
    const { messages, refusals } = await start({ clock, limits: { messagesPerSecond: 50 } });
    const { socket, closed, received } = raw();
    socket.write(connectPacket('smoke-1'));
    await vi.waitFor(() => expect(Buffer.concat(received)).toHaveLength(4));
    socket.write(Buffer.concat(Array.from({ length: 200 }, (_, n) => publishPacket(EVENT, String(n), n + 1))));
    await vi.waitFor(() => expect(messages).toHaveLength(50));
    await clock.advance(1000);
    await vi.waitFor(() => expect(messages).toHaveLength(100));
    expect(messages.map((message) => message.payload)).toEqual(Array.from({ length: 100 }, (_, n) => String(n)));
    socket.write(Buffer.concat(Array.from({ length: 2000 }, (_, n) => publishPacket(EVENT, 'x', n + 1))));
    for (let second = 2; refusals.length === 0 && second < 40; second++) {
      await clock.advance(1000);
      await vi.waitFor(() => expect(refusals.length > 0 || messages.length >= 25 * second).toBe(true));
    }
    expect(messages.length).toBeLessThanOrEqual(50 * 40);
    await closed;
    expect(refusals[0]).toMatchObject({ reason: 'rate', device: 'smoke-1' });
  });
});

describe('storing fails', () => {
  test('B2 a full journal withholds the PUBACK; the device sends again and is acknowledged then', async () => {
    let full = true;
    const stored: string[] = [];
    await start({
      onMessage(_device, _topic, payload, done) {
        if (!full) stored.push(Buffer.from(payload).toString());
        done(full ? new GatehouseError('journal.full', 'no space') : undefined);
      },
    });
    const first = raw();
    first.socket.write(Buffer.concat([connectPacket('smoke-1'), publishPacket(EVENT, 'smoke!', 9)]));
    await first.closed;
    expect(Buffer.concat(first.received)).toEqual(Buffer.from([0x20, 2, 0, 0])); // CONNACK and no PUBACK
    full = false;
    expect(await pub(...as('smoke-1'), '-t', EVENT, '-m', 'smoke!')).toMatchObject({ code: 0 });
    expect(stored).toEqual(['smoke!']);
  });

  test('a message that can never be stored is acknowledged, or it would come for ever', async () => {
    await start({
      onMessage: (_device, _topic, _payload, done) => done(new GatehouseError('driver.frame', 'not JSON')),
    });
    expect(await pub(...as('smoke-1'), '-t', EVENT, '-m', '{half')).toMatchObject({ code: 0 });
  });
});

describe('two clients with one id', () => {
  test('from the same address the newer one takes over: the device has restarted', async () => {
    const { life } = await start();
    const first = raw();
    first.socket.write(connectPacket('smoke-1'));
    await vi.waitFor(() => expect(life).toEqual(['+smoke-1']));
    expect(await pub(...as('smoke-1'), '-t', EVENT, '-m', 'x')).toMatchObject({ code: 0 });
    await first.closed;
    await vi.waitFor(() => expect(life).toEqual(['+smoke-1', '-smoke-1', '+smoke-1', '-smoke-1']));
  });

  test('from another address it is refused for 10 s', async () => {
    const clock = manualClock();
    const { life, refusals, messages } = await start({ clock, host: '127.0.0.1' });
    const first = raw();
    first.socket.write(connectPacket('smoke-1'));
    await vi.waitFor(() => expect(life).toEqual(['+smoke-1']));
    const elsewhere = ['-A', '127.0.0.2'];
    const { code } = await pub(...as('smoke-1'), ...elsewhere, '-t', EVENT, '-m', 'x');
    expect(code).not.toBe(0);
    expect(refusals[0]).toMatchObject({ reason: 'takeover', device: 'smoke-1', address: '127.0.0.2' });
    expect(life).toEqual(['+smoke-1']);
    await clock.advance(10_000);
    expect(await pub(...as('smoke-1'), ...elsewhere, '-t', EVENT, '-m', 'x')).toMatchObject({ code: 0 });
    expect(messages).toHaveLength(1);
  });

  test('a removed device is disconnected', async () => {
    const { life } = await start();
    const { socket, closed } = raw();
    socket.write(connectPacket('smoke-1'));
    await vi.waitFor(() => expect(life).toEqual(['+smoke-1']));
    broker.disconnect('smoke-1');
    await closed;
    expect(life).toEqual(['+smoke-1', '-smoke-1']);
  });
});
