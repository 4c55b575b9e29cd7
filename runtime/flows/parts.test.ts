/** The pure parts of the supervisor; real children are in test/flows.test.ts. */
import { EventEmitter } from 'node:events';
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Writable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import type { Clock } from '../clock.ts';
import { createLog } from '../log.ts';
import { cutLines, relayOutput } from './child-log.ts';
import { signEditorToken, verifyEditorToken } from './editor-token.ts';
import { readFromChild } from './messages.ts';
import { countRestarts, restartLimits } from './restarts.ts';
import { keptSecret } from './secret.ts';

function inFolder(act: (folder: string) => void): void {
  const folder = mkdtempSync(join(tmpdir(), 'gh-flow-parts-'));
  try {
    act(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

describe('V2: restarts', () => {
  test('wait 1, 2, 4 … 30 s, and start over after a minute of life', () => {
    const restarts = countRestarts({ ...restartLimits, exits: 100 }, () => 0.5);
    const delays = Array.from({ length: 7 }, (_, index) => restarts.exited(index * 100_000, 500).delayMs);
    expect(delays).toEqual([1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
    expect(restarts.exited(900_000, 60_000).delayMs).toBe(1000);
  });
  test('are spread by a fifth either way', () => {
    expect(countRestarts(restartLimits, () => 0).exited(0, 0).delayMs).toBe(800);
    expect(countRestarts(restartLimits, () => 1).exited(0, 0).delayMs).toBe(1200);
  });
  test('are a crash loop with the sixth exit within a minute', () => {
    const restarts = countRestarts();
    const looping = [0, 1000, 3000, 7000, 15_000, 31_000].map((at) => restarts.exited(at, 100).looping);
    expect(looping).toEqual([false, false, false, false, false, true]);
    expect(restarts.exited(200_000, 100).looping).toBe(false);
  });
});

describe('N8: the pass to the editor', () => {
  const key = 'k'.repeat(64);
  test('says who and what for, for a minute', () => {
    const token = signEditorToken(key, '张三', '*', 1_000_000);
    expect(verifyEditorToken(key, token, 1_059_999)).toEqual({ username: '张三', permissions: '*' });
    expect(verifyEditorToken(key, token, 1_060_000)).toBeNull();
  });
  test.each([
    ['another key', (token: string) => verifyEditorToken('x'.repeat(64), token, 0)],
    ['a changed body', (token: string) => verifyEditorToken(key, `x${token}`, 0)],
    ['a changed signature', (token: string) => verifyEditorToken(key, `${token.slice(0, -2)}AA`, 0)],
    ['no signature', (token: string) => verifyEditorToken(key, token.split('.')[0] ?? '', 0)],
    ['nothing', () => verifyEditorToken(key, '', 0)],
  ])('is refused with %s', (_name, verify) => {
    expect(verify(signEditorToken(key, 'u', 'read', 0))).toBeNull();
  });
});

test.each([
  [null, undefined],
  ['beat', undefined],
  [{}, undefined],
  [{ is: 'beat', rss: '1' }, undefined],
  [
    { is: 'beat', rss: 1, busiest: { tab: 't', node: 'n', messages: 7 }, heaviest: { scope: 't' } },
    { is: 'beat', rss: 1, busiest: { tab: 't', node: 'n', messages: 7 } },
  ],
  [{ is: 'flows', running: 'maybe' }, undefined],
  [{ is: 'flows', running: false, reason: 'made up' }, undefined],
  [
    { is: 'beat', rss: 5, more: 1 },
    { is: 'beat', rss: 5 },
  ],
  [
    { is: 'flows', running: false, reason: 'missing-types', detail: 7 },
    { is: 'flows', running: false, reason: 'missing-types', detail: '' },
  ],
  [
    { is: 'editor', open: 1 },
    { is: 'editor', open: false },
  ],
])('what the child says is checked: %j', (said, read) => expect(readFromChild(said)).toEqual(read));

describe('the child’s output', () => {
  test('is cut into lines, and long ones short, however it arrives', () => {
    const lines: string[] = [];
    const feed = cutLines((line) => lines.push(line));
    for (const chunk of ['ab', 'c\nde', '\n\n', 'x'.repeat(9000), 'y'.repeat(9000), '\nend\n', 'rest']) feed(chunk);
    expect(lines).toEqual(['abc', 'de', '', 'x'.repeat(4000), 'end']);
  });

  test('becomes log entries, fifty a second, and says how many were dropped', () => {
    const entries: { level: number; msg: string; node?: string }[] = [];
    const sink = new Writable({
      write(chunk, _encoding, done) {
        entries.push(JSON.parse(String(chunk)));
        done();
      },
    });
    let now = 0;
    const clock: Clock = { now: () => now, mono: () => now, after: () => () => {} };
    const child = Object.assign(new EventEmitter(), { stdout: new PassThrough(), stderr: new PassThrough() });
    relayOutput(child as never, createLog('debug', sink), clock);
    const out = (text: string) => child.stdout.emit('data', text);
    out('{"level":"warn","msg":"from a node","node":"n1","type":"function"}\n');
    out('{"level":"root","msg":"not a level"}\n');
    for (let i = 0; i < 100; i++) out(`line ${i}\n`);
    now = 1000;
    out('again\n');
    expect(entries[0]).toMatchObject({ level: 40, msg: 'from a node', node: 'n1' });
    expect(entries[1]).toMatchObject({ level: 30, msg: 'flows: output' });
    expect(entries).toHaveLength(52);
    expect(entries[50]).toMatchObject({ level: 40, msg: 'flows: too much output', dropped: 52 });
  });
});

test('a secret is made once, whole, for its user only, and an empty file is no secret', () =>
  inFolder((folder) => {
    const secrets = join(folder, 'secrets');
    const made = keptSecret(secrets, 'one');
    expect(made).toMatch(/^[0-9a-f]{64}$/);
    expect(keptSecret(secrets, 'one')).toBe(made);
    expect(keptSecret(secrets, 'two')).not.toBe(made);
    expect(statSync(join(secrets, 'one')).mode & 0o777).toBe(0o600);
    writeFileSync(join(secrets, 'one'), '');
    expect(keptSecret(secrets, 'one')).toMatch(/^[0-9a-f]{64}$/);
    expect(readdirSync(secrets).toSorted((a, b) => a.localeCompare(b))).toEqual(['one', 'two']);
  }));
