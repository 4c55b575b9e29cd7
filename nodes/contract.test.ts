/**
 * The node contract over every node of the palette (ux.md 11.3 and 14.4), whatever scenarios there are: status, error codes
 * and where they leave, replay refused, nothing moved by a deploy, inputs forgiving and outputs strict.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TSchema } from 'typebox';
import { Compile } from 'typebox/compile';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { coreOutputs, originSchema, outcomeSchema, payloadSchemas } from '../runtime/contracts/flow-messages.ts';
import { scenarios } from '../runtime/contracts/index.ts';
import { nodeTypes } from '../runtime/derive/node-types.ts';
import { flowCommands, readOrder } from './commands.ts';
import { failureCodes } from './failures.ts';
import en from './locales/en-US.json' with { type: 'json' };
import zh from './locales/zh-CN.json' with { type: 'json' };
import type { Message, NodeStatus } from './red.ts';
import { deviceView, type StandIn, startStandIn } from './testing/gateway-stand-in.fixture.ts';
import { type FlowEntry, type Rig, startRig } from './testing/node-red-rig.fixture.ts';

/** What asks gets an answer and changes nothing: history may be asked about too. */
const LOOKING = ['gh-records', 'gh-query', 'gh-schedule'];

interface Case {
  readonly type: string;
  readonly outputs: number;
  /** Absent: no input. */
  readonly good?: Message;
  /** Absent: every message is good. */
  readonly bad?: Message;
  readonly form: object;
  /** What leaves after `good`: by output and property, the schema it fits. */
  readonly leaves?: { readonly output: number; readonly property: string; readonly schema: TSchema | undefined };
}

const deviceOf = (scenario: string) => `device-of-${scenario}`;
const times = [{ at: 'time', time: '03:00', value: true, from: '2099-01-01', to: '2099-01-01' }];
const coreCases: Readonly<Record<string, Omit<Case, 'type'>>> = {
  'gh-records': { outputs: 1, form: { pick: 'all', scenario: '', records: ['event:*'], names: '' } },
  'gh-access': {
    ...{ outputs: 2, form: { gate: '' }, good: { payload: { plate: '鄂A12345', gate: 'g' } }, bad: { payload: {} } },
    leaves: { output: 0, property: 'payload', schema: coreOutputs['gh-access']?.['msg.payload (1)'] },
  },
  'gh-alarm': {
    ...{ outputs: 1, form: { action: 'message', device: 'd', alarm: 'smoke' }, good: { payload: true } },
    ...{ bad: { payload: 'perhaps' } },
    leaves: { output: 0, property: 'payload', schema: coreOutputs['gh-alarm']?.['msg.payload'] },
  },
  'gh-query': {
    ...{ outputs: 1, form: { ask: 'latest', pick: 'all' }, good: { payload: {} }, bad: { payload: { ask: 'why' } } },
    leaves: { output: 0, property: 'payload', schema: coreOutputs['gh-query']?.['msg.payload'] },
  },
  'gh-schedule': {
    ...{ outputs: 3, form: { times, graceSeconds: 30 }, good: { payload: {} } },
    leaves: { output: 2, property: 'schedule', schema: coreOutputs['gh-schedule']?.['msg.schedule (3)'] },
  },
  'gh-notice': {
    ...{ outputs: 1, form: { text: '' }, good: { payload: 'x' }, bad: { payload: false } },
    leaves: { output: 0, property: 'payload', schema: coreOutputs['gh-notice']?.['msg.payload'] },
  },
  'gh-workorder': {
    ...{ outputs: 1, form: { title: '' }, good: { payload: 'x' }, bad: { payload: false } },
    leaves: { output: 0, property: 'payload', schema: coreOutputs['gh-workorder']?.['msg.payload'] },
  },
};

