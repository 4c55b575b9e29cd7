/** Node contract: what every node of the palette promises, in real Node-RED (ux.md 11.3 and 14.4). */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Origin } from './message.ts';
import type { Message } from './red.ts';
import { deviceView, type Ending, type StandIn, startStandIn } from './testing/gateway-stand-in.fixture.ts';
import { type FlowEntry, type Rig, startRig } from './testing/node-red-rig.fixture.ts';

const directory = mkdtempSync(join(tmpdir(), 'gh-nodes-'));
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
beforeEach(() => {
  gateway.commands.length = 0;
  gateway.ending = () => ({});
});

let turn = 0;
/** Fresh ids for each test: what an earlier one left in the inboxes does not matter. */
const ids = <const T extends string>(...names: T[]): Record<T, string> => {
  turn += 1;
  return Object.fromEntries(names.map((name) => [name, `${name}-${turn}`])) as Record<T, string>;
};
const gate = (id: string, change: Partial<FlowEntry> = {}): FlowEntry => ({
  id,
  type: 'gh-vehicle-gate',
  pick: 'all',
  records: [],
  command: 'open',
  maxAgeSeconds: 30,
  ...change,
});
const probe = (id: string): FlowEntry => ({ id, type: 'probe' });
const catcher = (id: string, to: string): FlowEntry => ({ id, type: 'catch', scope: null, wires: [[to]] });
const ghOf = (message: Message): Origin => message.gh as Origin;
/** The stream the nodes asked for is open. */
const following = (kinds: string[]) =>
  gateway.streams.find(({ query }) => JSON.stringify(query.getAll('kind')) === JSON.stringify(kinds));

test('a ticked record leaves with a small payload, its path as topic and its origin', async () => {
  const { n, p } = ids('n', 'p');
  await rig.deploy([gate(n, { records: ['event:plate.read'], wires: [[p], []] }), probe(p)]);
  await following(['event']);
  const record = gateway.emit({ cause: 'cause-1', actor: 'device:camera-east-in' });
  const message = await rig.probe(p).find(() => true);
  expect(message.topic).toBe('vehicle-gate/camera-east-in/plate.read');
  expect(message.payload).toEqual({ plate: '鄂A12345', trigger: 'video', stored: false });
  expect(message.gh).toEqual({
    v: 1,
    kind: 'event',
    id: record.id,
    ts: record.at,
    site: 'test-site',
    device: 'camera-east-in',
    name: 'plate.read',
    quality: 'good',
    corr: record.id,
    cause: 'cause-1',
    actor: 'device:camera-east-in',
    replay: false,
  });
  const light = await rig.statuses(n).find(({ fill }) => fill === 'green');
  expect(light).toMatchObject({ shape: 'dot', text: expect.stringMatching(/^在线 \d\d:\d\d:\d\d$/) });
});

test('what is not ticked, not in the zone or too old stays inside; what is too old is counted and shown', async () => {
  const { n, p, last } = ids('n', 'p', 'last');
  await rig.deploy([
    gate(n, { pick: 'zone', zone: 'east-in', records: ['event:plate.read'], maxAgeSeconds: 5, wires: [[p], []] }),
    gate(last, { records: ['event:*'] }),
    probe(p),
  ]);
  await following(['event']);
  gateway.emit({ name: 'passage' });
  gateway.emit({ device: 'gate-west-in' });
  gateway.emit({ received: Date.now() - 65_000 });
  const wanted = gateway.emit({ device: 'gate-east-in' });
  await rig.probe(p).find((message) => ghOf(message).id === wanted.id);
  expect(rig.probe(p).items).toHaveLength(1);
  gateway.emit({ received: Date.now() - 65_000 });
  gateway.emit({ received: Date.now() - 65_000 });
  expect(await rig.statuses(n).find(({ text }) => text?.includes('略过2') ?? false)).toMatchObject({
    fill: 'yellow',
    shape: 'dot',
    text: '陈旧 1m 略过2',
  });
});

