import { spawn } from 'node:child_process';
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '../clock.ts';
import type { Draft, JournalRecord } from '../contracts/record.ts';
import { silentLog } from '../log.ts';
import { copyConfig } from './copies.ts';
import { Journal, type JournalOptions } from './journal.ts';
import { salvage, salvageQuarantine } from './salvage.ts';
import { exportSalvaged, salvagedIn } from './salvaged.ts';
import { SCHEMA_VERSION } from './schema.ts';

let directory: string;
let file: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'gh-damage-'));
  file = join(directory, 'gatehouse.db');
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const notes = 'CREATE TABLE IF NOT EXISTS note (id TEXT PRIMARY KEY, text TEXT NOT NULL) STRICT;';
/** As many tables as a gateway has: their list is longer than a page. */
const others = Array.from(
  { length: 30 },
  (_, n) => `CREATE TABLE IF NOT EXISTS other_${n} (id TEXT PRIMARY KEY, ${'text_'.repeat(20)} TEXT NOT NULL) STRICT;`,
).join('');
const open = (more: Partial<JournalOptions> = {}) =>
  Journal.open({ directory, clock: systemClock, log: silentLog, schema: [notes, others], ...more });
const passage = (n: number): Draft => ({
  lane: 'L1',
  kind: 'event',
  scenario: 'vehicle-gate',
  device: 'gate-east-in',
  name: 'passage',
  data: { plate: `粤B${n}`, note: 'x'.repeat(n % 7 === 0 ? 9000 : 100) },
});
const ROWS = 1500;
const NOTES = 40;

/** A journal with records over many pages, some of them over several, and a table of somebody else's. */
async function fill(): Promise<JournalRecord[]> {
  await using journal = await open();
  for (let n = 0; n < ROWS; n += 100) {
    await journal.append(...Array.from({ length: 100 }, (_, more) => passage(n + more)));
  }
  await journal.commit({
    writes: Array.from({ length: NOTES }, (_, n) => ({
      sql: 'INSERT INTO note VALUES (?, ?)',
      params: [`note-${n}`, 'kept '.repeat(200)],
    })),
  });
  await journal.chore('checkpoint', undefined);
  return everything(journal);
}

function everything(journal: Journal): JournalRecord[] {
  const all: JournalRecord[] = [];
  for (let after = { epoch: 0, seq: 0 }; ; ) {
    const { items } = journal.read({ after, limit: 500 });
    all.push(...items);
    const last = items.at(-1);
    if (!last) return all;
    after = { epoch: last.epoch, seq: last.seq };
  }
}
const notesOf = (journal: Journal) =>
  journal.db.prepare<[], { id: string }>('SELECT id FROM note ORDER BY id').all().length;
const epochOf = (journal: Journal) => journal.read({ kind: ['epoch'] }).items.at(-1);
const overwrite = (from: number, length: number) => {
  const bytes = readFileSync(file);
  bytes.fill(0x5a, from, from + length);
  writeFileSync(file, bytes);
};
/** Pages that hold the rows of a table or an index, root and inner ones first. */
function pagesOf(table: string): number[] {
  const db = new Database(file, { readonly: true });
  try {
    const root = db
      .prepare<[string], { rootpage: number }>('SELECT rootpage FROM sqlite_schema WHERE name = ?')
      .get(table);
    const bytes = readFileSync(file);
    const walk = (page: number): number[] => {
      const at = (page - 1) * 4096;
      if (bytes[at] !== 5 && bytes[at] !== 2) return [page];
      const cells = bytes.readUInt16BE(at + 3);
      const children = Array.from({ length: cells }, (_, n) =>
        bytes.readUInt32BE(at + bytes.readUInt16BE(at + 12 + 2 * n)),
      );
      return [page, ...[...children, bytes.readUInt32BE(at + 8)].flatMap(walk)];
    };
    return walk(root?.rootpage ?? 0);
  } finally {
    db.close();
  }
}

