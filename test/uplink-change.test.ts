/** Uplinks that are changed while they run: through the inventory, in the middle of a drain, up to real brokers. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generate as selfSigned } from 'selfsigned';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { driverOf } from '../drivers/index.ts';
import { systemClock } from '../runtime/clock.ts';
import type { Uplink } from '../runtime/contracts/api.ts';
import type { Draft, JournalRecord, Lane } from '../runtime/contracts/record.ts';
import { Inventory, schema as inventorySchema } from '../runtime/devices/inventory.ts';
import { loadProfiles } from '../runtime/devices/profiles.ts';
import { Journal } from '../runtime/journal/journal.ts';
import { silentLog } from '../runtime/log.ts';
import type { UplinkAlarm } from '../runtime/uplink/mqtt.ts';
import { schema as replaySchema } from '../runtime/uplink/replay-store.ts';
import { openUplinks, type Uplinks } from '../runtime/uplink/uplinks.ts';
import { startMosquitto } from './uplink-peers.ts';
import { type Receiver, startReceiver } from './uplink-receiver.ts';

const until = (check: () => unknown, timeout = 30_000) => vi.waitFor(check, { timeout, interval: 10 });
const ACTOR = 'user:chen';
const profiles = loadProfiles();

let directory: string;
let journal: Journal;
let inventory: Inventory;
let uplinks: Uplinks;
let alarms: UplinkAlarm[];

async function open(): Promise<void> {
  journal = await Journal.open({
    directory,
    clock: systemClock,
    log: silentLog,
    schema: [inventorySchema, replaySchema],
  });
  inventory = Inventory.open(journal, { profiles, driverOf });
  if (!inventory.hasSite()) await inventory.putSite({ id: 'site', name: 'site', timeZone: 'Asia/Shanghai' }, ACTOR);
}
function start(fixed?: string): void {
  uplinks = openUplinks({
    inventory,
    journal,
    clock: systemClock,
    log: silentLog,
    version: '0.0.0',
    ...(fixed === undefined ? {} : { fixed }),
    secrets: join(directory, 'uplink-secrets'),
    standing: () => [],
    report: (alarm) => alarms.push(alarm),
  });
}
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'gh-change-'));
  alarms = [];
  await open();
  start();
});
afterEach(async () => {
  await uplinks.stop();
  await journal[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true, force: true });
});

const put = async (uplink: Uplink) => {
  uplinks.check(uplink);
  await inventory.putUplink(uplink, ACTOR);
  await uplinks.settled();
};
const address = (port: number) => `mqtt://127.0.0.1:${port}`;
const draft = (n: number): Draft => ({
  lane: n % 10 === 0 ? 'L1' : 'L3',
  kind: n % 10 === 0 ? 'event' : 'telemetry',
  scenario: n % 3 === 0 ? 'smoke-alarm' : 'environment-monitoring',
  device: 'd',
  name: 'n',
  data: n,
});
const many = (count: number) => Array.from({ length: count }, (_, n) => draft(n));
function written(...lane: Lane[]): JournalRecord[] {
  const all: JournalRecord[] = [];
  for (let after = { epoch: 0, seq: 0 }; ; ) {
    const { items, next } = journal.read({ after, lane, limit: 500 });
    all.push(...items);
    const last = items.at(-1);
    if (!next || !last) return all;
    after = { epoch: last.epoch, seq: last.seq };
  }
}
const cursors = () =>
  journal.db
    .prepare<[], { name: string; pos: number }>("SELECT * FROM cursor WHERE name LIKE 'uplink:%' ORDER BY name")
    .all();
const statusOf = (id = 'city') => uplinks.statuses().find((status) => status.id === id);
const seqs = (receivers: readonly Receiver[], track: 'urgent' | 'bulk') =>
  new Set(receivers.flatMap((receiver) => receiver[track].records.map(({ seq }) => seq)));

/** A broker that wants a password, and the file that has it. */
async function startGuarded() {
  const passwords = join(directory, 'passwords');
  writeFileSync(passwords, '');
  execFileSync('mosquitto_passwd', ['-b', passwords, 'gateway', 'right-one']);
  execFileSync('mosquitto_passwd', ['-b', passwords, 'platform', 'above']);
  mkdirSync(join(directory, 'uplink-secrets'), { recursive: true });
  const file = join(directory, 'uplink-secrets', 'city');
  writeFileSync(file, 'right-one\n');
  return { peer: await startMosquitto('allow_anonymous false', `password_file ${passwords}`), file };
}

