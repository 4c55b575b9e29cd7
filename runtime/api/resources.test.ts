import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type ManualClock, manualClock } from '../../test/manual-clock.ts';
import type { AlarmView, CommandView, DeviceView, Status } from '../contracts/api.ts';
import type { Role } from '../contracts/contract.ts';
import { scenarios } from '../contracts/index.ts';
import { openEvidence } from '../devices/evidence.ts';
import { openTestGateway, type TestGateway, type TestOptions } from './gateway.fixture.ts';

let clock: ManualClock;
let gateway: TestGateway;
beforeEach(() => {
  clock = manualClock();
});
afterEach(async () => {
  await gateway[Symbol.asyncDispose]();
});
const open = async (options: TestOptions = {}) => {
  gateway = await openTestGateway({ clock, ...options });
};
const get = async <T>(url: string, as: Role | 'flow' = 'guard') => (await gateway.call('GET', url, { as })).json<T>();
const audits = (name: string) => gateway.records().filter((record) => record.kind === 'audit' && record.name === name);

describe('devices', () => {
  beforeEach(() => open());
  const list = async (query: string, as: Role = 'guard') =>
    (await get<{ items: DeviceView[] }>(`/api/v1/devices${query}`, as)).items.map(({ id }) => id);

  test('are listed by scenario, role, zone, its other name area, and text', async () => {
    expect(await list('')).toEqual(['camera-east-in', 'gate-east-in', 'smoke-b3-1-5f']);
    expect(await list('?scenario=vehicle-gate&role=barrier')).toEqual(['gate-east-in']);
    expect(await list('?zone=nowhere')).toEqual([]);
    expect(await list('?area=east-in&scenario=smoke-alarm')).toEqual(['smoke-b3-1-5f']);
    expect(await list(`?q=${encodeURIComponent('道闸')}`)).toEqual(['gate-east-in']);
    expect((await gateway.call('GET', '/api/v1/devices?zon=east-in', { as: 'guard' })).status).toBe(400);
  });

  test('come with their latest points and the place in the journal to follow from', async () => {
    await gateway.journal.append({
      lane: 'L2',
      kind: 'telemetry',
      scenario: 'vehicle-gate',
      device: 'gate-east-in',
      name: 'barrierState',
      data: 'closed',
    });
    const { position, items } = await get<{ position: string; items: DeviceView[] }>('/api/v1/devices');
    expect(position).toBe(`1:${gateway.journal.head().seq}`);
    expect(items[1]?.points).toEqual({
      barrierState: { value: 'closed', at: clock.now(), received: clock.now(), quality: 'good' },
    });
  });

  test('offer each caller what it may send, and wiring to those who wire', async () => {
    const barrier = (as: Role) => get<DeviceView>('/api/v1/devices/gate-east-in', as);
    expect((await barrier('guard')).commands).toEqual(['open', 'close', 'lockOpen', 'endHold', 'endLock']);
    expect((await barrier('platform')).commands).toEqual(['open']); // signed
    expect((await barrier('auditor')).commands).toEqual([]);
    expect(await barrier('guard')).not.toHaveProperty('address');
    expect((await barrier('installer')).address).toEqual({ host: '127.0.0.1', port: 15020, unit: 1 });

    const camera = await get<DeviceView>('/api/v1/devices/camera-east-in', 'installer');
    const secret = gateway.inventory.secretOf('camera-east-in');
    expect(camera.push).toBe(`http://127.0.0.1:8081/push/camera-east-in?key=${secret}`);
    const detector = await get<DeviceView>('/api/v1/devices/smoke-b3-1-5f', 'installer');
    expect(detector.push).toMatch(/^mqtt:\/\/smoke-b3-1-5f:[\w-]{20,}@127\.0\.0\.1:1883$/);
    for (const role of ['guard', 'shift-leader', 'platform', 'auditor'] as const) {
      expect(JSON.stringify(await get('/api/v1/devices', role)), role).not.toContain(secret);
    }
  });

  test('are made, changed and deleted by installers, each on record', async () => {
    const as = 'installer' as const;
    const body = {
      id: 'gate-west',
      name: '西门道闸',
      zone: 'east-in',
      profile: 'waveshare/relay-8ch-barrier',
      address: { host: '10.0.0.9', port: 502, unit: 1 },
    };
    const made = await gateway.call('POST', '/api/v1/devices', { as, body });
    expect([made.status, made.json<DeviceView>().scenario]).toEqual([201, 'vehicle-gate']);
    expect((await gateway.call('POST', '/api/v1/devices', { as, body })).json()).toMatchObject({
      code: 'device.exists',
    });
    const clash = { as, body: { ...body, id: 'gate-south' } };
    expect((await gateway.call('POST', '/api/v1/devices', clash)).json()).toMatchObject({
      code: 'device.address_taken',
    });
    const renamed = { as, body: { ...body, name: '西门' } };
    expect((await gateway.call('PUT', '/api/v1/devices/gate-west', renamed)).json()).toMatchObject({ name: '西门' });
    expect((await gateway.call('PUT', '/api/v1/devices/gate-north', renamed)).json()).toMatchObject({
      code: 'http.invalid',
    });
    expect((await gateway.call('DELETE', '/api/v1/devices/gate-west', { as })).status).toBe(204);
    expect((await gateway.call('DELETE', '/api/v1/devices/gate-west', { as })).status).toBe(404);
    expect(audits('inventory.device.updated')[0]).toMatchObject({ actor: 'user:demo-installer', device: 'gate-west' });
  });
});

