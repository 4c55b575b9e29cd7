import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { gone, launch } from '../../test/launch.ts';
import { nextDelay } from './supervise.mjs';

const run = fileURLToPath(new URL('./run.mjs', import.meta.url));
const life = new URL('./life.ts', import.meta.url).href;
const folder = mkdtempSync(join(tmpdir(), 'gatehouse-supervise-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

// Stand-ins for the gateway: what matters here is only how they end.
const SERVES = main('serves', `process.on('SIGTERM', () => { console.log('stopping'); process.exit(0); });`);
const DEAF = main('deaf', `for (const s of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.on(s, () => console.log('no'));`);
const ORPHANABLE = main(
  'orphanable',
  `const { showLife } = await import(${JSON.stringify(life)});
   process.on('SIGTERM', () => {}); // as if the kernel could not tell it: only the closed channel is left
   showLife({ healthy: async () => true, onOrphaned: () => process.exit(0) });`,
);
const WITH_CHILD = main(
  'with-child',
  `const { spawn } = await import('node:child_process');
   console.log('grandchild', spawn('sleep', ['600']).pid);`,
);
const MUTE = main('mute', `process.send('alive');`);

function main(name: string, body: string): string {
  const path = join(folder, `${name}.mjs`);
  writeFileSync(path, `setInterval(() => {}, 1000);\n${body}\nconsole.log('pid', process.pid);\n`);
  return path;
}

function supervised(path: string, ...args: string[]) {
  return launch(process.execPath, [run, 'supervise', path, ...args]);
}

// At once, for they mostly wait.
describe.concurrent('the supervisor of npm start', () => {
  test('starts a killed gateway again after a second', async () => {
    await using booth = supervised(SERVES);
    const first = Number((await booth.line(/^pid (\d+)/))[1]);
    const killed = performance.now();
    const from = booth.lines.length;
    process.kill(first, 'SIGKILL');
    const second = Number((await booth.line(/^pid (\d+)/, from))[1]);
    expect(second).not.toBe(first);
    expect(performance.now() - killed).toBeGreaterThan(950);
    expect(booth.text()).toMatch(/SIGKILL.*1 秒后重新启动\n.*SIGKILL.*again in 1 s/);
    booth.child.kill('SIGTERM');
    expect(await booth.ended).toBe(0);
  });

  test('waits longer each time a start fails', async () => {
    await using booth = supervised(main('fails', `setImmediate(() => process.exit(1));`));
    await booth.line(/again in 4 s/);
    const starts = booth.lines.filter((line) => line.text.startsWith('pid')).map((line) => line.at);
    expect(starts).toHaveLength(3);
    const [first = 0, second = 0, third = 0] = starts;
    expect(second - first).toBeGreaterThan(950);
    expect(third - second).toBeGreaterThan(1950);
    booth.child.kill('SIGTERM');
    expect(await booth.ended).toBe(0);
  });

  test('waits at most 30 s, and one second again after a life of a minute', () => {
    const delays: number[] = [];
    for (let delay = 0; delays.length < 7; delays.push(delay)) delay = nextDelay(delay, 500);
    expect(delays).toEqual([1, 2, 4, 8, 16, 30, 30]);
    expect(nextDelay(30, 60_000)).toBe(1);
    expect(nextDelay(30, 59_000)).toBe(30);
  });

  test.each([0, 64, 69, 78])('takes exit code %i as final and hands it on', async (code) => {
    await using booth = supervised(main(`exits-${code}`, `setImmediate(() => process.exit(${code}));`));
    expect(await booth.ended).toBe(code);
    expect(booth.lines.filter((line) => line.text.startsWith('pid'))).toHaveLength(1);
  });

  test('hands its arguments on', async () => {
    await using booth = supervised(main('args', `console.log(process.argv.slice(2).join('|'));`), '--site', 'x y.yaml');
    await booth.line(/^--site\|x y\.yaml$/);
    booth.child.kill('SIGTERM');
    await booth.ended;
  });

  test.each(['SIGTERM', 'SIGINT', 'SIGHUP'] as const)('ends with the gateway on %s', async (signal) => {
    await using booth = supervised(main(`ends-${signal}`, `process.on('${signal}', () => process.exit(0));`));
    const pid = Number((await booth.line(/^pid (\d+)/))[1]);
    booth.child.kill(signal);
    expect(await booth.ended).toBe(0);
    await gone(pid, 0);
  });

  test('ends within 12 s even if the gateway does not listen', async () => {
    await using booth = supervised(DEAF);
    const pid = Number((await booth.line(/^pid (\d+)/))[1]);
    const asked = performance.now();
    booth.child.kill('SIGTERM');
    expect(await booth.ended).toBe(137);
    expect(performance.now() - asked).toBeLessThan(12_000);
    await gone(pid, 0);
  });

  test('kills at once on a second Ctrl-C that is meant', async () => {
    await using booth = supervised(DEAF);
    await booth.line(/^pid/);
    booth.child.kill('SIGINT');
    const from = booth.lines.length;
    await booth.line(/^no$/, from);
    // Terminal and npm together deliver one Ctrl-C twice; only later than a second it is a second one.
    booth.child.kill('SIGINT');
    await new Promise((resolve) => setTimeout(resolve, 1_200));
    expect(booth.child.exitCode).toBe(null);
    const asked = performance.now();
    booth.child.kill('SIGINT');
    expect(await booth.ended).toBe(137);
    expect(performance.now() - asked).toBeLessThan(2_000);
  });

  test.each([
    ['the closed channel', ORPHANABLE],
    ['the kernel', SERVES],
  ])('leaves no orphan when it is itself killed: told by %s', async (_by, path) => {
    await using booth = supervised(path);
    const pid = Number((await booth.line(/^pid (\d+)/))[1]);
    booth.child.kill('SIGKILL');
    await gone(pid, 5_000);
  });

  test('leaves nothing of a dead gateway behind that could hold its ports', async () => {
    await using booth = supervised(WITH_CHILD);
    const pid = Number((await booth.line(/^pid (\d+)/))[1]);
    const grandchild = Number((await booth.line(/^grandchild (\d+)/))[1]);
    const from = booth.lines.length;
    process.kill(pid, 'SIGKILL');
    await booth.line(/^pid (\d+)/, from);
    await gone(grandchild, 0);
    booth.child.kill('SIGTERM');
    await booth.ended;
  });

  test('kills and restarts a gateway that gave signs of life and then none for 30 s', { timeout: 50_000 }, async () => {
    await using booth = supervised(MUTE);
    const started = performance.now();
    await booth.line(/^pid/);
    const from = booth.lines.length;
    await expect
      .poll(() => booth.lines.slice(from).some((line) => line.text.startsWith('pid')), { timeout: 45_000 })
      .toBe(true);
    expect(performance.now() - started).toBeGreaterThan(30_000);
    expect(booth.text()).toContain('does not respond');
    booth.child.kill('SIGTERM');
    await booth.ended;
  });
});