describe('a change in the middle of a drain loses nothing and skips nothing', () => {
  test('address and credentials, filter, pace, and the site with its topics', async () => {
    const { peer: second, file } = await startGuarded();
    await using _second = second;
    await using first = await startMosquitto();
    await using atFirst = await startReceiver(first.port, journal.gateway);
    const login = { username: 'platform', password: 'above' };
    await using atSecond = await startReceiver(second.port, journal.gateway, 5, 'site', login);
    await using atGarden = await startReceiver(second.port, journal.gateway, 5, 'garden', login);
    const all = [atFirst, atSecond, atGarden];

    for (let n = 0; n < 12; n++) await journal.append(...many(1000));
    const slow = { messagesPerSecond: 20 };
    const filter = { scenarios: ['gateway', 'environment-monitoring'] };
    await put({ id: 'city', url: address(first.port), pace: slow, filter });
    await until(() => expect(atFirst.bulk.batches).toBeGreaterThan(3));

    const moved: Uplink = {
      id: 'city',
      url: address(second.port),
      username: 'gateway',
      password: { file },
      pace: slow,
      filter,
    };
    await put(moved);
    await until(() => expect(atSecond.bulk.batches).toBeGreaterThan(3));
    expect(atSecond.bulk.records.some(({ scenario }) => scenario === 'smoke-alarm')).toBe(false);

    const { filter: _narrow, ...wide } = moved;
    await put(wide);
    const reached = (track: 'urgent' | 'bulk') => Math.max(...all.map((one) => one[track].through));
    const widened = { urgent: reached('urgent'), bulk: reached('bulk') };
    await until(() => expect(atSecond.bulk.records.some(({ scenario }) => scenario === 'smoke-alarm')).toBe(true));
    expect(statusOf()?.backlog).toBeGreaterThan(1000);

    await inventory.putSite({ ...inventory.site(), id: 'garden' }, ACTOR);
    await until(() => expect(atGarden.bulk.batches).toBeGreaterThan(2));
    const { pace: _slow, ...fast } = wide;
    await put(fast);
    await journal.append(...many(100));

    for (const [track, lanes] of [
      ['urgent', ['L0', 'L1']],
      ['bulk', ['L2', 'L3']],
    ] as const) {
      const wanted = written(...lanes).filter(
        ({ scenario, seq }) => scenario !== 'smoke-alarm' || seq > widened[track],
      );
      await until(() => {
        const found = seqs(all, track);
        expect(wanted.find(({ seq }) => !found.has(seq))).toBeUndefined();
      });
    }
    // Each place went on where the one before had been acknowledged, or a little before it.
    expect(atFirst.bulk.holes).toEqual([]);
    expect(atSecond.bulk.holes).toHaveLength(1);
    expect(atSecond.bulk.holes[0]?.through).toBeLessThanOrEqual(atFirst.bulk.through);
    expect(atGarden.bulk.holes).toHaveLength(1);
    expect(atGarden.bulk.holes[0]?.through).toBeLessThanOrEqual(atSecond.bulk.through);
    await until(() => expect(statusOf()).toMatchObject({ state: 'online', backlog: 0 }));
  }, 120_000);

  test('credentials that were wrong and are put right: the alarm ends, the drain begins', async () => {
    const { peer, file } = await startGuarded();
    await using _peer = peer;
    writeFileSync(file, 'wrong');
    await journal.append(...many(50));
    const uplink: Uplink = { id: 'city', url: address(peer.port), username: 'gateway', password: { file } };
    await put(uplink);
    await until(() => expect(statusOf()?.state).toBe('refused'));
    expect(alarms).toMatchObject([{ kind: 'uplinkRefused', active: true, detail: { uplink: 'city' } }]);
    writeFileSync(file, 'right-one');
    await put({ ...uplink, pace: { inFlight: 10 } });
    await until(() => expect(statusOf()).toMatchObject({ state: 'online', backlog: 0 }));
    await until(() => expect(alarms.at(-1)).toMatchObject({ kind: 'uplinkRefused', active: false }));
  }, 60_000);

  test('a secret that cannot be read is told, and stops neither the gateway nor the other uplinks', async () => {
    await using peer = await startMosquitto();
    await inventory.putUplink(
      { id: 'blind', url: address(peer.port), username: 'u', password: { file: join(directory, 'none') } },
      ACTOR,
    );
    await put({ id: 'city', url: address(peer.port) });
    await until(() => expect(statusOf('blind')?.state).toBe('refused'));
    expect(statusOf('blind')?.reason).toContain('secret file');
    await until(() => expect(statusOf('city')).toMatchObject({ state: 'online', backlog: 0 }));
  });

  test('what is not changed is not disturbed', async () => {
    await using peer = await startMosquitto();
    await put({ id: 'city', url: address(peer.port) });
    await until(() => expect(statusOf()?.state).toBe('online'));
    const since = statusOf()?.since;
    await put({ id: 'other', url: address(peer.port), filter: { lanes: ['L0'] } });
    await put({ id: 'city', url: address(peer.port) });
    await inventory.putSite({ ...inventory.site(), name: 'another name' }, ACTOR);
    await uplinks.settled();
    expect(statusOf()?.since).toBe(since);
  });
});

