import { afterEach, expect, test } from 'vitest';
import { manualClock } from '../../test/manual-clock.ts';
import { REFUSED_AFTER_MS } from './flow-limits.ts';
import { openTestGateway, type TestGateway } from './gateway.fixture.ts';

let gateway: TestGateway;
afterEach(() => gateway[Symbol.asyncDispose]());

const accused: string[] = [];
const flows = () => ({
  state: () => ({ state: 'running' as const, since: 0, restarts: 0 }),
  openEditor: async () => {},
  closeEditor: async () => {},
  reload: () => {},
  accuse: (tab: string) => void accused.push(tab),
});

async function open() {
  accused.length = 0;
  const clock = manualClock();
  gateway = await openTestGateway({
    clock,
    limits: { flowRequestsPerSecond: 100, flowReadsPerSecond: 300 },
    parts: { flows },
  });
  await gateway.login('flow');
  const act = (flow: string, body: object = {}) =>
    gateway.call('POST', '/api/v1/access', { as: 'flow', headers: { 'x-gatehouse-flow': flow }, body });
  return { clock, act };
}

test('N9 flows act 100 times a second, one flow half of it, and refusals wait and are audited once a minute', async () => {
  const { clock, act } = await open();
  const loop = Array.from({ length: 80 }, () => act('loop'));
  const other = Array.from({ length: 20 }, () => act('other'));
  await clock.advance(REFUSED_AFTER_MS - 1);
  expect((await Promise.all(other)).map(({ status }) => status)).not.toContain(429);
  const early = await Promise.race([Promise.all(loop), Promise.resolve('waits')]);
  expect(early).toBe('waits');
  await clock.advance(1);
  const answers = await Promise.all(loop);
  const refused = answers.filter(({ status }) => status === 429);
  expect(refused).toHaveLength(30);
  expect(refused[0]?.json()).toMatchObject({
    code: 'http.rate',
    detail: 'Flows may act 100 times a second in all, one flow 50 times',
  });
  await clock.advance(60_000);
  const audits = () =>
    gateway
      .records()
      .filter(({ name }) => name === 'http.rate.exceeded')
      .map(({ actor, data }) => [actor, (data as { count?: number }).count]);
  await expect.poll(audits).toEqual([
    ['flow:loop', undefined],
    ['flow:loop', 29],
  ]);
});

test('N9 following and asking are not counted among the acts, and a body has 64 KiB', async () => {
  const { act } = await open();
  const reads = await Promise.all(
    Array.from({ length: 200 }, () => gateway.call('GET', '/api/v1/zones', { as: 'flow' })),
  );
  expect(new Set(reads.map(({ status }) => status))).toEqual(new Set([200]));
  expect((await act('lane', { gate: 'x'.repeat(70_000) })).status).toBe(413);
});

test('R9 a flow that does not stop asking is told on, once', async () => {
  const { clock, act } = await open();
  const loop = Array.from({ length: 400 }, () => act('loop'));
  await clock.advance(REFUSED_AFTER_MS);
  await Promise.all(loop);
  expect(accused).toEqual(['loop']);
});