/** What the next start makes of it: always a working journal in epoch 2 that says what happened. */
async function recovered(more: Partial<JournalOptions> = {}) {
  const journal = await open(more);
  expect(journal.epoch).toBe(2);
  const [record] = await journal.append(passage(1));
  expect(record).toMatchObject({ epoch: 2, seq: 2 });
  expect(journal.read({ after: { epoch: 1, seq: ROWS * 2 }, limit: 1 }).items[0]).toMatchObject({
    ...{ epoch: 2, seq: 1, lane: 'L0', kind: 'epoch', name: 'journal.epoch' },
    data: { reason: journal.started.reason },
  });
  return journal;
}

describe('R4 damage at start is recognised, the file kept, a new epoch begun and said', () => {
  test('a middle page of the records: configuration is taken over at once, the records are salvaged behind it', async () => {
    const before = await fill();
    const pages = pagesOf('record');
    const leaf = pages[Math.floor(pages.length / 2)] ?? 0;
    overwrite((leaf - 1) * 4096, 4096);
    const damaged = readFileSync(file);
    await using journal = await recovered();
    expect(journal.started).toMatchObject({
      reason: 'damaged',
      fault: expect.any(String),
      lastKnown: `1:${ROWS + 1}`,
      takenOver: { from: 'damaged', unreadable: [] },
    });
    expect(notesOf(journal)).toBe(NOTES);
    const folder = journal.started.quarantine ?? '';
    expect(readFileSync(join(folder, 'gatehouse.db'))).toEqual(damaged);
    expect(epochOf(journal)?.data).toMatchObject({ quarantine: folder.slice(directory.length + 1) });

    await salvageQuarantine(directory, journal, silentLog, new AbortController().signal);
    const told = journal.read({ kind: ['epoch'] }).items.find(({ name }) => name === 'journal.salvaged');
    const { records = 0 } = (told?.data ?? {}) as { records?: number };
    expect(records).toBeGreaterThan(before.length - 60);
    expect(records).toBeLessThan(before.length);
    const salvaged = new Database(join(folder, 'salvaged.db'), { readonly: true });
    const found = salvaged.prepare<[], { id: string; data: string }>('SELECT id, data FROM record').all();
    salvaged.close();
    const known = new Map(before.map(({ id, data }) => [id, JSON.stringify(data)]));
    expect(found).toHaveLength(records);
    for (const { id, data } of found) expect(data).toBe(known.get(id));
    expect(readFileSync(join(folder, 'gatehouse.db'))).toEqual(damaged);
    // The way to them for a person: which there are, and each as the API would have given it.
    const name = basename(folder);
    expect(salvagedIn(directory)).toMatchObject([{ name, epochs: [{ epoch: 1, count: records }] }]);
    const out = join(directory, 'salvaged.ndjson');
    expect(exportSalvaged(directory, name, journal.gateway, out)).toBe(records);
    const lines = readFileSync(out, 'utf8').trimEnd().split('\n');
    const exported = new Map(lines.map((line) => [JSON.parse(line).id, JSON.parse(line)]));
    expect(exported.size).toBe(records);
    for (const record of before) expect([undefined, record]).toContainEqual(exported.get(record.id));
    expect(() => exportSalvaged(directory, name, journal.gateway, out)).toThrow('EEXIST');
    await salvageQuarantine(directory, journal, silentLog, new AbortController().signal);
    expect(journal.read({ kind: ['epoch'] }).items.filter(({ name }) => name === 'journal.salvaged')).toHaveLength(1);
  });

  test('the root of the records: no row can be reached by its tree, and not one is lost', async () => {
    const before = await fill();
    overwrite(((pagesOf('record')[0] ?? 0) - 1) * 4096, 4096);
    await using journal = await recovered();
    expect(journal.started).toMatchObject({ reason: 'damaged', takenOver: { from: 'damaged', unreadable: [] } });
    expect(salvage(journal.started.quarantine ?? '')).toMatchObject({
      records: before.length,
      epochs: [{ epoch: 1, first: 1, last: ROWS + 1, count: ROWS + 1 }],
    });
  });

  test.each([
    ['the head of the file', 100],
    ['the whole first page', 4096],
  ])('%s: still known as ours, its tables and every record are found without it', async (_what, bytes) => {
    const before = await fill();
    overwrite(0, bytes);
    await using journal = await recovered();
    expect(journal.started).toMatchObject({ reason: 'damaged', takenOver: { from: 'damaged', unreadable: [] } });
    expect(notesOf(journal)).toBe(NOTES);
    expect(readdirSync(directory).filter((name) => name.includes('repaired'))).toEqual([]);
    expect(salvage(journal.started.quarantine ?? '').records).toBe(before.length);
  });

  test('torn: the second half is missing', async () => {
    await fill();
    truncateSync(file, Math.floor(statSync(file).size / 2 / 4096) * 4096);
    await using journal = await recovered();
    expect(journal.started.reason).toBe('damaged');
    expect(salvage(journal.started.quarantine ?? '').records).toBeGreaterThan(ROWS / 4);
  });

  test('a page of the configuration: all of it comes from the newest backup', async () => {
    await fill();
    const backup = join(directory, 'copy.db');
    copyConfig(file, backup);
    overwrite(((pagesOf('note')[1] ?? 0) - 1) * 4096, 4096);
    await using journal = await recovered({ configCopy: async () => backup });
    expect(journal.started).toMatchObject({ reason: 'damaged', takenOver: { from: 'backup', unreadable: [] } });
    expect(notesOf(journal)).toBe(NOTES);
  });

  test('a page of the configuration and no backup: the tables that can be read are kept, the other is named', async () => {
    await fill();
    overwrite(((pagesOf('note')[1] ?? 0) - 1) * 4096, 4096);
    await using journal = await recovered();
    expect(journal.started).toMatchObject({ takenOver: { from: 'damaged', unreadable: ['note'] } });
  });

  test.each(['missing', 'empty'])('%s: configuration comes from the newest backup', async (fault) => {
    await fill();
    const backup = join(directory, 'copy.db');
    copyConfig(file, backup);
    if (fault === 'missing') rmSync(file);
    else truncateSync(file);
    await using journal = await recovered({ configCopy: async () => backup });
    expect(journal.started).toMatchObject({ reason: 'missing', takenOver: { from: 'backup' } });
    expect(notesOf(journal)).toBe(NOTES);
  });

  test('a WAL left alone beside a missing database is kept, never replayed into the new one', async () => {
    await fill();
    writeFileSync(`${file}-wal`, 'what was not yet in the database');
    rmSync(file);
    await using journal = await recovered();
    expect(readFileSync(join(journal.started.quarantine ?? '', 'gatehouse.db-wal'), 'utf8')).toContain('not yet');
  });

  test('the database of another gateway is put aside, not continued', async () => {
    await fill();
    const other = mkdtempSync(join(tmpdir(), 'gh-other-'));
    await using stranger = await Journal.open({ directory: other, clock: systemClock, log: silentLog });
    const theirs = stranger.gateway;
    await stranger[Symbol.asyncDispose]();
    copyFileSync(join(other, 'gatehouse.db'), file);
    rmSync(other, { recursive: true });
    await using journal = await recovered();
    expect(journal.started.reason).toBe('foreign');
    expect(journal.gateway).not.toBe(theirs);
    expect(existsSync(join(journal.started.quarantine ?? '', 'gatehouse.db'))).toBe(true);
  });

  test.each(['missing', 'garbled'])(
    'identity.json %s: the database tells who we are, and begins a new epoch',
    async (fault) => {
      await fill();
      const identity = join(directory, 'identity.json');
      const { gateway } = JSON.parse(readFileSync(identity, 'utf8')) as { gateway: string };
      if (fault === 'missing') rmSync(identity);
      else writeFileSync(identity, '{"gateway":"gh-');
      await using journal = await recovered();
      expect(journal.started).toMatchObject({ reason: 'identity', lastKnown: `1:${ROWS + 1}` });
      expect(journal.gateway).toBe(gateway);
      expect(notesOf(journal)).toBe(NOTES);
      expect(existsSync(join(directory, 'quarantine'))).toBe(fault === 'garbled');
    },
  );

  test('what a background check found is acted on at the next start', async () => {
    await fill();
    writeFileSync(join(directory, 'damaged.json'), 'page 7 is wrong');
    await using journal = await recovered();
    expect(journal.started).toMatchObject({ reason: 'damaged', fault: 'page 7 is wrong' });
    expect(existsSync(join(directory, 'damaged.json'))).toBe(false);
  });
});