describe('zones, people, vehicles, credentials', () => {
  beforeEach(() => open());

  test('are kept by those who may, found by part of what names them', async () => {
    const as = 'shift-leader' as const;
    const cases = [
      ['people', 'wang', { id: 'wang', name: '王五', room: '5-801' }, { name: '王小五' }, '5-8'],
      ['vehicles', '京AD12345', { plate: '京AD12345', kind: 'visitor' }, { note: '快递' }, 'D123'],
      [
        'credentials',
        'card-1',
        { id: 'card-1', kind: 'card', value: '0A1B2C', person: 'zhang' },
        { blocked: true },
        '0A1',
      ],
    ] as const;
    for (const [path, key, body, change, part] of cases) {
      const url = `/api/v1/${path}/${encodeURIComponent(key)}`;
      expect((await gateway.call('POST', `/api/v1/${path}`, { as, body })).json()).toMatchObject(body);
      expect((await gateway.call('POST', `/api/v1/${path}`, { as, body })).status).toBe(409);
      expect(await get(`/api/v1/${path}?q=${encodeURIComponent(part)}`, as)).toMatchObject([body]);
      expect((await gateway.call('PUT', url, { as, body: { ...body, ...change } })).json()).toMatchObject(change);
      expect(await get(url, 'admin')).toMatchObject(change);
      expect((await gateway.call('DELETE', url, { as })).status).toBe(204);
      expect(await get(url, as)).toMatchObject({ status: 404, code: 'inventory.not_found' });
    }
    expect((await gateway.call('DELETE', '/api/v1/people/zhang', { as })).json()).toMatchObject({
      code: 'inventory.in_use',
    });
    const zone = { id: 'garden', name: '中心花园', kind: 'area' };
    expect((await gateway.call('POST', '/api/v1/zones', { as: 'installer', body: zone })).status).toBe(201);
    expect(await get('/api/v1/zones?limit=1&after=east-in')).toEqual([zone]);
  });

  test('show a guard the plate and hide the phone', async () => {
    const person = (as: Role | 'flow') => get('/api/v1/people/zhang', as);
    expect(await person('guard')).toEqual({ id: 'zhang', name: '张**', room: '3-1-1202', phone: '138****5678' });
    expect(await person('admin')).toMatchObject({ name: '张三丰', phone: '13812345678' });
    const plates = async (as: Role) =>
      (await get<{ plate: string }[]>('/api/v1/vehicles', as)).map(({ plate }) => plate);
    expect(await plates('guard')).toEqual(['粤B12345']);
    expect(await plates('auditor')).toEqual(['粤B****5']);
  });
});

