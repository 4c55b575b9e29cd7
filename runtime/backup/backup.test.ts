import { randomBytes } from 'node:crypto';
import {
  chownSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { manualClock } from '../../test/manual-clock.ts';
import type { Draft } from '../contracts/record.ts';
import { Journal } from '../journal/journal.ts';
import { SCHEMA_VERSION } from '../journal/schema.ts';
import { silentLog } from '../log.ts';
import { writeArchive } from './archive.ts';
import { type Backups, createBackups } from './backups.ts';
import { readBoxKey, wrapForBox } from './keys.ts';
import { newestDatabase } from './recover.ts';
import { restore, verifyArchive } from './restore.ts';
import { readHeader } from './seal.ts';
import { folderOf } from './shelf.ts';

const PASSPHRASE = 'a lamp in the orchard';
const HOUR = 3600_000;
const notes = 'CREATE TABLE IF NOT EXISTS note (id TEXT PRIMARY KEY, text TEXT NOT NULL) STRICT;';

let root: string;
let directory: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'gh-backup-'));
  directory = join(root, 'data');
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const passage = (plate: string): Draft => ({
  lane: 'L1',
  kind: 'event',
  scenario: 'vehicle-gate',
  device: 'gate-east-in',
  name: 'passage',
  data: { plate },
});

interface Site extends AsyncDisposable {
  readonly journal: Journal;
  readonly backups: Backups;
  readonly clock: ReturnType<typeof manualClock>;
  readonly reports: (string | undefined)[];
  /** Moves the clock and waits until a backup that began is over. */
  pass(ms: number): Promise<void>;
}

async function openSite(where = directory, clock = manualClock()): Promise<Site> {
  const journal = await Journal.open({ directory: where, clock, log: silentLog, schema: [notes] });
  const reports: (string | undefined)[] = [];
  const backups = createBackups({
    ...{ directory: where, journal, clock, log: silentLog, version: '0.0.0-test' },
    report: async (fault) => reports.push(fault),
  });
  return {
    ...{ journal, backups, clock, reports },
    async pass(ms) {
      await clock.advance(ms);
      await expect.poll(() => backups.running(), { timeout: 20_000 }).toBe(false);
    },
    async [Symbol.asyncDispose]() {
      await backups.stop();
      await journal[Symbol.asyncDispose]();
    },
  };
}

async function furnish({ journal }: Site): Promise<void> {
  mkdirSync(join(directory, 'secrets'), { recursive: true });
  mkdirSync(join(directory, 'flows'), { recursive: true });
  writeFileSync(join(directory, 'secrets', 'pepper'), 'the pepper');
  writeFileSync(join(directory, 'flows', 'flows.json'), '[{"id":"a","type":"tab"}]');
  writeFileSync(join(directory, 'flows', 'flows_cred.json'), '{"$":"sealed"}');
  await journal.append(...Array.from({ length: 500 }, (_, n) => passage(`粤B${n}`)));
  await journal.commit({ writes: [{ sql: 'INSERT INTO note VALUES (?, ?)', params: ['one', 'kept'] }] });
}

const noteOf = (journal: Journal) => journal.db.prepare('SELECT * FROM note').all();
const archiveOf = (name: string) => join(folderOf(directory), name);
const boxOf = () => ({ box: readBoxKey(join(directory, 'secrets', 'backup.key')) });

