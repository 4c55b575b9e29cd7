/** Past records into a flow: what it would do, beside what really happened; nothing moves (ux.md 11.5). */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { openTestGateway, type TestGateway } from '../api/gateway.fixture.ts';
import { systemClock } from '../clock.ts';
import type { Draft } from '../contracts/record.ts';
import type { Act, FlowReplayView, ReplayFixture } from '../contracts/replay.ts';
import { silentLog } from '../log.ts';
import { compare } from './compare.ts';
import { runFixtures } from './fixtures.ts';
import { type FlowEntry, isolate } from './isolate.ts';
import { createReplays, type Replays } from './replays.ts';

const GATEHOUSE = fileURLToPath(new URL('../gatehouse.ts', import.meta.url));
const single = JSON.parse(
  readFileSync(new URL('../../flows/vehicle-gate/single-lane.json', import.meta.url), 'utf8'),
) as FlowEntry[];

/** Hides that it is replayed, asks for what no rule allows, and counts in the context that a live flow would use. */
const sly: FlowEntry[] = [
  { id: 'sly', type: 'tab', label: '暗中动作' },
  {
    id: 'sly-in',
    type: 'gh-records',
    z: 'sly',
    pick: 'all',
    scenario: '',
    records: ['event:*'],
    names: 'passage',
    maxAgeSeconds: 30,
    wires: [['sly-fn']],
    x: 1,
    y: 1,
  },
  {
    ...{
      id: 'sly-fn',
      type: 'function',
      z: 'sly',
      outputs: 1,
      timeout: 0,
      libs: [],
      wires: [['sly-open', 'sly-post']],
      x: 2,
      y: 1,
    },
    func: "flow.set('n', (flow.get('n') || 0) + 1); return { payload: { command: 'open', device: 'gate-east-in' }, n: flow.get('n') };",
  },
  {
    id: 'sly-open',
    type: 'gh-vehicle-gate',
    z: 'sly',
    name: '开',
    pick: 'all',
    device: '',
    zone: '',
    records: [],
    command: 'open',
    maxAgeSeconds: 30,
    wires: [[], []],
    x: 3,
    y: 1,
  },
  {
    id: 'sly-post',
    type: 'http request',
    z: 'sly',
    name: '外发',
    method: 'POST',
    url: 'http://127.0.0.1:9/',
    wires: [[]],
    x: 3,
    y: 2,
  },
  {
    id: 'sly-inject',
    type: 'inject',
    z: 'sly',
    once: true,
    onceDelay: 0,
    props: [{ p: 'payload' }],
    payload: 'open',
    payloadType: 'str',
    repeat: '1',
    wires: [['sly-open']],
    x: 1,
    y: 2,
  },
];

let gateway: TestGateway;
let replays: Replays;
const past = { lane: 'L1', kind: 'event', scenario: 'vehicle-gate', device: 'camera-east-in' } as const;
const read = (plate: string): Draft => ({
  ...past,
  name: 'plate.read',
  data: { plate, trigger: 'video', stored: false },
});
const write = async (draft: Draft) => {
  const [record] = await gateway.journal.append(draft);
  if (!record) throw new Error('not written');
  return record;
};

beforeAll(async () => {
  gateway = await openTestGateway({ parts: { replays: () => replays } });
  const { journal, directory } = gateway;
  replays = createReplays({ journal, clock: systemClock, log: silentLog, directory });
  mkdirSync(join(directory, 'flows'), { recursive: true });
  writeFileSync(join(directory, 'flows', 'flows.json'), JSON.stringify([...single, ...sly]));
});
afterAll(async () => {
  await replays.close();
  await gateway[Symbol.asyncDispose]();
});

const call = async <T>(method: 'GET' | 'POST' | 'DELETE', path: string, body?: object) =>
  (await gateway.call(method, `/api/v1/flows${path}`, { as: 'installer', ...(body ? { body } : {}) })).json<T>();
async function played(id: string): Promise<FlowReplayView> {
  const view = () => call<FlowReplayView>('GET', `/replays/${id}`);
  await vi.waitFor(async () => expect((await view()).state).not.toMatch(/starting|running/), {
    timeout: 25_000,
    interval: 100,
  });
  return view();
}
const brief = ({ kind, device, action }: Act) => `${kind} ${device} ${action}`;

