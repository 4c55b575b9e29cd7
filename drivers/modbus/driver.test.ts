import type { AddressInfo } from 'node:net';
import { createServer, type Socket } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import type { GatehouseError } from '../../runtime/errors.ts';
import { modbus } from './driver.ts';
import { atOnce, barrierProfile, isOffline, isOnline, openRig, reads, sensorProfile } from './rig.ts';
import { ModbusSimulator, RelayBoard, SimulatedSlave, table } from './simulator.ts';

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});
const keep = <T extends AsyncDisposable>(one: T): T => {
  closers.push(async () => await one[Symbol.asyncDispose]());
  return one;
};
const rig = (...args: Parameters<typeof openRig>) => keep(openRig(...args));
function simulator(slaves: Record<number, SimulatedSlave>): ModbusSimulator {
  const one = new ModbusSimulator(Object.entries(slaves).map(([unit, slave]) => [Number(unit), slave]));
  closers.push(() => one.close());
  return one;
}
const sensor = (temperature: number, humidity: number) =>
  new SimulatedSlave({ holdingRegisters: table(0, [temperature, humidity]) });
const board = () => {
  const inputs = table(0, [false, true, false, false, false, false, false, false]);
  return { inputs, relays: new RelayBoard(8, inputs) };
};
const failure = async (promise: Promise<unknown>): Promise<GatehouseError> => {
  const outcome = await promise.then(
    () => new Error('it did not fail'),
    (error: unknown) => error,
  );
  return outcome as GatehouseError;
};
const never = new AbortController().signal;

