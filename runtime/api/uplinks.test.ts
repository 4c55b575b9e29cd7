import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '../clock.ts';
import type { ReplayView, UplinkView } from '../contracts/api.ts';
import type { Draft } from '../contracts/record.ts';
import { silentLog } from '../log.ts';
import { openUplinks, type Uplinks } from '../uplink/uplinks.ts';
import { openTestGateway, type TestGateway } from './gateway.fixture.ts';

/** Nobody listens there: what is asked for waits. */
const NOBODY = 'mqtt://127.0.0.1:1';
const BASE = '/api/v1/uplinks';

let gateway: TestGateway;
let uplinks: Uplinks | undefined;
beforeEach(async () => {
  gateway = await openTestGateway({ parts: { uplinkControl: () => uplinks } });
  uplinks = openUplinks({
    inventory: gateway.inventory,
    journal: gateway.journal,
    clock: systemClock,
    log: silentLog,
    version: '0.0.0',
    secrets: join(gateway.directory, 'uplink-secrets'),
    standing: () => [],
    report: () => {},
  });
});
afterEach(async () => {
  await uplinks?.stop();
  uplinks = undefined;
  await gateway[Symbol.asyncDispose]();
});
const put = (body: { readonly id: string; readonly [key: string]: unknown }) =>
  gateway.call('PUT', `${BASE}/${body.id}`, { as: 'admin', body });
const list = async (as: 'admin' | 'installer' | 'auditor' | 'platform' = 'admin') =>
  (await gateway.call('GET', BASE, { as })).json<UplinkView[]>();
const passage: Draft = {
  lane: 'L1',
  kind: 'event',
  scenario: 'vehicle-gate',
  device: 'gate-east-in',
  name: 'passage',
  data: { plate: '粤B12345' },
};

describe('uplinks over HTTP', () => {
  test('are made, changed and removed by administrators, each on record, and running at once', async () => {
    expect(await list()).toEqual([]);
    const made = await put({ id: 'city', url: NOBODY });
    expect(made.status).toBe(201);
    expect(made.json()).toMatchObject({ id: 'city', url: NOBODY, fixed: false, replays: [] });
    const filter = { lanes: ['L0', 'L1'], scenarios: ['smoke-alarm'] };
    const changed = await put({ id: 'city', url: NOBODY, filter, pace: { messagesPerSecond: 50, inFlight: 5 } });
    expect([changed.status, changed.json()]).toMatchObject([200, { filter, pace: { messagesPerSecond: 50 } }]);
    expect(await list('auditor')).toMatchObject([{ id: 'city', filter }]);
    expect((await gateway.call('DELETE', `${BASE}/city`, { as: 'admin' })).status).toBe(204);
    expect(await list()).toEqual([]);
    expect((await gateway.call('DELETE', `${BASE}/city`, { as: 'admin' })).status).toBe(404);
    const audits = gateway.records().filter(({ name }) => name.startsWith('inventory.uplink.'));
    expect(audits.map(({ name, actor }) => [name.split('.')[2], actor])).toEqual(
      ['created', 'updated', 'deleted'].map((verb) => [verb, 'user:demo-admin']),
    );
  });

  test('name secrets and never hold them', async () => {
    const folder = join(gateway.directory, 'uplink-secrets');
    mkdirSync(folder);
    writeFileSync(join(folder, 'city'), 'very secret');
    const password = { file: join(folder, 'city') };
    const made = await put({ id: 'city', url: NOBODY, username: 'gateway', password });
    expect([made.status, made.json()]).toMatchObject([201, { username: 'gateway', password }]);
    expect(JSON.stringify([await list(), gateway.records()])).not.toContain('very secret');
    for (const [wrong, status, code] of [
      [{ password: 'very secret' }, 400, 'http.invalid'],
      [{ username: 'g', password: { file: '/etc/passwd' } }, 422, 'config.invalid'],
      [{ username: 'g', password: { file: join(folder, 'none') } }, 422, 'config.invalid'],
      [{ url: 'mqtt://gateway:very-secret@n1' }, 422, 'inventory.invalid'],
      [{ url: 'ftp://n1' }, 422, 'inventory.invalid'],
      [{ id: 'other' }, 400, 'http.invalid'],
    ] as const) {
      const body = { id: 'city', url: NOBODY, ...wrong };
      const answer = await gateway.call('PUT', `${BASE}/city`, { as: 'admin', body });
      expect([answer.status, answer.json()]).toMatchObject([status, { code }]);
    }
  });
});

describe('a replay over HTTP', () => {
  const ask = (body: object, as: 'admin' | 'installer' | 'platform' = 'installer', id = 'city') =>
    gateway.call('POST', `${BASE}/${id}/replay`, { as, body });

  test('is accepted, on record, and seen while it waits', async () => {
    await gateway.journal.append(passage, passage);
    await put({ id: 'city', url: NOBODY });
    const answer = await ask({ after: 1, through: 5, lanes: ['L0', 'L1'] });
    expect([answer.status, answer.headers['content-type']]).toEqual([202, 'application/json; charset=utf-8']);
    const replay = answer.json<ReplayView>();
    expect(replay).toMatchObject({ state: 'waiting', epoch: 1, after: 1, through: 5, reached: 1 });
    expect((await list())[0]?.replays).toEqual([replay]);
    const audit = gateway.records().find(({ name }) => name === 'uplink.replay.requested');
    expect(audit).toMatchObject({
      actor: 'user:demo-installer',
      data: { uplink: 'city', replay: replay.id, epoch: 1, after: 1, through: 5, lanes: ['L0', 'L1'] },
    });
  });

  test('that cannot be is refused with the reason', async () => {
    await put({ id: 'city', url: NOBODY });
    const head = gateway.journal.head().seq;
    for (const [body, status, code, detail] of [
      [{ after: 3, through: 3 }, 416, 'uplink.range', 'not before'],
      [{ after: 3, through: head + 1000 }, 416, 'uplink.range', 'ends at'],
      [{ epoch: 7, after: 3, through: 4 }, 416, 'uplink.range', 'not in this journal'],
      [{ after: -1, through: 4 }, 400, 'http.invalid', 'after'],
      [{ through: 4 }, 400, 'http.invalid', 'after'],
    ] as const) {
      const answer = await ask(body);
      expect(answer.headers['content-type']).toContain('application/problem+json');
      expect([answer.status, answer.json()]).toMatchObject([status, { code, detail: expect.stringContaining(detail) }]);
    }
    expect((await ask({ after: 0, through: 1 }, 'installer', 'nowhere')).json()).toMatchObject({
      status: 404,
      code: 'inventory.not_found',
    });
    for (let n = 0; n < 5; n++) expect((await ask({ after: 0, through: 2 })).status).toBe(202);
    expect((await ask({ after: 0, through: 2 })).json()).toMatchObject({ status: 429, code: 'uplink.busy' });
  });

  test('a platform sees its own uplink and may ask there, and nowhere else', async () => {
    const { json } = await gateway.call('GET', '/api/v1/sessions/current', { as: 'platform' });
    const own = json<{ name: string }>().name;
    await put({ id: own, url: NOBODY });
    await put({ id: 'city', url: NOBODY });
    expect((await list('platform')).map(({ id }) => id)).toEqual([own]);
    expect((await ask({ after: 0, through: 2 }, 'platform', own)).status).toBe(202);
    expect((await ask({ after: 0, through: 2 }, 'platform')).json()).toMatchObject({ code: 'auth.forbidden' });
  });
});
