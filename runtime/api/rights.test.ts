import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Role } from '../contracts/contract.ts';
import { openTestGateway, type TestGateway } from './gateway.fixture.ts';
import { mayDo, rights, searchFrom } from './rights.ts';

type Who = Role | 'flow';
const everybody: readonly Who[] = ['guard', 'shift-leader', 'installer', 'platform', 'auditor', 'admin', 'flow'];
const people: readonly Who[] = ['guard', 'shift-leader', 'installer', 'auditor', 'admin'];

/** The table of reliability.md section 8, spelled out per address: what it says here and not what the code says. */
type Row = readonly [method: string, url: string, allowed: readonly Who[] | 'anyone', body?: object];
const table: readonly Row[] = [
  ['GET', '/livez', 'anyone'],
  ['GET', '/readyz', 'anyone'],
  ['GET', '/metrics', 'anyone'],
  ['GET', '/api/v1/openapi.json', 'anyone'],
  ['GET', '/api/v1/asyncapi.json', 'anyone'],
  ['GET', '/api/v1/setup', 'anyone'],
  ['POST', '/api/v1/setup', 'anyone', { code: 'x', name: 'chen', displayName: 'Chen', password: 'x' }],
  ['GET', '/api/v1/sessions/people', 'anyone'],
  ['GET', '/api/v1/sessions/current', [...people, 'platform']],
  ['PUT', '/api/v1/sessions/current', people, {}],
  ['POST', '/api/v1/sessions/approvals', ['guard', 'shift-leader', 'admin'], { name: 'nobody', pin: '000000' }],
  ['GET', `/api/v1/evidence/${'0'.repeat(64)}`, ['guard', 'shift-leader', 'platform', 'admin', 'flow']],
  ['GET', '/api/v1/status', everybody],
  ['GET', '/api/v1/scenarios', everybody],
  ['GET', '/api/v1/zones', everybody],
  ['GET', '/api/v1/zones/nowhere', everybody],
  ['POST', '/api/v1/zones', ['installer', 'admin'], {}],
  ['PUT', '/api/v1/zones/nowhere', ['installer', 'admin'], {}],
  ['DELETE', '/api/v1/zones/nowhere', ['installer', 'admin']],
  ['GET', '/api/v1/devices', everybody],
  ['GET', '/api/v1/devices/nothing', everybody],
  ['POST', '/api/v1/devices', ['installer', 'admin'], {}],
  ['PUT', '/api/v1/devices/nothing', ['installer', 'admin'], {}],
  ['DELETE', '/api/v1/devices/nothing', ['installer', 'admin']],
  ...['people', 'vehicles', 'credentials'].flatMap(
    (path) =>
      [
        ['GET', `/api/v1/${path}`, [...people, 'flow']],
        ['GET', `/api/v1/${path}/nobody`, [...people, 'flow']],
        ['POST', `/api/v1/${path}`, ['shift-leader', 'installer', 'admin'], {}],
        ['PUT', `/api/v1/${path}/nobody`, ['shift-leader', 'installer', 'admin'], {}],
        ['DELETE', `/api/v1/${path}/nobody`, ['shift-leader', 'installer', 'admin']],
      ] as const,
  ),
  ['POST', '/api/v1/access', ['guard', 'shift-leader', 'installer', 'admin', 'flow'], {}],
  ['POST', '/api/v1/commands', ['guard', 'shift-leader', 'installer', 'admin', 'flow', 'platform'], {}],
  ['POST', '/api/v1/commands/challenges', ['platform']],
  ['GET', '/api/v1/commands?limit=5', everybody],
  ['GET', '/api/v1/commands/none', everybody],
  ['POST', '/api/v1/commands/none/renew', ['guard', 'shift-leader', 'installer', 'admin', 'flow']],
  ['POST', '/api/v1/commands/none/reason', ['guard', 'shift-leader', 'admin'], { reason: 'visitor' }],
  ['GET', '/api/v1/alarms', everybody],
  ['POST', '/api/v1/alarms', ['flow'], {}],
  ['POST', '/api/v1/alarms/clear', ['flow'], {}],
  ...['ack', 'dispatch', 'arrive', 'resolve', 'shelve', 'unshelve'].map(
    (action) => ['POST', `/api/v1/alarms/none/${action}`, ['guard', 'shift-leader', 'admin']] as const,
  ),
  ['POST', '/api/v1/alarms/none/reset', ['shift-leader', 'admin']],
  ['POST', '/api/v1/alarms/none/clear-false', ['shift-leader', 'admin']],
  ['POST', '/api/v1/alarms/none/out-of-service', ['installer', 'admin']],
  ['POST', '/api/v1/alarms/none/in-service', ['installer', 'admin']],
  ['POST', '/api/v1/alarms/out-of-service', ['installer', 'admin'], {}],
  ['GET', '/api/v1/linkages', everybody],
  ['GET', '/api/v1/linkages/none', everybody],
  ['POST', '/api/v1/linkages/none/test', ['shift-leader', 'installer', 'admin']],
  ['GET', '/api/v1/alarms/flood', everybody],
  ['GET', '/api/v1/alarms/statistics', everybody],
  ['GET', '/api/v1/flows/versions', ['installer', 'auditor', 'admin']],
  ['GET', '/api/v1/flows/versions/1', ['installer', 'admin']],
  ['POST', '/api/v1/flows/versions/1/restore', ['installer', 'admin'], {}],
  ['GET', '/api/v1/records', everybody],
  ['GET', '/api/v1/records/none/chain', everybody],
  ['GET', '/api/v1/records/export?format=csv', ['guard', 'shift-leader', 'platform', 'auditor', 'admin']],
  ['GET', '/api/v1/storage', everybody],
  ['GET', '/api/v1/points/history?device=station&name=pm25', everybody],
  ['POST', '/api/v1/events', ['flow'], {}],
  ['GET', '/api/v1/notices', [...people, 'flow']],
  ['POST', '/api/v1/notices', ['shift-leader', 'installer', 'admin', 'flow'], {}],
  ['POST', '/api/v1/notices/none/read', ['guard', 'shift-leader', 'installer', 'admin']],
  ['GET', '/api/v1/work-orders', [...people, 'flow']],
  ['GET', '/api/v1/work-orders/statistics', [...people, 'flow']],
  ['GET', '/api/v1/work-orders/none', [...people, 'flow']],
  ['POST', '/api/v1/work-orders', ['guard', 'shift-leader', 'installer', 'admin', 'flow'], {}],
  ...['assign', 'done', 'cancel'].map(
    (action) =>
      ['POST', `/api/v1/work-orders/none/${action}`, ['guard', 'shift-leader', 'installer', 'admin']] as const,
  ),
  ['GET', '/api/v1/calendar', everybody],
  ['PUT', '/api/v1/calendar/2027', ['shift-leader', 'installer', 'admin'], {}],
  ['DELETE', '/api/v1/calendar/2027', ['shift-leader', 'installer', 'admin']],
  ['PUT', '/api/v1/calendar/location', ['shift-leader', 'installer', 'admin'], {}],
  ['POST', '/api/v1/schedules/occurrences', ['flow'], {}],
  ['GET', '/api/v1/maintenance', everybody],
  ['GET', '/api/v1/flows/tabs', ['installer', 'admin']],
  ['GET', '/api/v1/flows/replays', ['installer', 'admin']],
  ['POST', '/api/v1/flows/replays', ['installer', 'admin'], {}],
  ['GET', '/api/v1/flows/replays/none', ['installer', 'admin']],
  ['DELETE', '/api/v1/flows/replays/none', ['installer', 'admin']],
  ['POST', '/api/v1/flows/replays/none/step', ['installer', 'admin']],
  ['POST', '/api/v1/flows/replays/none/save', ['installer', 'admin'], {}],
  ['POST', '/api/v1/maintenance', ['installer', 'admin'], {}],
  ['DELETE', '/api/v1/maintenance', ['installer', 'admin']],
  ['GET', '/api/v1/backups', ['installer', 'auditor', 'admin']],
  ['POST', '/api/v1/backups', ['installer', 'admin'], { kind: 'nothing' }],
  ['GET', '/api/v1/backups/20260101-000000.ghb', ['installer', 'admin']],
  ['POST', '/api/v1/demo/arrival', ['guard', 'shift-leader', 'installer', 'admin']],
  ['GET', '/api/v1/uplinks', ['installer', 'auditor', 'admin', 'platform']],
  ['PUT', '/api/v1/uplinks/none', ['admin'], {}],
  ['DELETE', '/api/v1/uplinks/none', ['admin']],
  ['POST', '/api/v1/uplinks/none/replay', ['installer', 'admin', 'platform'], {}],
  ['GET', '/api/v1/platform-keys', ['installer', 'auditor', 'admin']],
  ['PUT', '/api/v1/platform-keys/none', ['admin'], {}],
  ['DELETE', '/api/v1/platform-keys/none', ['admin']],
  ['GET', '/api/v1/users', ['shift-leader', 'auditor', 'admin']],
  ['POST', '/api/v1/users', ['shift-leader', 'admin'], {}],
  ['PUT', '/api/v1/users/nobody', ['shift-leader', 'admin'], {}],
  ['DELETE', '/api/v1/users/nobody', ['shift-leader', 'admin']],
  ['GET', '/api/v1/tokens', ['admin']],
  ['POST', '/api/v1/tokens', ['admin'], {}],
  ['DELETE', '/api/v1/tokens/none', ['admin']],
  // A log-in and a log-out are covered by name in auth.test.ts, the stream in streams.test.ts.
  ['POST', '/api/v1/sessions', 'anyone', {}],
];
/** The emergency opening asks where a request comes from, not whose it is: emergency.test.ts. */
const BY_PLACE = ['GET /api/v1/emergency-open', 'POST /api/v1/emergency-open'];
const ELSEWHERE = ['DELETE /api/v1/sessions/current', 'GET /api/v1/stream', ...BY_PLACE];

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await openTestGateway();
});
afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
});