describe('a full backup', () => {
  test('R4 restored into an empty directory goes on in a new epoch with every record, table and secret', async () => {
    let name = '';
    {
      await using site = await openSite();
      await furnish(site);
      const made = await site.backups.make({}, 'user:chen');
      expect(made).toMatchObject({ kind: 'full', origin: 'demand', portable: false, head: '1:501' });
      name = made.name;
      // After the backup the old gateway went on: those numbers are gone with it, and never come back.
      await site.journal.append(passage('after'));
      const [audit] = site.journal.read({ kind: ['audit'] }).items;
      expect(audit).toMatchObject({ name: 'backup.made', data: { archive: name, kind: 'full' }, actor: 'user:chen' });
    }
    const target = join(root, 'restored');
    const found = await restore(archiveOf(name), target, boxOf());
    expect(found).toMatchObject({ kind: 'full', epoch: 1, first: '1:1', last: '1:501', schema: SCHEMA_VERSION });
    expect(readFileSync(join(target, 'secrets', 'pepper'), 'utf8')).toBe('the pepper');
    expect(readFileSync(join(target, 'flows', 'flows_cred.json'), 'utf8')).toBe('{"$":"sealed"}');
    expect(readdirSync(join(target, 'secrets'))).toEqual(['audit.key', 'pepper']);
    expect(statSync(join(target, 'secrets', 'pepper')).mode & 0o777).toBe(0o600);
    await using site = await openSite(target);
    expect(site.journal.started).toMatchObject({ reason: 'restored', archive: name });
    expect(site.journal.epoch).toBe(2);
    expect(site.journal.read({ kind: ['epoch'] }).items.at(-1)).toMatchObject({
      ...{ epoch: 2, seq: 1 },
      data: { reason: 'restored', lastKnown: '1:501', archive: name },
    });
    expect(site.journal.read({ kind: ['event'], limit: 500 }).items).toHaveLength(500);
    expect(noteOf(site.journal)).toEqual([{ id: 'one', text: 'kept' }]);
    const [next] = await site.journal.append(passage('goes on'));
    expect(next).toMatchObject({ epoch: 2, seq: 2 });
    await site.journal[Symbol.asyncDispose]();
    const again = await Journal.open({ directory: target, clock: site.clock, log: silentLog });
    expect(again.epoch).toBe(2);
    await again[Symbol.asyncDispose]();
  });

  test('R4 an epoch the platform has seen since is not used again when it is named', async () => {
    await using site = await openSite();
    await furnish(site);
    const { name } = await site.backups.make({ kind: 'config' }, 'user:chen');
    await restore(archiveOf(name), join(root, 'restored'), boxOf(), 5);
    await using restored = await openSite(join(root, 'restored'));
    expect(restored.journal.epoch).toBe(6);
  });

  test('commits go on while it is made, and the archive has a head, not a torn end', async () => {
    await using site = await openSite();
    await furnish(site);
    const making = site.backups.make({ kind: 'full' }, 'user:chen');
    let running = true;
    void making.finally(() => {
      running = false;
    });
    while (running) await site.journal.append(passage('meanwhile'));
    const found = await verifyArchive(archiveOf((await making).name), boxOf());
    expect(found.entries.map(({ name }) => name)).toEqual([
      'secrets.audit.key',
      'secrets.pepper',
      'flows.flows.json',
      'flows.flows_cred.json',
      'gatehouse.db',
    ]);
  });

  test('V8 one that is being made does not hold up the end, whatever it was doing', async () => {
    for (const wait of [0, 20, 60, 150]) {
      const where = join(root, `stopped-${wait}`);
      const site = await openSite(where);
      await site.journal.append(...Array.from({ length: 400 }, () => passage(crypto.randomUUID().repeat(500))));
      const making = site.backups.make({ kind: 'full' }, 'user:chen').catch(() => undefined);
      await new Promise((resolve) => setTimeout(resolve, wait)); // no state to wait for: the moment is the point
      const began = performance.now();
      await site[Symbol.asyncDispose]();
      await making;
      expect(performance.now() - began).toBeLessThan(5000);
      await using again = await openSite(where);
      expect(again.journal.started.reason).toBeUndefined();
      expect(readdirSync(folderOf(where)).filter((name) => !name.endsWith('.ghb'))).toEqual([]);
    }
  });

  test('only one at a time, and what a killed one left is removed at the next start', async () => {
    await using site = await openSite();
    await furnish(site);
    const first = site.backups.make({}, 'user:chen');
    await expect(site.backups.make({}, 'user:chen')).rejects.toMatchObject({ code: 'backup.busy' });
    await first;
    writeFileSync(archiveOf('20260101-000000.ghb.part'), 'half');
    writeFileSync(archiveOf('copy-x.db'), 'half');
    await site.backups.stop();
    createBackups({
      ...{ directory, journal: site.journal, clock: site.clock, log: silentLog, version: '1', report: async () => {} },
    });
    expect(readdirSync(folderOf(directory))).toHaveLength(1);
  });
});

describe('a config backup', () => {
  test('has everything but the records, and says so', async () => {
    await using site = await openSite();
    await furnish(site);
    const { name, bytes } = await site.backups.make({ kind: 'config' }, 'user:chen');
    const target = join(root, 'restored');
    expect(await restore(archiveOf(name), target, boxOf())).toMatchObject({ kind: 'config', head: '1:501' });
    expect(bytes).toBeLessThan(20_000);
    await using restored = await openSite(target);
    expect(noteOf(restored.journal)).toEqual([{ id: 'one', text: 'kept' }]);
    expect(restored.journal.read({ kind: ['event'] }).items).toEqual([]);
    expect(restored.journal.epoch).toBe(2);
  });
});

