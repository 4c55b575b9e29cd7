import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Backups, createBackups } from '../backup/backups.ts';
import { readBoxKey } from '../backup/keys.ts';
import { restore } from '../backup/restore.ts';
import { systemClock } from '../clock.ts';
import { silentLog } from '../log.ts';
import { openTestGateway, SECRETS, type TestGateway } from './gateway.fixture.ts';

interface View {
  readonly name: string;
  readonly kind: string;
  readonly bytes: number;
  readonly portable: boolean;
}
let gateway: TestGateway;
let backups: Backups;
beforeEach(async () => {
  gateway = await openTestGateway({ parts: { backups: () => backups } });
  const { directory, journal } = gateway;
  backups = createBackups({
    ...{ directory, journal, clock: systemClock, log: silentLog, version: '0.0.0-test' },
    report: async () => {},
  });
});
afterEach(async () => {
  await backups.stop();
  await gateway[Symbol.asyncDispose]();
});

test('an installer makes one, an auditor sees it, and who takes the file is on record', async () => {
  const made = await gateway.call('POST', '/api/v1/backups', { as: 'installer', body: {} });
  expect(made.status).toBe(201);
  const { name, bytes } = made.json<View>();
  expect(made.headers.location).toBe(`/api/v1/backups/${name}`);
  const list = await gateway.call('GET', '/api/v1/backups', { as: 'auditor' });
  expect(list.json()).toMatchObject({ items: [{ name, bytes, kind: 'full', origin: 'demand' }], running: false });
  const file = await gateway.call('GET', `/api/v1/backups/${name}`, { as: 'admin' });
  expect(file.headers).toMatchObject({ 'content-length': String(bytes), 'content-type': 'application/octet-stream' });
  expect(file.body.startsWith('GHB1')).toBe(true);
  const audit = gateway.records().filter((record) => record.name.startsWith('backup.'));
  expect(audit).toMatchObject([
    { kind: 'audit', lane: 'L0', name: 'backup.made', actor: 'user:demo-installer', data: { archive: name } },
    { kind: 'audit', lane: 'L0', name: 'backup.downloaded', actor: 'user:demo-admin', data: { archive: name, bytes } },
  ]);
});

test('a passphrase is in no record and in no answer, and users log in to the restored gateway as before', async () => {
  const passphrase = 'a lamp in the orchard';
  const made = await gateway.call('POST', '/api/v1/backups', { as: 'admin', body: { passphrase } });
  expect(made.json<View>()).toMatchObject({ portable: true });
  expect(JSON.stringify(gateway.records())).not.toContain(passphrase);
  const target = join(gateway.directory, 'restored');
  await restore(join(gateway.directory, 'backups', made.json<View>().name), target, { passphrase });
  await using restored = await openTestGateway({ directory: target });
  expect(restored.journal.started.reason).toBe('restored');
  const login = await restored.call('POST', '/api/v1/sessions', {
    body: { name: 'demo-admin', password: SECRETS.password },
  });
  expect(login.status).toBe(201);
  expect(restored.inventory.devices()).toEqual(gateway.inventory.devices());
});

test('what is wrong is said: a weak passphrase, an archive that is not there, a path', async () => {
  const weak = await gateway.call('POST', '/api/v1/backups', { as: 'admin', body: { passphrase: 'short' } });
  expect(weak.json()).toMatchObject({ code: 'backup.passphrase', status: 422 });
  expect((await gateway.call('GET', '/api/v1/backups/20200101-000000.ghb', { as: 'admin' })).status).toBe(404);
  for (const path of ['..%2Fidentity.json', '%2e%2e%2fidentity.json', 'backup.key'])
    expect((await gateway.call('GET', `/api/v1/backups/${path}`, { as: 'admin' })).status).toBe(400);
});

test('an archive put there by another box is listed, and only its own key opens it', async () => {
  const { name } = (await gateway.call('POST', '/api/v1/backups', { as: 'admin', body: {} })).json<View>();
  const path = join(gateway.directory, 'backups', name);
  const key = join(gateway.directory, 'secrets', 'backup.key');
  const own = readBoxKey(key);
  rmSync(key);
  mkdirSync(join(gateway.directory, 'elsewhere'));
  writeFileSync(key, Buffer.alloc(32, 7).toString('base64url'));
  await expect(restore(path, join(gateway.directory, 'elsewhere'), { box: readBoxKey(key) })).rejects.toMatchObject({
    code: 'backup.key',
  });
  await restore(path, join(gateway.directory, 'elsewhere'), { box: own });
  expect(JSON.parse(readFileSync(join(gateway.directory, 'elsewhere', 'identity.json'), 'utf8'))).toMatchObject({
    gateway: gateway.journal.gateway,
  });
});
