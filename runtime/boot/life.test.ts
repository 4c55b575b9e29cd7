import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { showLife } from './life.ts';

let folder = '';
const told = () => (existsSync(join(folder, 'told')) ? readFileSync(join(folder, 'told'), 'utf8') : '');

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gatehouse-life-'));
  // systemd's own command, replaced on PATH: machines that run these tests need no systemd.
  writeFileSync(join(folder, 'systemd-notify'), `#!/bin/sh\necho "$NOTIFY_SOCKET $*" >> '${join(folder, 'told')}'\n`);
  chmodSync(join(folder, 'systemd-notify'), 0o755);
  vi.stubEnv('PATH', `${folder}${delimiter}${process.env.PATH}`);
  vi.stubEnv('NOTIFY_SOCKET', '@notify');
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true, force: true });
});

test('tells systemd that the gateway is ready, lives and stops, and lives only while it is healthy', async () => {
  let healthy: () => Promise<boolean> = async () => true;
  const life = showLife({ healthy: () => healthy(), onOrphaned: () => undefined });
  life.ready();
  await expect.poll(told).toBe('@notify READY=1\n');
  await vi.advanceTimersByTimeAsync(5_000);
  await expect.poll(told).toBe('@notify READY=1\n@notify WATCHDOG=1\n');
  healthy = async () => false;
  await vi.advanceTimersByTimeAsync(10_000);
  healthy = async () => {
    throw new Error('disk gone');
  };
  await vi.advanceTimersByTimeAsync(10_000);
  healthy = async () => true;
  life.stop();
  await vi.advanceTimersByTimeAsync(10_000);
  await expect.poll(told).toBe('@notify READY=1\n@notify WATCHDOG=1\n@notify STOPPING=1\n');
});

test('calls nothing where no systemd watches', async () => {
  vi.stubEnv('NOTIFY_SOCKET', undefined);
  const life = showLife({ healthy: async () => true, onOrphaned: () => undefined });
  life.ready();
  await vi.advanceTimersByTimeAsync(20_000);
  vi.stubEnv('NOTIFY_SOCKET', '@notify');
  life.stop();
  await expect.poll(told).toBe('@notify STOPPING=1\n');
});