describe('an uplink that is removed', () => {
  test('R6 leaves no place behind that would hold back anybody, and comes back as a new one', async () => {
    await using peer = await startMosquitto();
    await using receiver = await startReceiver(peer.port, journal.gateway);
    await put({ id: 'city', url: address(peer.port) });
    await journal.append(...many(40));
    await until(() => expect(cursors().map(({ name }) => name)).toEqual(['uplink:city:bulk', 'uplink:city:urgent']));
    await inventory.deleteUplink('city', ACTOR);
    await uplinks.settled();
    expect(cursors()).toEqual([]);
    expect(uplinks.statuses()).toEqual([]);
    const batches = receiver.urgent.again;
    await put({ id: 'city', url: address(peer.port) });
    await until(() => expect(receiver.urgent.again).toBeGreaterThan(batches)); // history first, as for anybody new
  });

  test('clears the alarms about it', async () => {
    await put({ id: 'city', url: address(1) });
    await until(() => expect(statusOf()?.state).toBe('offline'));
    const { peer, file } = await startGuarded();
    await using _peer = peer;
    writeFileSync(file, 'wrong');
    await put({ id: 'city', url: address(peer.port), username: 'gateway', password: { file } });
    await until(() => expect(alarms.at(-1)).toMatchObject({ kind: 'uplinkRefused', active: true }));
    await inventory.deleteUplink('city', ACTOR);
    await uplinks.settled();
    expect(alarms.at(-1)).toMatchObject({ kind: 'uplinkRefused', active: false });
  });

  test('while the gateway was off is forgotten at the next start, the others are not', async () => {
    await using peer = await startMosquitto();
    await put({ id: 'city', url: address(peer.port) });
    await put({ id: 'gone', url: address(peer.port) });
    await journal.append(...many(20));
    await until(() => expect(cursors()).toHaveLength(4));
    await uplinks.stop();
    await inventory.deleteUplink('gone', ACTOR);
    await journal[Symbol.asyncDispose]();
    await open();
    start();
    await uplinks.settled();
    expect(cursors().map(({ name }) => name)).toEqual(['uplink:city:bulk', 'uplink:city:urgent']);
  });
});

describe('a platform with an authority of its own', () => {
  /** A server's certificate for localhost, signed by an authority no system knows. */
  async function privateAuthority() {
    const authority = await selfSigned([{ name: 'commonName', value: 'Property Company CA' }], {
      keySize: 2048,
      extensions: [{ name: 'basicConstraints', cA: true, critical: true }],
    });
    const server = await selfSigned([{ name: 'commonName', value: 'localhost' }], {
      keySize: 2048,
      ca: { key: authority.private, cert: authority.cert },
      extensions: [{ name: 'subjectAltName', altNames: [{ type: 2, value: 'localhost' }] }],
    });
    writeFileSync(join(directory, 'server.key'), server.private);
    writeFileSync(join(directory, 'server.pem'), server.cert);
    return authority.cert;
  }

  test('N2 its servers are trusted with the certificate beside the secrets of uplinks, and only with it', async () => {
    const pem = await privateAuthority();
    const [certificate, key] = [join(directory, 'server.pem'), join(directory, 'server.key')];
    await using peer = await startMosquitto(`certfile ${certificate}`, `keyfile ${key}`);
    const url = `mqtts://localhost:${peer.port}`;
    await put({ id: 'city', url });
    await until(() => expect(statusOf()?.reason).toMatch(/unable to verify|self.signed|issuer/i));
    const file = join(directory, 'uplink-secrets', 'property-ca.pem');
    mkdirSync(join(directory, 'uplink-secrets'), { recursive: true });
    const refused = expect.objectContaining({ code: 'config.invalid' });
    expect(() => uplinks.check({ id: 'city', ca: { file } })).toThrow(refused);
    writeFileSync(file, 'not a certificate');
    expect(() => uplinks.check({ id: 'city', ca: { file } })).toThrow(/no certificate in PEM/);
    writeFileSync(file, pem);
    expect(() => uplinks.check({ id: 'city', ca: { file: certificate } })).toThrow(refused);
    await put({ id: 'city', url, ca: { file } });
    await until(() => expect(statusOf()?.state).toBe('online'));
    // The name on the certificate is still looked at.
    await put({ id: 'city', url: `mqtts://127.0.0.1:${peer.port}`, ca: { file } });
    await until(() => expect(statusOf()?.reason).toMatch(/altnames|does not match/i));
  });
});

