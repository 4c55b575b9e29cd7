/** What an installer sees when something is in the way: which thing, and what to do about it. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { endCompound } from './compound.ts';
import { gone, launch } from './launch.ts';
import { startGateway } from './site.ts';

const MAIN = fileURLToPath(new URL('../runtime/main.ts', import.meta.url));
let data: string;
beforeEach(() => {
  data = mkdtempSync(join(tmpdir(), 'gh-start-'));
});
afterEach(() => rmSync(data, { recursive: true, force: true }));

const loopback = {
  GATEHOUSE_HTTP: '127.0.0.1:0',
  GATEHOUSE_DEVICES: '127.0.0.1:0',
  GATEHOUSE_MQTT: '127.0.0.1:0',
  GATEHOUSE_LOG: 'warn',
};
const start = (env: Record<string, string>, args: string[] = []) =>
  launch(process.execPath, ['--disable-warning=ExperimentalWarning', MAIN, ...args], {
    env: { PATH: process.env.PATH ?? '', GATEHOUSE_DATA: data, ...loopback, ...env },
  });

describe('it does not start, says why, and tells the supervisor not to try again', () => {
  test.each(['GATEHOUSE_HTTP', 'GATEHOUSE_DEVICES', 'GATEHOUSE_MQTT'])(
    'the port of %s is taken: exit 69, the port and the variable named',
    async (variable) => {
      const other = createServer().listen(0, '127.0.0.1');
      await new Promise((resolve) => other.once('listening', resolve));
      const address = other.address();
      const port = typeof address === 'object' && address ? address.port : 0;
      await using gateway = start({ [variable]: `127.0.0.1:${port}` });
      expect(await gateway.ended).toBe(69);
      expect(gateway.text()).toContain('端口被占用');
      expect(gateway.text()).toContain(`127.0.0.1:${port}`);
      expect(gateway.text()).toContain(variable);
      await new Promise((resolve) => other.close(resolve));
    },
  );

  test('a second gateway on the same data directory: exit 69, and the first goes on', { timeout: 60_000 }, async () => {
    await using first = await startGateway();
    await using second = start({ GATEHOUSE_DATA: first.data });
    expect(await second.ended).toBe(69);
    expect(second.text()).toContain(first.data);
    expect((await first.json<{ mode: string }>('/status')).mode).toBe('demo');
  });

  test('of two gateways started at once on one data directory one runs, the other says so', async () => {
    await using one = start({});
    await using two = start({});
    const first = await Promise.race([one.ended.then(() => two), two.ended.then(() => one)]);
    const other = first === one ? two : one;
    expect(await other.ended).toBe(69);
    expect(other.text()).toContain(data);
    await first.line(/http:\/\/127\.0\.0\.1:\d+/);
    first.child.kill('SIGTERM');
    expect(await first.ended).toBe(0);
    await endCompound(data);
  });

  test('a typo in the site file: exit 78, line and key named, with the word that was meant', async () => {
    const site = join(data, 'my-site.yaml');
    writeFileSync(
      site,
      [
        'site: { id: my-site, name: 小区, timeZone: Asia/Shanghai }',
        'zones:',
        '  - { id: east, name: 东门, kind: lane }',
        'devices:',
        '  - id: gate-east',
        '    name: 东门道闸',
        '    zone: east',
        '    profile: waveshare/relay-8ch-barrier',
        '    adress: { host: 127.0.0.1, port: 15020, unit: 1 }',
        '',
      ].join('\n'),
    );
    await using gateway = start({ GATEHOUSE_DATA: join(data, 'store') }, ['--site', site]);
    expect(await gateway.ended).toBe(78);
    expect(gateway.text()).toMatch(/my-site\.yaml:9:\d+ .*adress/);
    expect(gateway.text()).toContain('address');
  });

  test('two devices with one address: exit 78, both named', async () => {
    const site = join(data, 'my-site.yaml');
    const gate = (id: string) =>
      `  - { id: ${id}, name: ${id}, zone: east, profile: waveshare/relay-8ch-barrier, address: { host: 127.0.0.1, port: 15020, unit: 1 } }`;
    const lines = [
      'site: { id: my-site, name: 小区, timeZone: Asia/Shanghai }',
      'zones: [{ id: east, name: 东门, kind: lane }]',
      'devices:',
    ];
    writeFileSync(site, [...lines, gate('gate-one'), gate('gate-two'), ''].join('\n'));
    await using gateway = start({ GATEHOUSE_DATA: join(data, 'store') }, ['--site', site]);
    expect(await gateway.ended).toBe(78);
    expect(gateway.text()).toContain('gate-one');
    expect(gateway.text()).toContain('gate-two');
  });

  test.each([
    ['GATEHOUSE_HTTP', 'nonsense'],
    ['GATEHOUSE_HTTP', '127.0.0.1:99999'],
    ['GATEHOUSE_LOG', 'loud'],
    ['GATEHOUSE_DEMO_PIN', '12'],
  ])('%s=%s: exit 78, the variable named', async (variable, value) => {
    await using gateway = start({ [variable]: value });
    expect(await gateway.ended).toBe(78);
    expect(gateway.text()).toContain(variable);
  });

  test('the demo is not served to other machines', async () => {
    await using gateway = start({ GATEHOUSE_HTTP: '0.0.0.0:0' });
    expect(await gateway.ended).toBe(78);
    expect(gateway.text()).toContain('--site');
  });
});

test('a real site starts without any account or default password: a one-time code makes the first administrator', {
  timeout: 60_000,
}, async () => {
  const site = join(data, 'my-site.yaml');
  writeFileSync(site, 'site: { id: my-site, name: 小区, timeZone: Asia/Shanghai }\n');
  await using gateway = await startGateway({ data: join(data, 'store'), args: ['--site', site] });
  const code = /(?:[0-9A-Z]{4,5}-){2,}[0-9A-Z]{4,5}/.exec(gateway.text())?.[0];
  expect(code, gateway.text()).toBeDefined();
  expect(gateway.text()).not.toContain('demo-guard');
  const headers = { 'content-type': 'application/json', 'x-gatehouse': '1' };
  const setup = (given: string | undefined) =>
    fetch(`${gateway.url}/api/v1/setup`, {
      method: 'POST',
      headers,
      body: JSON.stringify({ code: given, name: 'site-chief', displayName: '站长', password: 'Orchard-lantern-5821' }),
    });
  expect((await setup('0000-0000-0000-0000')).status).toBe(401);
  expect((await setup(code)).status).toBe(201);
  expect((await setup(code)).status).toBeGreaterThanOrEqual(400);
});

test('the whole stops within ten seconds and leaves no process behind', { timeout: 60_000 }, async () => {
  const gateway = await startGateway({ data: join(data, 'store') });
  await gateway.record((record) => record.name === 'flows');
  const began = performance.now();
  expect(await gateway.stop()).toBe(0);
  expect(performance.now() - began).toBeLessThan(10_000);
  await gateway[Symbol.asyncDispose]();
});

test('V8 a core whose supervisor was killed ends by itself, though nobody reads its console any more', {
  timeout: 60_000,
}, async () => {
  const site = join(data, 'my-site.yaml');
  writeFileSync(site, 'site: { id: my-site, name: 小区, timeZone: Asia/Shanghai }\n');
  const options = JSON.stringify({ data: join(data, 'store'), args: ['--site', site] });
  const module = JSON.stringify(new URL('./site.ts', import.meta.url).href);
  const code = `import { startGateway } from ${module}; const { pid } = await startGateway(${options}); setTimeout(() => console.log('core', pid), 2000); setInterval(() => {}, 1000);`;
  await using parent = launch(process.execPath, ['--input-type=module', '-e', code]);
  const [, pid] = await parent.line(/core (\d+)/); // not before its flows have begun
  parent.child.kill('SIGKILL');
  await gone(Number(pid), 20_000);
});
