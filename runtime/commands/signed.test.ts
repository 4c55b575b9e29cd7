/** Commands of platforms: signed, for this gateway, fresh, and once (reliability.md C8). */
import { generateKeyPairSync, sign } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type ManualClock, manualClock } from '../../test/manual-clock.ts';
import { canonical } from '../contracts/canonical.ts';
import type { JournalRecord } from '../contracts/record.ts';
import type { SignedCommand } from '../contracts/signed-command.ts';
import { Journal } from '../journal/journal.ts';
import { silentLog } from '../log.ts';
import { Dispatcher, type Outputs, schema } from './dispatcher.ts';
import { openPlatformKeys, type PlatformKeys } from './platform-keys.ts';
import { createSignedCommands, type SignedCommands, schema as signedSchema } from './signed.ts';

const pair = generateKeyPairSync('ed25519');
const other = generateKeyPairSync('ed25519');
const pem = (key = pair.publicKey) => key.export({ type: 'spki', format: 'pem' }) as string;
const ADMIN = 'user:admin';

let directory: string;
let clock: ManualClock;
let journal: Journal;
let dispatcher: Dispatcher;
let keys: PlatformKeys;
let signed: SignedCommands;
let pulses: string[];
let quality: JournalRecord['clock'];
/** Where the journal was when the test began. */
let mark: number;
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'gh-signed-'));
  clock = manualClock();
  await start();
});
beforeEach(async () => {
  pulses = [];
  quality = 'synced';
  await clock.advance(61_000); // what was sent before is not too often any more
  for (const { id } of keys.list()) await keys.remove(id, ADMIN);
  mark = journal.head().seq;
  await keys.put({ id: 'k1', platform: 'city', publicKey: pem() }, ADMIN);
});
afterAll(async () => {
  await stop();
  rmSync(directory, { recursive: true, force: true });
});
async function start() {
  const outputs: Outputs = {
    target: (id) => ({ id, scenario: 'vehicle-gate', commands: ['open', 'close', 'lockClosed', 'endLock'] }),
    latest: () => false,
    alarmed: () => false,
    forbidden: () => undefined,
    async command(device, command, _input, turn) {
      await turn.begin();
      pulses.push(`${device} ${command}`);
      return {};
    },
    read: async () => [{ point: 'barrierState', value: 'open' }],
    setting: async () => {},
  };
  journal = await Journal.open({ directory, clock, log: silentLog, schema: [schema, signedSchema] });
  dispatcher = new Dispatcher({ journal, outputs, clock, log: silentLog });
  keys = openPlatformKeys({ journal, clock });
  const zoneOf = (device: string) => (device.startsWith('gate-east') ? 'east' : 'west');
  const parts = { journal, dispatcher, keys, clock, log: silentLog, clockQuality: () => quality, zoneOf };
  signed = createSignedCommands(parts);
}
async function stop() {
  signed.stop();
  await dispatcher.stop();
  await journal[Symbol.asyncDispose]();
}

type Changes = Partial<Omit<SignedCommand, 'signed'>> & { signed?: Partial<SignedCommand['signed']> };
let count = 0;
function command({ signed: proof, ...body }: Changes = {}, key = pair.privateKey): SignedCommand {
  count++;
  const unsigned = {
    ...{
      gatewayId: journal.gateway,
      key: 'k1',
      id: `c-${count}`,
      nonce: `nonce-of-command-${count}`,
      issuedAt: clock.now(),
    },
    ...proof,
  };
  const { signature: given, ...about } = unsigned;
  const whole = { device: 'gate-east-in', command: 'open', ...body, signed: about };
  const signature = given ?? sign(null, Buffer.from(canonical(whole)), key).toString('base64url');
  return { ...whole, signed: { ...about, signature } };
}
const submit = (body: unknown) => signed.submit('city', body);
async function done(body: unknown) {
  const { id } = await submit(body);
  for (let step = 0; step < 20; step++) await clock.advance(50);
  return dispatcher.settled(id);
}
const audits = (name = 'command.signed.refused') =>
  journal
    .read({ kind: ['audit'], name, limit: 500 })
    .items.filter(({ seq }) => seq > mark)
    .map(({ data }) => data as Record<string, unknown>);