test('R4 killed between the old file and the new one, the next start goes on with the complete new one', async () => {
  await fill();
  overwrite(((pagesOf('record')[0] ?? 0) - 1) * 4096, 4096);
  {
    await using journal = await recovered();
    await journal[Symbol.asyncDispose]();
  }
  renameSync(file, `${file}.new`);
  await using journal = await open();
  expect(journal.epoch).toBe(2);
  expect(notesOf(journal)).toBe(NOTES);
});

test('R4 killed at any moment while a damaged file is replaced, the next start has the configuration and no number twice', {
  timeout: 120_000,
}, async () => {
  await fill();
  overwrite(((pagesOf('record')[0] ?? 0) - 1) * 4096, 4096);
  const names = ['gatehouse.db', 'identity.json', 'secrets'];
  const aside = mkdtempSync(join(tmpdir(), 'gh-damage-aside-'));
  for (const name of names) cpSync(join(directory, name), join(aside, name), { recursive: true });
  const program = join(aside, 'open.mts');
  const from = (path: string) => JSON.stringify(new URL(path, import.meta.url).href);
  writeFileSync(
    program,
    `import { Journal } from ${from('./journal.ts')};
    import { systemClock } from ${from('../clock.ts')};
    import { silentLog } from ${from('../log.ts')};
    const journal = await Journal.open({ directory: process.argv[2], clock: systemClock, log: silentLog });
    const event = { lane: 'L1', kind: 'event', scenario: 's', device: 'd', name: 'n', data: 1 };
    for (;;) await journal.append(event).then(([record]) => process.stdout.write(record.epoch + ':' + record.seq + '\\n'));`,
  );
  const states = new Set<string>();
  for (let round = 0; round < 10; round++) {
    rmSync(directory, { recursive: true });
    mkdirSync(directory);
    for (const name of names) cpSync(join(aside, name), join(directory, name), { recursive: true });
    const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', program, directory]);
    let text = '';
    child.stdout.on('data', (chunk) => (text += String(chunk)));
    const ended = new Promise((resolve) => child.once('close', resolve));
    // Each step leaves something to see; the child is ended as soon as this process sees it.
    const steps = [
      () => readFileSync(join(directory, 'identity.json'), 'utf8').includes('"epoch":2'),
      () => existsSync(`${file}.new`) || existsSync(join(directory, 'quarantine')),
      () => existsSync(join(directory, 'quarantine')),
      () => existsSync(join(directory, 'quarantine')) && existsSync(file),
      () => text !== '',
    ];
    await expect.poll(() => steps[round % steps.length]?.(), { interval: 1, timeout: 20_000 }).toBe(true);
    child.kill('SIGKILL');
    await ended;
    states.add(`${existsSync(file)} ${existsSync(join(directory, 'quarantine'))} ${text !== ''}`);
    await using journal = await open();
    expect(notesOf(journal)).toBe(NOTES);
    const told = everything(journal).filter(({ name }) => name === 'journal.epoch');
    expect(told.length).toBeGreaterThan(0);
    const acknowledged = text.split('\n').slice(0, -1);
    const there = new Set(everything(journal).map(({ epoch, seq }) => `${epoch}:${seq}`));
    for (const place of acknowledged) expect(there.has(place), place).toBe(true);
    const [next] = await journal.append(passage(1));
    expect(there.has(`${next?.epoch}:${next?.seq}`)).toBe(false);
    expect(readdirSync(join(directory, 'quarantine')).length).toBeGreaterThan(0);
  }
  rmSync(aside, { recursive: true });
  expect(states.size).toBeGreaterThan(1);
});