const cases: Case[] = nodeTypes.map(({ type, scenario }): Case => {
  if (!scenario) {
    const known = coreCases[type];
    if (!known) throw new Error(`${type} is not in the contract test`);
    return { type, ...known };
  }
  const form = { pick: 'all', records: ['event:*', 'telemetry:*', 'alarm:*'], maxAgeSeconds: 30 };
  const [command] = flowCommands(scenario)[0] ?? [];
  if (command === undefined) return { type, outputs: 1, form };
  return {
    ...{ type, outputs: 2, form, good: { payload: { command, device: deviceOf(scenario.id) } } },
    ...{ bad: { payload: 'explode' }, leaves: { output: 1, property: 'payload', schema: outcomeSchema } },
  };
});
const taking = cases.filter(({ good }) => good !== undefined);

const directory = mkdtempSync(join(tmpdir(), 'gh-contract-'));
let gateway: StandIn;
let rig: Rig;
let moved: string[] = [];
const out = (type: string, index: number) => `${type}-out${index}`;

beforeAll(async () => {
  gateway = await startStandIn(directory);
  for (const scenario of scenarios) {
    const commands = Object.keys(scenario.commands);
    const [role = ''] = Object.keys(scenario.roles);
    gateway.devices.push(
      deviceView(deviceOf(scenario.id), { scenario: scenario.id, role, zone: scenario.id, commands }),
    );
  }
  rig = await startRig(directory, gateway);
  await rig.deploy(
    cases.flatMap(({ type, outputs, form }): FlowEntry[] => {
      const probes = Array.from({ length: outputs }, (_none, index) => out(type, index));
      return [
        { id: type, type, ...form, wires: probes.map((probe) => [probe]) },
        ...probes.map((id) => ({ id, type: 'probe' })),
        { id: `${type}-catch`, type: 'catch', scope: [type], wires: [[`${type}-caught`]] },
        { id: `${type}-caught`, type: 'probe' },
      ];
    }),
  );
  await gateway.streams.find(() => true);
  moved = gateway.asked.items
    .filter(({ path }) => /^\/(commands|alarms|notices|work-orders|events)/.test(path))
    .map(({ path }) => path);
});
afterAll(async () => {
  await rig[Symbol.asyncDispose]();
  await gateway[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true });
});

const left = (type: string, outputs: number): number =>
  Array.from({ length: outputs }, (_none, index) => rig.probe(out(type, index)).items.length).reduce(
    (a, b) => a + b,
    0,
  );
const faultsOf = (schema: TSchema | undefined, value: unknown): unknown[] => {
  if (!schema) throw new Error('No schema');
  const checked = Compile(schema);
  return checked.Check(value) ? [] : [...checked.Errors(value)];
};
const looks = (fill: NodeStatus['fill'], shape: NodeStatus['shape']) => (status: NodeStatus) =>
  status.fill === fill && status.shape === shape;

test('deploying every node there is moves nothing', () => {
  expect(moved).toEqual([]);
  expect(gateway.commands).toEqual([]);
});

/** All at once: a light changes twice a second at most, and nobody waits for twenty of them in a row. */
const ofEach = (some: readonly Case[], check: (one: Case) => Promise<void>) => Promise.all(some.map(check));

test('a good message is answered by its output, in its schema, and the light is green', () =>
  ofEach(taking, async ({ type, outputs, good, leaves }) => {
    const answered = rig.probe(out(type, leaves?.output ?? 0)).next();
    rig.send(type, { _msgid: `${type}-good`, ...good });
    const message = await answered;
    expect(faultsOf(leaves?.schema, message[leaves?.property ?? 'payload']), type).toEqual([]);
    expect(rig.probe(`${type}-caught`).items, type).toEqual([]);
    expect(left(type, outputs), type).toBe(1);
    await rig.statuses(type).find(looks('green', 'dot'));
  }));

test('every node shows that the gateway is away, and that it is back', async () => {
  const following = cases.filter(({ form }) => 'records' in form).map(({ type }) => type);
  await gateway.unlisten();
  await Promise.all(following.map((type) => rig.statuses(type).next(looks('yellow', 'ring'))));
  await gateway.listen();
  await Promise.all(following.map((type) => rig.statuses(type).next(looks('green', 'dot'))));
});

