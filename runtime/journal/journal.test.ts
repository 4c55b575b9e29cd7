import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { manualClock } from '../../test/manual-clock.ts';
import { systemClock } from '../clock.ts';
import type { Draft } from '../contracts/record.ts';
import { silentLog } from '../log.ts';
import { openCursor } from './cursors.ts';
import { Journal } from './journal.ts';
import { timeOfUuid, uuidv7 } from './uuid.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'gh-journal-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const notes = 'CREATE TABLE IF NOT EXISTS note (id TEXT PRIMARY KEY, text TEXT NOT NULL) STRICT;';
const open = () => Journal.open({ directory, clock: systemClock, log: silentLog, schema: [notes] });
const passage = (plate: string): Draft => ({
  lane: 'L1',
  kind: 'event',
  scenario: 'vehicle-gate',
  device: 'gate-east-in',
  name: 'passage',
  data: { plate },
});
const reading = (value: number): Draft => ({
  lane: 'L3',
  kind: 'telemetry',
  scenario: 'environment-monitoring',
  device: 'station',
  name: 'pm25',
  data: value,
});
const putNote = (id: string) => ({ sql: 'INSERT INTO note VALUES (?, ?)', params: [id, 'x'] });

describe('room', () => {
  const large = passage('x'.repeat(400_000));
  const openSmall = (onFull = () => {}) =>
    Journal.open({ directory, clock: systemClock, log: silentLog, maxBytes: 1 << 20, onFull });
  const command: Draft = { ...passage(''), lane: 'L0', kind: 'command' };

  test('B2 on a full disk L0 is tried once more, the rest refused, and nothing is half there', async () => {
    let full = 0;
    await using journal = await openSmall(() => full++);
    await journal.append(large);
    const results = await Promise.allSettled([
      journal.append(large),
      journal.append(command),
      journal.append(large, large),
    ]);
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'rejected']);
    expect(results[0]).toMatchObject({ reason: { code: 'journal.full', status: 507 } });
    expect(full).toBe(1);
    await journal.append(passage('small'));
    expect(journal.read({ limit: 500 }).items.map(({ seq }) => seq)).toEqual([1, 2, 3, 4]);
  });

  test('B1 B2 a lane without room is refused, L0 and table writes pass, and room again lifts it', async () => {
    await using journal = await open();
    journal.refuse(new Set(['L1', 'L3']));
    await expect(journal.append(passage('1'))).rejects.toMatchObject({ code: 'journal.full', status: 507 });
    await expect(journal.append(passage('1'), reading(1))).rejects.toThrow('L1, L3');
    await journal.append(command, passage('with a command'));
    await journal.commit({ writes: [putNote('a')] });
    journal.refuse(new Set());
    await journal.append(passage('2'));
    expect(journal.head().seq).toBe(4);
  });

  test('B4 removed rows give their room back in pieces, never by VACUUM', async () => {
    await using journal = await open();
    await journal.append(...Array.from({ length: 20 }, () => passage('x'.repeat(40_000))));
    const full = journal.space();
    await journal.commit({ writes: [{ sql: 'DELETE FROM record WHERE pos % 2 = ?', params: [0] }] });
    const free = journal.space().freeBytes;
    expect(free).toBeGreaterThan(300_000);
    expect(journal.space().usedBytes).toBeLessThan(full.usedBytes - 300_000);
    expect(await journal.chore('reclaim', 10)).toBe(10);
    expect(journal.space().freeBytes).toBe(free - 10 * 4096);
    await journal.chore('checkpoint', undefined);
    expect(journal.space().walBytes).toBe(0);
  });

  test('a copy of the running journal has everything up to its end, what came meanwhile included', async () => {
    await using journal = await open();
    await journal.append(...Array.from({ length: 300 }, (_, n) => passage(`${n} ${'x'.repeat(20_000)}`)));
    const file = join(directory, 'copy.db');
    let running = true;
    const copying = journal.chore('backup', file).finally(() => {
      running = false;
    });
    while (running) await journal.append(reading(journal.head().seq));
    await copying;
    using copy = { db: new Database(file, { readonly: true }), [Symbol.dispose]: () => copy.db.close() };
    expect(copy.db.pragma('quick_check', { simple: true })).toBe('ok');
    const { last, count } = copy.db
      .prepare<[], { last: number; count: number }>(
        'SELECT max(pos) % (1 << 40) AS last, count(*) AS count FROM record',
      )
      .get() ?? { last: 0, count: 0 };
    expect(count).toBe(last);
    expect(last).toBeGreaterThanOrEqual(301);
    expect(last).toBeLessThanOrEqual(journal.head().seq);
    await expect(journal.chore('backup', '/nowhere/at/all.db')).rejects.toMatchObject({ code: 'journal.write' });
    await journal.append(passage('goes on'));
  });
});