test('the table has every route the gateway offers', async () => {
  const { paths } = (await gateway.call('GET', '/api/v1/openapi.json')).json<{ paths: Record<string, object> }>();
  const offered = Object.entries(paths).flatMap(([path, item]) =>
    Object.keys(item).map((method) => `${method.toUpperCase()} ${path}`),
  );
  const covered = new Set([
    ...ELSEWHERE,
    ...table.map(([method, url]) => {
      const path = url.split('?')[0] ?? url;
      const known = offered.find((entry) => entry === `${method} ${path}`);
      const pattern = (entry: string) => new RegExp(`^${entry.replaceAll(/\{\w+\}/g, '[^/]+')}$`);
      return known ?? offered.find((entry) => pattern(entry).test(`${method} ${path}`)) ?? `${method} ${path} is gone`;
    }),
  ]);
  expect(covered).toEqual(new Set(offered));
});

const rows = table.map(([method, url, allowed, body]) => ({ method, url, allowed, body }));
describe.each(rows)('$method $url', ({ method, url, allowed, body }) => {
  const call = (as?: Who) =>
    gateway.call(method as 'GET', url, { ...(as ? { as } : {}), ...(body === undefined ? {} : { body }) });

  test('lets in who may, and nobody else', async () => {
    for (const who of everybody) {
      const { status, body: text } = await call(who);
      const refused = status === 403 && text.includes('"auth.forbidden"');
      expect
        .soft(refused, `${who}: ${status} ${text.slice(0, 200)}`)
        .toBe(allowed !== 'anyone' && !allowed.includes(who));
      expect.soft(status, `${who}: ${text.slice(0, 200)}`).not.toBe(500);
    }
  });

  test('asks a stranger to log in', async () => {
    const { status, body: text } = await call();
    if (allowed === 'anyone') expect(text).not.toContain('auth.missing');
    else {
      expect(status).toBe(401);
      expect(JSON.parse(text)).toMatchObject({ code: 'auth.missing', status: 401 });
    }
  });
});

test('no right is for a role that does not exist', () => {
  for (const allowed of Object.values(rights)) {
    if (typeof allowed === 'string') continue;
    expect(everybody).toEqual(expect.arrayContaining([...allowed]));
  }
  expect(mayDo('auditor', 'command.send')).toBe(false);
});

describe('how far back a role may search', () => {
  const zone = 'Asia/Shanghai';
  const at = (text: string) => Date.parse(`${text}+08:00`);

  test('a guard sees the site\u2019s day', () => {
    expect(searchFrom('guard', at('2026-05-01T15:30:00.250'), zone)).toBe(at('2026-05-01T00:00:00'));
  });
  test('a guard of the night shift sees the shift', () => {
    expect(searchFrom('guard', at('2026-05-01T02:00:00'), zone)).toBe(at('2026-04-30T14:00:00'));
  });
  test('a shift leader sees thirty days, others everything', () => {
    const now = at('2026-05-31T00:00:00');
    expect(searchFrom('shift-leader', now, zone)).toBe(at('2026-05-01T00:00:00'));
    expect(searchFrom('admin', now, zone)).toBeUndefined();
  });
});