test.each([
  ['true, the default command', true],
  ['the id', 'open'],
  ['the words on the booth', '开闸'],
  ['any case', 'OPEN'],
  ['an action', { action: 'open' }],
  ['an order with input', { command: 'open', input: {} }],
])('a command may be said as %s', async (_name, payload) => {
  const { n, p } = ids('n', 'p');
  await rig.deploy([gate(n, { pick: 'device', device: 'gate-east-in', wires: [[], [p]] }), probe(p)]);
  rig.send(n, { _msgid: `m-${turn}`, payload });
  const outcome = await rig.probe(p).find(() => true);
  const view = gateway.commands[0];
  expect(outcome.payload).toEqual({
    id: view?.id,
    device: 'gate-east-in',
    command: 'open',
    state: 'succeeded',
    proven: true,
    tookMs: 900,
  });
  expect(outcome.topic).toBe('vehicle-gate/gate-east-in/open');
  expect(view).toMatchObject({ actor: 'flow:lane', device: 'gate-east-in' });
});

test('one record through one node opens a gate once, however often it is handed out', async () => {
  const { n, p } = ids('n', 'p');
  await rig.deploy([gate(n, { wires: [[], [p]] }), probe(p)]);
  const message = { payload: { command: 'open', device: 'gate-east-in' }, gh: { v: 1, id: 'record-1' } };
  rig.send(n, message);
  await rig.probe(p).next();
  rig.send(n, message);
  await rig.probe(p).next();
  expect(gateway.commands).toHaveLength(1);
  const asked = gateway.asked.items.filter(({ path, flow }) => path === '/commands' && flow === 'lane').at(-1);
  expect(asked).toMatchObject({
    key: `${n}:record-1:gate-east-in.open`,
    body: { device: 'gate-east-in', command: 'open', input: {}, cause: 'record-1' },
  });
  rig.send(n, { ...message, payload: { command: 'open', device: 'gate-west-in' } });
  await rig.probe(p).next();
  expect(gateway.commands.map(({ device }) => device)).toEqual(['gate-east-in', 'gate-west-in']);
});

