import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemClock } from '../clock.ts';
import { silentLog } from '../log.ts';
import { Journal } from './journal.ts';
import { BLOCK, type BlockRow, lastOf, TERM_ROWS, type TermRow, termsOf } from './postings.ts';
import { createSearches } from './searches.ts';
import { createGrams } from './text-index.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'gh-index-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));
const open = (folder = directory) => Journal.open({ directory: folder, clock: systemClock, log: silentLog });
const fileIn = (folder: string) => join(folder, 'gatehouse.db');

const text = (plain: Iterable<readonly [string | number, Uint8Array]>) =>
  [...plain].map(([key, places]) => `${key} ${Buffer.from(places).toString('hex')}`).sort((a, b) => (a < b ? -1 : 1));

/** Every block that says it is indexed has all of its records in the index. @returns how many there are */
function checkBlocks(file: string): { terms: number; grams: number } {
  const db = new Database(file, { readonly: true });
  const blocks = db.prepare<[], BlockRow>('SELECT * FROM search_block').all();
  const stored = (key: string, block: number) =>
    text(
      db
        .prepare<[number], [string, Buffer]>(`SELECT ${key}, places FROM search_${key} WHERE block = ?`)
        .raw()
        .all(block),
    );
  for (const { block, grams } of blocks) {
    const range = [block * BLOCK, lastOf(block)] as const;
    const { terms } = termsOf(
      db
        .prepare<[number, number], TermRow>(TERM_ROWS)
        .raw()
        .all(...range),
    );
    expect(stored('term', block)).toEqual(text(terms));
    if (grams === 0) continue;
    const made = createGrams();
    const facts = db.prepare<[number, number], { pos: number; data: string }>(
      'SELECT pos, data FROM record WHERE pos BETWEEN ? AND ? AND kind <> 0 ORDER BY pos',
    );
    for (const { pos, data } of facts.all(...range)) made.add(pos, data);
    expect(stored('gram', block)).toEqual(text(made.encoded()));
  }
  db.close();
  return { terms: blocks.length, grams: blocks.filter(({ grams }) => grams === 1).length };
}

/** Writes three blocks and indexes them, and says how far it is. */
const child = `
  import { Journal } from ${JSON.stringify(new URL('./journal.ts', import.meta.url).href)};
  import { systemClock } from ${JSON.stringify(new URL('../clock.ts', import.meta.url).href)};
  import { silentLog } from ${JSON.stringify(new URL('../log.ts', import.meta.url).href)};
  const journal = await Journal.open({ directory: process.argv[2], clock: systemClock, log: silentLog });
  for (let n = journal.head().seq; n < 25_000; n += 1000) {
    await journal.append(...Array.from({ length: 1000 }, (_, one) => ({
      lane: 'L1', kind: one % 4 === 0 ? 'event' : 'telemetry', scenario: 's', device: 'd' + (one % 900), name: 'n' + (one % 300),
      data: one % 4 === 0 ? { who: String.fromCharCode(0x4e00 + ((n + one) * 7919) % 5000, 0x5000 + one, 0x6000 + n / 9) } : one,
    })));
  }
  const pieces = journal.db.prepare('SELECT (SELECT count(*) FROM search_term) + (SELECT count(*) FROM search_gram) + (SELECT sum(1 + grams) FROM search_block)').pluck();
  setInterval(() => process.stdout.write(pieces.get() + '\\n'), 1);
  await journal.indexed();
  process.stdout.write('done\\n');`;

test('a kill while the index is made leaves each block whole or without an index', { timeout: 120_000 }, async () => {
  const script = join(directory, 'child.mts');
  writeFileSync(script, child);
  const data = join(directory, 'data');
  const states: string[] = [];
  for (let round = 0; round < 5; round++) {
    const process_ = spawn(process.execPath, [script, data], { stdio: ['ignore', 'pipe', 'inherit'] });
    let pieces = 0;
    const goal = (round + 1) * 3000;
    const gone = once(process_, 'exit');
    process_.stdout.on('data', (chunk: Buffer) => {
      pieces = Number.parseInt(String(chunk), 10);
      if (pieces >= goal || String(chunk).includes('done')) process_.kill('SIGKILL');
    });
    await gone;
    const { terms, grams } = checkBlocks(fileIn(data));
    states.push(`${terms}/${grams}`);
  }
  expect(new Set(states).size, states.join(' ')).toBeGreaterThan(1);
  await using journal = await open(data);
  await journal.indexed();
  expect(checkBlocks(fileIn(data))).toEqual({ terms: 3, grams: 3 });
});

