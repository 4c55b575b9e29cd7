/** Commands of a platform over a real Mosquitto: what is in order is done once, all else is answered and audited. */
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { systemClock } from '../runtime/clock.ts';
import { Dispatcher, type Outputs, schema } from '../runtime/commands/dispatcher.ts';
import { openPlatformKeys } from '../runtime/commands/platform-keys.ts';
import { createSignedCommands, type SignedCommands, schema as signedSchema } from '../runtime/commands/signed.ts';
import { Journal } from '../runtime/journal/journal.ts';
import { silentLog } from '../runtime/log.ts';
import { exampleOf, type SignCommand } from '../runtime/platform/testing/example.ts';
import { startUplink, type Uplink } from '../runtime/uplink/mqtt.ts';
import { type Peer, startMosquitto } from './uplink-peers.ts';
import { type Receiver, startReceiver } from './uplink-receiver.ts';

const until = (check: () => unknown) => vi.waitFor(check, { timeout: 20_000, interval: 10 });
const OPEN = { device: 'gate-east-in', command: 'open' };

let directory: string;
let journal: Journal;
let dispatcher: Dispatcher;
let signed: SignedCommands;
let uplink: Uplink | undefined;
let peer: Peer;
let receiver: Receiver;
let privateKey: KeyObject;
let signCommand: SignCommand;
let pulses: number;
let moving: Promise<void>;
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'gh-orders-'));
  peer = await startMosquitto();
  signCommand = await exampleOf(directory);
  const clock = systemClock;
  journal = await Journal.open({ directory, clock, log: silentLog, schema: [schema, signedSchema] });
  pulses = 0;
  moving = Promise.resolve();
  const outputs: Outputs = {
    target: (id) => ({ id, scenario: 'vehicle-gate', commands: ['open'] }),
    latest: () => undefined,
    alarmed: () => false,
    forbidden: () => undefined,
    async command(_device, _command, _input, turn) {
      await turn.begin();
      pulses++;
      await moving;
      return {};
    },
    read: async () => [{ point: 'barrierState', value: 'open' }],
    setting: async () => {},
  };
  dispatcher = new Dispatcher({ journal, outputs, clock, log: silentLog });
  const keys = openPlatformKeys({ journal, clock });
  const pair = generateKeyPairSync('ed25519');
  privateKey = pair.privateKey;
  const publicKey = pair.publicKey.export({ type: 'spki', format: 'pem' }) as string;
  await keys.put({ id: 'k1', platform: 'main', publicKey }, 'user:admin');
  signed = createSignedCommands({
    ...{ journal, dispatcher, keys, clock, log: silentLog, clockQuality: () => 'synced', zoneOf: () => undefined },
  });
});
afterEach(async () => {
  await uplink?.stop();
  uplink = undefined;
  signed.stop();
  await dispatcher.stop();
  await receiver[Symbol.asyncDispose]();
  await peer[Symbol.asyncDispose]();
  await journal[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true, force: true });
});

async function connect(version: 4 | 5 = 5): Promise<void> {
  receiver = await startReceiver(peer.port, journal.gateway, version);
}
async function start(): Promise<void> {
  uplink = startUplink({
    ...{ id: 'main', url: `mqtt://127.0.0.1:${peer.port}`, site: 'site', gateway: journal.gateway, version: '0' },
    ...{ journal, clock: systemClock, log: silentLog, signed, report: () => {} },
  });
  await until(() => expect(receiver.statuses.at(-1)).toMatchObject({ state: 'online' }));
}
const topic = (name: string) => `gatehouse/v1/site/${journal.gateway}/down/${name}`;
const publish = (body: object, name = 'command', retain = false) =>
  receiver.client.publishAsync(topic(name), JSON.stringify(body), { qos: 1, retain });