const refusals: [string, string, Partial<FlowEntry>, Message, Ending][] = [
  ['GH_BAD_INPUT', 'false', {}, { payload: false }, {}],
  ['GH_BAD_INPUT', 'an unknown command', {}, { payload: 'explode' }, {}],
  ['GH_BAD_INPUT', 'no command', {}, { payload: { input: {} } }, {}],
  ['GH_BAD_INPUT', 'a number', {}, { payload: 1 }, {}],
  ['GH_BAD_INPUT', 'several gates and none named', {}, { payload: 'open' }, {}],
  [
    'GH_BAD_INPUT',
    'another device than the picked one',
    { pick: 'device', device: 'gate-east-in' },
    { payload: { command: 'open', device: 'gate-west-in' } },
    {},
  ],
  [
    'GH_BAD_INPUT',
    'a device of another zone',
    { pick: 'zone', zone: 'east-in' },
    { payload: { command: 'open', device: 'gate-west-in' } },
    {},
  ],
  ['GH_BAD_INPUT', 'no device picked', { pick: 'device', device: '' }, { payload: 'open' }, {}],
  ['GH_FORBIDDEN', 'a command that is not for flows', {}, { payload: 'close' }, {}],
  ['GH_REPLAY', 'history played back', {}, { payload: 'open', gh: { replay: true } }, {}],
  ['GH_FORBIDDEN', 'a refusal of rights', {}, { payload: true }, { refuse: 'command.forbidden' }],
  ['GH_INTERLOCK', 'an interlock', {}, { payload: true }, { refuse: 'command.interlock' }],
  ['GH_OFFLINE', 'a device that is away', {}, { payload: true }, { refuse: 'command.offline' }],
  ['GH_REFUSED', 'another command running', {}, { payload: true }, { refuse: 'command.busy' }],
  ['GH_TIMEOUT', 'a deadline that passed', {}, { payload: true }, { state: 'expired' }],
  ['GH_TIMEOUT', 'an unknown result', {}, { payload: true }, { state: 'unknown' }],
  ['GH_INTERLOCK', 'a failure with a reason', {}, { payload: true }, { state: 'failed', code: 'command.interlock' }],
];
describe('a failure goes to Catch with its code, makes the light red, and never leaves by an output', () => {
  const cases = refusals.map(([code, name, change, message, ending], index) => {
    const device = `gate-${index}`;
    const target = message.payload === true ? { pick: 'device', device } : {};
    return {
      code,
      name,
      device,
      change: { ...target, ...change },
      message,
      ending,
      ids: ids('n', 'out', 'c', 'caught'),
    };
  });
  beforeAll(async () => {
    gateway.devices.push(...cases.map(({ device }) => deviceView(device, { zone: 'refusals' })));
    await rig.deploy(
      cases.flatMap(({ change, ids: { n, out, c, caught } }) => [
        gate(n, { ...change, wires: [[out], [out]] }),
        probe(out),
        { ...catcher(c, caught), scope: [n] },
        probe(caught),
      ]),
    );
    gateway.ending = ({ device }) => cases.find((one) => one.device === device)?.ending ?? {};
    for (const {
      ids: { n },
      message,
    } of cases)
      rig.send(n, { _msgid: n, ...message });
    await Promise.all(cases.map(({ ids: { caught } }) => rig.probe(caught).find(() => true)));
  });
  test.each(cases)('$code for $name', async ({ code, change, ids: { n, out, caught } }) => {
    const [message] = rig.probe(caught).items;
    const error = message?.error as { code: string; message: string };
    expect(error.code).toBe(code);
    expect(error.message).toMatch(/\p{Script=Han}.*: ./u);
    expect(rig.probe(out).items).toEqual([]);
    if (change.device === '') {
      await rig.statuses(n).find(({ fill, shape }) => fill === 'grey' && shape === 'ring');
      return;
    }
    await rig.statuses(n).find(({ fill, shape }) => fill === 'red' && shape === 'dot');
    const shown = rig.statuses(n).items;
    expect(shown.at(-1)?.fill).toBe('red');
    expect(shown.every(({ text = '' }) => text.length < 20)).toBe(true);
  });
});

test('the light is red after a failure until the next success, and at most twice a second', async () => {
  const { n, p, c, caught } = ids('n', 'p', 'c', 'caught');
  await rig.deploy([
    gate(n, { pick: 'device', device: 'gate-east-in', records: ['event:*'], wires: [[p], [p]] }),
    probe(p),
    catcher(c, caught),
    probe(caught),
  ]);
  await following(['event', 'state']);
  gateway.ending = () => ({ refuse: 'command.offline' });
  rig.send(n, { _msgid: 'a', payload: true });
  await rig.statuses(n).find(({ text }) => text === '失败 离线');
  gateway.emit({ device: 'gate-east-in', name: 'passage' });
  await rig.probe(p).next();
  gateway.ending = () => ({});
  rig.send(n, { _msgid: 'b', payload: true });
  await rig.statuses(n).next(({ fill }) => fill === 'green');
  const shown = rig.statuses(n).items;
  const fills = shown.map(({ fill }) => fill).join(' ');
  expect(fills).toMatch(/red (blue )?green$/);
  const gaps = shown.slice(1).map(({ at }, index) => at - (shown[index]?.at ?? 0));
  expect(Math.min(...gaps)).toBeGreaterThan(480);
});

test('the link of the picked device shows', async () => {
  const { n } = ids('n');
  gateway.devices.push(deviceView('gate-south', { link: { state: 'offline', since: Date.now() - 720_000 } }));
  await rig.deploy([gate(n, { pick: 'device', device: 'gate-south', records: ['event:*'] })]);
  expect(await rig.statuses(n).find(({ fill, shape }) => fill === 'red' && shape === 'ring')).toMatchObject({
    text: '离线 12m',
  });
  gateway.emit({ kind: 'state', name: 'link', device: 'gate-south', data: { state: 'online' } });
  await rig.statuses(n).find(({ fill }) => fill === 'green');
});

