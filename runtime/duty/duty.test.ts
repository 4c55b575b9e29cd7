/** Notices and work orders over the API: on record, kept over a restart, once for one key, and who may do what. */
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { manualClock } from '../../test/manual-clock.ts';
import { openTestGateway, type TestGateway } from '../api/gateway.fixture.ts';
import type { NoticeView, WorkOrderStatistics, WorkOrderView } from '../contracts/duty.ts';

const clock = manualClock();
let gateway: TestGateway;
beforeAll(async () => {
  gateway = await openTestGateway({ clock });
});
afterAll(() => gateway[Symbol.asyncDispose]());

const named = (name: string) => gateway.records().filter((record) => record.name === name);
const key = (text: string) => ({ 'idempotency-key': text });

test('a notice is on record, shown to whom it is for, and read once by each', async () => {
  const body = { text: '18:00 停水', title: '停水', priority: 2, to: { roles: ['guard'] }, cause: 'reading-1' };
  const sent = await gateway.call('POST', '/api/v1/notices', { as: 'flow', body, headers: key('n1:r1:notice') });
  expect(sent.status).toBe(201);
  const notice = sent.json<NoticeView>();
  expect(notice).toMatchObject({ text: '18:00 停水', priority: 2, from: 'flow:lane-1', reads: [] });
  const again = await gateway.call('POST', '/api/v1/notices', { as: 'flow', body, headers: key('n1:r1:notice') });
  expect(again.json<NoticeView>().id).toBe(notice.id);
  expect(named('notice.sent')).toMatchObject([
    { id: notice.id, actor: 'flow:lane-1', cause: 'reading-1', data: { notice: notice.id, text: '18:00 停水' } },
  ]);
  const list = async (as: 'guard' | 'installer' | 'admin', query = '') =>
    (await gateway.call('GET', `/api/v1/notices${query}`, { as })).json<{ items: NoticeView[] }>().items;
  expect((await list('guard')).map(({ id }) => id)).toEqual([notice.id]);
  expect(await list('installer')).toEqual([]);
  for (let tap = 0; tap < 2; tap++) {
    const read = await gateway.call('POST', `/api/v1/notices/${notice.id}/read`, { as: 'guard' });
    expect(read.json<NoticeView>().reads).toMatchObject([{ name: 'demo-guard' }]);
  }
  expect(named('notice.read')).toMatchObject([{ actor: 'user:demo-guard', cause: notice.id }]);
  expect(await list('guard', '?unread=true')).toEqual([]);
  expect(await list('admin')).toMatchObject([{ id: notice.id, reads: [{ name: 'demo-guard' }] }]);
});

test('a notice whose time is over, or that is for another booth, is not shown', async () => {
  const send = (body: object) => gateway.call('POST', '/api/v1/notices', { as: 'shift-leader', body });
  await send({ text: 'west only', to: { booths: ['west-in'] } });
  await send({ text: 'short', until: clock.now() + 60_000 });
  await clock.advance(61_000);
  const at = async (query: string) =>
    (await gateway.call('GET', `/api/v1/notices${query}`, { as: 'installer' })).json<{ items: NoticeView[] }>().items;
  expect((await at('?booth=east-in')).map(({ text }) => text)).toEqual([]);
  expect((await at('?booth=west-in&past=true')).map(({ text }) => text)).toEqual(['short', 'west only']);
  const { status, body } = await gateway.call('POST', '/api/v1/notices/none/read', { as: 'guard' });
  expect([status, JSON.parse(body).code]).toEqual([404, 'notice.not_found']);
});

test('a work order goes from open to done; every step is a record with its actor', async () => {
  const body = {
    title: '修理道闸',
    device: 'gate-east-in',
    due: clock.now() + 3_600_000,
    alarm: 'alarm-1',
    cause: 'c1',
  };
  const call = { as: 'flow', body, headers: key('n2:c1:order') } as const;
  const order = (await gateway.call('POST', '/api/v1/work-orders', call)).json<WorkOrderView>();
  expect(order).toMatchObject({ state: 'open', priority: 3, createdBy: 'flow:lane-1' });
  expect((await gateway.call('POST', '/api/v1/work-orders', call)).json<WorkOrderView>().id).toBe(order.id);
  const step = (as: 'guard' | 'shift-leader' | 'installer', action: string, given: object = {}) =>
    gateway.call('POST', `/api/v1/work-orders/${order.id}/${action}`, { as, body: given });
  expect((await step('guard', 'assign', { assignee: 'demo-installer' })).status).toBe(403);
  expect((await step('guard', 'cancel')).status).toBe(403);
  expect((await step('shift-leader', 'assign', { assignee: 'demo-installer' })).json()).toMatchObject({
    state: 'assigned',
    assignee: 'demo-installer',
  });
  expect((await step('guard', 'done')).status).toBe(403);
  await clock.advance(600_000);
  expect((await step('installer', 'done', { note: '换了限位开关' })).json()).toMatchObject({
    state: 'done',
    note: '换了限位开关',
    closedAt: clock.now(),
  });
  expect((await step('installer', 'done')).json()).toMatchObject({ code: 'workorder.wrong_state' });
  const steps = gateway.records().filter(({ name }) => name.startsWith('workorder.'));
  expect(steps.map(({ name, actor, cause }) => [name, actor, cause])).toEqual([
    ['workorder.created', 'flow:lane-1', 'c1'],
    ['workorder.assigned', 'user:demo-leader', 'c1'],
    ['workorder.done', 'user:demo-installer', 'c1'],
  ]);
});