test('R4 an epoch that began before a kill is still told by its first record, once', async () => {
  await fill();
  overwrite(((pagesOf('record')[0] ?? 0) - 1) * 4096, 4096);
  {
    await using journal = await open();
    await journal[Symbol.asyncDispose]();
  }
  const db = new Database(file);
  db.exec('DELETE FROM record');
  db.prepare('INSERT INTO meta VALUES (?, ?)').run('begun', JSON.stringify({ reason: 'damaged', lastKnown: '1:7' }));
  db.close();
  for (const _ of [1, 2]) {
    await using journal = await open();
    expect(journal.read({ kind: ['epoch'] }).items).toMatchObject([{ epoch: 2, seq: 1, data: { lastKnown: '1:7' } }]);
  }
});

describe('R4 an upgrade', () => {
  const script = `
    import { migrate } from ${JSON.stringify(new URL('./migrations.ts', import.meta.url).href)};
    const at = Number(process.argv[3]);
    let count = 0;
    migrate(process.argv[2], 1, 'trial', (sql) => {
      if (++count === at) process.kill(process.pid, 'SIGKILL');
    });
    process.stdout.write(String(count));`;

  /** The tables of the release before, as it made them. */
  const VERSION_1 = `
    CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID, STRICT;
    CREATE TABLE record (
      pos INTEGER PRIMARY KEY, id TEXT NOT NULL, at INTEGER NOT NULL, received INTEGER NOT NULL, clock INTEGER NOT NULL,
      lane INTEGER NOT NULL, kind INTEGER NOT NULL, scenario TEXT NOT NULL, device TEXT NOT NULL, name TEXT NOT NULL,
      data TEXT NOT NULL, quality INTEGER NOT NULL, cause TEXT, actor TEXT
    ) STRICT;
    CREATE INDEX record_time ON record (received);
    CREATE INDEX record_kind ON record (kind, pos) WHERE kind <> 0;
    CREATE INDEX record_device ON record (device, pos) WHERE kind <> 0;
    CREATE INDEX record_cause ON record (cause) WHERE cause IS NOT NULL;
    CREATE TABLE latest (
      device TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL, at INTEGER NOT NULL, received INTEGER NOT NULL,
      quality INTEGER NOT NULL, PRIMARY KEY (device, name)
    ) WITHOUT ROWID, STRICT;
    CREATE TABLE cursor (name TEXT PRIMARY KEY, pos INTEGER NOT NULL) WITHOUT ROWID, STRICT;
    ${notes}`;

  async function oldFile(): Promise<void> {
    await fill();
    const old = `${file}.old`;
    const db = new Database(old);
    db.pragma('journal_mode = WAL');
    db.pragma('application_id = 0x47415445');
    db.pragma('user_version = 1');
    db.exec(VERSION_1);
    db.prepare('ATTACH ? AS today').run(file);
    for (const table of ['record', 'latest', 'cursor', 'note'])
      db.exec(`INSERT INTO ${table} SELECT * FROM today.${table}`);
    db.exec(`INSERT INTO meta SELECT * FROM today.meta WHERE key IN ('gateway', 'epoch')`);
    db.close();
    for (const suffix of ['-wal', '-shm']) rmSync(file + suffix, { force: true });
    renameSync(old, file);
  }
  const run = (at: number) =>
    new Promise<string>((resolve, reject) => {
      const program = join(directory, 'migrate.mts');
      writeFileSync(program, script);
      const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', program, directory, String(at)]);
      let text = '';
      child.stdout.on('data', (chunk) => (text += String(chunk)));
      child.stderr.on('data', (chunk) => (text += String(chunk)));
      child.once('error', reject);
      child.once('close', (code, signal) => resolve(signal ?? `${code}: ${text}`));
    });
  const look = () => {
    const db = new Database(file, { readonly: true });
    try {
      const indexes = db
        .prepare<[], { name: string }>(`SELECT name FROM sqlite_schema WHERE name = 'record_time'`)
        .all();
      return {
        version: db.pragma('user_version', { simple: true }),
        sound: db.pragma('quick_check', { simple: true }),
        records: db.prepare<[], { n: number }>('SELECT count(*) AS n FROM record').get()?.n,
        oldIndex: indexes.length,
      };
    } finally {
      db.close();
    }
  };

  test('killed at 20 points and more it is the old version or the new, whole, and the next start is the new', {
    timeout: 120_000,
  }, async () => {
    await oldFile();
    const before = readFileSync(file);
    const statements = Number(/^0: (\d+)$/.exec(await run(0))?.[1]);
    expect(statements).toBeGreaterThan(3);
    const ends = new Set<unknown>();
    for (let round = 0; round < 20; round++) {
      for (const suffix of ['-wal', '-shm']) rmSync(file + suffix, { force: true });
      writeFileSync(file, before);
      // Every statement in turn; the later rounds end it by the clock of this process instead, wherever it is then.
      const at = round < statements ? round + 1 : 0;
      const ended = at > 0 ? await run(at) : await killedAfter(120 + round * 7);
      if (at > 0) expect(ended).toBe('SIGKILL');
      const { version, sound, records, oldIndex } = look();
      expect([sound, records]).toEqual(['ok', ROWS + 1]);
      expect([1, SCHEMA_VERSION]).toContain(version);
      expect(oldIndex).toBe(version === 1 ? 1 : 0);
      ends.add(version);
      await using journal = await open();
      expect(journal.epoch).toBe(1);
      expect(notesOf(journal)).toBe(NOTES);
      expect(everything(journal)).toHaveLength(ROWS + 1);
      await journal[Symbol.asyncDispose]();
      expect(look()).toMatchObject({ version: SCHEMA_VERSION, oldIndex: 0 });
    }
    expect(ends).toEqual(new Set([1, SCHEMA_VERSION]));
  });

  function killedAfter(ms: number): Promise<string> {
    return new Promise((resolve) => {
      const child = spawn(process.execPath, [
        ...['--disable-warning=ExperimentalWarning', join(directory, 'migrate.mts'), directory, '0'],
      ]);
      const timer = setTimeout(() => child.kill('SIGKILL'), ms);
      child.once('close', (code, signal) => {
        clearTimeout(timer);
        resolve(signal ?? String(code));
      });
    });
  }

  test('leaves a copy of before, which the version before can open, and keeps two of them', async () => {
    for (let round = 0; round < 3; round++) {
      if (round === 0) await oldFile();
      else {
        const db = new Database(file);
        db.pragma('user_version = 1');
        db.close();
      }
      await using journal = await open();
      expect(journal.started.migrated).toMatchObject({ from: 1, to: SCHEMA_VERSION });
      const copy = new Database(join(directory, journal.started.migrated?.backup ?? ''), { readonly: true });
      expect(copy.pragma('user_version', { simple: true })).toBe(1);
      expect(copy.prepare<[], { n: number }>('SELECT count(*) AS n FROM record').get()?.n).toBe(ROWS + 1);
      copy.close();
    }
    expect(readdirSync(join(directory, 'backups')).filter((name) => name.endsWith('.db'))).toHaveLength(2);
  });
});