test('deploying moves nothing, loses no record and keeps the other nodes in step', async () => {
  const { n, p, late } = ids('n', 'p', 'late');
  const nodes = [gate(n, { records: ['event:*'], wires: [[p], []] }), probe(p)];
  await rig.deploy(nodes);
  await following(['event']);
  const sent: string[] = [];
  const deploying = rig.deploy([...nodes, gate(late, { pick: 'device', device: 'gate-east-in' })], 'nodes');
  for (let i = 0; i < 20; i++) sent.push(gateway.emit({}).id);
  await deploying;
  sent.push(gateway.emit({}).id);
  await rig.probe(p).find((message) => ghOf(message).id === sent.at(-1));
  expect(rig.probe(p).items.map((message) => ghOf(message).id)).toEqual(sent);
  expect(gateway.commands).toEqual([]);
});

test('all nodes share one stream, which asks only for what somebody ticked', async () => {
  const { a, b } = ids('a', 'b');
  const opened = gateway.streams.next();
  await rig.deploy([
    gate(a, { records: ['telemetry:barrierState'] }),
    { id: b, type: 'gh-smoke-alarm', pick: 'all', records: ['alarm:*'], maxAgeSeconds: 30 },
  ]);
  const { query } = await opened;
  expect(query.getAll('kind')).toEqual(['telemetry', 'alarm']);
  expect(query.has('scenario')).toBe(false);
  const again = gateway.streams.next();
  await rig.deploy([gate(a, { records: ['telemetry:barrierState'] }), gate(b, { records: ['event:passage'] })]);
  expect((await again).query.getAll('scenario')).toEqual(['vehicle-gate']);
});

test('a gateway that goes away shows, and the stream goes on where it was', async () => {
  const { n, p } = ids('n', 'p');
  await rig.deploy([gate(n, { records: ['event:*', 'telemetry:*'], wires: [[p], []] }), probe(p)]);
  await following(['telemetry', 'event']);
  const before = gateway.emit({});
  await rig.probe(p).find((message) => ghOf(message).id === before.id);
  await gateway.unlisten();
  await rig
    .statuses(n)
    .find(({ fill, shape, text }) => fill === 'yellow' && shape === 'ring' && /^连接中 \d+$/.test(text ?? ''));
  const missed = [gateway.emit({}), gateway.emit({ kind: 'telemetry', name: 'loopOccupied', data: true })];
  await gateway.listen();
  const back = await rig.probe(p).find((message) => ghOf(message).id === missed[1]?.id);
  expect(back).toMatchObject({ payload: true, gh: { kind: 'telemetry', point: 'loopOccupied' } });
  expect(rig.probe(p).items.map((message) => ghOf(message).id)).toEqual([before, ...missed].map(({ id }) => id));
});

test('another journal than before is taken up at its present', async () => {
  const { n, p } = ids('n', 'p');
  await rig.deploy([gate(n, { records: ['event:*', 'alarm:*'], wires: [[p], []] }), probe(p)]);
  await following(['event', 'alarm']);
  await gateway.unlisten();
  gateway.startEpoch();
  gateway.emit({ name: 'passage' });
  const again = gateway.streams.next();
  await gateway.listen();
  await again;
  const fresh = gateway.emit({});
  await rig.probe(p).find((message) => ghOf(message).id === fresh.id);
  expect(rig.probe(p).items).toHaveLength(1);
});

test('gh-records picks any scenario by kind and name', async () => {
  const { n, p } = ids('n', 'p');
  await rig.deploy([
    {
      id: n,
      type: 'gh-records',
      pick: 'all',
      scenario: '',
      records: ['event:*', 'state:*'],
      names: 'passage、link',
      maxAgeSeconds: 30,
      wires: [[p]],
    },
    probe(p),
  ]);
  await following(['event', 'state']);
  gateway.emit({});
  gateway.emit({ kind: 'state', scenario: 'smoke-alarm', device: 'smoke-1', name: 'link', data: { state: 'offline' } });
  gateway.emit({ name: 'passage', data: { direction: 'in' } });
  await rig.probe(p).find(({ topic }) => topic === 'vehicle-gate/camera-east-in/passage');
  expect(rig.probe(p).items.map(({ topic, payload }) => [topic, payload])).toEqual([
    ['smoke-alarm/smoke-1/link', 'offline'],
    ['vehicle-gate/camera-east-in/passage', { direction: 'in' }],
  ]);
});

