/** `npm start`, `npm test` and `.ci/run` as a new user or a build machine calls them, on a copy with nothing installed. */
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { nodeTooOld } from '../runtime/boot/node-version.mjs';
import { gone, launch } from './launch.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'gatehouse-boot-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** npm as on a machine of its own: no settings, no cache, none of the environment npm gave this test run. */
function cleanEnv(name: string, more: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(([key]) => !/^npm_|^NODE_|^VITEST|^GATEHOUSE_/i.test(key));
  // Node-RED brings an npm of its own; what a new user has is the one beside Node.
  const path = (process.env.PATH ?? '')
    .split(delimiter)
    .filter((entry) => !entry.startsWith(join(root, 'node_modules')));
  const home = join(folder, `${name}-home`);
  mkdirSync(home, { recursive: true });
  return { ...Object.fromEntries(inherited), PATH: path.join(delimiter), HOME: home, ...more };
}

/** A copy of what installing needs: no packages, no fetched Node. */
function freshCopy(name: string): string {
  const copy = join(folder, name);
  for (const file of ['package.json', 'package-lock.json', '.npmrc', '.ci/run'])
    cpSync(join(root, file), join(copy, file));
  cpSync(join(root, 'runtime/boot'), join(copy, 'runtime/boot'), {
    recursive: true,
    filter: (source) => !source.includes('node_modules') && !source.endsWith('.test.ts'),
  });
  return copy;
}

/** A loopback address nobody listens on. */
async function closedAddress(): Promise<string> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address ? `127.0.0.1:${address.port}` : '';
}

