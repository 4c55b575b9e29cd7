/** The flow process and its supervisor, with real children (reliability.md V2-V4, N8, N9). */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { systemClock } from '../runtime/clock.ts';
import { restartLimits } from '../runtime/flows/restarts.ts';
import { escaped, runs, startFlowsRig, tab } from './flows.fixture.ts';
import { isAlive } from './launch.ts';

test('V2: the first start imports the reference flow and runs; stopping ends the process', async () => {
  const rig = await startFlowsRig(undefined);
  await using _ = rig;
  const running = await rig.state('running');
  expect(running).toMatchObject({ alarm: false, status: { restarts: 0 } });
  const flow = JSON.parse(readFileSync(join(rig.directory, 'flows', 'flows.json'), 'utf8')) as { label?: string }[];
  expect(flow[0]?.label).toBe('单车道闸机');
  expect(statSync(join(rig.directory, 'secrets', 'flow-credentials')).mode & 0o777).toBe(0o600);
  const pid = rig.flows.pid() ?? 0;
  expect(isAlive(pid)).toBe(true);
  await rig.flows.stop();
  expect(isAlive(pid)).toBe(false);
  expect(rig.flows.state().state).toBe('off');
});

test('N9: a function node that leaves its sandbox finds nothing to read, to write, to start, and no secret', async () => {
  const secret = 'token-of-the-flows';
  const rig = await startFlowsRig(
    runs(
      escaped(`
        const load = process.getBuiltinModule;
        const tried = (name, act) => { try { act(); return name + ' possible'; } catch (error) { return error.code ?? error.message; } };
        const base = process.cwd() + '/..';
        node.warn(['tried',
          tried('read', () => load('node:fs').readFileSync(base + '/secrets/flow-credentials')),
          tried('list', () => load('node:fs').readdirSync(base)),
          tried('write', () => load('node:fs').writeFileSync(base + '/x', 'x')),
          tried('start', () => load('node:child_process').spawnSync('true')),
          tried('thread', () => new (load('node:worker_threads').Worker)('1', { eval: true })),
          JSON.stringify(process.env).includes('${secret}') ? 'secret in env' : 'no secret',
          Object.keys(process.env).sort().join(' '),
        ].join(';'));`),
    ),
  );
  await using _ = rig;
  const { msg } = await rig.log.find((line) => line.msg.startsWith('tried'), 20_000);
  const refused = 'ERR_ACCESS_DENIED';
  expect(msg.split(';')).toEqual([
    'tried',
    ...[refused, refused, refused, refused, refused],
    'no secret',
    expect.stringMatching(/^HOME MALLOC_ARENA_MAX NODE_ENV PATH( TZ)?$/),
  ]);
});

test('V3: a looping function is interrupted, the process lives and the error is told', async () => {
  const rig = await startFlowsRig(runs('while (true) {}'), { functionTimeout: 1 });
  await using _ = rig;
  await rig.state('running');
  const pid = rig.flows.pid();
  await rig.log.find(({ level, msg }) => level === 50 && msg.includes('timed out'), 10_000);
  expect(rig.flows.pid()).toBe(pid);
  expect(rig.flows.state()).toMatchObject({ state: 'running', restarts: 0 });
});

test('V3: a loop that cannot be interrupted is silence: killed after three seconds, started again', async () => {
  const rig = await startFlowsRig(runs('while (true) {}'), { functionTimeout: 0 });
  await using _ = rig;
  await rig.state('running');
  const first = rig.flows.pid() ?? 0;
  const began = performance.now();
  const down = await rig.state('down');
  expect(down).toMatchObject({ reason: 'silent', detail: 'SIGKILL', alarm: false, status: { restarts: 1 } });
  expect(performance.now() - began).toBeLessThan(12_000);
  expect(isAlive(first)).toBe(false);
  await rig.changes.find(({ status }) => status.state === 'starting' && status.restarts === 1);
  expect(rig.flows.pid()).not.toBe(first);
});

test('V4: a process that stays above 512 MiB is started again', async () => {
  let jumped = 0;
  const clock = { ...systemClock, mono: () => systemClock.mono() + jumped };
  const rig = await startFlowsRig(runs(`context.set('big', Buffer.alloc(600 * 1024 * 1024, 1)); node.warn('fat');`), {
    clock,
  });
  await using _ = rig;
  await rig.log.find(({ msg }) => msg === 'fat', 20_000);
  await rig.state('running');
  await sleep(1200); // two beats that tell the size; there is no event to wait for
  expect(rig.flows.state().restarts).toBe(0);
  jumped = 31_000;
  expect(await rig.state('down')).toMatchObject({ reason: 'memory', status: { restarts: 1 } });
});

