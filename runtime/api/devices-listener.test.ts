import { readFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { SimulatedCamera } from '../../drivers/vzenith/simulator.ts';
import { type ManualClock, manualClock } from '../../test/manual-clock.ts';
import { createDeviceListener, type DeviceListener } from './devices-listener.ts';
import { openTestGateway, type TestGateway, type TestOptions } from './gateway.fixture.ts';
import { keyPair } from './tls.ts';

const CAMERA = 'camera-east-in';
let clock: ManualClock;
let gateway: TestGateway;
let listener: DeviceListener;
let port: number;
beforeEach(async () => {
  clock = manualClock();
  await start();
});
afterEach(async () => {
  await listener.close();
  await gateway[Symbol.asyncDispose]();
});
async function start(options: TestOptions = {}): Promise<void> {
  gateway = await openTestGateway({ clock, ...options });
  listener = createDeviceListener(gateway.parts, undefined);
  port = await listener.listen();
}

async function restart(options: TestOptions): Promise<void> {
  await listener.close();
  await gateway[Symbol.asyncDispose]();
  await start(options);
}

const camera = new SimulatedCamera({ serial: 'a1b2', heartbeatMs: 0 });
const jpeg = (bytes: number) =>
  Buffer.concat([Buffer.from('ffd8ffe0', 'hex'), Buffer.alloc(bytes), Buffer.from('ffd9', 'hex')]);
const message = (plate: string) => JSON.stringify(camera.message({ plate }));
const key = () => gateway.inventory.secretOf(CAMERA) ?? '';
const push = (path: string, body = message('粤B12345'), headers: Record<string, string> = {}) =>
  fetch(`http://127.0.0.1:${port}${path}`, { method: 'POST', body, headers });
const reads = () => gateway.records().filter(({ name }) => name === 'plate.read');
const refusals = async () => {
  await gateway.journal.append(); // what was noted before is durable after it
  return gateway.records().filter(({ name }) => name === 'device.push.refused');
};

describe('a camera that pushes', () => {
  test('is answered after its plate is in the journal', async () => {
    let committed = 0;
    gateway.journal.onCommit((records) => {
      committed += records.filter(({ name }) => name === 'plate.read').length;
    });
    const answer = await push(`/push/${CAMERA}?key=${key()}`);
    expect(answer.status).toBe(200);
    expect(committed).toBe(1);
    expect(reads()).toMatchObject([{ device: CAMERA, data: { plate: '粤B12345' } }]);
  });

  test('may give its key as the password of Basic authentication, and any content type', async () => {
    const authorization = `Basic ${Buffer.from(`admin:${key()}`).toString('base64')}`;
    for (const type of ['text/plain', 'application/json; charset=gb2312', 'application/octet-stream']) {
      const answer = await push(`/push/${CAMERA}`, message(`粤B0000${type.length % 10}`), {
        authorization,
        'content-type': type,
      });
      expect(answer.status, type).toBe(200);
    }
    expect(reads()).toHaveLength(3);
  });

  test('with a wrong key gets 401, counted on record, and opens nothing', async () => {
    await restart({ limits: { anonymousPerSecond: 3 } });
    const wrong = `x${key().slice(1)}`;
    const answer = await push(`/push/${CAMERA}?key=${wrong}`);
    expect([answer.status, await answer.json()]).toMatchObject([401, { code: 'push.key' }]);
    const more = [];
    for (let i = 0; i < 4; i++) more.push((await push(`/push/${CAMERA}?key=${wrong}`)).status);
    expect(more).toEqual([401, 401, 429, 429]);
    expect(reads()).toEqual([]);
    expect(await refusals()).toMatchObject([{ data: { device: CAMERA, known: true, address: '127.0.0.1' } }]);
    expect((await push(`/push/${CAMERA}?key=${key()}`)).status).toBe(200);
    await clock.advance(60_000);
    expect((await refusals()).at(-1)?.data).toMatchObject({ device: CAMERA, count: 2 });
  });

  test('nobody knows gets a clear answer; its name is not kept', async () => {
    const answer = await push(`/push/camera-none?key=${key()}`);
    expect(answer.status).toBe(404);
    expect(await answer.json()).toMatchObject({ code: 'device.not_found', status: 404 });
    expect(JSON.stringify(await refusals())).not.toContain('camera-none');
    expect((await push('/elsewhere')).status).toBe(404);
  });

  test('sends half a message: 400, in the camera\u2019s own words, nothing stops and nothing opens', async () => {
    const answer = await push(`/push/${CAMERA}?key=${key()}`, message('粤B12345').slice(0, 80));
    expect(answer.status).toBe(400);
    const text = await answer.text();
    const refusal = gateway.parts.host.refusal(CAMERA);
    expect(refusal).toBeDefined();
    expect(text).toBe(refusal?.body);
    expect(text).not.toContain('ok');
    expect(reads()).toEqual([]);
    expect((await push(`/push/${CAMERA}?key=${key()}`)).status).toBe(200);
  });

  test('sends a picture of 150 kB: taken; of 3 MB: refused by size', async () => {
    const large = (bytes: number) => JSON.stringify(camera.message({ plate: '粤B54321', picture: jpeg(bytes) }));
    expect((await push(`/push/${CAMERA}?key=${key()}`, large(150_000))).status).toBe(200);
    const refused = await push(`/push/${CAMERA}?key=${key()}`, large(3 << 20));
    expect(refused.status).toBe(413);
    expect(reads()).toHaveLength(1);
  });

  test('in a loop is slowed down', async () => {
    await restart({ limits: { pushesPerSecond: 3 } });
    const statuses = [];
    for (let i = 0; i < 5; i++) statuses.push((await push(`/push/${CAMERA}?key=${key()}`)).status);
    expect(statuses).toEqual([200, 200, 200, 429, 429]);
  });
});

describe('off loopback', () => {
  const call = (tls: boolean, ca: Buffer | undefined): Promise<number> =>
    new Promise((resolve, reject) => {
      const target = {
        host: '127.0.0.1',
        port,
        method: 'POST',
        path: `/push/${CAMERA}?key=${key()}`,
        agent: false as const,
      };
      const made = tls ? httpsRequest({ ...target, ca, servername: 'localhost' }) : httpRequest(target);
      made.once('error', reject);
      made.once('response', (response) => {
        response.resume();
        response.once('end', () => resolve(response.statusCode ?? 0));
      });
      made.end(message('粤B12345'));
    });
  let ca: Buffer;
  beforeEach(async () => {
    await listener.close();
    const directory = join(gateway.directory, 'tls');
    const parts = { ...gateway.parts, limits: { ...gateway.parts.limits, closeGraceMs: 200 } };
    listener = createDeviceListener(parts, await keyPair(directory, 'localhost', gateway.parts));
    port = await listener.listen();
    ca = readFileSync(join(directory, 'cert.pem'));
  });

  test('one port takes TLS from all, and plain HTTP where the site allows it', async () => {
    expect(await call(true, ca)).toBe(200);
    expect(await call(false, undefined)).toBe(403);
    expect(await refusals()).toMatchObject([{ data: { device: CAMERA, plain: true } }]);
    const site = gateway.inventory.site();
    await gateway.inventory.putSite({ ...site, network: { plainDevices: true } }, 'system:test');
    expect(await call(false, undefined)).toBe(200);
    expect(reads()).toHaveLength(2);
  });

  test('somebody who connects and says nothing, or nonsense, costs nobody anything', async () => {
    const silent = connect(port, '127.0.0.1');
    const noise = connect(port, '127.0.0.1', () => noise.write('\x80\x2e\x01nonsense\r\n\r\n'));
    const ended = new Promise<void>((resolve) => noise.once('close', () => resolve()));
    noise.resume();
    await ended;
    expect(await call(true, ca)).toBe(200);
    const closed = new Promise((resolve) => silent.once('close', resolve));
    await listener.close();
    await closed;
  });
});