test('gh-access sends those who may to the first output, as an order for the gate that was decided', async () => {
  const { n, yes, no } = ids('n', 'yes', 'no');
  await rig.deploy([{ id: n, type: 'gh-access', gate: '', wires: [[yes], [no]] }, probe(yes), probe(no)]);
  const read = { v: 1, kind: 'event', name: 'plate.read', id: 'read-1', device: 'camera-east-in' };
  rig.send(n, { payload: { plate: '鄂A12345', trigger: 'video', stored: false }, gh: read });
  const passed = await rig.probe(yes).find(() => true);
  expect(passed).toMatchObject({
    payload: { command: 'open', device: 'gate-east-in' },
    access: { allow: true, reason: 'resident', plate: '鄂A12345' },
    gh: read,
  });
  const asked = gateway.asked.items.filter(({ path }) => path === '/access').at(-1);
  expect(asked).toMatchObject({
    flow: 'lane',
    key: `${n}:read-1:access`,
    body: { gate: 'camera-east-in', plate: '鄂A12345', cause: 'read-1' },
  });
  gateway.decide = ({ gate: where }) => ({
    allow: false,
    reason: 'unknown',
    gate: String(where),
    explanation: { zh: '没有登记', en: 'Not registered' },
  });
  rig.send(n, { payload: { plate: '鄂B00001', gate: 'gate-west-in' } });
  const stays = await rig.probe(no).find(() => true);
  expect(stays).toMatchObject({
    payload: { allow: false, reason: 'unknown', gate: 'gate-west-in' },
    access: { allow: false },
  });
  expect(rig.probe(yes).items).toHaveLength(1);
});

test.each([
  ['stored', { plate: '鄂A12345', trigger: 'video', stored: true }, 'stored'],
  ['late', { plate: '鄂A12345', trigger: 'video', stored: false }, 'stored', 'stale'],
  ['stay', { plate: '鄂A12345', trigger: 'stay', stored: false }, 'not-arriving'],
  ['stay-end', { plate: '鄂A12345', trigger: 'stay-end', stored: false }, 'not-arriving'],
  ['turned-back', { plate: '鄂A12345', trigger: 'turned-back', stored: false }, 'not-arriving'],
])('gh-access never lets a %s reading through, and asks nobody', async (_name, payload, reason, quality = 'good') => {
  const { n, yes, no } = ids('n', 'yes', 'no');
  await rig.deploy([{ id: n, type: 'gh-access', gate: '', wires: [[yes], [no]] }, probe(yes), probe(no)]);
  const before = gateway.asked.items.filter(({ path }) => path === '/access').length;
  rig.send(n, { payload, gh: { v: 1, kind: 'event', name: 'plate.read', id: 'r', device: 'camera-east-in', quality } });
  const message = await rig.probe(no).find(() => true);
  expect(message).toMatchObject({ payload: { allow: false, reason, gate: 'camera-east-in' } });
  expect((message.access as { explanation: { zh: string } }).explanation.zh).toMatch(/\p{Script=Han}/u);
  expect(gateway.asked.items.filter(({ path }) => path === '/access')).toHaveLength(before);
  expect(rig.probe(yes).items).toEqual([]);
});