test('a function node cannot end the process from its sandbox; one that got out is started again', async () => {
  const rig = await startFlowsRig(
    runs(`try { process.exit(3); } catch (error) { node.warn('caught ' + error.name); }`),
  );
  await using _ = rig;
  await rig.log.find(({ msg }) => msg === 'caught ReferenceError', 20_000);
  expect(rig.flows.state().restarts).toBe(0);
  const out = await startFlowsRig(runs(escaped('process.exit(3);')));
  await using _out = out;
  expect(await out.state('down')).toMatchObject({ reason: 'exit', detail: 'code 3', alarm: false });
  await out.changes.find(({ status }) => status.state === 'running' && status.restarts === 1, 20_000);
});

test('a child that talks nonsense or without end over IPC is ended, and the core is unmoved', async () => {
  const nonsense = await startFlowsRig(
    runs(escaped(`process.send(null); process.send({ is: 'flows', running: 'maybe' });`)),
  );
  await using _ = nonsense;
  expect(await nonsense.state('down')).toMatchObject({ reason: 'noise' });
  const flood = await startFlowsRig(
    runs(escaped(`for (let i = 0; i < 5000; i++) process.send({ is: 'beat', rss: 1 });`)),
  );
  await using _flood = flood;
  expect(await flood.state('down')).toMatchObject({ reason: 'noise' });
});

test('V2: too many exits of which nobody can be named hold the flows and raise the alarm, until somebody repairs them', async () => {
  const restarts = { ...restartLimits, firstMs: 20, longestMs: 100, exits: 2 };
  const rig = await startFlowsRig([tab], { restarts });
  await using _ = rig;
  for (const exits of [1, 2, 3]) {
    await rig.changes.find(({ status }) => status.state === 'running' && status.restarts === exits - 1, 20_000);
    process.kill(rig.flows.pid() ?? 0, 'SIGKILL');
    await rig.changes.find(({ status }) => status.state === 'down' && status.restarts === exits);
  }
  const held = await rig.changes.find(({ status }) => status.state === 'safe', 60_000);
  expect(held).toMatchObject({ reason: 'crash-loop', alarm: true, status: { restarts: 3 } });
  expect(rig.flows.state().off).toBeUndefined();
  await rig.flows.openEditor(Date.now() + 60_000);
  const deployed = await rig.editor('/flows', { method: 'POST', body: runs(`node.warn('repaired');`) });
  expect(deployed.status).toBe(204);
  await rig.log.find(({ msg }) => msg === 'repaired');
  const well = await rig.changes.find(({ status }) => status.state === 'running' && status.restarts === 3);
  expect(well.alarm).toBe(false);
}, 90_000);

test('a flow file that cannot be read is kept aside, nothing runs, the alarm says why; deploying ends it', async () => {
  const content = '[{"id":"a","type":"tab"';
  const rig = await startFlowsRig(content);
  await using _ = rig;
  const safe = await rig.state('safe');
  expect(safe).toMatchObject({ reason: 'flow-file', alarm: true });
  const [kept] = readdirSync(join(rig.directory, 'flows')).filter((name) => name.startsWith('flows.broken-'));
  expect(safe.detail).toContain(kept ?? 'a kept file');
  expect(readFileSync(join(rig.directory, 'flows', kept ?? ''), 'utf8')).toBe(content);
  await rig.flows.openEditor(Date.now() + 60_000);
  await rig.editor('/flows', { method: 'POST', body: [tab] });
  expect(await rig.state('running')).toMatchObject({ alarm: true }); // calms down after a minute that went well
});