describe('commands', () => {
  const order = (as: Role | 'flow', key: string, body: object = {}, query = '?wait=5000') =>
    gateway.call('POST', `/api/v1/commands${query}`, {
      as,
      body: { device: 'gate-east-in', command: 'open', ...body },
      headers: { 'idempotency-key': key },
    });

  test('end in a proven state within the wait, and again the same for the same key', async () => {
    await open();
    const first = await order('guard', 'k1');
    expect([first.status, first.json<CommandView>().state, first.json<CommandView>().proven]).toEqual([
      200,
      'succeeded',
      true,
    ]);
    const again = await order('guard', 'k1');
    expect(again.json()).toEqual(first.json());
    expect(gateway.barrier.orders).toEqual(['gate-east-in open']);
    expect(first.headers.location).toBe(`/api/v1/commands/${first.json<CommandView>().id}`);
    expect(await get(String(first.headers.location))).toEqual(first.json());
    expect((await order('guard', 'k1', { command: 'close' })).json()).toMatchObject({
      status: 409,
      code: 'command.conflict',
    });
  });

  test('are 202 until they are final', async () => {
    await open();
    gateway.barrier.answers = false;
    const waiting = order('guard', 'k1', {}, '?wait=300');
    while (gateway.barrier.orders.length === 0) await new Promise((resolve) => setImmediate(resolve));
    await clock.advance(300);
    const answer = await waiting;
    expect([answer.status, answer.json<CommandView>().state]).toEqual([202, 'executing']);
    expect((await order('guard', 'k2', {}, '')).json()).toMatchObject({ code: 'command.busy' });
  });

  test('carry the name of who acts: a person, or one flow of many', async () => {
    await open();
    const actors = [];
    for (const as of ['guard', 'flow'] as const) actors.push((await order(as, as)).json<CommandView>().actor);
    expect(actors).toEqual(['user:demo-guard', 'flow:lane-1']);
  });

  test('need a key, fit the contract and come from who may', async () => {
    await open();
    const body = { device: 'gate-east-in', command: 'open' };
    const bare = await gateway.call('POST', '/api/v1/commands', { as: 'guard', body });
    expect(bare.json()).toMatchObject({ status: 400, detail: expect.stringContaining('idempotency-key') });
    const cases: [Role | 'flow', object, string][] = [
      ['guard', { command: 'fly' }, 'command.unsupported'],
      ['guard', { device: 'gate-none' }, 'device.not_found'],
      ['guard', { command: 'lockOpen', input: { holdSeconds: 'long' } }, 'command.invalid'],
      ['flow', { command: 'close' }, 'command.forbidden'],
      ['guard', { deadlineMs: 100_000 }, 'http.invalid'],
    ];
    for (const [as, more, code] of cases) expect((await order(as, code, more)).json(), code).toMatchObject({ code });
    expect(gateway.barrier.orders).toEqual([]);
    expect(audits('command.refused').length).toBeGreaterThanOrEqual(3);
  });

  test('take a reason within the shift', async () => {
    await open();
    const { id } = (await order('guard', 'k1')).json<CommandView>();
    const give = () =>
      gateway.call('POST', `/api/v1/commands/${id}/reason`, { as: 'guard', body: { reason: 'visitor' } });
    expect((await give()).json()).toMatchObject({ reason: 'visitor' });
    expect(gateway.journal.read({ name: 'command.reason' }).items).toMatchObject([
      { kind: 'state', actor: 'user:demo-guard', cause: id },
    ]);
    clock.step(13 * 3_600_000);
    expect((await give()).status).toBe(409);
  });
});