const order = (more: object = {}, nonce?: string) => {
  const signer = { gatewayId: journal.gateway, key: 'k1', privateKey, ...more };
  return signCommand(OPEN, signer, nonce);
};
const answers = (id: string) => receiver.replies.filter(({ command }) => command === id);
const statesOf = (id: string) => answers(id).map(({ state }) => state);
const audits = () =>
  journal
    .read({ kind: ['audit'], name: 'command.signed.refused' })
    .items.map(({ data, actor }) => ({ ...(data as { id: string; code: string }), actor }));

describe.each([5, 4] as const)('a platform on MQTT %i', (version) => {
  test('C8 the example of the README opens the gate, and every state is answered', async () => {
    await connect(version);
    await start();
    const body = order();
    await publish(body);
    await until(() => expect(statesOf(body.signed.id)).toEqual(['accepted', 'executing', 'succeeded']));
    expect(answers(body.signed.id).at(-1)).toMatchObject({ gateway: journal.gateway, proven: true });
    expect(pulses).toBe(1);
  });
});

test('C8 sent twice, while it runs and afterwards: answered each time, done once', async () => {
  let arrive = () => {};
  moving = new Promise((resolve) => (arrive = resolve));
  await connect();
  await start();
  const body = order();
  await publish(body);
  await until(() => expect(statesOf(body.signed.id)).toContain('executing'));
  await publish(body);
  await until(() => expect(statesOf(body.signed.id)).toEqual(['accepted', 'executing', 'executing']));
  arrive();
  await until(() => expect(statesOf(body.signed.id).at(-1)).toBe('succeeded'));
  await publish(body);
  await until(() => expect(statesOf(body.signed.id).slice(-2)).toEqual(['succeeded', 'succeeded']));
  expect(pulses).toBe(1);
});

test('C10 a retained command moves nothing, however well it is signed: answered and audited', async () => {
  await connect();
  const body = order();
  await publish(body, 'command', true);
  await start();
  const { id } = body.signed;
  await until(() => expect(answers(id)).toMatchObject([{ state: 'refused', code: 'command.retained' }]));
  await until(() => expect(audits()).toMatchObject([{ id, code: 'command.retained', actor: 'platform:main' }]));
  expect(pulses).toBe(0);
});

test('C8 stale, for another gateway, replayed, unsigned: refused, answered, audited', async () => {
  await connect();
  await start();
  const good = order();
  const stale = vi.spyOn(Date, 'now').mockReturnValueOnce(Date.now() - 31_000);
  const old = order();
  stale.mockRestore();
  const foreign = order({ gatewayId: 'gh-other' });
  const replayed = order({}, good.signed.nonce);
  const unsigned = { ...OPEN, id: 'naked' };
  await publish(good);
  await until(() => expect(statesOf(good.signed.id).at(-1)).toBe('succeeded'));
  for (const body of [old, foreign, replayed, unsigned]) await publish(body);
  const expected = [
    [old.signed.id, 'command.stale'],
    [foreign.signed.id, 'command.foreign'],
    [replayed.signed.id, 'command.replayed'],
    ['naked', 'command.signature'],
  ] as const;
  for (const [id, code] of expected) await until(() => expect(answers(id)).toMatchObject([{ state: 'refused', code }]));
  const codes = new Set(expected.map(([, code]) => code));
  await until(() => expect(audits()).toHaveLength(codes.size));
  expect(new Set(audits().map(({ code }) => code))).toEqual(codes);
  expect(pulses).toBe(1);
});

test('C8 a challenge is answered with a nonce that makes any clock good enough', async () => {
  await connect();
  await start();
  await publish({ id: 'ch-1' }, 'challenge');
  await until(() => expect(receiver.replies.at(-1)).toMatchObject({ challenge: 'ch-1', expiresInMs: 60_000 }));
  const stopped = vi.spyOn(Date, 'now').mockReturnValueOnce(0);
  const body = order({}, String(receiver.replies.at(-1)?.nonce));
  stopped.mockRestore();
  expect(body.signed.issuedAt).toBe(0);
  await publish(body);
  await until(() => expect(statesOf(body.signed.id).at(-1)).toBe('succeeded'));
});
