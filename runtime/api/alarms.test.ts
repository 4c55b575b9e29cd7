/** Alarms over HTTP: their lists, what people do about them, floods and figures. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { AlarmStatistics } from '../contracts/alarm-statistics.ts';
import type { AlarmView, FloodView } from '../contracts/api.ts';
import { openTestGateway, type TestGateway } from './gateway.fixture.ts';

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await openTestGateway({ parts: { checkAnswers: true } });
});
afterAll(() => gateway[Symbol.asyncDispose]());

const raise = async (kind: string) => {
  const answer = await gateway.call('POST', '/api/v1/alarms', { as: 'flow', body: { device: 'gate-east-in', kind } });
  expect(answer.status, answer.body).toBe(201);
  return answer.json<AlarmView>();
};
const list = async (state: string) =>
  (await gateway.call('GET', `/api/v1/alarms?state=${state}`, { as: 'guard' })).json<{ items: AlarmView[] }>().items;

describe('what is put aside', () => {
  test('is one list each, and still counted among what is open', async () => {
    const { id } = await raise('forced');
    const shelve = { note: '施工', minutes: 30 };
    const refused = await gateway.call('POST', `/api/v1/alarms/${id}/shelve`, { as: 'guard', body: shelve });
    expect(refused.status).toBe(403);
    expect(
      (await gateway.call('POST', `/api/v1/alarms/${id}/shelve`, { as: 'shift-leader', body: shelve })).status,
    ).toBe(200);
    expect((await list('shelved')).map((view) => view.id)).toEqual([id]);
    expect((await list('open')).map((view) => view.id)).toContain(id);
    expect(await list('suppressed')).toEqual([]);
  });

  test('out of service before it came, and back, by an installer', async () => {
    const body = { device: 'gate-east-in', kind: 'barrierHit', ticket: 'W-1' };
    const answer = await gateway.call('POST', '/api/v1/alarms/out-of-service', { as: 'installer', body });
    expect(answer.status, answer.body).toBe(201);
    const { id } = answer.json<AlarmView>();
    expect((await list('out-of-service')).map((view) => view.outOfService?.ticket)).toEqual(['W-1']);
    expect((await raise('barrierHit')).process).toBe('OUT_OF_SERVICE');
    const back = await gateway.call('POST', `/api/v1/alarms/${id}/in-service`, { as: 'installer' });
    expect(back.json<AlarmView>().process).toBe('ACTIVE_UNACK');
  });

  test('a flow raises and clears only what the contract has', async () => {
    const answer = await gateway.call('POST', '/api/v1/alarms', {
      as: 'flow',
      body: { device: 'gate-east-in', kind: 'smoke' },
    });
    expect(answer.json<{ code: string }>().code).toBe('record.invalid');
  });
});

test('the last ten minutes, by place and kind', async () => {
  const flood = (await gateway.call('GET', '/api/v1/alarms/flood', { as: 'guard' })).json<FloodView>();
  expect(flood.booths).toMatchObject([{ booth: '', urgent: [], groups: [{ zone: 'east-in', count: 1 }] }]);
  const { body } = await gateway.call('GET', '/metrics', { as: 'admin' });
  expect(body).toContain('gh_alarm_flood{booth=""} 0');
  expect(body).toContain('gh_alarms_active{priority="2"} 1');
  expect(body).toContain('gh_alarms_aside{state="shelved"} 1');
});

describe('statistics', () => {
  test('are figures for programs and a sheet for people', async () => {
    const answer = await gateway.call('GET', '/api/v1/alarms/statistics', { as: 'shift-leader' });
    expect(answer.status, answer.body).toBe(200);
    const figures = answer.json<AlarmStatistics>();
    expect(figures).toMatchObject({
      alarms: 2,
      shelved: [{ reason: '施工' }],
      worst: [{ device: 'gate-east-in' }, {}],
    });
    const sheet = await gateway.call('GET', '/api/v1/alarms/statistics?format=csv', { as: 'shift-leader' });
    expect(sheet.headers['content-type']).toContain('text/csv');
    const lines = sheet.body.replace('\uFEFF', '').trim().split('\r\n');
    expect(lines[0]).toBe('section,of,figure,value');
    expect(lines).toContain('alarms,,,2');
    expect(lines[1]).toMatch(/^from,,,\d{4}-\d\d-\d\dT/);
    expect(lines).toContain('priorities,2,alarms,2');
    expect(lines.some((line) => /^shelved,.*,reason,施工$/.test(line))).toBe(true);
  });

  test('a guard sees the shift, and a stretch that is none is refused with a word', async () => {
    const wide = await gateway.call('GET', '/api/v1/alarms/statistics?from=0', { as: 'guard' });
    expect(wide.status).toBe(200);
    expect(Date.now() - wide.json<AlarmStatistics>().from).toBeLessThanOrEqual(24 * 3_600_000);
    const long = await gateway.call('GET', '/api/v1/alarms/statistics?from=0', { as: 'auditor' });
    expect(long.status).toBe(400);
    expect(long.body).toContain('400 days');
    const turned = await gateway.call('GET', '/api/v1/alarms/statistics?from=2000000000000&to=1900000000000', {
      as: 'auditor',
    });
    expect(turned.status).toBe(400);
  });
});

test('a flow ends what a flow has raised, and nothing the gateway has found itself', async () => {
  const body = { device: 'gate-east-in', kind: 'barrierFault' };
  const clear = () => gateway.call('POST', '/api/v1/alarms/clear', { as: 'flow', body });
  const found = { ...body, scenario: 'vehicle-gate', zone: 'east-in', actor: 'system:rules' };
  await gateway.parts.alarms.raise(found);
  const refused = await clear();
  expect([refused.status, refused.json<{ detail: string }>().detail]).toEqual([
    403,
    expect.stringContaining('raised by system:rules'),
  ]);
  await gateway.parts.alarms.clear('gate-east-in', 'barrierFault', undefined, 'system:rules');
  await raise('barrierFault');
  await gateway.parts.alarms.raise(found);
  expect((await clear()).status, 'found by the gateway meanwhile').toBe(403);
  await gateway.parts.alarms.clear('gate-east-in', 'barrierFault', undefined, 'system:rules');
  await raise('barrierFault');
  expect((await clear()).status).toBe(200);
});