describe('who can open it', () => {
  test('a passphrase, on any box; it is not kept anywhere', async () => {
    await using site = await openSite();
    await furnish(site);
    const { name } = await site.backups.make({ passphrase: PASSPHRASE }, 'user:chen');
    await verifyArchive(archiveOf(name), { passphrase: PASSPHRASE });
    await expect(verifyArchive(archiveOf(name), { passphrase: 'another lamp there' })).rejects.toMatchObject({
      code: 'backup.key',
    });
    for (const file of readdirSync(directory, { recursive: true, withFileTypes: true })) {
      if (file.isFile()) expect(readFileSync(join(file.parentPath, file.name)).includes(PASSPHRASE)).toBe(false);
    }
  });

  test('a remembered passphrase opens the daily ones as well, though the box cannot know it', async () => {
    await using site = await openSite();
    await furnish(site);
    await site.backups.make({ passphrase: PASSPHRASE, remember: true }, 'user:chen');
    await site.pass(5 * 60_000);
    const daily = site.backups.list().find(({ origin }) => origin === 'schedule');
    expect(daily?.portable).toBe(true);
    await verifyArchive(archiveOf(daily?.name ?? ''), { passphrase: PASSPHRASE });
  });

  test('a box that did not make it cannot, and a weak passphrase is refused', async () => {
    await using site = await openSite();
    await furnish(site);
    const { name } = await site.backups.make({}, 'user:chen');
    const foreign = { box: new Uint8Array(32).fill(7) };
    await expect(verifyArchive(archiveOf(name), foreign)).rejects.toMatchObject({ code: 'backup.key' });
    await expect(site.backups.make({ passphrase: 'short' }, 'user:chen')).rejects.toMatchObject({
      code: 'backup.passphrase',
    });
  });
});

