import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generate } from 'selfsigned';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type SelfCheckParts, selfCheck } from './self-check.ts';

const NOW = Date.UTC(2026, 10, 21);
const DAY_MS = 86_400_000;
let dataDir: string;
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'gh-selfcheck-'));
  for (const folder of ['secrets', 'tls']) mkdirSync(join(dataDir, folder), { mode: 0o700 });
  for (const file of ['secrets/pepper', 'identity.json', 'gatehouse.db'])
    writeFileSync(join(dataDir, file), '', { mode: 0o600 });
});
afterEach(() => rmSync(dataDir, { recursive: true, force: true }));

const check = (more: Partial<SelfCheckParts> = {}) =>
  selfCheck({
    dataDir,
    now: NOW,
    clock: 'synced',
    epochReason: undefined,
    auditFaults: [],
    lastBackup: NOW - DAY_MS,
    ...more,
  }).filter(
    (finding) => finding.check !== 'space', // the machine of the test is what it is
  );
const modeOf = (path: string) => (statSync(join(dataDir, path)).mode & 0o777).toString(8);

test('a gateway in order has nothing to tell', () => {
  expect(check()).toEqual([]);
});

test('files others could read are closed to them, and named with what they were', () => {
  chmodSync(join(dataDir, 'secrets/pepper'), 0o644);
  chmodSync(join(dataDir, 'secrets'), 0o755);
  chmodSync(join(dataDir, 'gatehouse.db'), 0o640);
  expect(check()).toEqual([
    {
      check: 'modes',
      detail: {
        fixed: [
          { path: 'secrets', from: '755', to: '700' },
          { path: 'secrets/pepper', from: '644', to: '600' },
          { path: 'gatehouse.db', from: '640', to: '600' },
        ],
      },
    },
  ]);
  expect([modeOf('secrets'), modeOf('secrets/pepper'), modeOf('gatehouse.db')]).toEqual(['700', '600', '600']);
  expect(check()).toEqual([]);
});

test.each([
  [20, true],
  [29, true],
  [31, false],
  [-3, true],
])('a certificate with %i days left', async (days, told) => {
  const { cert } = await generate([{ name: 'commonName', value: 'gate.example' }], {
    ...{ keyType: 'ec', curve: 'P-256', algorithm: 'sha256' },
    notBeforeDate: new Date(NOW - 100 * DAY_MS),
    notAfterDate: new Date(NOW + days * DAY_MS + 1000),
  });
  writeFileSync(join(dataDir, 'tls', 'cert.pem'), cert);
  chmodSync(join(dataDir, 'tls', 'cert.pem'), 0o600);
  const found = check().filter((finding) => finding.check === 'certificate');
  expect(found).toMatchObject(told ? [{ detail: { days } }] : []);
});

test('a certificate that cannot be read, a doubtful clock, a new epoch and no backup are told', () => {
  writeFileSync(join(dataDir, 'tls', 'cert.pem'), 'not one', { mode: 0o600 });
  const found = check({ clock: 'unsynced', epochReason: 'damaged', lastBackup: NOW - 3 * DAY_MS });
  expect(found.map((finding) => finding.check)).toEqual(['identity', 'clock', 'certificate', 'backup']);
  expect(check({ epochReason: 'first', lastBackup: undefined }).map((finding) => finding.check)).toEqual([
    'certificate',
  ]);
});
