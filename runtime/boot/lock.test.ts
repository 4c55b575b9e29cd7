import { existsSync, mkdirSync, mkdtempSync, rmSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { gone, launch } from '../../test/launch.ts';
import { whileLocked } from './lock.mjs';

const folder = mkdtempSync(join(tmpdir(), 'gatehouse-lock-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const url = new URL('./lock.mjs', import.meta.url).href;
const holder = (lock: string) => `
  const { whileLocked } = await import(${JSON.stringify(url)});
  await whileLocked(${JSON.stringify(lock)}, () => console.log('waits'), async () => {
    const told = new Promise((resolve) => process.once('SIGUSR2', resolve));
    console.log('in');
    await told;
    console.log('out');
  });`;
const hold = (lock: string) => launch(process.execPath, ['--input-type=module', '-e', holder(lock)]);

test('two processes take turns', async () => {
  const lock = join(folder, 'turns');
  await using first = hold(lock);
  await first.line(/^in$/);
  await using second = hold(lock);
  await second.line(/^waits$/);
  expect(second.text()).not.toContain('in');
  first.child.kill('SIGUSR2');
  await second.line(/^in$/);
  expect(await first.ended).toBe(0);
  second.child.kill('SIGUSR2');
  expect(await second.ended).toBe(0);
  expect(existsSync(lock)).toBe(false);
});

test('a holder that was killed leaves a lock that is broken once it is stale, by one of many', async () => {
  const lock = join(folder, 'killed');
  await using killed = hold(lock);
  await killed.line(/^in$/);
  killed.child.kill('SIGKILL');
  await gone(killed.pid, 5_000);
  expect(existsSync(lock)).toBe(true);
  const longAgo = new Date(Date.now() - 16_000);
  utimesSync(lock, longAgo, longAgo);
  let inside = 0;
  let most = 0;
  const work = async () => {
    most = Math.max(most, ++inside);
    await new Promise((resolve) => setTimeout(resolve, 20));
    inside--;
  };
  await Promise.all(Array.from({ length: 5 }, () => whileLocked(lock, () => undefined, work)));
  expect(most).toBe(1);
});

test('a failure inside frees the lock', async () => {
  const lock = join(folder, 'fails');
  await expect(
    whileLocked(
      lock,
      () => undefined,
      () => Promise.reject(new Error('full')),
    ),
  ).rejects.toThrow('full');
  mkdirSync(lock);
});