test('a failure has a code of the list, goes to Catch and by no output, and stays red until the next success', () =>
  ofEach(
    taking.filter(({ bad }) => bad),
    async ({ type, outputs, good, bad }) => {
      const before = left(type, outputs);
      const caught = rig.probe(`${type}-caught`).next();
      rig.send(type, { _msgid: `${type}-bad`, ...bad });
      const { error } = (await caught) as { error: { code: string; message: string } };
      expect(failureCodes, type).toContain(error.code);
      expect(error.message, type).toMatch(/\p{Script=Han}.*: ./u);
      expect(left(type, outputs), type).toBe(before);
      await rig.statuses(type).find(looks('red', 'dot'));
      expect(rig.statuses(type).items.at(-1)?.fill, type).toBe('red');
      const green = rig.statuses(type).next(looks('green', 'dot'));
      rig.send(type, { _msgid: `${type}-again`, ...good });
      await green;
    },
  ));

test('history played back to a flow at work is refused by what would act, and answered by what only looks', async () => {
  const acts = () => gateway.asked.items.filter(({ path }) => !/^\/(calendar|devices|records|status|zones)/.test(path));
  const before = acts().length;
  await ofEach(taking, async ({ type, outputs, good }) => {
    const gone = left(type, outputs);
    const gh = { v: 1, kind: 'event', name: 'plate.read', id: `replayed-${type}`, device: 'd', replay: true };
    const looking = LOOKING.includes(type);
    const ended = rig.probe(looking ? out(type, outputs - 1) : `${type}-caught`).next();
    rig.send(type, { ...good, gh });
    const message = await ended;
    if (looking) return;
    expect(message, type).toMatchObject({ error: { code: 'GH_REPLAY' } });
    expect(left(type, outputs), type).toBe(gone);
  });
  expect(acts()).toHaveLength(before);
});

test('records leave in the schema of their kind, with their origin', async () => {
  const gate = 'gh-vehicle-gate';
  const event = gateway.emit({});
  const passed = await rig.probe(out(gate, 0)).find(({ gh }) => (gh as { id?: string } | undefined)?.id === event.id);
  expect(faultsOf(originSchema, passed.gh)).toEqual([]);
  expect(faultsOf(payloadSchemas.event, passed.payload)).toEqual([]);
  const reading = gateway.emit({ kind: 'telemetry', name: 'loopOccupied', device: 'gate-east-in', data: true });
  const told = await rig.probe(out(gate, 0)).find(({ gh }) => (gh as { id?: string } | undefined)?.id === reading.id);
  expect(faultsOf(originSchema, told.gh)).toEqual([]);
  expect(faultsOf(payloadSchemas.telemetry, told.payload)).toEqual([]);
});

test('every status is short, and a word of the locale', () => {
  for (const { type } of cases) {
    for (const { text = '' } of rig.statuses(type).items) {
      expect(text.length, `${type}: ${text}`).toBeLessThan(20);
      expect(text, type).not.toMatch(/status\.|short\./);
    }
  }
});

describe.each(scenarios.filter((scenario) => flowCommands(scenario).length > 0))('$id', (scenario) => {
  test.each(flowCommands(scenario))('%s may be said in any way people say it', (id, { words, input }) => {
    const said = [
      id,
      id.toUpperCase(),
      words.zh,
      words.en,
      ` ${words.zh} `,
      { action: id },
      { command: words.zh },
      { command: id, input: {} },
    ];
    for (const payload of said) {
      expect(readOrder(scenario, payload, id), JSON.stringify(payload)).toMatchObject({ command: id, input: {} });
    }
    expect(readOrder(scenario, true, id)).toEqual({ command: id, input: {} });
    expect(input.required ?? []).toEqual([]);
  });
});

test('the codes are one list: in the words of both languages, and nowhere else', () => {
  for (const locale of [zh, en]) {
    for (const texts of [locale.code, locale.short, locale.help.codes]) {
      expect(Object.keys(texts).toSorted((a, b) => a.localeCompare(b))).toEqual(
        [...failureCodes].toSorted((a, b) => a.localeCompare(b)),
      );
    }
  }
});
