/** A site backed up, its box lost, restored elsewhere by the command line: people log in, gates open, numbers go on. */
import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Gateway, startGateway } from './site.ts';

const COMMAND = fileURLToPath(new URL('../runtime/gatehouse.ts', import.meta.url));
const PASSPHRASE = 'a lamp in the orchard';
let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'gh-backup-site-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true, maxRetries: 5 }));

function gatehouse(args: readonly string[], env: Record<string, string> = {}): { code: number | null; text: string } {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', COMMAND, ...args],
    { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], env: { PATH: process.env.PATH ?? '', ...env } },
  );
  return { code: status, text: stdout + stderr };
}
const identityOf = (directory: string) =>
  JSON.parse(readFileSync(join(directory, 'identity.json'), 'utf8')) as { gateway: string; epoch: number };

test('R4 the whole way: made over the API, taken off the box, restored, started, used', {
  timeout: 120_000,
}, async () => {
  const data = join(root, 'old');
  const archive = join(root, 'carried.ghb');
  let devices: unknown;
  let last = '';
  {
    await using gateway = await startGateway({ data });
    await gateway.open('gate-east-in');
    const started = (await gateway.records()).find(({ name }) => name === 'gateway.started');
    expect(started).toMatchObject({ kind: 'audit', lane: 'L0', data: { epoch: 1, version: expect.any(String) } });
    const { findings = [] } = (started?.data ?? {}) as { findings?: { check: string }[] };
    expect(findings.filter(({ check }) => check !== 'clock' && check !== 'space')).toEqual([]);
    const { name } = await gateway.post<{ name: string }>('/backups', { passphrase: PASSPHRASE });
    const file = await gateway.api(`/backups/${name}`, { as: 'demo-admin' });
    writeFileSync(archive, Buffer.from(await file.arrayBuffer()));
    devices = await gateway.json('/devices', { as: 'demo-admin' });
    await gateway.open('gate-east-in'); // the old box goes on after its backup
    last = (await gateway.json<{ head: string }>('/status')).head;
  }
  expect(
    readFileSync(archive).equals(readFileSync(join(data, 'backups', readdirSync(join(data, 'backups'))[0] ?? ''))),
  ).toBe(true);

  const target = join(root, 'new');
  expect(gatehouse(['restore', archive, '--data', target]).code).toBe(77);
  expect(existsSync(target)).toBe(false);
  const wrong = gatehouse(['restore', archive, '--data', target], { GATEHOUSE_PASSPHRASE: 'another lamp there' });
  expect([wrong.code, wrong.text]).toMatchObject([77, expect.stringContaining('打不开')]);
  const done = gatehouse(['restore', archive, '--data', target], { GATEHOUSE_PASSPHRASE: PASSPHRASE });
  expect(done.text).toContain('恢复完成');
  expect(done.code).toBe(0);
  expect(identityOf(target)).toEqual(identityOf(data));

  await using restored = await startGateway({ data: target });
  const records = await restored.records();
  const begun = records.find(({ epoch }) => epoch === 2);
  expect(begun).toMatchObject({
    epoch: 2,
    seq: 1,
    name: 'journal.epoch',
    data: { reason: 'restored', archive: 'carried.ghb' },
  });
  const [epoch, seq] = last.split(':').map(Number);
  expect(records.filter((record) => record.epoch === epoch).every((record) => record.seq <= (seq ?? 0))).toBe(true);
  expect(identityOf(target).epoch).toBe(2);
  expect(await namesOf(restored)).toEqual(idsIn(devices));
  expect(await restored.open('gate-east-in')).toMatchObject({ state: 'succeeded' }); // with the guard's own password
});

const idsIn = (page: unknown) =>
  (page as { items?: { id: string }[] }).items?.map(({ id }) => id) ?? (page as { id: string }[]).map(({ id }) => id);
const namesOf = async (gateway: Gateway) => idsIn(await gateway.json('/devices', { as: 'demo-admin' }));

test('the command line beside a running gateway, and what it says when something is wrong', {
  timeout: 90_000,
}, async () => {
  const data = join(root, 'data');
  await using gateway = await startGateway({ data });
  const made = gatehouse(['backup', '--data', data]);
  expect(made.text).toContain('Backup made');
  expect(made.code).toBe(0);
  const file = /\S+\.ghb/.exec(made.text)?.[0] ?? '';
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(gatehouse(['backup', '--data', data, '--config']).code).toBe(0);
  const list = gatehouse(['backups', '--data', data]);
  expect(list.text.trim().split('\n')).toHaveLength(2);
  expect(gatehouse(['check', file])).toMatchObject({ code: 0, text: expect.stringContaining('备份完好') });
  await gateway.open('gate-east-in'); // it was not held up

  const bytes = readFileSync(file);
  bytes[bytes.length - 40] = (bytes[bytes.length - 40] ?? 0) ^ 1;
  const changed = join(data, 'backups', 'changed.ghb');
  writeFileSync(changed, bytes);
  for (const [args, code, text] of [
    [['check', changed], 65, 'damaged'],
    [['restore', file, '--data', data], 73, '不是空的'],
    [['check', join(root, 'nothing.ghb')], 66, 'not found'],
    [['backup', '--data', join(root, 'empty')], 66, '没有网关'],
    [['outage', '--data', data], 0, 'L0'],
    [['outage', '--data', join(root, 'empty')], 66, '没有网关'],
    [['nonsense'], 64, '用法'],
    [['restore'], 64, 'restore <archive>'],
    [['audit', 'verify', '--data', data], 0, '审计记录完整'],
    [['audit', 'edit', '--data', data], 64, 'audit verify'],
    [['audit', 'verify', '--data', join(root, 'empty')], 66, '没有网关'],
    [['backups', '--colour'], 64, '--colour'],
    [['help'], 0, 'npm run gatehouse'],
  ] as const) {
    const told = gatehouse([...args]);
    expect(told.code, `${args.join(' ')}: ${told.text}`).toBe(code);
    expect(told.text.toLowerCase(), args.join(' ')).toContain(text.toLowerCase());
  }
  copyFileSync(file, join(root, 'away.ghb'));
  const key = join(data, 'secrets', 'backup.key');
  expect(gatehouse(['check', join(root, 'away.ghb')]).code).toBe(77);
  expect(gatehouse(['check', join(root, 'away.ghb'), '--key', key]).code).toBe(0);
});

test('R4 a gateway whose database is damaged comes back with its devices and its log-ins, and says so by an alarm', {
  timeout: 90_000,
}, async () => {
  const data = join(root, 'data');
  let before: unknown;
  {
    await using gateway = await startGateway({ data });
    await gateway.open('gate-east-in');
    before = idsIn(await gateway.json('/devices', { as: 'demo-admin' }));
  }
  const file = join(data, 'gatehouse.db');
  const bytes = readFileSync(file);
  bytes.fill(0x5a, 0, 4096); // the head and the list of tables
  writeFileSync(file, bytes);
  await using gateway = await startGateway({ data });
  expect(await namesOf(gateway)).toEqual(before);
  const begun = await gateway.record(({ name }) => name === 'journal.epoch');
  expect(begun).toMatchObject({
    epoch: 2,
    data: { reason: 'damaged', takenOver: { from: 'damaged', unreadable: [] } },
  });
  const salvaged = await gateway.record(({ name }) => name === 'journal.salvaged');
  expect((salvaged.data as { records: number }).records).toBeGreaterThan(10);
  await gateway.record(({ kind, name }) => kind === 'alarm' && name === 'journalRecovered');
  expect(await gateway.open('gate-east-in')).toMatchObject({ state: 'succeeded' });
});