describe.each(['tcp', 'rtu-tcp'] as const)('over %s', (transport) => {
  const start = async (slaves: Record<number, SimulatedSlave>) => {
    const sim = simulator(slaves);
    const port = await (transport === 'tcp' ? sim.listenTcp() : sim.listenRtuTcp());
    return { sim, where: { transport, host: '127.0.0.1', port, timeoutMs: 200, gapMs: 1 } as const };
  };

  test('points are polled, and a change is seen', async () => {
    const { inputs, relays } = board();
    const { where } = await start({ 1: relays });
    const { until } = rig(where, { gate: { profile: barrierProfile(5) } });
    await until(reads('gate', 'barrierState', 'closed'), 0);
    inputs.set(0, true).set(1, false);
    await until(reads('gate', 'barrierState', 'open'));
    inputs.set(1, true);
    await until(reads('gate', 'barrierState', 'fault'));
  });

  test('one request reads all neighbouring points', async () => {
    const { relays } = board();
    const { where } = await start({ 1: relays });
    const { until } = rig(where, { gate: { profile: barrierProfile(5) } });
    await until(reads('gate', 'loopOccupied', false), 0);
    expect(relays.requests[0]).toEqual({ unit: 1, function: 2, address: 0, count: 3 });
  });

  test('an order begins on the free line, is echoed, and the board ends the pulse by itself', async () => {
    const { relays } = board();
    const { where } = await start({ 1: relays });
    const { link } = rig(where, { gate: { profile: barrierProfile(5) } });
    const changes: string[] = [];
    const opened = new Promise<void>((resolve) => {
      relays.onRelay = (relay, closed) => {
        changes.push(`${relay} ${closed}`);
        if (!closed) resolve();
      };
    });
    const began: number[] = [];
    const begin = () => {
      began.push(relays.requests.filter((r) => r.function === 5).length);
      return Promise.resolve();
    };
    expect(await link.command('gate', 'open', {}, { begin, signal: never })).toEqual({
      function: 5,
      address: 512,
      value: 5,
    });
    expect(began).toEqual([0]); // durable before the first byte leaves
    await opened;
    expect(changes).toEqual(['0 true', '0 false']);
    expect(relays.closings[0]).toBe(1);
  });

  test('the hold time comes from the input; ending the hold opens the relay', async () => {
    const { relays } = board();
    const { where } = await start({ 1: relays });
    const { link } = rig(where, { gate: { profile: barrierProfile(50) } });
    expect(await link.command('gate', 'lockOpen', { holdSeconds: 30 }, atOnce())).toMatchObject({ value: 300 });
    expect(relays.tables.coils?.get(2)).toBe(true);
    expect(await link.command('gate', 'endHold', {}, atOnce())).toMatchObject({ address: 2, value: 0 });
    expect(relays.tables.coils?.get(2)).toBe(false);
    expect(await failure(link.command('gate', 'lockOpen', { holdSeconds: 1e6 }, atOnce()))).toMatchObject({
      code: 'command.invalid',
    });
    expect(await failure(link.command('gate', 'toggle', {}, atOnce()))).toMatchObject({ code: 'command.unsupported' });
  });

  test('nothing is sent when the deadline has passed, and the line goes on', async () => {
    const { relays } = board();
    const { where } = await start({ 1: relays });
    const { link, until } = rig(where, { gate: { profile: barrierProfile(5) } });
    const begin = () => Promise.reject(new Error('too late'));
    expect((await failure(link.command('gate', 'open', {}, { begin, signal: never }))).message).toBe('too late');
    await until(reads('gate', 'barrierState', 'closed'));
    expect(relays.closings[0]).toBe(0);
  });

  test('a board that swallows the order or confirms another value leaves the outcome open', async () => {
    const { relays } = board();
    const { where } = await start({ 1: relays });
    const { link } = rig(where, { gate: { profile: barrierProfile(1000) } });
    relays.behaviour = { silent: true };
    expect(await failure(link.command('gate', 'open', {}, atOnce()))).toMatchObject({ code: 'driver.timeout' });
    expect(relays.closings[0]).toBe(1); // it was carried out: that is why nobody may say "failed"
    relays.behaviour = { wrongEcho: true };
    expect(await failure(link.command('gate', 'open', {}, atOnce()))).toMatchObject({ code: 'driver.timeout' });
    expect(relays.closings[0]).toBe(2);
  });

  test('an exception refuses the order for certain; "busy" is tried again before it counts', async () => {
    const { relays } = board();
    const { where } = await start({ 1: relays });
    const { link, until } = rig(where, { gate: { profile: barrierProfile(60_000) } });
    await until(reads('gate', 'barrierState', 'closed'), 0);
    relays.behaviour = { exception: 2 };
    expect(await failure(link.command('gate', 'open', {}, atOnce()))).toMatchObject({
      code: 'driver.refused',
      detail: { exception: 2 },
    });
    relays.behaviour = { exception: 6 };
    const before = relays.requests.length;
    expect(await failure(link.command('gate', 'open', {}, atOnce()))).toMatchObject({ code: 'driver.refused' });
    expect(relays.requests.length - before).toBe(3);
    relays.behaviour = { exception: 11 }; // a gateway in between lost the device: it may have moved
    expect(await failure(link.command('gate', 'open', {}, atOnce()))).toMatchObject({ code: 'driver.timeout' });
    expect(link.counters.exceptions).toMatchObject({ 2: 1, 6: 3, 11: 1 });
  });

  test('a wrong unit in the answer is never taken for ours', async () => {
    const liar = sensor(200, 500);
    const { where } = await start({ 1: liar });
    const { link, until } = rig(where, { sensor: { profile: sensorProfile(5, 500) } });
    await until(reads('sensor', 'temperature', 20), 0);
    liar.behaviour = { answersAs: 7 };
    expect(await failure(link.read('sensor', ['temperature'], never))).toMatchObject({ code: 'driver.mismatch' });
    expect(await until(isOffline('sensor'))).toContain('unit');
    liar.behaviour = {};
    await until(isOnline('sensor'));
  });

  test('half an answer is not an answer, and the next whole one is', async () => {
    const slave = sensor(200, 500);
    const { where } = await start({ 1: slave });
    const { link } = rig(where, { sensor: { profile: sensorProfile(60_000) } });
    slave.behaviour = { cutAt: 6 };
    const code = transport === 'tcp' ? 'driver.timeout' : 'driver.frame';
    expect(await failure(link.read('sensor', ['temperature'], never))).toMatchObject({ code });
    slave.behaviour = {};
    // On TCP the rest of the torn frame would swallow the next one: its length says so, and the header is junk.
    const readings = await link
      .read('sensor', ['temperature'], never)
      .catch(() => link.read('sensor', ['temperature'], never));
    expect(readings).toEqual([{ point: 'temperature', value: 20 }]);
  });

  test('a late answer is not taken for the next one', async () => {
    const slave = sensor(200, 500);
    const { where } = await start({ 1: slave });
    const { link } = rig(where, { sensor: { profile: sensorProfile(60_000) } });
    await link.read('sensor', ['temperature'], never);
    slave.behaviour = { lateMs: 300 };
    expect(await failure(link.read('sensor', ['temperature'], never))).toMatchObject({ code: 'driver.timeout' });
    slave.behaviour = {};
    slave.tables.holdingRegisters?.set(0, 210);
    expect(await link.read('sensor', ['temperature'], never)).toEqual([{ point: 'temperature', value: 21 }]);
    slave.tables.holdingRegisters?.set(0, 220);
    expect(await link.read('sensor', ['temperature'], never)).toEqual([{ point: 'temperature', value: 22 }]);
  });

  test('a silent unit costs the others their turn, never their answers', async () => {
    const healthy = [sensor(200, 500), sensor(210, 510)] as const;
    const dead = sensor(0, 0);
    dead.behaviour = { silent: true };
    const { where } = await start({ 1: healthy[0], 2: dead, 3: healthy[1] });
    const profile = sensorProfile(5, 300);
    const { said, until, link } = rig(where, {
      one: { profile, unit: 1 },
      two: { profile, unit: 2 },
      three: { profile, unit: 3 },
    });
    expect(await until(isOffline('two'), 0)).toContain('no answer within 200 ms');
    await until(reads('one', 'temperature', 20));
    await until(reads('three', 'temperature', 21));
    expect(said.filter((one) => 'offline' in one).map((one) => one.device)).toEqual(['two']);
    expect(link.counters.connects).toBe(1);
    dead.behaviour = {};
    await until(isOnline('two'));
  });

  test('reads the rest point by point when a device refuses the joined request', async () => {
    const mapped = table(0, [200]);
    const { where } = await start({ 1: new SimulatedSlave({ holdingRegisters: mapped }) });
    const { until, said } = rig(where, { sensor: { profile: sensorProfile(5) } });
    await until(reads('sensor', 'temperature', 20), 0);
    mapped.set(1, 555);
    await until(reads('sensor', 'humidity', 55.5));
    expect(said.some((one) => 'offline' in one)).toBe(false); // refusing is answering
  });

  test('a lost connection is not offline; a line that cannot be reached is, and it comes back by itself', async () => {
    const { relays } = board();
    const { sim, where } = await start({ 1: relays });
    const { until, said, link } = rig(where, { gate: { profile: barrierProfile(5) } });
    await until(reads('gate', 'barrierState', 'closed'), 0);
    sim.disconnect();
    await until(reads('gate', 'barrierState', 'closed'));
    expect(said.some((one) => 'offline' in one)).toBe(false);
    await sim.close();
    expect(await until(isOffline('gate'))).toContain('ECONNREFUSED');
    expect(await failure(link.command('gate', 'open', {}, atOnce()))).toMatchObject({ code: 'driver.closed' });
    const again = simulator({ 1: relays });
    await (transport === 'tcp' ? again.listenTcp(where.port) : again.listenRtuTcp(where.port));
    const at = performance.now();
    await until(isOnline('gate'));
    expect(performance.now() - at).toBeLessThan(3000);
  });

  test('an order waits for one poll at most, however busy the line is', async () => {
    const { relays } = board();
    const slow = sensor(200, 500);
    slow.behaviour = { lateMs: 20 };
    const { where } = await start({ 1: relays, 2: slow, 3: slow, 4: slow });
    const profile = sensorProfile(1);
    const { link, until } = rig(where, {
      gate: { profile: barrierProfile(1) },
      a: { profile, unit: 2 },
      b: { profile, unit: 3 },
      c: { profile, unit: 4 },
    });
    await until(reads('c', 'temperature', 20), 0);
    let requests = 0;
    slow.requests.length = 0;
    relays.requests.length = 0;
    await link.command('gate', 'open', {}, atOnce());
    requests = slow.requests.length + relays.requests.findIndex((r) => r.function === 5);
    expect(requests).toBeLessThanOrEqual(1);
  });

  test('an order that waits for the line leaves the queue when it is called off', async () => {
    const { relays } = board();
    relays.behaviour = { lateMs: 100 };
    const { where } = await start({ 1: relays });
    const { link } = rig(where, { gate: { profile: barrierProfile(60_000) } });
    const first = link.command('gate', 'open', {}, atOnce());
    const calledOff = new AbortController();
    const second = failure(link.command('gate', 'open', {}, atOnce(calledOff.signal)));
    calledOff.abort(new Error('somebody else was faster'));
    expect((await second).message).toBe('somebody else was faster');
    await first;
    expect(relays.closings[0]).toBe(1);
  });
});

