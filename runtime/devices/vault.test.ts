import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ACTOR, barrier, catalogue, furnish, openSite } from './inventory.fixture.ts';
import { Inventory } from './inventory.ts';
import { eachSecret, openVault } from './vault.ts';

const PASSWORD = 'hunter2-camera-of-the-east-gate';

/** Everything the database has on the disk. */
const bytesOf = (directory: string): string =>
  ['gatehouse.db', 'gatehouse.db-wal']
    .map((name) => {
      try {
        return readFileSync(join(directory, name), 'latin1');
      } catch {
        return '';
      }
    })
    .join('');

test('K2 what devices and the gateway log in with is sealed in the database, and bound to its device', async () => {
  await using site = await openSite();
  await furnish(site.inventory);
  const address = { host: '10.0.0.9', login: { user: 'admin', password: PASSWORD } };
  await site.inventory.putDevice(barrier('gate-north', 'west-in', address), ACTOR);
  const key = site.inventory.secretOf('camera-east-in') ?? '';
  expect(key).toHaveLength(22);
  expect(site.inventory.deviceInput('gate-north')?.address).toEqual(address);
  const text = bytesOf(site.directory);
  expect(text).toContain('10.0.0.9');
  expect(text).not.toContain(PASSWORD);
  expect(text).not.toContain(key);
  expect(statSync(join(site.directory, 'secrets', 'device.key')).mode & 0o777).toBe(0o600);

  const again = Inventory.open(site.journal, catalogue);
  expect(again.secretOf('camera-east-in')).toBe(key);
  expect(again.deviceInput('gate-north')?.address).toEqual(address);
  // Put on another device's row it opens nothing.
  await site.journal.commit({
    writes: [
      {
        sql: `UPDATE device SET secret = (SELECT secret FROM device WHERE id = ?) WHERE id = ?`,
        params: ['camera-east-in', 'gate-north'],
      },
    ],
  });
  const swapped = Inventory.open(site.journal, catalogue);
  expect(swapped.secretOf('gate-north')).toBeUndefined();
  expect(await swapped.sealSecrets()).toEqual(['gate-north']);
});

test('K2 what an older version left readable is sealed in one transaction, and nothing of it stays behind', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'gh-vault-'));
  {
    await using site = await openSite({ directory });
    await furnish(site.inventory);
    const text = JSON.stringify({ host: '10.0.0.5', password: PASSWORD });
    await site.journal.commit({
      writes: [
        { sql: 'UPDATE device SET secret = ? WHERE id = ?', params: ['push-key-in-the-open', 'camera-east-in'] },
        { sql: 'UPDATE device SET address = ? WHERE id = ?', params: [text, 'gate-east-in'] },
      ],
    });
  }
  expect(bytesOf(directory)).toContain(PASSWORD);
  {
    await using site = await openSite({ directory });
    const { inventory, journal } = site;
    expect(inventory.secretOf('camera-east-in')).toBe('push-key-in-the-open');
    const before = journal.head().seq;
    expect(await inventory.sealSecrets()).toEqual([]);
    expect(journal.head().seq).toBe(before + 1);
    expect(inventory.deviceInput('gate-east-in')?.address).toMatchObject({ password: PASSWORD });
    expect(await inventory.sealSecrets()).toEqual([]);
    expect(journal.head().seq).toBe(before + 1);
  }
  const after = bytesOf(directory);
  expect(after).not.toContain(PASSWORD);
  expect(after).not.toContain('push-key-in-the-open');
  rmSync(directory, { recursive: true });
});

test('K2 a lost or foreign key stops nothing: those devices are named, and entered again they work', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'gh-vault-'));
  {
    await using site = await openSite({ directory });
    await furnish(site.inventory);
  }
  rmSync(join(directory, 'secrets', 'device.key'));
  {
    await using site = await openSite({ directory });
    const { inventory } = site;
    expect(inventory.device('camera-east-in')).toBeDefined();
    expect(inventory.secretOf('camera-east-in')).toBeUndefined();
    expect(inventory.checkSecret('camera-east-in', '')).toBe(false);
    expect(await inventory.sealSecrets()).toEqual(['camera-east-in']);
    await inventory.putDevice({ id: 'camera-east-in', name: 'again', zone: 'east-in', profile: 'acme/camera' }, ACTOR);
    expect(inventory.secretOf('camera-east-in')).toHaveLength(22);
    expect(await inventory.sealSecrets()).toEqual([]);
  }
  writeFileSync(join(directory, 'secrets', 'device.key'), 'not a key');
  await expect(openSite({ directory })).rejects.toThrow('device.key is not a key of 32 bytes');
  rmSync(directory, { recursive: true });
});

test('secrets are found wherever they are in an address, and nothing else is touched', () => {
  const address = { host: 'a', port: 1, list: [{ token: 't' }], apiKey: 'k', keyless: 'x', password: 7 };
  expect(eachSecret(address, (text) => text.toUpperCase())).toEqual({
    ...{ host: 'a', port: 1, list: [{ token: 'T' }], apiKey: 'K', keyless: 'x', password: 7 },
  });
  expect(eachSecret(address, () => undefined)).toEqual({ host: 'a', port: 1, list: [{}], keyless: 'x', password: 7 });
});

test('each seal is another, and a changed one opens nothing', () => {
  const secrets = mkdtempSync(join(tmpdir(), 'gh-vault-'));
  const vault = openVault(secrets);
  const [one, two] = [vault.seal('秘密', 'a'), vault.seal('秘密', 'a')];
  expect(one).not.toBe(two);
  expect([vault.open(one, 'a'), vault.open(two, 'a')]).toEqual(['秘密', '秘密']);
  expect(vault.open(one, 'b')).toBeUndefined();
  expect(vault.open(`${one.slice(0, -2)}AA`, 'a')).toBeUndefined();
  expect(vault.open('sealed:1:', 'a')).toBeUndefined();
  expect(openVault(mkdtempSync(join(tmpdir(), 'gh-vault-'))).open(one, 'a')).toBeUndefined();
  rmSync(secrets, { recursive: true });
});