describe('alarms', () => {
  beforeEach(() => open());
  const raise = (kind = 'forced') =>
    gateway.call('POST', '/api/v1/alarms', {
      as: 'flow',
      body: { device: 'gate-east-in', kind, data: { by: 'test' } },
    });
  const act = (id: string, action: string, as: Role = 'guard', body?: object) =>
    gateway.call('POST', `/api/v1/alarms/${id}/${action}`, { as, ...(body ? { body } : {}) });

  test('go from a flow to a guard and to the end', async () => {
    const raised = await raise();
    expect(raised.status).toBe(201);
    const { id } = raised.json<AlarmView>();
    expect(raised.json()).toMatchObject({ zone: 'east-in', scenario: 'vehicle-gate', process: 'ACTIVE_UNACK' });
    expect((await act(id, 'ack')).json()).toMatchObject({ process: 'ACTIVE_ACK', ackedBy: 'user:demo-guard' });
    expect((await act(id, 'ack')).json()).toMatchObject({ code: 'alarm.wrong_state' });
    const cleared = { as: 'flow' as const, body: { device: 'gate-east-in', kind: 'forced' } };
    expect((await gateway.call('POST', '/api/v1/alarms/clear', cleared)).status).toBe(200);
    expect(
      (
        await gateway.call('POST', '/api/v1/alarms/clear', {
          ...cleared,
          body: { ...cleared.body, kind: 'tailgating' },
        })
      ).status,
    ).toBe(204);
    expect((await act(id, 'resolve', 'guard', { disposition: 'real', note: '已登记' })).json()).toMatchObject({
      handling: 'closed',
    });
    expect((await get<{ items: AlarmView[] }>('/api/v1/alarms')).items).toEqual([]);
    const all = await get<{ position: string; items: AlarmView[] }>(
      '/api/v1/alarms?state=all&kind=forced&zone=east-in',
    );
    expect(all.items).toMatchObject([{ id, disposition: 'real' }]);
    expect(all.position).toBe(`1:${gateway.journal.head().seq}`);
    expect((await get<{ items: AlarmView[] }>('/api/v1/alarms?state=all&kind=offline')).items).toEqual([]);
  });

  test('of a kind no contract has, or a device nobody knows, are refused', async () => {
    expect((await raise('boredom')).json()).toMatchObject({ status: 422, code: 'record.invalid' });
    const body = { device: 'gate-none', kind: 'forced' };
    expect((await gateway.call('POST', '/api/v1/alarms', { as: 'flow', body })).json()).toMatchObject({ status: 404 });
    expect((await act('none', 'ack')).json()).toMatchObject({ code: 'alarm.not_found' });
  });

  test('of priority 2 are shelved by a shift leader only', async () => {
    const { id } = (await raise()).json<AlarmView>();
    const body = { minutes: 20, note: '施工' };
    expect((await act(id, 'shelve', 'guard', body)).json()).toMatchObject({ code: 'auth.forbidden' });
    expect((await act(id, 'shelve', 'shift-leader', body)).json()).toMatchObject({ process: 'SHELVED' });
  });
});

describe('what flows write', () => {
  beforeEach(() => open());
  const write = (body: object) => gateway.call('POST', '/api/v1/events', { as: 'flow', body });

  test('is an event of the contract, in the flow\u2019s name', async () => {
    const body = {
      device: 'gate-east-in',
      name: 'fee.paid',
      data: { plate: '粤B12345', amount: 5, payment: 'p1' },
      cause: 'x',
    };
    const answer = await write(body);
    expect(answer.status).toBe(201);
    expect(answer.json()).toMatchObject({
      ...body,
      lane: 'L1',
      kind: 'event',
      scenario: 'vehicle-gate',
      actor: 'flow:lane-1',
    });
  });

  test('is refused when the contract does not know it', async () => {
    const event = { device: 'gate-east-in', name: 'fee.paid', data: { plate: '粤B12345', amount: -5 } };
    expect((await write(event)).json()).toMatchObject({ status: 422, code: 'record.invalid' });
    expect((await write({ ...event, name: 'fee.stolen' })).json()).toMatchObject({ code: 'record.invalid' });
    expect((await write({ ...event, device: 'x' })).json()).toMatchObject({ code: 'device.not_found' });
    expect(gateway.records().filter(({ kind }) => kind === 'event')).toEqual([]);
  });
});