describe('N8: the editor', () => {
  test('listens in maintenance only, on a socket of its user, and asks for a fresh pass', async () => {
    const rig = await startFlowsRig([tab]);
    await using _ = rig;
    await rig.state('running');
    expect(existsSync(rig.flows.editorUpstream)).toBe(false);
    await expect(rig.editor('/')).rejects.toThrow(/ENOENT|ECONNREFUSED/);
    await rig.flows.openEditor(Date.now() + 60_000);
    expect(rig.flows.state().editorUntil).toBeGreaterThan(Date.now());
    expect(statSync(rig.flows.editorUpstream).mode & 0o777).toBe(0o600);
    expect((await rig.editor('/settings')).status).toBe(200);
    for (const token of [null, 'nonsense', `${rig.flows.editorToken('tester', '*')}x`, 'eyJ4IjoxfQ.AAAA']) {
      expect((await rig.editor('/settings', { token })).status, String(token)).toBe(401);
    }
    const reader = rig.flows.editorToken('reader', 'read');
    expect((await rig.editor('/flows', { token: reader })).status).toBe(200);
    expect((await rig.editor('/flows', { method: 'POST', body: [tab], token: reader })).status).toBe(401);
    await rig.flows.closeEditor();
    expect(rig.flows.state().editorUntil).toBeUndefined();
    await expect(rig.editor('/')).rejects.toThrow(/ENOENT|ECONNREFUSED/);
  });

  test('closes by itself when the time is over, and opens again in a child that was started again', async () => {
    const rig = await startFlowsRig([tab]);
    await using _ = rig;
    await rig.state('running');
    await rig.flows.openEditor(Date.now() + 60_000);
    process.kill(rig.flows.pid() ?? 0, 'SIGKILL');
    await rig.changes.find(({ status }) => status.state === 'running' && status.restarts === 1, 20_000);
    await rig.flows.openEditor(Date.now() + 1500);
    expect((await rig.editor('/settings')).status).toBe(200);
    await rig.changes.next(({ status }) => status.editorUntil === undefined);
    await expect.poll(() => rig.editor('/settings').catch(() => 'closed')).toBe('closed');
  });

  test('has no nodes for shell and files, installs nothing, and no second log-in', async () => {
    const rig = await startFlowsRig([tab]);
    await using _ = rig;
    await rig.state('running');
    await rig.flows.openEditor(Date.now() + 60_000);
    const { body } = await rig.editor('/nodes');
    for (const name of ['exec', 'file', 'watch', 'tail'])
      expect(body, name).not.toContain(`data-template-name="${name}"`);
    const types = [
      'gh-vehicle-gate',
      'gh-environment-monitoring',
      'gh-smoke-alarm',
      'gh-perimeter-guard',
      'gh-records',
      'gh-access',
      'gh-alarm',
    ];
    for (const type of types) expect(body, type).toContain(`data-template-name="${type}"`);
    const install = await rig.editor('/nodes', { method: 'POST', body: { module: 'left-pad' } });
    expect(install.status).toBeGreaterThanOrEqual(400);
    const login = await rig.editor('/auth/token', {
      method: 'POST',
      token: null,
      body: { client_id: 'node-red-editor', grant_type: 'password', scope: '*', username: 'tester', password: 'x' },
    });
    expect(login.status).toBeGreaterThanOrEqual(400);
    const settings = JSON.parse((await rig.editor('/settings')).body) as Record<string, unknown>;
    expect(settings).toMatchObject({
      externalModules: { palette: { allowInstall: false } },
    });
    expect((await rig.editor('/')).body).toContain('<title>联动编排</title>');
    expect(JSON.stringify(settings)).not.toContain('token-of-the-flows');
  });
});

describe.each([
  ['the kernel', true],
  ['a thread of its own, where setpriv is missing', false],
])('a looping child ends with its parent, by %s', (_name, useSetpriv) => {
  test('and burns no core alone', async () => {
    const rig = await startFlowsRig(undefined);
    await using _ = rig;
    const directory = join(rig.directory, 'orphan');
    mkdirSync(join(directory, 'flows'), { recursive: true });
    writeFileSync(
      join(directory, 'flows', 'flows.json'),
      JSON.stringify(runs(`node.warn('looping'); while (true) {}`)),
    );
    const parent = spawn(
      process.execPath,
      [
        '--disable-warning=ExperimentalWarning',
        fileURLToPath(new URL('flows-parent.fixture.ts', import.meta.url)),
        directory,
        String(useSetpriv),
      ],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    let child = 0;
    for await (const line of createInterface({ input: parent.stdout })) {
      if (line.startsWith('pid ')) child = Number(line.slice(4));
      if (line === 'looping') break;
    }
    expect(isAlive(child)).toBe(true);
    parent.kill('SIGKILL');
    await once(parent, 'exit');
    await expect.poll(() => isAlive(child), { timeout: 15_000, interval: 50 }).toBe(false);
  });
});
