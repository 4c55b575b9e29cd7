/** The engineer of a property platform: the demo compound on a real Mosquitto, its line pulled and put back. */
import { generateKeyPairSync } from 'node:crypto';
import { afterEach, expect, test, vi } from 'vitest';
import type { Status } from '../runtime/contracts/api.ts';
import type { JournalRecord } from '../runtime/contracts/record.ts';
import { exampleOf } from '../runtime/platform/testing/example.ts';
import { compoundStats } from './compound.ts';
import { type Gateway, startGateway } from './site.ts';
import { freePort, type Peer, startMosquitto } from './uplink-peers.ts';
import { type Receiver, startReceiver } from './uplink-receiver.ts';

const open: AsyncDisposable[] = [];
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one[Symbol.asyncDispose]();
});
const kept = <T extends AsyncDisposable>(one: T): T => {
  open.push(one);
  return one;
};

/** Both lanes proved up to here: the receiver has everything the gateway had then. */
async function caughtUp(receiver: Receiver, gateway: Gateway): Promise<void> {
  const seq = Number((await gateway.json<Status>('/status')).head.split(':')[1]);
  // A refusal is urgent: with it the urgent chain tells its place at once, and not within its quiet minute.
  const body = JSON.stringify({ device: 'nothing', command: 'open' });
  const headers = { 'content-type': 'application/json', 'idempotency-key': crypto.randomUUID() };
  expect((await gateway.api('/commands', { method: 'POST', as: 'demo-guard', headers, body })).status).toBe(404);
  const done = () => receiver.urgent.through >= seq && receiver.bulk.through >= seq;
  if (done()) return;
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new Error(`urgent ${receiver.urgent.through}, bulk ${receiver.bulk.through} of ${seq}`)),
      60_000,
    );
    const look = () => {
      if (!done()) return;
      clearTimeout(timer);
      receiver.client.off('message', look);
      resolve();
    };
    receiver.client.on('message', look);
  });
}

/** A platform that listens from the first record on: the gateway's name is known before it has an uplink. */
async function listening(
  broker: Peer,
  cars: number,
): Promise<{ gateway: Gateway; receiver: Receiver; env: Record<string, string> }> {
  const before = kept(await startGateway());
  const { gateway: id, site } = await before.json<Status>('/status');
  await before.stop();
  const receiver = kept(await startReceiver(broker.port, id, 5, site.id));
  const env = { GATEHOUSE_UPLINK: `mqtt://127.0.0.1:${broker.port}` };
  return { gateway: kept(await startGateway({ cars, env, data: before.data })), receiver, env };
}

test('R3 U1 the upstream is away and comes back, the core is killed in between: nothing missing, nothing twice', {
  timeout: 180_000,
}, async () => {
  const broker: Peer = kept(await startMosquitto());
  let { gateway, receiver, env } = await listening(broker, 1500);
  await gateway.record((record) => record.name === 'passage');
  await caughtUp(receiver, gateway);

  await broker.stop(); // a broker that is killed loses what it had acknowledged: uplink-faults.test.ts
  const cut = (await gateway.json<Status>('/status')).head;
  await gateway.record((record) => record.name === 'passage', cut);
  await gateway.kill('SIGKILL');
  gateway = kept(await startGateway({ cars: 1500, env, data: gateway.data }));
  await gateway.record((record) => record.kind === 'command', (await gateway.json<Status>('/status')).head);
  const backlog = (await gateway.json<Status>('/status')).uplinks[0];
  expect(backlog?.state).not.toBe('online');
  expect(backlog?.backlog).toBeGreaterThan(0);
  await broker.start();
  await caughtUp(receiver, gateway);

  const through = Math.min(receiver.urgent.through, receiver.bulk.through);
  expect(receiver.urgent.holes).toEqual([]);
  expect(receiver.bulk.holes).toEqual([]);
  const received = [...receiver.urgent.records, ...receiver.bulk.records]
    .filter((record) => record.seq <= through)
    .sort((a, b) => a.seq - b.seq);
  const own = (await gateway.records()).filter((record) => record.seq <= through && record.lane !== 'L4');
  expect(received.map((record: JournalRecord) => record.seq)).toEqual(own.map((record) => record.seq));
  expect(received).toEqual(own);
  expect(receiver.statuses.map((status) => status.state)).toContain('online');
});

