/** What sites and strangers send: each gets a clear answer or alarm, nothing stops, nothing opens. */
import { connect } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { DeviceView } from '../runtime/contracts/api.ts';
import { compoundStats } from './compound.ts';
import { type Gateway, startGateway } from './site.ts';

let gateway: Gateway;
let push: string;
beforeAll(async () => {
  gateway = await startGateway();
  const camera = await gateway.json<DeviceView>('/devices/camera-east-in', { as: 'demo-installer' });
  push = camera.push ?? '';
  await gateway.record((record) => record.name === 'flows' && (record.data as { state: string }).state === 'running');
});
afterAll(() => gateway?.[Symbol.asyncDispose]());

const head = async () => (await gateway.json<{ head: string }>('/status')).head;
const message = (license: unknown, more: object = {}) =>
  JSON.stringify({
    AlarmInfoPlate: {
      channel: 0,
      deviceName: 'IVS',
      ipaddr: '127.0.0.1',
      serialno: `${Math.random()}`,
      result: {
        PlateResult: { license, colorType: 1, type: 1, triggerType: 1, confidence: 90, direction: 0, ...more },
      },
    },
  });
const send = (body: string | Uint8Array<ArrayBuffer>, url = push) =>
  fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
const pulses = async () => JSON.stringify((await compoundStats(gateway.data)).pulses);

test('the installer sees the push address of a camera, with its key', () => {
  expect(push).toMatch(new RegExp(`^${gateway.devices}/push/camera-east-in\\?key=.{16,}$`));
});

test('half messages, wrong types, a megabyte of text, deep nesting, foreign text, unread plates: answered, and no arm moves', {
  timeout: 60_000,
}, async () => {
  const before = await pulses();
  const bodies = [
    '',
    '{"AlarmInfoPlate":{"result"',
    '[]',
    'null',
    message(12345),
    message('A'.repeat(1_000_000)),
    '['.repeat(50_000),
    message('粤B12\u0000345'),
    message("'; DROP TABLE record; --"),
    message('_无_'),
    message('无牌车'),
    message(''),
    message('粤B12345', { triggerType: 66 }),
    new Uint8Array([0xff, 0xfe, 0x00, 0x80]),
  ];
  for (const body of bodies) {
    const response = await send(body);
    const text = await response.text();
    expect(response.status, text).toBeLessThan(500);
    expect(text).not.toMatch(/"info"\s*:\s*"ok"/);
  }
  const from = await head();
  expect((await send(message('京A99Z99'))).status).toBe(200);
  await gateway.record(
    (record) => record.name === 'vehicle.unrecognised' && (record.data as { plate?: string }).plate === '京A99Z99',
    from,
  );
  expect(await pulses()).toBe(before);
});

test('a wrong key, no key and an unknown device are refused and leave no record of a plate', async () => {
  const from = await head();
  expect((await send(message('粤B12345'), push.replace(/key=.*/, 'key=wrong'))).status).toBe(401);
  expect((await send(message('粤B12345'), push.replace(/\?.*/, ''))).status).toBe(401);
  const stranger = await send(message('粤B12345'), push.replace('camera-east-in', 'camera-nobody'));
  expect([401, 404]).toContain(stranger.status);
  const after = (await gateway.records()).filter((record) => record.seq > Number(from.split(':')[1]));
  expect(after.filter((record) => record.name === 'plate.read')).toEqual([]);
});

test('a client that sends half a request and goes away does not hold anything up', async () => {
  const { hostname, port, pathname, search } = new URL(push);
  const socket = connect(Number(port), hostname);
  await new Promise((resolve) => socket.once('connect', resolve));
  socket.write(
    `POST ${pathname}${search} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 5000\r\n\r\n{"Alarm`,
  );
  socket.destroy();
  expect((await send(message('京A88Z88'))).status).toBe(200);
});

test('the API names what is wrong in a request, and never with a stack trace', async () => {
  const call = async (path: string, body: string, headers: Record<string, string> = {}) => {
    const response = await gateway.api(path, {
      method: 'POST',
      as: 'demo-guard',
      headers: { 'content-type': 'application/json', ...headers },
      body,
    });
    return { status: response.status, problem: (await response.json()) as { code: string; detail: string } };
  };
  const key = { 'idempotency-key': 'bad-1' };
  const cases: [string, string, number, string | undefined][] = [
    ['/commands', '{', 400, undefined],
    ['/commands', '{"device":"gate-east-in","command":"open","extra":1}', 400, 'extra'],
    ['/commands', '{"device":"gate-nowhere","command":"open"}', 404, 'gate-nowhere'],
    ['/commands', '{"device":"gate-east-in","command":"explode"}', 422, 'explode'],
    ['/commands', '{"device":"gate-east-in","command":"lockOpen","input":{"holdSeconds":99999}}', 422, 'holdSeconds'],
    ['/commands', '{"device":"gate-east-in","command":"open","deadlineMs":99999999}', 400, 'deadlineMs'],
    ['/alarms/none/ack', '{}', 404, 'none'],
  ];
  for (const [path, body, status, named] of cases) {
    const { status: got, problem } = await call(path, body, key);
    expect(got, `${body}: ${JSON.stringify(problem)}`).toBe(status);
    if (named) expect(problem.detail).toContain(named);
    expect(JSON.stringify(problem)).not.toMatch(/\.ts:\d+/);
  }
});

test('a device description with a typo or a taken address is refused by name', async () => {
  const device = { id: 'gate-new', name: '新道闸', zone: 'east-in', profile: 'waveshare/relay-8ch-barrier' };
  const put = async (entry: object) => {
    const response = await gateway.api('/devices', {
      method: 'POST',
      as: 'demo-installer',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(entry),
    });
    return { status: response.status, text: await response.text() };
  };
  const other = await gateway.json<DeviceView>('/devices/gate-east-in', { as: 'demo-installer' });
  const taken = await put({ ...device, address: other.address });
  expect(taken.status).toBe(409);
  expect(taken.text).toContain('gate-east-in');
  const typo = await put({ ...device, address: { host: '127.0.0.1', prot: 502, unit: 1 } });
  expect(typo.status).toBe(422);
  expect(typo.text).toContain('prot');
  expect((await put({ ...device, profile: 'waveshare/relay-9ch' })).text).toContain('relay-9ch');
});
