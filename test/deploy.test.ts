/** Starting and deploying flows never moves anything and never drops a device link: a whole gateway and its simulators. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { CommandView, DeviceView } from '../runtime/contracts/api.ts';
import { compoundStats } from './compound.ts';
import { type Gateway, startGateway } from './site.ts';

let gateway: Gateway;
let cookie = '';
beforeAll(async () => {
  gateway = await startGateway();
  const login = await fetch(`${gateway.url}/api/v1/sessions`, {
    ...{ method: 'POST', headers: { 'content-type': 'application/json', 'x-gatehouse': '1' } },
    body: JSON.stringify({ name: 'demo-installer', password: gateway.password }),
  });
  cookie = login.headers.get('set-cookie')?.split(';')[0] ?? '';
  await gateway.record(({ name, data }) => name === 'flows' && (data as { state?: string }).state === 'running');
  await gateway.post('/maintenance', { minutes: 10, reason: 'test' }, 'demo-installer');
}, 90_000);
afterAll(() => gateway[Symbol.asyncDispose]());

async function editor(method: string, path: string, body?: object, type = 'full'): Promise<unknown> {
  const response = await fetch(`${gateway.url}/editor${path}`, {
    method,
    headers: {
      ...{ cookie, 'x-gatehouse': '1', 'content-type': 'application/json' },
      ...{
        'node-red-api-version': 'v2',
        'node-red-deployment-type': type,
        'x-gatehouse-note': encodeURIComponent(type),
      },
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
  return text === '' || text === 'OK' ? undefined : JSON.parse(text);
}

/** Open connections of the core to the simulated devices, by the kernel's number of each socket. */
async function links(): Promise<string[]> {
  const { items } = await gateway.json<{ items: DeviceView[] }>('/devices', { as: 'demo-installer' });
  const ports = new Set(
    items.flatMap(({ address }) =>
      typeof address?.port === 'number' ? [address.port.toString(16).toUpperCase().padStart(4, '0')] : [],
    ),
  );
  const own = new Set(
    readdirSync(`/proc/${gateway.pid}/fd`).map((fd) => {
      try {
        return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${gateway.pid}/fd/${fd}`))?.[1];
      } catch {
        return undefined; // closed meanwhile
      }
    }),
  );
  const rows = readFileSync(`/proc/${gateway.pid}/net/tcp`, 'utf8').split('\n').slice(1);
  return rows
    .map((row) => row.trim().split(/\s+/))
    .filter(([, , remote, state]) => state === '01' && ports.has(remote?.split(':')[1] ?? ''))
    .flatMap(([, , remote, , , , , , , inode]) => (own.has(inode) ? [`${remote} ${inode}`] : []))
    .toSorted((a, b) => a.localeCompare(b));
}

const at = (id: string, type: string, more: object) => ({ id, type, z: 'eager', x: 1, y: 1, wires: [], ...more });
/** A tab that wants to open a gate as soon as it starts, in every way there is. */
const eager = (turn: string) => [
  { id: 'eager', type: 'tab', label: 'eager' },
  at('button', 'inject', { once: true, onceDelay: 0.1, repeat: '', props: [], name: turn, wires: [['ask']] }),
  at('late', 'inject', { once: true, onceDelay: 1, repeat: '', props: [], name: turn, wires: [['ask']] }),
  at('setup', 'function', {
    ...{ func: 'return msg;', outputs: 1, libs: [], name: turn, wires: [['ask']] },
    initialize: `setTimeout(() => node.send({}), 300);`,
  }),
  at('ask', 'function', { func: 'return { payload: "open" };', outputs: 1, libs: [], wires: [['gate']] }),
  at('gate', 'gh-vehicle-gate', { pick: 'device', device: 'gate-east-out', records: [], command: 'open', name: turn }),
  at('catch', 'catch', { scope: null, wires: [['told']] }),
  at('told', 'function', { func: 'node.warn("told " + msg.error.message);', outputs: 0, libs: [], name: turn }),
];
const refusals = () => gateway.text().split('由启动或部署引起').length - 1;
const pulses = async () => (await compoundStats(gateway.data)).pulses;

test('N8 C4 deploying whole flows, nodes or tabs opens nothing and drops no link; a person pressing the button does', {
  timeout: 120_000,
}, async () => {
  const before = { pulses: await pulses(), commands: await gateway.records('&kind=command'), links: await links() };
  expect(before.links.length).toBeGreaterThan(1);
  const { flows } = (await editor('GET', '/flows')) as { flows: object[] };
  for (const [index, type] of ['full', 'nodes', 'flows'].entries()) {
    await editor('POST', '/flows', { flows: [...flows, ...eager(type)] }, type);
    await expect.poll(refusals, { timeout: 20_000 }).toBeGreaterThanOrEqual(3 * (index + 1));
  }
  expect(await pulses()).toEqual(before.pulses);
  expect(await gateway.records('&kind=command')).toEqual(before.commands);
  expect(await links()).toEqual(before.links);
  const offline = (await gateway.records('&kind=state')).filter(
    ({ device, data }) => device !== 'flows' && (data as { state?: string }).state === 'offline',
  );
  expect(offline).toEqual([]);

  await editor('POST', '/inject/button', {});
  const opened = await gateway.record(
    ({ kind, data }) => kind === 'command' && (data as CommandView).state === 'succeeded',
  );
  expect(opened).toMatchObject({ device: 'gate-east-out', actor: 'flow:eager' });
  expect((await pulses())['gate-east-out']?.[0]).toBe((before.pulses['gate-east-out']?.[0] ?? 0) + 1);
});

test('each deploy is in the history with author, note and what differs, before it is answered', async () => {
  const { items } = await gateway.json<{ items: { id: number; note: string; author: string; tabs: object[] }[] }>(
    '/flows/versions?limit=3',
    { as: 'demo-installer' },
  );
  expect(items.map(({ note, author }) => [note, author])).toEqual(
    ['flows', 'nodes', 'full'].map((note) => [note, 'user:demo-installer']),
  );
  const detail = await gateway.json<{ changes: { node: string; fields?: { field: string }[] }[] }>(
    `/flows/versions/${items[0]?.id}`,
    { as: 'demo-installer' },
  );
  expect(detail.changes.map(({ node }) => node)).toEqual(['button', 'late', 'setup', 'gate', 'told']);
  expect(detail.changes.flatMap(({ fields = [] }) => fields.map(({ field }) => field))).toEqual(
    Array.from({ length: 5 }, () => 'name'),
  );
  const audit = await gateway.json<{ items: object[] }>('/records?kind=audit&name=flows.deployed', {
    as: 'demo-auditor',
  });
  expect(audit.items).toHaveLength(4);
});