test('C8 C10 what nobody signed moves nothing; what is signed opens the gate, over MQTT and over HTTP', {
  timeout: 90_000,
}, async () => {
  const broker = kept(await startMosquitto());
  const { gateway, receiver } = await listening(broker, 0);
  const { gateway: gatewayId, site } = await gateway.json<Status>('/status');
  await vi.waitFor(() => expect(receiver.statuses.at(-1)).toMatchObject({ state: 'online' }), { timeout: 20_000 });
  const down = (name: string, body: object, retain = false) =>
    receiver.client.publishAsync(`gatehouse/v1/${site.id}/${gatewayId}/down/${name}`, JSON.stringify(body), {
      qos: 1,
      retain,
    });
  const answer = (fits: (reply: Record<string, unknown>) => boolean) =>
    vi.waitFor(() => receiver.replies.find(fits) ?? Promise.reject(new Error('no answer')), { timeout: 20_000 });
  const bare = { id: 'c-1', device: 'gate-east-in', command: 'open' };
  await down('command', bare, true);
  await down('command', bare);
  expect(await answer(({ command }) => command === 'c-1')).toMatchObject({ state: 'refused' });
  expect((await gateway.records()).filter((record) => record.kind === 'command')).toEqual([]);

  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const pem = publicKey.export({ type: 'spki', format: 'pem' });
  const json = { 'content-type': 'application/json' };
  for (const platform of ['default', 'demo-platform']) {
    const body = JSON.stringify({ id: `k-${platform}`, platform, publicKey: pem, devices: ['gate-east-in'] });
    const put = { method: 'PUT', as: 'demo-admin', headers: json, body };
    expect((await gateway.api(`/platform-keys/k-${platform}`, put)).status).toBe(201);
  }
  const signCommand = await exampleOf(gateway.data);
  const signer = { gatewayId, key: 'k-default', privateKey };
  await down('challenge', { id: 'ch-1' });
  const { nonce } = await answer(({ challenge }) => challenge === 'ch-1');
  const order = signCommand({ device: 'gate-east-in', command: 'open' }, signer, String(nonce));
  await down('command', order);
  await answer(({ command, state }) => command === order.signed.id && state === 'succeeded');

  const post = (body: object, key: string) =>
    gateway.api('/commands?wait=9000', {
      method: 'POST',
      headers: { ...json, 'idempotency-key': key },
      body: JSON.stringify(body),
    });
  expect((await post({ device: 'gate-east-in', command: 'open' }, 'k')).status).toBe(403);
  const fresh = (await (await gateway.api('/commands/challenges', { method: 'POST' })).json()) as { nonce: string };
  const second = signCommand(
    { device: 'gate-east-in', command: 'open' },
    { ...signer, key: 'k-demo-platform' },
    fresh.nonce,
  );
  const done = await post(second, second.signed.id);
  expect(await done.json()).toMatchObject({ state: 'succeeded', actor: 'platform:demo-platform' });
  expect((await compoundStats(gateway.data)).pulses['gate-east-in']?.[0]).toBe(2);
});

test('a platform that is not there is an alarm of its own, and the gate works all the same', {
  timeout: 90_000,
}, async () => {
  const gateway = kept(await startGateway({ env: { GATEHOUSE_UPLINK: `mqtt://127.0.0.1:${await freePort()}` } }));
  expect(await gateway.open('gate-east-in')).toMatchObject({ state: 'succeeded', proven: true });
  await gateway.record((record) => record.kind === 'alarm' && record.name === 'uplinkOffline');
});
