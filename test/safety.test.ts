/** Safety mode: a start that could only do harm says so on every page and in every answer, and writes nothing. */
import { createHash } from 'node:crypto';
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemClock } from '../runtime/clock.ts';
import { Journal } from '../runtime/journal/journal.ts';
import { silentLog } from '../runtime/log.ts';
import { safetyReason, startSafety } from '../runtime/safety.ts';
import { launch } from './launch.ts';
import { manualClock } from './manual-clock.ts';
import { startGateway } from './site.ts';

const MAIN = fileURLToPath(new URL('../runtime/main.ts', import.meta.url));
let data: string;
beforeEach(() => {
  data = mkdtempSync(join(tmpdir(), 'gh-safety-'));
});
afterEach(() => rmSync(data, { recursive: true, force: true }));

const start = (directory: string) =>
  launch(process.execPath, ['--disable-warning=ExperimentalWarning', MAIN], {
    env: {
      ...{ PATH: process.env.PATH ?? '', GATEHOUSE_DATA: directory, GATEHOUSE_LOG: 'warn' },
      ...{ GATEHOUSE_HTTP: '127.0.0.1:0', GATEHOUSE_DEVICES: '127.0.0.1:0', GATEHOUSE_MQTT: '127.0.0.1:0' },
    },
  });
const urlOf = async (gateway: ReturnType<typeof start>) =>
  (await gateway.line(/安全模式.*(http:\/\/127\.0\.0\.1:\d+)/))[1] ?? '';
const version = (file: string, to: number) => {
  const db = new Database(file);
  db.pragma(`user_version = ${to}`);
  db.close();
};
const digestOf = (directory: string) =>
  readdirSync(directory)
    .filter((name) => /^(gatehouse\.db(-wal)?|identity\.json)$/.test(name))
    .map((name) => [
      name,
      createHash('sha256')
        .update(readFileSync(join(directory, name)))
        .digest('hex'),
    ]);

test('a database of a newer version: nothing is written, and everything asked says what is wrong and what to do', {
  timeout: 60_000,
}, async () => {
  const first = await startGateway({ data });
  await first.stop();
  await first[Symbol.asyncDispose]();
  const file = join(data, 'gatehouse.db');
  version(file, 99);
  const before = digestOf(data);
  await using gateway = start(data);
  const url = await urlOf(gateway);
  expect(gateway.text()).toContain('重新安装更新的版本');
  expect(gateway.text()).toContain('install the newer version again');

  expect((await fetch(`${url}/livez`)).status).toBe(200);
  const ready = await fetch(`${url}/readyz`);
  expect([ready.status, await ready.json()]).toMatchObject([503, { code: 'journal.newer', status: 503 }]);
  for (const path of ['/', '/login', '/gates', '/setup', '/editor/', '/nowhere']) {
    const page = await fetch(`${url}${path}`, { headers: { accept: 'text/html,*/*' } });
    const text = await page.text();
    expect(page.status, path).toBe(503);
    for (const told of [
      'lang="zh-CN"',
      'lang="en-US"',
      '99',
      '数据库由更新的版本写成',
      'install the newer version again',
    ])
      expect(text, path).toContain(told);
  }
  for (const [method, path] of [
    ['GET', '/api/v1/status'],
    ['POST', '/api/v1/commands'],
    ['POST', '/api/v1/sessions'],
    ['DELETE', '/api/v1/devices/x'],
  ] as const) {
    const answer = await fetch(`${url}${path}`, { method, ...(method === 'POST' ? { body: '{"a":1}' } : {}) });
    expect(answer.status).toBe(503);
    expect(answer.headers.get('content-type')).toContain('application/problem+json');
    expect(answer.headers.get('retry-after')).toBe('30');
    expect(await answer.json()).toMatchObject({
      ...{ status: 503, code: 'journal.newer' },
      detail: expect.stringContaining('restore a backup'),
      detailZh: expect.stringContaining('备份'),
    });
  }
  const overSocket = await new Promise<number | undefined>((resolve, reject) => {
    request({ socketPath: join(data, 'gatehouse.sock'), path: '/livez' }, (response) => {
      response.resume();
      resolve(response.statusCode);
    })
      .once('error', reject)
      .end();
  });
  expect(overSocket).toBe(200);
  expect(gateway.child.exitCode).toBeNull();
  gateway.child.kill('SIGTERM');
  expect(await gateway.ended).toBe(0);
  expect(digestOf(data)).toEqual(before);

  version(file, 2);
  await using second = await startGateway({ data });
  expect((await second.json<{ mode: string }>('/status')).mode).toBe('demo');
});

test('a data directory that cannot be written: safety mode instead of an end', { timeout: 30_000 }, async () => {
  await using gateway = start('/sys/gatehouse');
  const url = await urlOf(gateway);
  const answer = await fetch(`${url}/api/v1/status`);
  expect([answer.status, await answer.json()]).toMatchObject([
    503,
    { code: 'storage.unwritable', detail: expect.stringContaining('/sys/gatehouse') },
  ]);
  expect(await (await fetch(url, { headers: { accept: 'text/html' } })).text()).toContain('数据目录不能写入');
});

test('the copy made at the upgrade is named, and putting it back ends safety mode without anybody’s restart', async () => {
  await using journal = await Journal.open({ directory: data, clock: systemClock, log: silentLog });
  await journal[Symbol.asyncDispose]();
  const file = join(data, 'gatehouse.db');
  version(file, 1); // as the release before left it
  await using upgraded = await Journal.open({ directory: data, clock: systemClock, log: silentLog });
  const copy = upgraded.started.migrated?.backup ?? '';
  await upgraded[Symbol.asyncDispose]();
  version(file, 99);
  const error = await Journal.open({ directory: data, clock: systemClock, log: silentLog }).catch(
    (one: unknown) => one,
  );
  const reason = safetyReason(error, data);
  if (!reason) throw new Error('no reason for safety mode');
  expect(JSON.stringify(reason.words)).toContain(copy);
  const clock = manualClock();
  let over = 0;
  const config = { dataDir: data, http: { host: '127.0.0.1', port: 0 } };
  const safety = await startSafety({ config, reason, clock, log: silentLog, onOver: () => over++ });
  await clock.advance(60_000);
  expect(over).toBe(0);
  for (const suffix of ['', '-wal', '-shm']) rmSync(file + suffix, { force: true });
  copyFileSync(join(data, copy), file);
  await clock.advance(30_000);
  expect(over).toBe(1);
  await safety.stop();
});

test('other failures are none of its business', () => {
  expect(safetyReason(new Error('anything'), data)).toBeUndefined();
  expect(safetyReason(Object.assign(new Error('no'), { code: 'EACCES' }), data)).toBeUndefined();
});