describe('what is accepted', () => {
  test('R1 an append resolves with its place, and the file has it', async () => {
    await using journal = await open();
    const [record] = await journal.append(passage('粤B12345'));
    expect(record).toMatchObject({ epoch: 1, seq: 2, name: 'passage', data: { plate: '粤B12345' }, quality: 'good' });
    const other = new Database(join(directory, 'gatehouse.db'), { readonly: true });
    expect(other.prepare('SELECT count(*) AS n FROM record').get()).toEqual({ n: 2 });
    other.close();
  });

  test('T2 T3 T8 order is by sequence whatever the clocks say: device and gateway time are stamps, UTC ms', async () => {
    const clock = manualClock();
    await using journal = await Journal.open({ directory, clock, log: silentLog, clockQuality: () => 'stepped' });
    const start = clock.now();
    await journal.append({ ...passage('1'), at: start + 7 * 86_400_000 });
    clock.step(-3_600_000);
    await journal.append({ ...passage('2'), at: 0 });
    expect(journal.read({ name: 'passage' }).items).toMatchObject([
      { seq: 2, at: start + 7 * 86_400_000, received: start, clock: 'stepped' },
      { seq: 3, at: 0, received: start - 3_600_000, clock: 'stepped' },
    ]);
  });

  test('R3 a thousand appends at once are gap-free and in the order they were made', async () => {
    await using journal = await open();
    const heard: number[] = [];
    journal.onCommit((records) => heard.push(...records.map((record) => record.seq)));
    const all = await Promise.all(Array.from({ length: 1000 }, (_, n) => journal.append(reading(n))));
    expect(all.flat().map((record) => record.data)).toEqual(Array.from({ length: 1000 }, (_, n) => n));
    expect(heard).toEqual(Array.from({ length: 1000 }, (_, n) => n + 2));
    expect(journal.latestPoint('station', 'pm25')).toMatchObject({ value: 999, quality: 'good' });
  });

  test('a refused unit leaves nothing behind and takes no sequence number; its neighbours are committed', async () => {
    await using journal = await open();
    const results = await Promise.allSettled([
      journal.commit({ records: [passage('A')], writes: [putNote('one')] }),
      journal.commit({ records: [passage('B')], writes: [putNote('one')] }),
      journal.commit({ records: [passage('C')], writes: [putNote('two')] }),
    ]);
    expect(results.map((result) => result.status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(results[1]).toMatchObject({ reason: { code: 'inventory.conflict' } });
    const { items } = journal.read({ kind: ['event'] });
    expect(items.map((record) => [record.seq, record.data])).toEqual([
      [2, { plate: 'A' }],
      [3, { plate: 'C' }],
    ]);
  });

  test('a busy journal keeps its WAL small, and does not checkpoint at every commit ever after', async () => {
    await using journal = await open();
    const page = Array.from({ length: 30 }, () => passage('x'.repeat(50_000)));
    for (let n = 0; n < 40; n++) await journal.append(...page);
    const file = join(directory, 'gatehouse.db');
    expect(statSync(`${file}-wal`).size).toBeLessThan(24 << 20); // of 60 MB written
    const other = new Database(file);
    const wal = other.prepare<[], { log: number; checkpointed: number }>('PRAGMA wal_checkpoint(NOOP)');
    const waiting = () => {
      const { log, checkpointed } = wal.get() ?? { log: 0, checkpointed: 0 };
      return log - checkpointed;
    };
    await expect.poll(waiting, { timeout: 5000 }).toBe(0); // it is idle
    const pages: number[] = [];
    for (let n = 0; n < 5; n++) {
      await journal.append(passage('A'));
      pages.push(waiting());
    }
    other.close();
    expect(pages[0]).toBeGreaterThan(0);
    expect(pages).toEqual([...new Set(pages)].sort((a, b) => a - b));
  });

  test('after a close nothing is accepted', async () => {
    const journal = await open();
    await journal[Symbol.asyncDispose]();
    await expect(journal.append(passage('A'))).rejects.toMatchObject({ code: 'journal.closed' });
  });
});

describe('after a restart', () => {
  test('sequence and latest values go on', async () => {
    {
      await using journal = await open();
      await journal.append(reading(1), reading(2));
    }
    await using journal = await open();
    const [record] = await journal.append(reading(3));
    expect(record).toMatchObject({ epoch: 1, seq: 4 });
    expect(journal.started.reason).toBeUndefined();
  });

  test('R2 kill -9 loses no acknowledged record and re-uses no number', { timeout: 60_000 }, async () => {
    const script = `
      import { Journal } from ${JSON.stringify(new URL('./journal.ts', import.meta.url).href)};
      import { systemClock } from ${JSON.stringify(new URL('../clock.ts', import.meta.url).href)};
      import { silentLog } from ${JSON.stringify(new URL('../log.ts', import.meta.url).href)};
      const journal = await Journal.open({ directory: process.argv[2], clock: systemClock, log: silentLog });
      for (let n = 0; ; n++) {
        const [record] = await journal.append({ lane: 'L1', kind: 'event', scenario: 's', device: 'd', name: 'n', data: n });
        process.stdout.write(record.seq + ' ' + record.id + '\\n');
      }`;
    const file = join(directory, 'append.mts');
    writeFileSync(file, script);
    const acknowledged = new Map<number, string>();
    for (let round = 0; round < 5; round++) {
      const child = spawn(process.execPath, [file, join(directory, 'data')], { stdio: ['ignore', 'pipe', 'inherit'] });
      let lines = 0;
      for await (const line of createInterface({ input: child.stdout })) {
        const [seq, id] = line.split(' ');
        if (!id || id.length < 36) continue; // the line the kill cut
        expect(acknowledged.has(Number(seq))).toBe(false);
        acknowledged.set(Number(seq), id);
        if (++lines === 50 + round * 37) child.kill('SIGKILL');
      }
    }
    await using journal = await Journal.open({
      directory: join(directory, 'data'),
      clock: systemClock,
      log: silentLog,
    });
    const found = new Map<number, string>();
    for (let after = { epoch: 0, seq: 0 }; ; ) {
      const { items, next } = journal.read({ after, limit: 500 });
      for (const record of items) found.set(record.seq, record.id);
      if (!next) break;
      after = { epoch: 1, seq: Number(next.split(':')[1]) };
    }
    for (const [seq, id] of acknowledged) expect(found.get(seq)).toBe(id);
    expect([...found.keys()]).toEqual(Array.from({ length: found.size }, (_, n) => n + 1));
  });

  test.each(['missing', 'empty', 'damaged', 'foreign'])(
    'R4 a %s database begins a new epoch and says so',
    async (fault) => {
      {
        await using journal = await open();
        await journal.append(passage('A'));
      }
      const file = join(directory, 'gatehouse.db');
      if (fault === 'missing') rmSync(file);
      if (fault === 'empty') truncateSync(file);
      if (fault === 'damaged') {
        const bytes = readFileSync(file);
        bytes.fill(0x5a, 4096, 8192);
        writeFileSync(file, bytes);
      }
      if (fault === 'foreign')
        writeFileSync(file, 'not a database at all, but long enough to be looked at '.repeat(100));
      await using journal = await open();
      const { items } = journal.read({});
      expect(items[0]).toMatchObject({ epoch: 2, seq: 1, kind: 'epoch', name: 'journal.epoch' });
      if (fault === 'damaged' || fault === 'foreign') {
        expect(journal.started.quarantine).toBeDefined();
        expect(readdirSync(journal.started.quarantine ?? '')).toContain('gatehouse.db');
      }
    },
  );

  test('R4 a database older than identity.json (a copy put back) goes on in a new epoch, with its records', async () => {
    {
      await using journal = await open();
      await journal.append(passage('A'));
    }
    const identity = JSON.parse(readFileSync(join(directory, 'identity.json'), 'utf8')) as { gateway: string };
    writeFileSync(join(directory, 'identity.json'), JSON.stringify({ ...identity, epoch: 7 }));
    await using journal = await open();
    expect(journal.head()).toEqual({ epoch: 8, seq: 1 });
    expect(journal.read({ kind: ['event'] }).items).toHaveLength(1);
    expect(journal.read({ kind: ['epoch'] }).items.at(-1)?.data).toMatchObject({ lastKnown: '1:2' });
  });

  test('a database of a newer version is refused and left as it is', async () => {
    {
      await using journal = await open();
      await journal.append(passage('A'));
    }
    const db = new Database(join(directory, 'gatehouse.db'));
    db.pragma('user_version = 99');
    db.close();
    await expect(open()).rejects.toMatchObject({ code: 'journal.newer' });
  });
});

describe('reading', () => {
  test('pages forward and back, by filter, time and text, repeat exactly', async () => {
    await using journal = await open();
    for (let n = 0; n < 30; n++) await journal.append(n % 3 === 0 ? passage(`粤B1234${n % 10}`) : reading(n));
    const first = journal.read({ limit: 10 });
    expect(first.items.map((record) => record.seq)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    expect(journal.read({ limit: 10 })).toEqual(first);
    expect(journal.read({ after: { epoch: 1, seq: 10 }, limit: 3 }).items.map((record) => record.seq)).toEqual([
      11, 12, 13,
    ]);
    expect(journal.read({ order: 'desc', limit: 2 }).items.map((record) => record.seq)).toEqual([31, 30]);
    expect(journal.read({ kind: ['event'], device: 'gate-east-in' }).items).toHaveLength(10);
    expect(journal.read({ text: 'B12340' }).items.map((record) => record.data)).toEqual([{ plate: '粤B12340' }]);
    expect(journal.read({ text: '%' }).items).toHaveLength(0);
    const at = journal.read({ after: { epoch: 1, seq: 20 }, limit: 1 }).items[0]?.received ?? 0;
    expect(journal.read({ from: at }).items.every((record) => record.received >= at)).toBe(true);
    expect(journal.read({ to: at }).items.every((record) => record.received <= at)).toBe(true);
  });

  test('a record is found by its id, and its effects by their cause', async () => {
    await using journal = await open();
    const [cause] = await journal.append(passage('A'));
    await journal.append({ ...passage('B'), cause: cause?.id ?? '' });
    expect(journal.find(cause?.id ?? '')).toEqual(cause);
    expect(journal.effectsOf(cause?.id ?? '').map((record) => record.data)).toEqual([{ plate: 'B' }]);
    expect(journal.find('nonsense')).toBeUndefined();
  });
});

describe('cursors', () => {
  test('R6 a saved place survives, never moves back, and skips what its filter leaves out', async () => {
    {
      await using journal = await open();
      await journal.append(reading(1), passage('A'), reading(2));
      const cursor = openCursor(journal, 'uplink', { lane: ['L1'] });
      const { records, through } = cursor.read(10);
      expect(records.map((record) => record.data)).toEqual([{ plate: 'A' }]);
      expect(through).toEqual({ epoch: 1, seq: 4 });
      await cursor.advance(through);
      await cursor.advance({ epoch: 1, seq: 2 });
    }
    await using journal = await open();
    const cursor = openCursor(journal, 'uplink', { lane: ['L1'] });
    expect(cursor.position).toEqual({ epoch: 1, seq: 4 });
    const woken = cursor.wait(cursor.position, AbortSignal.timeout(5000));
    await journal.append(passage('B'));
    await woken;
    expect(cursor.read(10).records.map((record) => record.data)).toEqual([{ plate: 'B' }]);
  });
});

test('ids sort in the order they were made and carry their time', () => {
  const ids = Array.from({ length: 10_000 }, () => uuidv7(1_763_700_000_000));
  expect(ids.every((id, n) => n === 0 || (ids[n - 1] ?? '') < id)).toBe(true);
  expect(new Set(ids).size).toBe(ids.length);
  expect(timeOfUuid(ids[0] ?? '')).toBe(1_763_700_000_000);
});