test('a flow under replay lists what it would do beside what happened, and moves nothing', async () => {
  const from = Date.now();
  const actor = 'flow:gh-single-lane';
  const granted = (cause: string) =>
    write({
      ...past,
      device: 'gate-east-in',
      name: 'access.granted',
      data: { reason: 'resident', plate: '粤B12345' },
      cause,
      actor,
    });
  const opened = async (cause: string, device: string) => {
    const view = { id: `command-of-${cause}`, device, command: 'open', input: {}, state: 'accepted', actor };
    const command: Draft = {
      lane: 'L0',
      kind: 'command',
      scenario: 'vehicle-gate',
      device,
      name: 'open',
      data: view,
      cause,
      actor,
    };
    await write({ ...command, data: { ...view, command: view.id } });
    await write({ ...command, data: { ...view, command: view.id, state: 'succeeded' }, cause: view.id });
  };
  // Then: opened for the first; for the second a gate of another lane was opened; for the third nobody lives here now.
  const reads = [await write(read('粤B12345')), await write(read('粤B12345')), await write(read('粤B99999'))];
  const [first, second, third] = reads.map(({ id }) => id) as [string, string, string];
  await granted(first);
  await opened(first, 'gate-east-in');
  await granted(second);
  await opened(second, 'gate-west-in');
  await opened(third, 'gate-east-in');
  const before = gateway.records().length;

  const started = await call<FlowReplayView>('POST', '/replays', {
    tab: '单车道闸机',
    records: { from, to: Date.now(), name: 'plate.read' },
    speed: 'fast',
    settleSeconds: 1,
  });
  expect(started).toMatchObject({ total: 3, dryRun: true, tab: { id: 'gh-single-lane' }, by: 'user:demo-installer' });
  const busy = await call<{ code: string }>('POST', '/replays', {
    tab: '单车道闸机',
    records: { ids: [first] },
    speed: 'fast',
  });
  expect(busy.code).toBe('replay.busy');
  const view = await played(started.id);
  expect(view).toMatchObject({ state: 'done', played: 3, failures: [] });
  expect(view.wouldDo.map((act) => [act.record, brief(act), act.nodeName])).toEqual([
    [first, 'command gate-east-in open', '开闸'],
    [second, 'command gate-east-in open', '开闸'],
  ]);
  expect(view.happened.map((act) => [act.record, brief(act), act.outcome])).toEqual([
    [first, 'command gate-east-in open', 'succeeded'],
    [second, 'command gate-west-in open', 'succeeded'],
    [third, 'command gate-east-in open', 'succeeded'],
  ]);
  expect(view.comparison.map(({ verdict, would, happened }) => [verdict, would?.device, happened?.device])).toEqual([
    ['same', 'gate-east-in', 'gate-east-in'],
    ['different', 'gate-east-in', 'gate-west-in'],
    ['missing', undefined, 'gate-east-in'],
  ]);
  expect(gateway.barrier.orders).toEqual([]);
  const written = gateway.records().slice(before);
  expect(written.map(({ kind, name }) => `${kind} ${name}`).filter((text) => !text.startsWith('audit auth'))).toEqual([
    'audit flows.replay.started',
  ]);

  // Kept as a regression test, and passed by the same flow in another process.
  const { file } = await call<{ file: string }>('POST', `/replays/${started.id}/save`, { title: '两次放行' });
  const fixture = JSON.parse(readFileSync(join(gateway.directory, file), 'utf8')) as ReplayFixture;
  expect(fixture.records).toHaveLength(3);
  const wrong = { ...fixture, title: 'wrong', expected: fixture.expected.slice(1) };
  const results = await runFixtures(single, [fixture, wrong], systemClock);
  expect(results.map(({ title, same }) => [title, same])).toEqual([
    ['两次放行', true],
    ['wrong', false],
  ]);

  // And by the command line, without a gateway.
  const verb = (what: string) =>
    spawnSync(
      process.execPath,
      ['--disable-warning=ExperimentalWarning', GATEHOUSE, 'flows', what, '--data', gateway.directory],
      {
        encoding: 'utf8',
      },
    );
  const passed = verb('test');
  expect([passed.status, passed.stdout]).toEqual([0, expect.stringMatching(/^相同 same .*两次放行\n$/)]);
  writeFileSync(join(gateway.directory, file), JSON.stringify(wrong));
  const failed = verb('test');
  expect([failed.status, failed.stdout]).toEqual([
    65,
    expect.stringMatching(/^不同 different .*wrong\n.*应当 expected/),
  ]);
  rmSync(join(gateway.directory, file));
}, 60_000);

