/** Reference flow 单车道闸机: events in, orders out, in the real flow process. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { type StandIn, startStandIn } from '../../nodes/testing/gateway-stand-in.fixture.ts';
import type { AccessDecision } from '../../runtime/contracts/api.ts';
import { type FlowsRig, startFlowsRig } from '../../test/flows.fixture.ts';

const directory = mkdtempSync(join(tmpdir(), 'gh-single-lane-'));
let gateway: StandIn;
let rig: FlowsRig;

beforeAll(async () => {
  gateway = await startStandIn(directory);
  gateway.emit({ data: { plate: '鄂A00001', trigger: 'video', stored: false } }); // came before there was a flow
  rig = await startFlowsRig(undefined, { socket: gateway.socket, token: gateway.token });
  await rig.state('running');
  await gateway.streams.find(() => true);
});
afterAll(async () => {
  await rig[Symbol.asyncDispose]();
  await gateway[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true });
});
/** Plates of 鄂A live here. */
const decide = ({ gate, plate }: Record<string, unknown>): AccessDecision => {
  const allow = String(plate).startsWith('鄂A');
  return {
    allow,
    reason: allow ? 'resident' : 'unknown',
    gate: String(gate).replace('camera', 'gate'),
    explanation: { zh: allow ? '住户车辆' : '没有登记', en: allow ? 'Resident vehicle' : 'Not registered' },
    plate: String(plate),
  };
};
beforeEach(() => {
  gateway.commands.length = 0;
  gateway.decide = decide;
});

const read = (plate: string, more: object = {}) => ({ data: { plate, trigger: 'video', stored: false, ...more } });
const asks = () => gateway.asked.items.filter(({ path }) => path === '/access');
const order = (record: { id: string }) =>
  gateway.asked.find(({ path, body }) => path === '/commands' && body.cause === record.id, 15_000);

test('starting moves nothing, whatever was read before', () => {
  expect(asks()).toEqual([]);
  expect(gateway.commands).toEqual([]);
});

test('a plate that may pass opens the gate of its lane, as an actor of its own, because of that reading', async () => {
  const record = gateway.emit(read('鄂A12345'));
  const { body, key, flow } = await order(record);
  expect(body).toEqual({ device: 'gate-east-in', command: 'open', input: {}, cause: record.id });
  expect(key).toContain(record.id);
  expect(flow).toBe('gh-single-lane');
  expect(asks().at(-1)).toMatchObject({ body: { gate: 'camera-east-in', plate: '鄂A12345', cause: record.id } });
});

test('every lane is served: the decision says which barrier', async () => {
  const record = gateway.emit({ ...read('鄂A12345'), device: 'camera-west-in' });
  expect((await order(record)).body.device).toBe('gate-west-in');
});

test('a plate that may not pass opens nothing', async () => {
  const stranger = gateway.emit(read('鄂B99999'));
  await gateway.asked.find(({ path, body }) => path === '/access' && body.cause === stranger.id);
  await order(gateway.emit(read('鄂A12345')));
  expect(gateway.commands).toHaveLength(1);
});

test.each([
  ['sent late from the memory of the camera', { stored: true }],
  ['of a car that stands', { trigger: 'stay' }],
  ['of a car that stood', { trigger: 'stay-end' }],
  ['of a car that turned back', { trigger: 'turned-back' }],
])('a reading %s is not even asked about', async (_name, more) => {
  const before = asks().length;
  gateway.emit(read('鄂A12345', more));
  await order(gateway.emit(read('鄂A54321')));
  expect(asks()).toHaveLength(before + 1);
  expect(gateway.commands).toHaveLength(1);
});

test('other records with a plate open nothing', async () => {
  const before = asks().length;
  gateway.emit({ name: 'passage', data: { plate: '鄂A12345', direction: 'in', gate: 'gate-east-in', occupiedMs: 1 } });
  gateway.emit({ name: 'access.granted', data: { plate: '鄂A12345', reason: 'resident' } });
  await order(gateway.emit(read('鄂A54321')));
  expect(asks()).toHaveLength(before + 1);
});

test('a reading that is too old opens nothing: no barrier opens late', async () => {
  const before = asks().length;
  gateway.emit({ ...read('鄂A12345'), received: Date.now() - 60_000 });
  await order(gateway.emit(read('鄂A54321')));
  expect(asks()).toHaveLength(before + 1);
});

test('killed at any point, the flow goes on by itself: what came meanwhile is served, nothing opens twice', async () => {
  const done = gateway.emit(read('鄂A11111'));
  await order(done);
  // The process dies between the question and the order.
  gateway.decide = (body) => {
    process.kill(rig.flows.pid() ?? 0, 'SIGKILL');
    gateway.decide = decide;
    return decide(body);
  };
  const halfDone = gateway.emit(read('鄂A22222'));
  await rig.changes.find(({ status }) => status.restarts === 1);
  const meanwhile = gateway.emit(read('鄂A33333'));
  await order(halfDone);
  await order(meanwhile);
  const orders = gateway.asked.items.filter(({ path }) => path === '/commands');
  for (const { id } of [done, halfDone, meanwhile]) {
    const keys = new Set(orders.filter(({ body }) => body.cause === id).map(({ key }) => key));
    expect(keys.size).toBe(1);
  }
  expect(gateway.commands).toHaveLength(3);
});