describe('a Node that is too old', () => {
  test.each(['12.22.12', '18.20.8', '20.18.3'])('%s is turned away with a remedy in both languages', (version) => {
    expect(nodeTooOld(version)).toEqual({
      zh: expect.stringMatching(new RegExp(`Node ${version} 太旧.*20\\.19.*安装 Node 24`)),
      en: expect.stringMatching(new RegExp(`Node ${version} is too old.*20\\.19.*Install Node 24`)),
    });
  });

  test.each(['20.19.0', '22.0.0', '24.21.0', '25.1.0'])('%s will do', (version) => {
    expect(nodeTooOld(version)).toBeUndefined();
  });

  test('can read the file that turns it away: nothing newer than Node 12 before the check', () => {
    for (const file of ['run.mjs', 'node-version.mjs']) {
      const source = readFileSync(join(root, 'runtime/boot', file), 'utf8').replace(/\/\/.*|\/\*[\s\S]*?\*\//g, '');
      expect(source).not.toMatch(/\?\?|\?\.|^\s*await |#\w+ =|\|\|=|&&=/m);
    }
  });
});

describe('an install that cannot work', () => {
  test('npm without a registry: cause, address without credentials, remedy; and no lock left', async () => {
    const copy = freshCopy('unreachable');
    const address = await closedAddress();
    const env = cleanEnv('unreachable', { npm_config_registry: `http://joe:hunter2@${address}/` });
    await using start = launch('npm', ['start'], { cwd: copy, env });
    expect(await start.ended).toBe(1);
    expect(start.text()).toMatch(new RegExp(`✗ 连不上软件包仓库 http://${address}/ \\(ECONNREFUSED\\)`));
    expect(start.text()).toMatch(new RegExp(`✗ npm cannot reach the package registry http://${address}/`));
    expect(start.text()).toContain('npm config get proxy');
    expect(start.text()).not.toContain('hunter2');
    expect(existsSync(join(copy, '.gatehouse-installing'))).toBe(false);
  });

  test('a registry that only keeps silent: a line at least every few seconds, and SIGTERM ends npm too', async () => {
    const copy = freshCopy('silent');
    const sockets: NodeJS.ReadableStream[] = [];
    const server = createServer((socket) => sockets.push(socket.resume()));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const port = typeof address === 'object' && address ? address.port : 0;
    const env = cleanEnv('silent', { npm_config_registry: `http://127.0.0.1:${port}/` });
    await using start = launch(process.execPath, ['runtime/boot/run.mjs', 'start'], { cwd: copy, env });
    await start.line(/^▸ .*Installing packages|^▸ .*fetching Node/);
    await start.line(/^ {2}… [78]\.\d s/);
    expect(start.lines.filter((line) => line.text.startsWith('  …'))).toHaveLength(2);
    const npm = childrenOf(start.pid);
    expect(npm).toHaveLength(1);
    start.child.kill('SIGTERM');
    expect(await start.ended).toBe(143);
    await Promise.all(npm.map((pid) => gone(pid, 0)));
    expect(existsSync(join(copy, '.gatehouse-installing'))).toBe(false);
    await new Promise((resolve) => server.close(resolve));
  });
});

describe('under npm', () => {
  const gateway = join(folder, 'gateway.mjs');
  writeFileSync(
    gateway,
    `setInterval(() => {}, 1000); process.on('SIGTERM', () => process.exit(0)); console.log('pid', process.pid);`,
  );
  const project = join(folder, 'project');
  mkdirSync(project, { recursive: true });
  const start = `exec node ${join(root, 'runtime/boot/run.mjs')} supervise ${gateway}`;
  writeFileSync(join(project, 'package.json'), JSON.stringify({ name: 'x', scripts: { start } }));

  test.each(['SIGTERM', 'SIGINT', 'SIGKILL'] as const)('%s to npm leaves no gateway behind', async (signal) => {
    await using npm = launch('npm', ['start'], { cwd: project, env: cleanEnv('npm') });
    const pid = Number((await npm.line(/^pid (\d+)/))[1]);
    npm.child.kill(signal);
    await npm.ended;
    await gone(pid, 5_000);
  });
});

describe('the tests’ own system packages', () => {
  test('where they may not be installed, the line to type is printed', async () => {
    const bin = join(folder, 'bin');
    mkdirSync(bin);
    symlinkSync('/bin/sh', join(bin, 'sh'));
    writeFileSync(
      join(bin, 'dpkg'),
      '#!/bin/sh\necho "ii  chromium:amd64  156  amd64  browser"\necho "rc  socat  1.7  amd64  relay"\n',
    );
    chmodSync(join(bin, 'dpkg'), 0o755);
    const script = `await (await import(${JSON.stringify(join(root, 'runtime/boot/system-packages.mjs'))})).provideSystemPackages()`;
    await using run = launch(process.execPath, ['--input-type=module', '-e', script], { env: { PATH: bin } });
    expect(await run.ended).toBe(0);
    expect(run.text()).toMatch(
      /^ {4}sudo apt-get install fonts-noto-cjk gcc .* mosquitto mosquitto-clients .* socat$/m,
    );
  });
});

describe('.ci/run', () => {
  /** A project whose `npm test` writes the report it is told to and ends as told. */
  function projectWhoseTests(name: string, body: string): string {
    const copy = freshCopy(name);
    writeFileSync(
      join(copy, 'package.json'),
      JSON.stringify({ name, type: 'module', scripts: { test: 'node fake.js' } }),
    );
    writeFileSync(
      join(copy, 'fake.js'),
      `import { writeFileSync } from 'node:fs';
       const path = process.argv.find((arg) => arg.startsWith('--outputFile.json='))?.slice(18);
       const result = (status) => ({ status, assertionResults: [{ status }] });
       const report = (...results) => writeFileSync(path, JSON.stringify({ testResults: results }));
       ${body}`,
    );
    return copy;
  }

  test.each([
    ['all pass', `report(result('passed'), result('passed'));`, '2 passed, 0 failed', 0],
    ['one fails', `report(result('passed'), result('failed')); process.exitCode = 1;`, '1 passed, 1 failed', 1],
    ['the run crashes', `process.kill(process.pid, 'SIGKILL');`, '0 passed, 1 failed', 137],
  ])('%s', async (name, body, last, code) => {
    const copy = projectWhoseTests(name.replaceAll(' ', '-'), body);
    await using ci = launch(join(copy, '.ci/run'), [], { cwd: folder, env: cleanEnv('ci') });
    const ended = await ci.ended;
    expect(ci.lines.at(-1)?.text).toBe(last);
    if (code === 0) expect(ended).toBe(0);
    else expect(ended).not.toBe(0);
  });
});

describe('places that name each other', () => {
  test('the Dockerfile copies only what exists and starts what exists', () => {
    const dockerfile = readFileSync(join(root, 'Dockerfile'), 'utf8');
    const copied = [...dockerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap((found) =>
      (found[1] ?? '').split(' '),
    );
    const started = [...dockerfile.matchAll(/^(?:HEALTHCHECK .*)?CMD \["node", (?:"--[^"]*", )*"([^"]+)"\]$/gm)].map(
      (found) => found[1],
    );
    expect(started).toHaveLength(2);
    for (const path of [...copied, ...started]) expect(existsSync(join(root, path ?? '')), path).toBe(true);
  });

  test('the systemd unit waits for the signs of life that the gateway gives', () => {
    expect(readFileSync(join(root, 'runtime/boot/gatehouse.service'), 'utf8')).toMatch(/^Type=notify$/m);
    expect(readFileSync(join(root, 'runtime/main.ts'), 'utf8')).toMatch(/showLife\([\s\S]*\.ready\(\)/);
  });
});

function childrenOf(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);
}