describe('maintenance mode', () => {
  test('opens the editor for a while, on record, and closes it', async () => {
    let until: number | undefined;
    const flows = {
      state: () => ({
        state: 'running' as const,
        since: 0,
        restarts: 0,
        ...(until === undefined ? {} : { editorUntil: until }),
      }),
      openEditor: async (end: number) => {
        until = end;
      },
      closeEditor: async () => {
        until = undefined;
      },
      reload: () => {},
      accuse: () => {},
    };
    await open({ parts: { flows: () => flows } });
    const as = 'installer' as const;
    expect(await get('/api/v1/maintenance')).toEqual({});
    const long = { as, body: { minutes: 61, reason: '调试' } };
    expect((await gateway.call('POST', '/api/v1/maintenance', long)).status).toBe(400);
    const started = await gateway.call('POST', '/api/v1/maintenance', { as, body: { minutes: 30, reason: '调试' } });
    expect(started.json()).toEqual({ until: clock.now() + 30 * 60_000 });
    expect(await get('/api/v1/maintenance')).toEqual(started.json());
    expect((await get<Status>('/api/v1/status')).flows.editorUntil).toBe(until);
    clock.step(31 * 60_000);
    expect(await get('/api/v1/maintenance')).toEqual({});
    expect((await gateway.call('DELETE', '/api/v1/maintenance', { as })).json()).toEqual({});
    expect(until).toBeUndefined();
    expect(audits('gateway.maintenance.started')).toMatchObject([
      { actor: 'user:demo-installer', data: { minutes: 30 } },
    ]);
    expect(audits('gateway.maintenance.ended')).toHaveLength(1);
  });

  test('is not there without a flow process', async () => {
    await open();
    const body = { minutes: 5, reason: 'x' };
    expect((await gateway.call('POST', '/api/v1/maintenance', { as: 'admin', body })).json()).toMatchObject({
      status: 503,
      code: 'flows.off',
    });
  });

  test('the editor changes things from its own page only', async () => {
    await open({
      parts: {
        editor: (app) =>
          void app.post('/editor/flows', { config: { right: 'maintenance.write' } }, () => ({ ok: true })),
      },
    });
    const { cookie = '' } = await gateway.login('installer');
    const deploy = (headers: Record<string, string>) =>
      gateway.call('POST', '/editor/flows', { headers: { host: 'gate:8080', cookie, ...headers } });
    expect((await deploy({ origin: 'http://gate:8080' })).status).toBe(200);
    expect((await deploy({ origin: 'http://evil.example' })).status).toBe(403);
    expect((await deploy({})).status).toBe(403);
    const { cookie: guard = '' } = await gateway.login('guard');
    expect((await deploy({ origin: 'http://gate:8080', cookie: guard })).status).toBe(403);
    const page = await gateway.call('GET', '/editor/');
    expect(String(page.headers['content-security-policy'])).toContain(`frame-ancestors 'self'`);
  });
});

describe('a route without a right', () => {
  test('answers nobody', async () => {
    await open({ parts: { editor: (app) => void app.get('/forgotten', () => ({ secret: true })) } });
    const answer = await gateway.call('GET', '/forgotten', { as: 'admin' });
    expect([answer.status, answer.body.includes('secret')]).toEqual([403, false]);
  });
});

describe('the demo compound', () => {
  test('acts on demand, in demo mode only', async () => {
    await open();
    const play = (action: string, body?: object) =>
      gateway.call('POST', `/api/v1/demo/${action}`, { as: 'guard', ...(body ? { body } : {}) });
    expect((await play('arrival', { plate: '粤B99999' })).status).toBe(204);
    expect((await play('smoke')).status).toBe(204);
    expect((await play('earthquake')).status).toBe(400);
    expect(gateway.played).toEqual([{ action: 'arrival', plate: '粤B99999' }, { action: 'smoke' }]);
    await gateway[Symbol.asyncDispose]();
    await open({ parts: { demo: () => undefined } });
    expect((await play('arrival')).json()).toMatchObject({ status: 404 });
  });
});