test('a flow that hides the replay, reaches out or fires by itself still does nothing; its context is its own', async () => {
  const passages = [await write({ ...past, name: 'passage', data: { direction: 'in' } })];
  const started = await call<FlowReplayView>('POST', '/replays', {
    tab: 'sly',
    records: { ids: passages.map(({ id }) => id) },
    speed: 'step',
    settleSeconds: 1,
  });
  await vi.waitFor(
    async () => expect((await call<FlowReplayView>('GET', `/replays/${started.id}`)).state).toBe('running'),
    {
      timeout: 25_000,
      interval: 100,
    },
  );
  expect((await call<FlowReplayView>('GET', `/replays/${started.id}`)).played).toBe(0);
  await vi.waitFor(
    async () => expect((await call<FlowReplayView>('POST', `/replays/${started.id}/step`)).played).toBe(1),
    { interval: 50 },
  );
  const view = await played(started.id);
  expect(view.outside).toEqual(['外发 (http request)']);
  // The inject button fired nothing; what the function made up has no record to blame.
  expect(view.wouldDo.map((act) => [act.record, brief(act)])).toEqual([['', 'command gate-east-in open']]);
  expect(gateway.barrier.orders).toEqual([]);
  expect(gateway.records().filter(({ kind, actor }) => kind === 'command' && actor === 'flow:sly')).toEqual([]);
  expect(existsSync(join(gateway.directory, 'flows', 'context'))).toBe(false);
}, 60_000);

test('what is asked for wrongly is named', async () => {
  const tab = await call<{ code: string; detail: string }>('POST', '/replays', {
    tab: '没有',
    records: { ids: ['x'] },
    speed: 'fast',
  });
  expect(tab).toMatchObject({ code: 'replay.tab', detail: expect.stringContaining('单车道闸机') });
  const record = await call<{ code: string }>('POST', '/replays', {
    tab: 'sly',
    records: { ids: ['nothing'] },
    speed: 'fast',
  });
  expect(record.code).toBe('record.not_found');
  const unknown = [
    { id: 't', type: 'tab', label: 't' },
    { id: 'n', type: 'no-such-type', z: 't', wires: [] },
  ];
  const started = await call<FlowReplayView>('POST', '/replays', {
    tab: 't',
    flow: unknown,
    records: { ids: [(await write(read('A'))).id] },
    speed: 'fast',
  });
  expect(await played(started.id)).toMatchObject({ state: 'failed', reason: expect.stringContaining('no-such-type') });
  expect((await call<{ items: { name: string }[] }>('GET', '/tabs')).items.map(({ name }) => name)).toEqual([
    '单车道闸机',
    '暗中动作',
  ]);
}, 60_000);

describe('a tab by itself', () => {
  const flow: FlowEntry[] = [
    { id: 'a', type: 'tab', label: 'A', disabled: true },
    { id: 'b', type: 'tab', label: 'B' },
    { id: 's', type: 'subflow', name: 'twice' },
    { id: 's1', type: 'function', z: 's' },
    { id: 'use', type: 'subflow:s', z: 'a' },
    { id: 'broker', type: 'mqtt-broker' },
    { id: 'unused', type: 'mqtt-broker' },
    { id: 'out', type: 'mqtt out', z: 'a', broker: 'broker' },
    { id: 'other', type: 'function', z: 'b' },
    { id: 'tick', type: 'inject', z: 'a', repeat: '5', once: true },
  ];
  test('keeps what it uses, stills what reaches out or fires by itself, and leaves the rest away', () => {
    const { nodes, outside, actors } = isolate(flow, flow[0] as FlowEntry);
    expect(nodes.map(({ id }) => id)).toEqual(['a', 's', 's1', 'use', 'broker', 'out', 'tick']);
    expect(nodes.find(({ id }) => id === 'out')).toMatchObject({ d: true });
    expect(nodes.find(({ id }) => id === 'a')).toMatchObject({ disabled: false });
    expect(nodes.find(({ id }) => id === 'tick')).toMatchObject({ repeat: '', once: false });
    expect(outside).toEqual(['mqtt out (mqtt out)']);
    expect(actors).toEqual(new Set(['a', 's', 'use']));
  });
});

describe('comparing', () => {
  const act = (change: Partial<Act>): Act => ({
    record: 'r',
    kind: 'command',
    device: 'gate',
    action: 'open',
    input: {},
    ...change,
  });
  test('two of the same thing need two that happened', () => {
    const rows = compare([act({}), act({})], [act({})]);
    expect(rows.map(({ verdict, happened }) => [verdict, happened !== undefined])).toEqual([
      ['same', true],
      ['different', false],
    ]);
  });
  test('another input is different, another record is missing', () => {
    expect(compare([act({ input: { s: 1 } })], [act({ input: { s: 2 } })])).toMatchObject([{ verdict: 'different' }]);
    expect(compare([], [act({ record: 'q' })])).toMatchObject([{ verdict: 'missing', happened: { record: 'q' } }]);
  });
  test('times counted from now say nothing', () => {
    const notice = (until: number) =>
      act({ kind: 'notice', action: 'notice', input: { text: 'x', priority: 4, until } });
    expect(compare([notice(1)], [notice(2)])).toMatchObject([{ verdict: 'same' }]);
  });
});