test('RTU: a wrong checksum is seen, counted, and never believed', async () => {
  const slave = sensor(200, 500);
  const sim = simulator({ 1: slave });
  const port = await sim.listenRtuTcp();
  const { link } = rig(
    { transport: 'rtu-tcp', host: '127.0.0.1', port, timeoutMs: 100 },
    { sensor: { profile: sensorProfile(60_000) } },
  );
  slave.behaviour = { badChecksum: true };
  expect(await failure(link.read('sensor', ['temperature'], never))).toMatchObject({ code: 'driver.frame' });
  expect(link.counters.badFrames).toBeGreaterThan(0);
  slave.behaviour = { junk: Buffer.from('00ff0103', 'hex') };
  expect(await link.read('sensor', ['temperature'], never)).toEqual([{ point: 'temperature', value: 20 }]);
  expect(link.counters.junk).toBeGreaterThanOrEqual(4);
});

describe('peers that are not Modbus', () => {
  async function listen(serve: (socket: Socket) => void): Promise<number> {
    const sockets = new Set<Socket>();
    const server = createServer((socket) => {
      sockets.add(socket);
      socket.on('error', () => socket.destroy());
      serve(socket);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    closers.push(
      () =>
        new Promise((resolve) => {
          for (const socket of sockets) socket.destroy();
          server.close(resolve);
        }),
    );
    return (server.address() as AddressInfo).port;
  }

  test('rubbish on Modbus TCP ends the connection, and the driver does not hammer', async () => {
    let connections = 0;
    const port = await listen((socket) => {
      connections++;
      socket.on('data', () => socket.write('HTTP/1.1 400 Bad Request\r\n\r\n'));
    });
    const { until, link } = rig({ host: '127.0.0.1', port }, { gate: { profile: barrierProfile(1, 800) } });
    expect(await until(isOffline('gate'), 0)).toContain('Not Modbus TCP');
    expect(link.counters.badFrames).toBeGreaterThan(1);
    expect(connections).toBeLessThan(8);
  });

  test('a peer that hangs up at once is offline, and is not reconnected to in a loop', async () => {
    let connections = 0;
    const third = new Promise<number>((resolve) => {
      void listen((socket) => {
        socket.destroy();
        connections++;
        if (connections === 3) resolve(performance.now());
      }).then((port) => {
        const { until } = rig({ host: '127.0.0.1', port }, { gate: { profile: barrierProfile(1) } });
        void until(isOffline('gate'), 0);
      });
    });
    const began = performance.now();
    expect((await third) - began).toBeGreaterThan(150); // 100 ms and 200 ms, less a fifth
  });
});

test('the first answer on a line that was dead as a whole has the others asked at once', async () => {
  const units = { 1: board().relays, 2: sensor(200, 500) } as const;
  const sim = simulator(units);
  const where = {
    transport: 'rtu-tcp',
    host: '127.0.0.1',
    port: await sim.listenRtuTcp(),
    timeoutMs: 30,
    gapMs: 1,
  } as const;
  const { until } = rig(where, {
    gate: { profile: barrierProfile(5, 2500), unit: 1 },
    meter: { profile: sensorProfile(5, 2500), unit: 2 },
  });
  await Promise.all([until(isOnline('gate'), 0), until(isOnline('meter'), 0)]);
  for (const unit of Object.values(units)) unit.behaviour = { silent: true };
  await Promise.all([until(isOffline('gate')), until(isOffline('meter'))]);
  for (const unit of Object.values(units)) unit.behaviour = {};
  // A barrier is probed every two seconds; the meter's own turn would come after five and more.
  const [gate, meter] = ['gate', 'meter'].map((id) => until(isOnline(id)).then(() => performance.now()));
  expect(((await meter) ?? 0) - ((await gate) ?? 0)).toBeLessThan(1500);
});

test('lines and identities', () => {
  const at = (more: object) => ({ host: 'Board.local', ...more });
  expect(modbus.lineOf(at({}))).toBe('tcp:board.local:502');
  expect(modbus.lineOf(at({ transport: 'rtu-tcp', port: 4001 }))).toBe('rtu-tcp:board.local:4001');
  expect(modbus.lineOf({ transport: 'serial', path: '/dev/ttyS1', unit: 9 })).toBe('serial:/dev/ttyS1');
  expect(modbus.identityOf(at({ unit: 1 }))).toBe(modbus.identityOf(at({})));
  expect(modbus.identityOf(at({ unit: 2 }))).not.toBe(modbus.identityOf(at({})));
});