describe('an archive that was tampered with is refused, and nothing is written', () => {
  const CHUNK = 64 * 1024 + 16;
  /** Offset of the first chunk. */
  const bodyOf = (bytes: Buffer) => 8 + bytes.readUInt32BE(4);
  const faults: Record<string, (bytes: Buffer) => Buffer> = {
    'one bit of the content': (bytes) => flip(bytes, bytes.length - 100),
    'one bit of the first chunk': (bytes) => flip(bytes, bodyOf(bytes) + 5),
    'the clear header': (bytes) =>
      Buffer.from(bytes.toString('latin1').replace('"kind":"full"', '"kind":"conf"'), 'latin1'),
    'the creation time in the header': (bytes) =>
      Buffer.from(
        bytes.toString('latin1').replace(/"created":(\d)/, (_, digit) => `"created":${(Number(digit) % 9) + 1}`),
        'latin1',
      ),
    'cut off in the middle': (bytes) => bytes.subarray(0, bytes.length - 5000),
    'cut off between two chunks': (bytes) => bytes.subarray(0, bodyOf(bytes) + CHUNK),
    'cut off after the header': (bytes) => bytes.subarray(0, bodyOf(bytes)),
    'two chunks exchanged': (bytes) => {
      const at = bodyOf(bytes);
      const [head, one, two, rest] = [
        bytes.subarray(0, at),
        bytes.subarray(at, at + CHUNK),
        bytes.subarray(at + CHUNK, at + 2 * CHUNK),
        bytes.subarray(at + 2 * CHUNK),
      ];
      return Buffer.concat([head, two, one, rest]);
    },
    'something behind the end': (bytes) => Buffer.concat([bytes, Buffer.from('more')]),
    'another magic': (bytes) => Buffer.concat([Buffer.from('TAR!'), bytes.subarray(4)]),
    'nothing at all': () => Buffer.alloc(0),
  };

  test('each way', { timeout: 60_000 }, async () => {
    await using site = await openSite();
    await furnish(site);
    // Random plates, so that the archive has several chunks.
    await site.journal.append(...Array.from({ length: 400 }, () => passage(crypto.randomUUID().repeat(20))));
    await site.journal.append(...Array.from({ length: 9000 }, () => passage(crypto.randomUUID())));
    const { name } = await site.backups.make({ kind: 'full' }, 'user:chen');
    const bytes = readFileSync(archiveOf(name));
    expect(bytes.length).toBeGreaterThan(bodyOf(bytes) + 3 * CHUNK);
    const tampered = join(root, 'tampered.ghb');
    for (const [fault, change] of Object.entries(faults)) {
      writeFileSync(tampered, change(bytes));
      const target = join(root, 'restored');
      const refusal = await restore(tampered, target, boxOf()).catch((error: unknown) => error);
      expect(refusal, fault).toMatchObject({ code: expect.stringMatching(/^backup\.(damaged|format)$/) });
      expect(() => readdirSync(target), fault).toThrow('ENOENT');
    }
  });

  test('one chunk of another archive of the same box', async () => {
    await using site = await openSite();
    await furnish(site);
    const one = await site.backups.make({ kind: 'config' }, 'user:chen');
    const two = await site.backups.make({ kind: 'config' }, 'user:chen');
    const [first, second] = [readFileSync(archiveOf(one.name)), readFileSync(archiveOf(two.name))];
    const mixed = join(root, 'mixed.ghb');
    writeFileSync(mixed, Buffer.concat([first.subarray(0, bodyOf(first)), second.subarray(bodyOf(second))]));
    await expect(verifyArchive(mixed, boxOf())).rejects.toMatchObject({ code: 'backup.damaged' });
  });

  test.each([
    '../identity.json',
    'evil.sh',
    'secrets.backup.key',
    'secrets..hidden',
    'flows./etc/passwd',
    'GATEHOUSE.DB',
  ])('a name that is none of ours, even from the right box: %s', async (evil) => {
    await using site = await openSite();
    const { name } = await site.backups.make({ kind: 'config' }, 'user:chen');
    const { header } = readHeader(archiveOf(name));
    const { gateway, version, head, created, kind } = header;
    const dataKey = randomBytes(32);
    const about = { ...header, wraps: [wrapForBox(dataKey, boxOf().box)] };
    const facts = { format: 1 as const, gateway, version, head, created, kind, schema: 2, epoch: 1 };
    const made = join(root, 'made.ghb');
    const content = Buffer.from('x');
    writeArchive(made, about, dataKey, facts, [
      { name: evil, content },
      { name: 'gatehouse.db', content },
    ]);
    await expect(restore(made, join(root, 'restored'), boxOf())).rejects.toMatchObject({ code: 'backup.damaged' });
    expect(() => readdirSync(join(root, 'restored'))).toThrow('ENOENT');
  });

  test('one of a newer version, with what to do about it', async () => {
    await using site = await openSite();
    const { name } = await site.backups.make({ kind: 'config' }, 'user:chen');
    const { header } = readHeader(archiveOf(name));
    const { gateway, head, created, kind } = header;
    const dataKey = randomBytes(32);
    const made = join(root, 'made.ghb');
    const facts = { format: 1 as const, gateway, version: '9.0.0', head, created, kind, schema: 99, epoch: 1 };
    const about = { ...header, wraps: [wrapForBox(dataKey, boxOf().box)] };
    writeArchive(made, about, dataKey, facts, [{ name: 'gatehouse.db', content: Buffer.from('x') }]);
    const refusal = await restore(made, join(root, 'restored'), boxOf()).catch((error: unknown) => error);
    expect(refusal).toMatchObject({ code: 'backup.format', message: expect.stringContaining('9.0.0') });
  });

  test('what is restored belongs to the owner of the directory, also if root restores', async () => {
    await using site = await openSite();
    await furnish(site);
    const { name } = await site.backups.make({ kind: 'config' }, 'user:chen');
    const target = join(root, 'restored');
    mkdirSync(target);
    if (process.getuid?.() === 0) chownSync(target, 12_345, 12_345);
    await restore(archiveOf(name), target, boxOf());
    for (const file of ['gatehouse.db', 'identity.json', 'secrets', 'secrets/pepper', 'flows/flows.json'])
      expect(statSync(join(target, file)).uid, file).toBe(statSync(target).uid);
  });

  test('a directory in use is not restored into', async () => {
    await using site = await openSite();
    await furnish(site);
    const { name } = await site.backups.make({ kind: 'config' }, 'user:chen');
    await expect(restore(archiveOf(name), directory, boxOf())).rejects.toMatchObject({ code: 'backup.not_empty' });
  });
});

