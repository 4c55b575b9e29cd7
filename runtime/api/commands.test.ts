/** Commands over HTTP: the list, holds and their renewal, what a platform's token alone may not. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { CommandView } from '../contracts/api.ts';
import type { Role } from '../contracts/contract.ts';
import { openTestGateway, type TestGateway } from './gateway.fixture.ts';

interface Page {
  readonly items: CommandView[];
  readonly next?: string;
}

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await openTestGateway({ outputs: { latest: () => false } }); // no vehicle on the loop
});
afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
});

let keys = 0;
const post = (as: Role | 'flow', body: object) =>
  gateway.call('POST', '/api/v1/commands?wait=8000', { as, body, headers: { 'idempotency-key': `k-${keys++}` } });
const send = async (as: Role | 'flow', command: string) =>
  (await post(as, { device: 'gate-east-in', command })).json<CommandView>();
const list = async (query: string, as: Role = 'guard') =>
  (await gateway.call('GET', `/api/v1/commands?${query}`, { as })).json<Page>();

test('the list is newest first, by device, state and time, page by page', async () => {
  const sent: CommandView[] = [];
  for (let n = 0; n < 3; n++) sent.push(await send('guard', 'open'));
  const ids = sent.map(({ id }) => id).reverse();
  expect((await list('device=gate-east-in')).items.map(({ id }) => id)).toEqual(ids);
  const first = await list('device=gate-east-in&limit=2');
  expect(first.items.map(({ id }) => id)).toEqual(ids.slice(0, 2));
  const rest = await list(`device=gate-east-in&limit=2&before=${first.next}`);
  expect(rest).toEqual({ items: [expect.objectContaining({ id: ids[2] })] });
  expect((await list('state=succeeded')).items).toHaveLength(3);
  expect((await list('state=failed')).items).toEqual([]);
  expect((await list('device=camera-east-in')).items).toEqual([]);
  const since = sent[1]?.createdAt ?? 0;
  expect((await list(`from=${since}`)).items.map(({ id }) => id)).toEqual(
    ids.filter((id) => (sent.find((one) => one.id === id)?.createdAt ?? 0) >= since),
  );
  expect((await list(`to=${sent[0]?.createdAt}`)).items).toEqual([]);
  expect((await gateway.call('GET', '/api/v1/commands?state=nothing', { as: 'guard' })).status).toBe(400);
});

test('F1 what is held is listed until it is let go, and a leader renews it', async () => {
  const device = 'gate-east-in';
  expect((await post('guard', { device, command: 'lockClosed' })).json()).toMatchObject({ code: 'command.forbidden' });
  const held = await send('shift-leader', 'lockClosed');
  expect(held).toMatchObject({ state: 'succeeded', lease: { until: expect.any(Number) } });
  expect((await list('held=true')).items).toEqual([held]);
  const renew = (as: Role) => gateway.call('POST', `/api/v1/commands/${held.id}/renew`, { as });
  expect((await renew('guard')).json()).toMatchObject({ code: 'command.forbidden' });
  const renewed = (await renew('admin')).json<CommandView>();
  expect(renewed.lease?.until).toBeGreaterThan(held.lease?.until ?? 0);
  const remove = () => gateway.call('DELETE', `/api/v1/devices/${device}`, { as: 'installer' });
  expect((await remove()).json()).toMatchObject({ code: 'command.held', status: 409 }); // who would let it go?
  expect((await send('guard', 'endLock')).state).toBe('succeeded');
  expect((await list('held=true')).items).toEqual([]);
  expect((await renew('shift-leader')).json()).toMatchObject({ code: 'command.lease_over', status: 409 });
  expect(gateway.barrier.orders.slice(-3)).toEqual([
    `${device} lockClosed`,
    `${device} lockClosed`,
    `${device} endLock`,
  ]);
});

test('C8 a bearer token alone moves nothing, and nobody but a platform signs', async () => {
  expect((await post('platform', { device: 'gate-east-in', command: 'open' })).json()).toMatchObject({
    code: 'command.signature',
    status: 403,
  });
  const signed = {
    ...{ gatewayId: 'g', key: 'k', id: 'k-99', nonce: 'a-nonce-long-enough', issuedAt: 1, signature: 'A'.repeat(86) },
  };
  const body = { device: 'gate-east-in', command: 'open', signed };
  expect((await post('platform', body)).json()).toMatchObject({ code: 'command.invalid' }); // not its own key
  expect((await post('guard', body)).json()).toMatchObject({ code: 'command.invalid' });
  const challenge = await gateway.call('POST', '/api/v1/commands/challenges', { as: 'platform' });
  expect(challenge.status).toBe(201);
  expect(challenge.json<{ nonce: string }>().nonce).toMatch(/^[A-Za-z0-9_-]{32}$/);
});