test.each([
  [
    'GH_BAD_INPUT',
    'a passage',
    {
      payload: { plate: '鄂A12345', gate: 'gate-east-in' },
      gh: { kind: 'event', name: 'passage', id: 'x', device: 'd' },
    },
  ],
  ['GH_BAD_INPUT', 'nothing to go by', { payload: {} }],
  ['GH_BAD_INPUT', 'no place', { payload: { plate: '鄂A12345' } }],
  [
    'GH_REPLAY',
    'history played back',
    { payload: { plate: '鄂A12345' }, gh: { kind: 'event', name: 'plate.read', replay: true } },
  ],
])('gh-access: %s for %s', async (code, _name, message) => {
  const { n, out, c, caught } = ids('n', 'out', 'c', 'caught');
  await rig.deploy([
    { id: n, type: 'gh-access', gate: '', wires: [[out], [out]] },
    probe(out),
    catcher(c, caught),
    probe(caught),
  ]);
  rig.send(n, message as Message);
  expect(await rig.probe(caught).find(() => true)).toMatchObject({ error: { code } });
  expect(rig.probe(out).items).toEqual([]);
});

test('gh-alarm raises and clears, by form or by message', async () => {
  const { n, fixed, p } = ids('n', 'fixed', 'p');
  await rig.deploy([
    { id: n, type: 'gh-alarm', action: 'message', device: '', alarm: 'noiseHigh', wires: [[p]] },
    { id: fixed, type: 'gh-alarm', action: 'clear', device: 'station-garden', alarm: 'noiseHigh', wires: [[p]] },
    probe(p),
  ]);
  const gh = { v: 1, kind: 'telemetry', id: 'reading-1', device: 'station-garden' };
  rig.send(n, { payload: true, gh });
  expect((await rig.probe(p).next()).payload).toMatchObject({
    device: 'station-garden',
    kind: 'noiseHigh',
    process: 'ACTIVE_UNACK',
  });
  expect(gateway.asked.items.at(-1)).toMatchObject({ path: '/alarms', flow: 'lane', body: { cause: 'reading-1' } });
  rig.send(n, { payload: { action: 'raise', device: 'smoke-1', kind: 'smoke', data: { why: 'test' } } });
  expect((await rig.probe(p).next()).payload).toMatchObject({
    device: 'smoke-1',
    kind: 'smoke',
    data: { why: 'test' },
  });
  rig.send(n, { payload: '恢复', gh });
  expect((await rig.probe(p).next()).payload).toMatchObject({ process: 'RTN_UNACK' });
  rig.send(fixed, { payload: 'anything' });
  expect((await rig.probe(p).next()).payload).toMatchObject({ device: 'station-garden', process: 'RTN_UNACK' });
  expect(gateway.asked.items.at(-1)).toMatchObject({
    path: '/alarms/clear',
    body: { device: 'station-garden', kind: 'noiseHigh' },
  });
});

test.each([
  ['GH_BAD_INPUT', 'neither raise nor clear', { payload: 'maybe', gh: { device: 'd' } }],
  ['GH_BAD_INPUT', 'no device', { payload: true }],
  ['GH_REPLAY', 'history played back', { payload: true, gh: { device: 'd', replay: true } }],
])('gh-alarm: %s for %s', async (code, _name, message) => {
  const { n, c, caught } = ids('n', 'c', 'caught');
  await rig.deploy([
    { id: n, type: 'gh-alarm', action: 'message', device: '', alarm: 'smoke' },
    catcher(c, caught),
    probe(caught),
  ]);
  rig.send(n, message as Message);
  expect(await rig.probe(caught).find(() => true)).toMatchObject({ error: { code } });
});

test('a gateway that is away answers GH_OFFLINE to a command, and a short absence is bridged', async () => {
  const { n, p, c, caught } = ids('n', 'p', 'c', 'caught');
  await rig.deploy([
    gate(n, { pick: 'device', device: 'gate-east-in', wires: [[], [p]] }),
    probe(p),
    catcher(c, caught),
    probe(caught),
  ]);
  await gateway.unlisten();
  rig.send(n, { _msgid: `away-${turn}`, payload: true });
  expect(await rig.probe(caught).find(() => true)).toMatchObject({ error: { code: 'GH_OFFLINE' } });
  rig.send(n, { _msgid: `bridged-${turn}`, payload: true });
  await rig.statuses(n).next(({ fill }) => fill === 'blue');
  await gateway.listen();
  await rig.probe(p).find(() => true);
  expect(gateway.commands).toHaveLength(1);
});