describe('how the gateway is', () => {
  test('is told to screens', async () => {
    await open({
      parts: {
        clockQuality: () => 'synced',
        uplinks: () => [{ id: 'a', state: 'offline', since: 1, backlog: 7, oldestAt: 5 }],
      },
    });
    expect(await get<Status>('/api/v1/status')).toMatchObject({
      gateway: gateway.journal.gateway,
      site: { id: 'demo', name: '演示小区', timeZone: 'Asia/Shanghai' },
      mode: 'demo',
      clock: 'synced',
      devices: { online: 0, total: 3 },
      flows: { state: 'off' },
      uplinks: [{ id: 'a', backlog: 7 }],
    });
    const told = await get<{ id: string }[]>('/api/v1/scenarios');
    expect(told.map(({ id }) => id)).toEqual(scenarios.map(({ id }) => id));
    expect(told[0]).toMatchObject({ id: 'vehicle-gate', commands: { open: { words: { zh: '开闸' } } } });
  });

  test('is told to supervisors: alive at once, ready when it is', async () => {
    let ready = false;
    await open({ parts: { ready: () => ready } });
    expect((await gateway.call('GET', '/livez')).status).toBe(200);
    expect((await gateway.call('GET', '/readyz')).status).toBe(503);
    ready = true;
    expect((await gateway.call('GET', '/readyz')).json()).toEqual({ status: 'ok' });
  });

  test('is told to Prometheus in figures that follow what happens', async () => {
    const since = clock.now() - 9000;
    await open({
      parts: { uplinks: () => [{ id: 'city', state: 'offline', since: 1, backlog: 48, oldestAt: since }] },
    });
    const body = { device: 'gate-east-in', kind: 'forced' };
    const { id } = (await gateway.call('POST', '/api/v1/alarms', { as: 'flow', body })).json<AlarmView>();
    await clock.advance(3000);
    await gateway.call('POST', `/api/v1/alarms/${id}/ack`, { as: 'guard' });
    await gateway.call('POST', '/api/v1/commands?wait=1000', {
      as: 'guard',
      body: { device: 'gate-east-in', command: 'open' },
      headers: { 'idempotency-key': 'm' },
    });
    const answer = await gateway.call('GET', '/metrics');
    expect(answer.headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8');
    for (const line of [
      'gh_alarms_active{priority="2"} 1',
      'gh_alarms_active{priority="1"} 0',
      'gh_alarms_total{priority="2"} 1',
      'gh_ack_seconds_sum{priority="2"} 3',
      'gh_ack_seconds_count{priority="2"} 1',
      'gh_command_seconds_count{kind="open",result="succeeded"} 1',
      'gh_device_up{device="gate-east-in"} 0',
      'gh_outbox_depth{uplink="city"} 48',
      'gh_outbox_age_seconds{uplink="city"} 12',
      'gh_ws_clients 0',
      `gh_journal_head ${gateway.journal.head().seq}`,
    ]) {
      expect(answer.body.split('\n')).toContain(line);
    }
    // Every family is announced before its samples.
    for (const [, name] of answer.body.matchAll(/^(gh_\w+?)(?:_sum|_count|_bucket)?[ {]/gm)) {
      expect(answer.body).toContain(`# TYPE ${name} `);
    }
  });
});

test('a picture kept as evidence comes as the file it is, and not to roles that see no plates', async () => {
  await open();
  const picture = Buffer.from('ffd8ffe000104a464946', 'hex');
  const { hash, kept } = openEvidence(join(gateway.directory, 'evidence')).keep(picture);
  await kept;
  const answer = await gateway.call('GET', `/api/v1/evidence/${hash}`, { as: 'guard' });
  expect(answer.status).toBe(200);
  expect(answer.headers).toMatchObject({ 'content-type': 'image/jpeg', 'content-length': String(picture.length) });
  expect((await gateway.call('GET', `/api/v1/evidence/${hash}`, { as: 'auditor' })).status).toBe(403);
  expect(await get(`/api/v1/evidence/${'0'.repeat(64)}`)).toMatchObject({ code: 'evidence.not_found', status: 404 });
  expect(await get('/api/v1/evidence/..%2F..%2Fgatehouse.db')).toMatchObject({ code: 'http.invalid' });
});