describe('what is in order', () => {
  test('C8 is carried out, and the signature is kept with the record of it', async () => {
    const body = command({ reason: '巡查' });
    expect(await done(body)).toMatchObject({ state: 'succeeded', actor: 'platform:city', reason: '巡查' });
    expect(pulses).toEqual(['gate-east-in open']);
    expect(audits('command.signed')).toMatchObject([{ id: body.signed.id, signed: body.signed }]);
  });

  test('C8 the order of the fields does not matter', async () => {
    const { signed: proof, device, ...rest } = command({ deadlineMs: 4000, reason: 'r' });
    expect(await submit({ signed: proof, ...rest, device })).toMatchObject({ state: 'accepted' });
  });

  test('C1 C8 the same message again, at once or late, is the same command', async () => {
    const body = command({ deadlineMs: 4000 });
    const [one, two] = await Promise.all([submit(body), submit(body)]);
    expect(two.id).toBe(one.id);
    await done(body);
    await clock.advance(3600_000); // long stale; still the same message
    expect(await submit(body)).toMatchObject({ id: one.id, state: 'succeeded' });
    await stop();
    await start();
    expect(await submit(body)).toMatchObject({ id: one.id, state: 'succeeded' });
    expect(pulses).toEqual(['gate-east-in open']);
  });

  test('C2 what is left of the deadline counts from its issue', async () => {
    const body = command({ deadlineMs: 3000, signed: { issuedAt: clock.now() - 3000 } });
    await expect(submit(body)).rejects.toMatchObject({ code: 'command.expired' });
    expect(pulses).toEqual([]);
  });
});

describe('what is not', () => {
  test('C8 not signed, not by this platform, not for this gateway, not fresh: refused and audited', async () => {
    const cases: [what: string, code: string, body: unknown][] = [
      ['without a signature', 'command.signature', { device: 'gate-east-in', command: 'open' }],
      ['signed by somebody else', 'command.signature', command({}, other.privateKey)],
      ['with a key nobody knows', 'command.signature', command({ signed: { key: 'k9' } })],
      ['changed on the way', 'command.signature', { ...command(), device: 'gate-west-in' }],
      ['with a field too many', 'command.invalid', { ...command(), force: true }],
      ['for another gateway', 'command.foreign', command({ signed: { gatewayId: 'gh-other' } })],
      ['issued 31 s ago', 'command.stale', command({ signed: { issuedAt: clock.now() - 30_001 } })],
      ['issued in 31 s', 'command.stale', command({ signed: { issuedAt: clock.now() + 30_001 } })],
      ['with an input that is none', 'command.invalid', { ...command(), input: 7 }],
      ['that is no command', 'command.signature', 'open'],
    ];
    for (const [what, code, body] of cases) await expect(submit(body), what).rejects.toMatchObject({ code });
    expect(audits().map(({ code }) => code)).toEqual(cases.map(([, code]) => code));
    expect(pulses).toEqual([]);
  });

  test('C8 30 s to either side are taken', async () => {
    await done(command({ signed: { issuedAt: clock.now() - 30_000 } }));
    await done(command({ signed: { issuedAt: clock.now() + 30_000 } }));
    expect(pulses).toHaveLength(2);
  });

  test('C8 a nonce is used once, also after a restart', async () => {
    const nonce = 'the-same-nonce-twice';
    await done(command({ signed: { nonce } }));
    await expect(submit(command({ signed: { nonce } }))).rejects.toMatchObject({ code: 'command.replayed' });
    await stop();
    await start();
    await expect(submit(command({ signed: { nonce } }))).rejects.toMatchObject({ code: 'command.replayed' });
    expect(pulses).toHaveLength(1);
  });

  test('C8 what was refused cannot be sent again by whoever listened in', async () => {
    const body = command({ command: 'close' }); // not for platforms
    await expect(submit(body)).rejects.toMatchObject({ code: 'command.forbidden' });
    await expect(submit(body)).rejects.toMatchObject({ code: 'command.replayed' });
  });

  test('C8 nonce and accepted are one transaction: what is not accepted leaves neither', async () => {
    const body = command();
    const commit = journal.commit.bind(journal);
    const units: Parameters<typeof journal.commit>[0][] = [];
    Object.assign(journal, {
      commit(unit: (typeof units)[number]) {
        units.push(unit);
        return commit(unit);
      },
    });
    await done(body);
    const accepting = units.find(({ records }) =>
      records?.some(({ kind, data }) => kind === 'command' && (data as { state: string }).state === 'accepted'),
    );
    expect(accepting?.writes?.filter(({ sql }) => sql.includes('platform_nonce'))).toHaveLength(1);
  });

  test('C8 after a week a nonce is forgotten, but not while the clock is in doubt', async () => {
    const rows = () => journal.db.prepare('SELECT count(*) AS n FROM platform_nonce').get() as { n: number };
    await done(command());
    const before = rows();
    quality = 'unsynced';
    await clock.advance(8 * 24 * 3600_000);
    await journal.append();
    expect(rows()).toEqual(before);
    quality = 'synced';
    await clock.advance(3600_000);
    await journal.append();
    expect(rows()).toEqual({ n: 0 });
  }, 60_000);

  test('C9 more than sixty a minute are too many, told once', async () => {
    for (let n = 0; n < 60; n++) await submit('nothing').catch(() => undefined);
    await expect(submit(command())).rejects.toMatchObject({ code: 'command.rate' });
    await expect(submit(command())).rejects.toMatchObject({ code: 'command.rate' });
    expect(audits().filter(({ code }) => code === 'command.rate')).toHaveLength(1);
  });
});

