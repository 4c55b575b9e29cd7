import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemClock } from '../clock.ts';
import type { Draft } from '../contracts/record.ts';
import { silentLog } from '../log.ts';
import { checkAside } from './check.ts';
import { Journal } from './journal.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'gh-check-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const open = () => Journal.open({ directory, clock: systemClock, log: silentLog });
const event = (n: number): Draft => ({
  ...{ lane: 'L1', kind: 'event', scenario: 's', device: 'd', name: 'n' },
  data: `${n} ${'x'.repeat(500)}`,
});
const signal = new AbortController().signal;

/** Overwrites an inner page of the records, which a running gateway does not see until it needs it. */
function spoil(): void {
  const file = join(directory, 'gatehouse.db');
  const db = new Database(file, { readonly: true });
  const root = db
    .prepare<[], { page: number }>(`SELECT rootpage AS page FROM sqlite_schema WHERE name = 'record'`)
    .get();
  db.close();
  const bytes = readFileSync(file);
  bytes.fill(0x5a, ((root?.page ?? 0) - 1) * 4096, (root?.page ?? 0) * 4096);
  writeFileSync(file, bytes);
}

test('a sound database is left alone, also while it is written; a small one was looked at by the start', async () => {
  await using journal = await open();
  await journal.append(...Array.from({ length: 500 }, (_, n) => event(n)));
  const checking = checkAside(directory, signal, 0);
  for (let n = 0; n < 50; n++) await journal.append(event(n));
  expect(await checking).toBeUndefined();
  spoil();
  expect(await checkAside(directory, signal)).toBeUndefined();
  expect(existsSync(join(directory, 'damaged.json'))).toBe(false);
});

test('R8 damage in a file too large for the start is found behind it, and the next start acts on it', async () => {
  {
    await using journal = await open();
    await journal.append(...Array.from({ length: 500 }, (_, n) => event(n)));
  }
  spoil();
  expect(await checkAside(directory, signal, 0)).toBeTypeOf('string');
  await using journal = await open();
  expect(journal.started).toMatchObject({ reason: 'damaged' });
  expect(journal.epoch).toBe(2);
  expect(await checkAside(directory, signal, 0)).toBeUndefined();
});

test('damage met by a write ends the process, nothing is acknowledged from then on, and the next start goes on', {
  timeout: 30_000,
}, async () => {
  {
    await using journal = await open();
    await journal.append(...Array.from({ length: 500 }, (_, n) => event(n)));
  }
  const program = join(directory, 'append.mts');
  const from = (path: string) => JSON.stringify(new URL(path, import.meta.url).href);
  writeFileSync(
    program,
    `import { readFileSync, writeFileSync } from 'node:fs';
    import { Journal } from ${from('./journal.ts')};
    import { systemClock } from ${from('../clock.ts')};
    import { silentLog } from ${from('../log.ts')};
    const journal = await Journal.open({ directory: process.argv[2], clock: systemClock, log: silentLog });
    const file = process.argv[2] + '/gatehouse.db';
    const bytes = readFileSync(file);
    bytes.fill(0x5a, 4096);
    writeFileSync(file, bytes);
    const event = { lane: 'L1', kind: 'event', scenario: 's', device: 'd', name: 'n', data: 'x'.repeat(500) };
    let acknowledged = 0;
    for (let n = 0; n < 100_000; n++) await journal.append(event).then(() => acknowledged++, () => undefined);
    process.stdout.write('never ends by itself');`,
  );
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', program, directory]);
  let text = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (text += String(chunk)));
  const code = await new Promise((resolve) => child.once('close', resolve));
  expect(text).toContain('The database is damaged');
  expect(code).not.toBe(0);
  await using journal = await open();
  expect(journal.started.reason).toBe('damaged');
  await journal.append(event(1));
});
