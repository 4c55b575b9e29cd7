/** The emergency opening (reliability.md F8): whoever stands in the booth, and nobody else. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { AlarmView, CommandView } from '../contracts/api.ts';
import { openTestGateway, type TestGateway } from './gateway.fixture.ts';

let gateway: TestGateway;
beforeEach(async () => {
  gateway = await openTestGateway();
});
afterEach(async () => {
  await gateway[Symbol.asyncDispose]();
});

const headers = { 'x-gatehouse': '1' };
const press = (body: object = { device: 'gate-east-in', booth: 'east' }, more: Record<string, string> = headers) =>
  gateway.call('POST', '/api/v1/emergency-open?wait=5000', { body, headers: more });
const from = (remoteAddress: string, more: Record<string, string> = headers) =>
  gateway.api.inject({
    method: 'POST',
    url: '/api/v1/emergency-open',
    remoteAddress,
    headers: more,
    payload: { device: 'gate-east-in' },
  });

test('F8 opens without a log-in, names the booth, and raises an urgent alarm that waits for somebody', async () => {
  const answer = await press();
  expect(answer.status).toBe(200);
  expect(answer.json<CommandView>()).toMatchObject({ state: 'succeeded', command: 'open', actor: 'booth:east' });
  expect(gateway.barrier.orders).toEqual(['gate-east-in open']);
  await gateway.journal.append();
  const alarms = (await gateway.call('GET', '/api/v1/alarms', { as: 'guard' })).json<{ items: AlarmView[] }>();
  expect(alarms.items).toMatchObject([{ kind: 'emergencyOpen', priority: 1, zone: 'east-in', handling: 'waiting' }]);
  const records = gateway.records().filter(({ actor }) => actor === 'booth:east');
  expect(records.every(({ lane }) => lane === 'L0')).toBe(true);
  expect(records.filter(({ kind }) => kind === 'command')).toHaveLength(3);
});

test('F8 is never locked: not by the rate of the gate, not by failed log-ins', async () => {
  for (let n = 0; n < 12; n++) {
    const login = { name: 'demo-guard', password: 'wrong-password-1' };
    await gateway.call('POST', '/api/v1/sessions', { body: login });
    expect((await press()).status).toBe(200);
  }
  expect(gateway.barrier.orders).toHaveLength(12);
});

test('F8 pressed again while it is under way, it is the same opening', async () => {
  gateway.barrier.answers = false;
  const url = '/api/v1/emergency-open';
  const body = { device: 'gate-east-in' };
  const [one, two] = await Promise.all([1, 2].map(() => gateway.call('POST', url, { body, headers })));
  expect(one?.status).toBe(202);
  expect(two?.json<CommandView>().id).toBe(one?.json<CommandView>().id);
  expect(gateway.barrier.orders).toEqual(['gate-east-in open']);
});

test('F8 only to the safe side, and only where there is one', async () => {
  const list = await gateway.call('GET', '/api/v1/emergency-open', { headers });
  expect(list.json()).toEqual([{ device: 'gate-east-in', name: '东门进道闸', zone: 'east-in', command: 'open' }]);
  expect((await press({ device: 'camera-east-in' })).json()).toMatchObject({ code: 'command.unsupported' });
  expect((await press({ device: 'gate-east-in', command: 'close' })).status).toBe(400);
});

test('F8 from the site alone: not from elsewhere, not for flows, not from a foreign page', async () => {
  expect((await from('192.168.1.20')).statusCode).toBe(202);
  expect((await from('10.1.2.3')).statusCode).toBe(202);
  expect((await from('203.0.113.9')).statusCode).toBe(401);
  const token = await gateway.login('platform');
  expect((await from('203.0.113.9', { ...headers, ...token })).statusCode).toBe(403);
  const flow = await gateway.login('flow');
  expect((await from('127.0.0.1', { ...headers, ...flow })).statusCode).toBe(403);
  expect((await from('192.168.1.20', {})).json()).toMatchObject({ code: 'auth.origin' });
  const foreign = { ...headers, origin: 'https://evil.example' };
  expect((await from('192.168.1.20', foreign)).json()).toMatchObject({ code: 'auth.origin' });
});

test('F8 the records alone are no obstacle: a disk that takes nothing does not keep the gate shut', async () => {
  const { journal } = gateway;
  const commit = journal.commit.bind(journal);
  Object.assign(journal, { commit: () => Promise.reject(new Error('disk I/O error')) });
  const answer = await gateway.call('POST', '/api/v1/emergency-open', { body: { device: 'gate-east-in' }, headers });
  expect(answer.status).toBe(202);
  expect(gateway.barrier.orders).toEqual(['gate-east-in open']);
  Object.assign(journal, { commit });
  const { id } = answer.json<CommandView>();
  await expect
    .poll(() => gateway.records().filter(({ kind, cause }) => kind === 'command' && cause === id).length, {
      timeout: 8000,
    })
    .toBe(3);
});

test('N9 F8 a flow that opens a socket of its own to the gateway presses nothing', async () => {
  const { scheme, host, port } = await gateway.api.listen();
  const url = `${scheme}://${host}:${port}/api/v1/emergency-open?wait=5000`;
  const request = {
    method: 'POST',
    headers: { ...headers, 'content-type': 'application/json' },
    body: JSON.stringify({ device: 'gate-east-in' }),
  };
  const script = `fetch(${JSON.stringify(url)}, ${JSON.stringify(request)}).then(({ status }) => console.log(status))`;
  const { stdout } = await promisify(execFile)(process.execPath, ['-e', script]);
  expect(stdout.trim()).toBe('403');
  expect(gateway.barrier.orders).toEqual([]);
  expect((await fetch(url, request)).status).toBe(200);
});