test('a database from before the index is searched at once, and indexed behind it', async () => {
  {
    await using journal = await open();
    for (let n = 0; n < 3; n++) {
      await journal.append(
        ...Array.from({ length: 6000 }, (_, one) => ({
          ...({ lane: 'L1', kind: 'event', scenario: 's', name: 'passage' } as const),
          ...{ device: one === 77 ? 'rare' : 'gate', data: { plate: `粤B${n}${one}` } },
        })),
      );
    }
    await journal.indexed();
  }
  const db = new Database(fileIn(directory));
  db.exec('DROP TABLE search_block; DROP TABLE search_term; DROP TABLE search_gram;');
  db.close();
  await using journal = await open();
  const ask = async () => {
    const rare = await journal.search({ device: 'rare' });
    const plate = await journal.search({ text: 'b277' });
    return [rare, plate].map(({ items }) => items.map(({ seq }) => seq));
  };
  const before = await ask();
  expect(before).toEqual([[79, 6079, 12_079], expect.arrayContaining([12_079])]);
  await journal.indexed();
  expect(checkBlocks(fileIn(directory))).toEqual({ terms: 2, grams: 2 });
  expect(await ask()).toEqual(before);
});

test('a search thread that dies is replaced', async () => {
  {
    await using journal = await open();
    await journal.append({ lane: 'L1', kind: 'event', scenario: 's', device: 'd', name: 'n', data: 1 });
  }
  const later = join(directory, 'later.db');
  const searches = createSearches({ file: later, gateway: 'gh-1' }, silentLog);
  const head = { epoch: 1, seq: 9 };
  await expect(searches.page({}, head)).rejects.toMatchObject({ code: 'record.search' });
  copyFileSync(fileIn(directory), later);
  const { items } = await searches.page({ device: 'd' }, head);
  expect(items.map(({ name }) => name)).toEqual(['n']);
  await searches.close();
  await expect(searches.page({}, head)).rejects.toMatchObject({ code: 'journal.closed' });
});

test('the main thread goes on while others search', async () => {
  await using journal = await open();
  for (let n = 0; n < 15; n++) {
    await journal.append(
      ...Array.from({ length: 2000 }, (_, one) => ({
        ...({ lane: 'L1', kind: 'event', scenario: 's', device: 'd', name: 'n' } as const),
        data: { note: `${one} ${'long '.repeat(60)}` },
      })),
    );
  }
  await journal.search({ device: 'nobody', limit: 1 });
  let turns = 0;
  let searching = true;
  const turn = () => {
    turns++;
    if (searching) setImmediate(turn);
  };
  setImmediate(turn);
  await Promise.all(Array.from({ length: 4 }, () => journal.search({ text: 'ng lonG 7' })));
  searching = false;
  expect(turns).toBeGreaterThan(20);
  // What does not come to an end in time is refused, and says how far it came; what does is not, however many slices it takes.
  const { gateway, file } = journal;
  const hurried = createSearches({ file, gateway }, silentLog, { longestMs: 0, sliceMs: 0 });
  await expect(hurried.page({ text: 'nobody' }, journal.head())).rejects.toMatchObject({ code: 'record.slow' });
  const sliced = createSearches({ file, gateway }, silentLog, { longestMs: 60_000, sliceMs: 0 });
  const found = await sliced.page({ text: '1999 long', limit: 500 }, journal.head());
  expect(found.items).toHaveLength(15);
  expect(found.next).toBeUndefined();
  await Promise.all([hurried.close(), sliced.close()]);
});
