/** Whoever watches, and what an end looks like (reliability.md V1, V5, V7, V8). */
import { globSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { eventsOf, startGateway } from './site.ts';

const root = fileURLToPath(new URL('..', import.meta.url));

test('V1 the systemd unit starts it again, gives up after ten ends in five minutes, and ends a silent one', () => {
  const unit = readFileSync(`${root}/runtime/boot/gatehouse.service`, 'utf8');
  const settings = [
    ['Restart', 'always'],
    ['RestartSec', '2'],
    ['StartLimitIntervalSec', '300'],
    ['StartLimitBurst', '10'],
    ['WatchdogSec', '30'],
    ['Type', 'notify'],
    ['KillMode', 'mixed'],
    ['NoNewPrivileges', 'yes'],
    ['LimitCORE', '0'],
  ];
  for (const [name, value] of settings) expect(unit.match(new RegExp(`^${name}=(.*)$`, 'm'))?.[1], name).toBe(value);
});

/** Preloaded into the core: at SIGUSR2 something goes wrong that nobody expected. */
const breaking = (how: string) => {
  const code = `import { isMainThread } from 'node:worker_threads';
    if (isMainThread) process.on('SIGUSR2', () => setTimeout(() => { ${how} }, 1));`;
  return { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(code)}` };
};

test('V5 an error nobody catches is told and ends the core with 70, and what was accepted is there', {
  timeout: 60_000,
}, async () => {
  await using gateway = await startGateway({ env: breaking(`throw new Error('planted fault')`) });
  const opened = await gateway.open('gate-east-in');
  await gateway.kill('SIGUSR2'); // resolves when it has ended, for whatever reason
  expect(await gateway.stop()).toBe(70);
  expect(gateway.text()).toContain('planted fault');
  expect(gateway.text()).toMatch(/"level":60.*"msg":"unexpected"/);
  await using next = await startGateway({ data: gateway.data });
  expect(await next.json(`/commands/${opened.id}`)).toMatchObject({ state: 'succeeded' });
});

test('V5 a rejection nobody catches ends the core too', { timeout: 60_000 }, async () => {
  await using gateway = await startGateway({ env: breaking(`Promise.reject(new Error('planted fault'))`) });
  await gateway.kill('SIGUSR2');
  expect(await gateway.stop()).toBe(70);
});

test('V7 no timer in core, drivers and nodes runs that nobody owns', () => {
  const files = globSync('{runtime,drivers,nodes}/**/*.ts', { cwd: root }).filter(
    (file) => !/\.test\.ts$|^runtime\/booth\/|^nodes\/editor\//.test(file),
  );
  expect(files.length).toBeGreaterThan(100);
  const bare = files.flatMap((file) =>
    readFileSync(`${root}/${file}`, 'utf8')
      .split('\n')
      .filter((line) => /^\s*setInterval\(/.test(line))
      .map((line) => `${file}: ${line.trim()}`),
  );
  expect(bare).toEqual([]);
});

test('V8 a stop with open streams, a flow that never closes and a command under way takes less than ten seconds', {
  timeout: 90_000,
}, async () => {
  await using gateway = await startGateway();
  await gateway.record(({ name, data }) => name === 'flows' && (data as { state?: string }).state === 'running');
  const login = await fetch(`${gateway.url}/api/v1/sessions`, {
    ...{ method: 'POST', headers: { 'content-type': 'application/json', 'x-gatehouse': '1' } },
    body: JSON.stringify({ name: 'demo-installer', password: gateway.password }),
  });
  const cookie = login.headers.get('set-cookie')?.split(';')[0] ?? '';
  await gateway.post('/maintenance', { minutes: 10, reason: 'test' }, 'demo-installer');
  const { head: at } = await gateway.json<{ head: string }>('/status');
  const deployed = await fetch(`${gateway.url}/editor/flows`, {
    ...{ method: 'POST', headers: { cookie, 'x-gatehouse': '1', 'content-type': 'application/json' } },
    body: JSON.stringify([
      { id: 'stuck', type: 'tab', label: 'stuck' },
      {
        ...{ id: 'loop', type: 'function', z: 'stuck', func: '', outputs: 0, libs: [], x: 1, y: 1, wires: [] },
        initialize: `node.on('close', () => { while (true) {} });`,
      },
    ]),
  });
  expect(deployed.status).toBe(204);
  const opened = await Promise.all([1, 2, 3].map(() => gateway.api('/stream', { as: 'demo-guard' })));
  // Read to their ends, which must come.
  const streams = opened.map(async (response) => {
    for await (const _record of eventsOf(response));
  });
  const command = gateway.open('gate-east-in').catch(() => undefined);
  await gateway.record(({ kind }) => kind === 'command', at);
  const began = performance.now();
  expect(await gateway.stop()).toBe(0);
  expect(performance.now() - began).toBeLessThan(10_000);
  await Promise.allSettled([...streams, command]);
});