describe('while the clock cannot tell', () => {
  test('C8 only a challenge of the gateway is fresh, once and for a minute', async () => {
    quality = 'unsynced';
    await expect(submit(command())).rejects.toMatchObject({ code: 'command.stale', detail: { challenge: true } });
    const { nonce, expiresInMs } = signed.challenge('city');
    expect(expiresInMs).toBe(60_000);
    const answered = command({ signed: { nonce, issuedAt: 0 } });
    expect(await done(answered)).toMatchObject({ state: 'succeeded' });
    await expect(submit(command({ signed: { nonce } }))).rejects.toMatchObject({ code: 'command.replayed' });
    const late = signed.challenge('city');
    await clock.advance(60_001);
    await expect(submit(command({ signed: { nonce: late.nonce } }))).rejects.toMatchObject({ code: 'command.stale' });
    expect(pulses).toHaveLength(1);
  });

  test('C8 a challenge is for the platform that asked', async () => {
    quality = 'stepped';
    const { nonce } = signed.challenge('police');
    await expect(submit(command({ signed: { nonce } }))).rejects.toMatchObject({ code: 'command.stale' });
  });
});

describe('keys', () => {
  const put = (key: object) => keys.put({ id: 'k1', platform: 'city', publicKey: pem(), ...key }, ADMIN);

  test('C8 a key reaches only its devices, zones and commands', async () => {
    await put({ devices: ['gate-west-in'], zones: ['east'], commands: ['open'] });
    expect(await submit(command())).toMatchObject({ state: 'accepted' });
    expect(await submit(command({ device: 'gate-west-in' }))).toMatchObject({ state: 'accepted' });
    await expect(submit(command({ device: 'gate-west-out' }))).rejects.toMatchObject({ code: 'command.forbidden' });
    await put({ commands: ['close'] });
    await expect(submit(command())).rejects.toMatchObject({ code: 'command.forbidden' });
  });

  test('C8 the old and the new one are good at once, a withdrawn one at no time', async () => {
    const raw = other.publicKey.export({ format: 'jwk' }).x as string;
    await keys.put({ id: 'k2', platform: 'city', publicKey: raw }, ADMIN);
    await done(command());
    await done(command({ signed: { key: 'k2' } }, other.privateKey));
    await keys.remove('k1', ADMIN);
    await expect(submit(command())).rejects.toMatchObject({ code: 'command.signature' });
    await stop();
    await start();
    expect(keys.list().map(({ id }) => id)).toEqual(['k2']);
    expect(audits('platform.key.put')).toHaveLength(2);
    expect(audits('platform.key.removed')).toMatchObject([{ before: { id: 'k1', platform: 'city' } }]);
  });

  test('C8 a key has its time, belongs to one platform, and is an Ed25519 key', async () => {
    await put({ validTo: clock.now() + 1000 });
    await clock.advance(1000);
    await expect(submit(command())).rejects.toMatchObject({ code: 'command.signature' });
    await expect(signed.submit('police', command())).rejects.toMatchObject({ code: 'command.signature' });
    await expect(put({ platform: 'police' })).rejects.toMatchObject({ code: 'inventory.conflict' });
    await expect(put({ publicKey: 'nothing' })).rejects.toMatchObject({ code: 'config.invalid' });
    const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    await expect(put({ publicKey: pem(publicKey) })).rejects.toMatchObject({ code: 'config.invalid' });
  });
});

test('the canonical form is that of RFC 8785', () => {
  expect(canonical({ b: [1, { z: 1e21, a: '\u20ac$\n' }], a: null, é: 1, E: 0.000001 })).toBe(
    '{"E":0.000001,"a":null,"b":[1,{"a":"€$\\n","z":1e+21}],"é":1}',
  );
});
