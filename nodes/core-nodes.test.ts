/** The core nodes beside records, access and alarm: notice, work order, query, schedule, in real Node-RED. */
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Compile } from 'typebox/compile';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { coreOutputs } from '../runtime/contracts/flow-messages.ts';
import type { Message } from './red.ts';
import { type StandIn, startStandIn } from './testing/gateway-stand-in.fixture.ts';
import { type FlowEntry, type Rig, startRig } from './testing/node-red-rig.fixture.ts';

const directory = mkdtempSync(join(tmpdir(), 'gh-core-'));
let gateway: StandIn;
let rig: Rig;
beforeAll(async () => {
  gateway = await startStandIn(directory);
  rig = await startRig(directory, gateway);
});
afterAll(async () => {
  await rig[Symbol.asyncDispose]();
  await gateway[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true });
});

let turn = 0;
/** One node with a probe behind each output and one behind a catch node. */
async function stand(type: string, form: object, outputs = 1) {
  turn += 1;
  const n = `n${turn}`;
  const outs = Array.from({ length: outputs }, (_none, index) => `${n}-out${index}`);
  const nodes: FlowEntry[] = [
    { id: n, type, ...form, wires: outs.map((out) => [out]) },
    ...[...outs, `${n}-caught`].map((id) => ({ id, type: 'probe' })),
    { id: `${n}-catch`, type: 'catch', scope: [n], wires: [[`${n}-caught`]] },
  ];
  await rig.deploy(nodes);
  return {
    n,
    send: (message: Message) => rig.send(n, message),
    out: (index = 0) => rig.probe(outs[index] ?? ''),
    caught: rig.probe(`${n}-caught`),
    asked: (path: string) => gateway.asked.items.filter((one) => one.path === path).at(-1),
  };
}
const strict = (type: string, what: string, value: unknown) => {
  const schema = coreOutputs[type]?.[what];
  if (!schema) throw new Error(`No schema of ${type} ${what}`);
  const checked = Compile(schema);
  expect(checked.Check(value) ? [] : [...checked.Errors(value)], JSON.stringify(value)).toEqual([]);
};
const gh = { v: 1, kind: 'telemetry', id: 'reading-1', device: 'station-garden' };

test.each([
  ['true, the form', true, { text: '形式的内容', title: '标题', priority: 3, to: { roles: ['guard'] } }],
  ['a text', '噪声过高', { text: '噪声过高', title: '标题', priority: 3, to: { roles: ['guard'] } }],
  [
    'an object',
    { text: '停水', title: '通知', priority: '2', to: { booths: ['east-in'], screens: 'screen-1, screen-2' } },
    { text: '停水', title: '通知', priority: 2, to: { booths: ['east-in'], screens: ['screen-1', 'screen-2'] } },
  ],
])('gh-notice sends %s', async (_name, payload, body) => {
  const form = { text: '形式的内容', title: '标题', priority: '3', roles: 'guard' };
  const { n, send, out, asked } = await stand('gh-notice', form);
  send({ payload, gh });
  const message = await out().find(() => true);
  strict('gh-notice', 'msg.payload', message.payload);
  expect(asked('/notices')).toMatchObject({
    flow: 'lane',
    key: `${n}:reading-1:notice`,
    body: { ...body, cause: 'reading-1' },
  });
});

test('gh-workorder makes an order of an alarm, named by its contract', async () => {
  const form = { title: '', text: '查看供电', dueMinutes: '60' };
  const { send, out, asked } = await stand('gh-workorder', form);
  const payload = {
    alarm: 'alarm-7',
    scenario: 'vehicle-gate',
    priority: 2,
    change: 'raised',
    process: 'ACTIVE_UNACK',
  };
  send({ payload, gh: { v: 1, kind: 'alarm', id: 'r7', device: 'gate-east-in', name: 'barrierFault' } });
  strict('gh-workorder', 'msg.payload', (await out().find(() => true)).payload);
  const body = asked('/work-orders')?.body ?? {};
  expect(body).toMatchObject({
    title: '道闸故障 gate-east-in',
    text: '查看供电',
    priority: 2,
    device: 'gate-east-in',
    alarm: 'alarm-7',
    cause: 'r7',
  });
  expect(Number(body.due) - Date.now()).toBeGreaterThan(3_500_000);
});

test.each([
  ['true', true, { title: '巡查' }],
  ['a title', '换灯', { title: '换灯' }],
  ['an object', { title: '换灯', zone: 'garden', assignee: 'li' }, { title: '换灯', zone: 'garden', assignee: 'li' }],
])('gh-workorder takes %s', async (_name, payload, body) => {
  const { send, out, asked } = await stand('gh-workorder', { title: '巡查' });
  send({ _msgid: `m${turn}`, payload });
  strict('gh-workorder', 'msg.payload', (await out().find(() => true)).payload);
  expect(asked('/work-orders')?.body).toEqual({ ...body, priority: 3 });
});