test('an order past its due time is told once, and the figures count it', async () => {
  const body = { title: '清运垃圾', assignee: 'demo-guard', due: clock.now() + 120_000 };
  const order = (await gateway.call('POST', '/api/v1/work-orders', { as: 'guard', body })).json<WorkOrderView>();
  expect(order.state).toBe('assigned');
  await clock.advance(300_000);
  const told = () => named('workorder.overdue').map(({ data }) => (data as { order: string }).order);
  await vi.waitFor(() => expect(told()).toEqual([order.id]));
  await clock.advance(60_000);
  const overdue = await gateway.call('GET', '/api/v1/work-orders?overdue=true', { as: 'guard' });
  expect(overdue.json<{ items: WorkOrderView[] }>().items.map(({ id }) => id)).toEqual([order.id]);
  const done = await gateway.call('POST', `/api/v1/work-orders/${order.id}/done`, { as: 'guard' });
  expect(done.status).toBe(200);
  expect(told()).toEqual([order.id]);
  const figures = await gateway.call('GET', '/api/v1/work-orders/statistics', { as: 'auditor' });
  expect(figures.json<WorkOrderStatistics>()).toMatchObject({
    created: 2,
    done: 2,
    late: 1,
    open: 0,
    medianMinutes: 6,
    people: [
      { assignee: 'demo-guard', done: 1, late: 1, open: 0 },
      { assignee: 'demo-installer', done: 1, late: 0, open: 0 },
    ],
  });
});

test('a flow in a loop fills nobody\u2019s screen: the rest of the minute is refused, others are not', async () => {
  await clock.advance(61_000);
  const send = async (path: string, body: object, flow = 'lane-1') =>
    (await gateway.call('POST', `/api/v1/${path}`, { as: 'flow', body, headers: { 'x-gatehouse-flow': flow } })).status;
  for (const [path, body] of [
    ['notices', { text: 'again' }],
    ['work-orders', { title: 'again' }],
  ] as const) {
    const answers: number[] = [];
    for (let n = 0; n < 32; n++) answers.push(await send(path, body));
    expect(
      answers.filter((status) => status === 201),
      path,
    ).toHaveLength(30);
    expect(answers.slice(30), path).toEqual([429, 429]);
    expect(await send(path, body, 'lane-2'), path).toBe(201);
    await clock.advance(61_000);
    expect(await send(path, body), path).toBe(201);
  }
});

test('a restart changes nothing: orders, notices, receipts and keys are there', async () => {
  const open = { title: '查看水箱', due: clock.now() + 60_000 };
  const call = { as: 'flow', body: open, headers: key('n3:c:order') } as const;
  const order = (await gateway.call('POST', '/api/v1/work-orders', call)).json<WorkOrderView>();
  // What a crash leaves: the files as they are on disk now.
  const directory = mkdtempSync(join(tmpdir(), 'gh-duty-'));
  cpSync(gateway.directory, directory, { recursive: true, filter: (path) => !path.endsWith('.sock') });
  const second = await openTestGateway({ clock, directory });
  const again = await second.call('POST', '/api/v1/work-orders', call);
  expect(again.json<WorkOrderView>().id).toBe(order.id);
  const list = await second.call('GET', '/api/v1/work-orders?state=unfinished', { as: 'guard' });
  expect(list.json<{ items: WorkOrderView[] }>().items[0]?.id).toBe(order.id);
  const notices = await second.call('GET', '/api/v1/notices?past=true', { as: 'admin' });
  expect(notices.json<{ items: NoticeView[] }>().items.some(({ reads }) => reads[0]?.name === 'demo-guard')).toBe(true);
  await second[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true });
});