const flip = (bytes: Buffer, at: number): Buffer => {
  const changed = Buffer.from(bytes);
  changed[at] = (changed[at] ?? 0) ^ 1;
  return changed;
};

describe('the schedule', () => {
  test('one shortly after the start, one a day, seven are kept beside those asked for by hand', {
    timeout: 60_000,
  }, async () => {
    await using site = await openSite();
    await furnish(site);
    await site.backups.make({ kind: 'config' }, 'user:chen');
    await site.pass(60_000);
    expect(site.backups.list()).toHaveLength(1);
    await site.pass(2 * 60_000);
    expect(new Set(site.backups.list().map(({ origin }) => origin))).toEqual(new Set(['demand', 'schedule']));
    expect(site.backups.list()).toHaveLength(2);
    await site.pass(12 * HOUR);
    expect(site.backups.list()).toHaveLength(2);
    for (let day = 0; day < 9; day++) await site.pass(24 * HOUR + 10 * 60_000);
    const scheduled = site.backups.list().filter(({ origin }) => origin === 'schedule');
    expect(scheduled).toHaveLength(7);
    expect(site.backups.list().filter(({ origin }) => origin === 'demand')).toHaveLength(1);
    expect(scheduled[0]?.created).toBeGreaterThan(site.clock.now() - 25 * HOUR);
  });

  test('T1 T5 a clock set to and fro by years neither hastens nor stops them, and what is newer stays', {
    timeout: 60_000,
  }, async () => {
    await using site = await openSite();
    await furnish(site);
    await site.pass(5 * 60_000);
    site.clock.step(-365 * 24 * HOUR);
    await site.pass(2 * HOUR);
    site.clock.step(800 * 24 * HOUR);
    await site.pass(2 * HOUR);
    expect(site.backups.list()).toHaveLength(1);
    site.clock.step(-1200 * 24 * HOUR);
    await site.pass(20 * HOUR + 10 * 60_000);
    const [newest, ...others] = site.backups.list();
    expect(others).toHaveLength(1);
    expect(newest?.created).toBeLessThan(others.at(-1)?.created ?? 0);
  });

  test('one that fails is reported, and so is the next that does not', { timeout: 60_000 }, async () => {
    await using site = await openSite();
    await furnish(site);
    rmSync(folderOf(directory), { recursive: true });
    await site.pass(5 * 60_000);
    expect(site.reports).toHaveLength(1);
    expect(site.reports[0]).toBeTypeOf('string');
    mkdirSync(folderOf(directory));
    await site.pass(10 * 60_000);
    expect(site.reports).toHaveLength(2);
    expect(site.reports[1]).toBeUndefined();
  });
});

test('R4 after damage the newest archive that is sound gives the configuration back', async () => {
  {
    await using site = await openSite();
    await furnish(site);
    const older = await site.backups.make({ kind: 'config' }, 'user:chen');
    await site.journal.append(passage('later'));
    const newer = await site.backups.make({ kind: 'config' }, 'user:chen');
    expect(site.backups.list().map(({ name }) => name)).toEqual([newer.name, older.name]);
    writeFileSync(archiveOf(newer.name), flip(readFileSync(archiveOf(newer.name)), 2000));
  }
  rmSync(join(directory, 'gatehouse.db'));
  const configCopy = () => newestDatabase(directory, silentLog);
  const options = { directory, clock: manualClock(), log: silentLog, schema: [notes] };
  await using journal = await Journal.open({ ...options, configCopy });
  expect(journal.started).toMatchObject({ reason: 'missing', takenOver: { from: 'backup', unreadable: [] } });
  expect(noteOf(journal)).toEqual([{ id: 'one', text: 'kept' }]);
  expect(journal.epoch).toBe(2);
});

test('a copied archive is found by its header, half a file is not', async () => {
  await using site = await openSite();
  await furnish(site);
  const { name } = await site.backups.make({ kind: 'config' }, 'user:chen');
  copyFileSync(archiveOf(name), archiveOf('20250101-000000.ghb'));
  writeFileSync(archiveOf('20250102-000000.ghb'), readFileSync(archiveOf(name)).subarray(0, 40));
  expect(site.backups.list().map((one) => one.name)).toEqual([name, '20250101-000000.ghb']);
  for (const bad of ['../identity.json', '20250102-000000.ghb', 'x.ghb'])
    expect(() => site.backups.file(bad)).toThrow('There is no backup');
});