describe('what the inventory keeps of it', () => {
  test('every change is one transaction with its audit record, and no secret is in it', async () => {
    const file = join(directory, 'uplink-secrets', 'city');
    const uplink: Uplink = { id: 'city', url: address(1), username: 'gateway', password: { file } };
    expect(await inventory.putUplink(uplink, ACTOR)).toEqual({ created: true });
    expect(await inventory.putUplink({ ...uplink, url: address(2) }, ACTOR)).toEqual({ created: false });
    await inventory.deleteUplink('city', ACTOR);
    const audits = written('L0').filter(({ name }) => name.startsWith('inventory.uplink.'));
    expect(audits.map(({ name, data, actor }) => [name, data, actor])).toEqual([
      ['inventory.uplink.created', { id: 'city', after: uplink }, ACTOR],
      ['inventory.uplink.updated', { id: 'city', before: uplink, after: { ...uplink, url: address(2) } }, ACTOR],
      ['inventory.uplink.deleted', { id: 'city', before: { ...uplink, url: address(2) } }, ACTOR],
    ]);
    expect(inventory.site().uplinks).toBeUndefined();
    await expect(inventory.deleteUplink('city', ACTOR)).rejects.toMatchObject({ code: 'inventory.not_found' });
  });

  test.each([
    ['a password written out', { url: 'mqtt://gateway:secret@n1' }],
    ['no MQTT address', { url: 'https://n1' }],
    ['a list with a gap', { url: 'mqtt://n1,,n2' }],
    ['an unknown scenario', { url: 'mqtt://n1', filter: { scenarios: ['gardening'] } }],
    ['too many in flight', { url: 'mqtt://n1', pace: { inFlight: 21 } }],
  ])('%s is refused', async (_what, wrong) => {
    const uplink = { id: 'city', ...wrong } as Uplink;
    await expect(inventory.putUplink(uplink, ACTOR)).rejects.toMatchObject({ code: 'inventory.invalid' });
    expect(inventory.uplink('city')).toBeUndefined();
  });

  test('servers of one cluster in a comma list are an address', async () => {
    await inventory.putUplink({ id: 'city', url: 'mqtts://n1.example:8884,n2.example' }, ACTOR);
    expect(inventory.uplink('city')?.url).toBe('mqtts://n1.example:8884,n2.example');
  });

  test('a secret may be named over the network only where secrets of uplinks are', () => {
    const check = (password: Uplink['password'], id = 'city') =>
      uplinks.check({ id, username: 'u', ...(password === undefined ? {} : { password }) });
    const refused = expect.objectContaining({ code: 'config.invalid' });
    mkdirSync(join(directory, 'uplink-secrets'));
    writeFileSync(join(directory, 'uplink-secrets', 'city'), 'x');
    check({ file: join(directory, 'uplink-secrets', 'city') });
    expect(() => check({ file: '/etc/hostname' })).toThrow(refused);
    expect(() => check({ file: join(directory, 'uplink-secrets', '..', 'gatehouse.db') })).toThrow(refused);
    expect(() => check({ file: join(directory, 'uplink-secrets', 'none') })).toThrow(refused);
    expect(() => check({ env: 'PATH' })).toThrow(refused);
  });

  test('the one named at the start is not to be changed', async () => {
    await uplinks.stop();
    await using peer = await startMosquitto();
    start(`mqtt://gateway:secret@127.0.0.1:${peer.port}`);
    expect(() => uplinks.check({ id: 'default' })).toThrow(expect.objectContaining({ code: 'inventory.conflict' }));
    expect(uplinks.views()).toMatchObject([{ id: 'default', fixed: true, replays: [] }]);
    expect(JSON.stringify(uplinks.views())).not.toContain('secret');
  });
});