test('gh-query answers with latest points, records and their number, bounded', async () => {
  for (let index = 0; index < 5; index++) gateway.emit({ name: 'passage', data: { direction: 'in', index } });
  gateway.emit({ name: 'plate.read' });
  const { send, out } = await stand('gh-query', { ask: 'latest', pick: 'device', device: 'gate-east-in', limit: 100 });
  const answer = async (payload: object) => {
    send({ payload });
    const message = await out().next();
    strict('gh-query', 'msg.payload', message.payload);
    return message.payload;
  };
  expect(await answer({})).toMatchObject({
    ask: 'latest',
    complete: true,
    rows: [{ device: 'gate-east-in', name: 'barrierState', value: 'closed', quality: 'good' }],
  });
  const passages = { kind: 'event', names: 'passage', device: 'camera-east-in' };
  expect(await answer({ ask: 'count', ...passages })).toEqual({ ask: 'count', complete: true, count: 5, rows: [] });
  const page = await answer({ ask: 'records', limit: 2, ...passages });
  expect(page).toMatchObject({ complete: false, count: 2, rows: [{ data: { index: 4 } }, { data: { index: 3 } }] });
});

test('gh-schedule: due leaves once it is on record, missed leaves apart, and a message learns what day it is', async () => {
  const now = Date.now();
  const wall = new Date(now + 8 * 3_600_000).toISOString();
  const times = [{ at: 'time', time: wall.slice(11, 16), value: 'on' }];
  gateway.calendar = {
    timeZone: 'Asia/Shanghai',
    location: { latitude: 31.23, longitude: 121.47 },
    years: [
      { year: Number(wall.slice(0, 4)), source: 'site', days: [{ date: wall.slice(0, 10), off: true, name: '节日' }] },
    ],
  };
  // Both were stopped two minutes ago; this minute is past, in time for one of them and too late for the other.
  const plan = createHash('sha256').update(JSON.stringify(times)).digest('base64url');
  const kept = { through: now - 120_000, plan };
  writeFileSync(join(directory, 'schedules.json'), JSON.stringify({ patient: kept, strict: kept }));
  gateway.occur = ({ node, missed }) => ({ record: `record-of-${String(node)}`, missed: missed === true, first: true });
  const outs = (id: string) => [0, 1, 2].map((index) => `${id}-${index}`);
  const node = (id: string, graceSeconds: number): FlowEntry[] => [
    { id, type: 'gh-schedule', times, graceSeconds, wires: outs(id).map((out) => [out]) },
    ...outs(id).map((out) => ({ id: out, type: 'probe' })),
  ];
  await rig.deploy([...node('patient', 3600), ...node('strict', 0.001)]);
  const due = await rig.probe('patient-0').find(() => true);
  expect(due).toMatchObject({ payload: 'on', gh: { id: 'record-of-patient', name: 'schedule.due', replay: false } });
  strict('gh-schedule', 'msg.schedule (1)', due.schedule);
  const missed = await rig.probe('strict-1').find(() => true);
  expect(missed).toMatchObject({ payload: 'on', schedule: { missed: 'late' } });
  strict('gh-schedule', 'msg.schedule (2)', missed.schedule);
  rig.send('patient', { payload: 'what day is it' });
  const day = await rig.probe('patient-2').find(() => true);
  strict('gh-schedule', 'msg.schedule (3)', day.schedule);
  expect(day).toMatchObject({
    payload: 'what day is it',
    schedule: { workday: false, holiday: '节日', calendar: true },
  });
  // Another deploy finds everything dealt with.
  const asked = () => gateway.asked.items.filter(({ path }) => path === '/schedules/occurrences').length;
  const before = asked();
  await rig.deploy([...node('patient', 3600), ...node('strict', 0.001)]);
  rig.send('patient', {});
  await rig.probe('patient-2').next();
  expect(asked()).toBe(before);
  expect([rig.probe('patient-0'), rig.probe('strict-1')].map(({ items }) => items.length)).toEqual([1, 1]);
});

test.each([
  ['gh-notice', { text: '' }, { payload: {} }],
  ['gh-notice', { text: 'x' }, { payload: false }],
  ['gh-notice', { text: 'x' }, { payload: { text: 'x', to: { roles: ['king'] } } }],
  ['gh-workorder', {}, { payload: {} }],
  ['gh-query', { ask: 'weather' }, { payload: {} }],
  ['gh-query', { ask: 'count' }, { payload: { kind: 'rumour' } }],
])('%s refuses what it cannot read: %j, %j', async (type, form, message) => {
  const { send, out, caught } = await stand(type, form);
  send(message);
  expect(await caught.find(() => true)).toMatchObject({ error: { code: 'GH_BAD_INPUT' } });
  expect(out().items).toEqual([]);
});
