import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type ManualClock, manualClock } from '../../test/manual-clock.ts';
import { ACCOUNTS, openTestGateway, SECRETS, type TestGateway, type TestOptions } from './gateway.fixture.ts';

const MINUTE = 60_000;
let clock: ManualClock;
let gateway: TestGateway;
const open = async (options: TestOptions = {}) => {
  gateway = await openTestGateway({ clock, ...options });
  return gateway;
};
beforeEach(() => {
  clock = manualClock();
});
afterEach(async () => {
  await gateway[Symbol.asyncDispose]();
});

const logIn = (body: object, headers: Record<string, string> = {}) =>
  gateway.call('POST', '/api/v1/sessions', { body, headers });
const cookieOf = (answer: { headers: Readonly<Record<string, unknown>> }) =>
  String(answer.headers['set-cookie']).split(';')[0] ?? '';
const whoAmI = (cookie: string) => gateway.call('GET', '/api/v1/sessions/current', { headers: { cookie } });
const audits = (name: string) => gateway.records().filter((record) => record.kind === 'audit' && record.name === name);
const guard = { name: ACCOUNTS.guard, pin: SECRETS.pin };
const admin = { name: ACCOUNTS.admin, password: SECRETS.password };

describe('logging in', () => {
  test('by PIN or password gives a cookie no script can read, and is on record', async () => {
    await open();
    const answer = await logIn(guard);
    expect(answer.status).toBe(201);
    expect(answer.json()).toMatchObject({ name: 'demo-guard', role: 'guard', mode: 'demo' });
    expect(String(answer.headers['set-cookie'])).toMatch(
      /^gh_session=[\w-]{43}; Max-Age=43200; Path=\/; HttpOnly; SameSite=Strict$/,
    );
    expect((await whoAmI(cookieOf(answer))).json()).toMatchObject({ name: 'demo-guard' });
    expect(audits('auth.login.succeeded')).toMatchObject([
      { actor: 'user:demo-guard', lane: 'L0', data: { method: 'pin', address: '127.0.0.1' } },
    ]);
    expect(JSON.stringify(gateway.records())).not.toContain(SECRETS.pin);
  });

  test('with both secrets or none is not a try', async () => {
    await open();
    expect((await logIn({ ...guard, password: 'x' })).status).toBe(400);
    expect((await logIn({ name: 'demo-guard' })).status).toBe(400);
  });

  test('gives the same answer for a wrong secret, an unknown name and a role without PIN', async () => {
    await open();
    const told = async (body: object) => {
      const { status, body: text } = await logIn(body);
      const { instance: _, ...rest } = JSON.parse(text) as Record<string, unknown>;
      return { status, rest };
    };
    const wrong = await told({ ...guard, pin: '000000' });
    expect(wrong).toMatchObject({ status: 401, rest: { code: 'auth.invalid' } });
    expect(await told({ name: 'nobody', pin: '000000' })).toEqual(wrong);
    expect(await told({ name: ACCOUNTS.admin, pin: SECRETS.pin })).toEqual(wrong);
    // What was typed as a name may be a password.
    expect(JSON.stringify(audits('auth.login.failed'))).not.toContain('nobody');
  });

  test('takes as long for an unknown name as for a wrong password', async () => {
    await open();
    const time = async (name: string) => {
      const from = performance.now();
      await logIn({ name, password: 'wrong-wrong-wrong' });
      return performance.now() - from;
    };
    await time(ACCOUNTS.admin);
    const [known, unknown] = [await time(ACCOUNTS.installer), await time('nobody-at-all')];
    // One argon2id either way: 20 ms or more; without it, an answer takes under two.
    expect(unknown).toBeGreaterThan(known / 3);
  });
});

describe('locks', () => {
  const wrong = (name: string = ACCOUNTS.guard) => logIn({ name, pin: '000000' });

  test('five failures lock the account for fifteen minutes, then for thirty, for the right PIN too', async () => {
    await open();
    for (let i = 0; i < 5; i++) expect((await wrong()).status).toBe(401);
    const locked = await logIn(guard);
    expect(locked.status).toBe(429);
    expect(locked.json()).toMatchObject({ code: 'auth.locked', retryAfterMs: 15 * MINUTE });
    expect(locked.headers['retry-after']).toBe('900');
    expect(audits('auth.login.locked')[0]).toMatchObject({ actor: 'user:demo-guard', data: { forMs: 15 * MINUTE } });

    await clock.advance(15 * MINUTE - 1000);
    expect((await logIn(guard)).status).toBe(429);
    await clock.advance(2000);
    for (let i = 0; i < 5; i++) expect((await wrong()).status).toBe(401);
    expect((await logIn(guard)).json()).toMatchObject({ retryAfterMs: 30 * MINUTE });
    await clock.advance(31 * MINUTE);
    expect((await logIn(guard)).status).toBe(201);
  });

  test('a name nobody has is locked in the same way', async () => {
    await open();
    for (let i = 0; i < 5; i++) expect((await wrong('nobody')).status).toBe(401);
    expect((await wrong('nobody')).status).toBe(429);
  });

  test('a hundred tries at once are a hundred tries', async () => {
    await open();
    const answers = await Promise.all(Array.from({ length: 30 }, () => wrong()));
    expect(answers.filter(({ status }) => status === 401).length).toBeLessThanOrEqual(5);
    expect((await logIn(guard)).status).toBe(429);
  });

  test('twenty failures lock the address, whatever the names', async () => {
    await open();
    for (let i = 0; i < 20; i++) await wrong(`name-${i}`);
    expect((await logIn(admin)).json()).toMatchObject({ code: 'auth.locked' });
  });

  test('T1 T6 a wall clock that is put forward opens nothing', async () => {
    await open();
    for (let i = 0; i < 5; i++) await wrong();
    clock.step(48 * 60 * MINUTE);
    expect((await logIn(guard)).status).toBe(429);
  });

  test('a good log-in forgets the failures before it', async () => {
    await open();
    for (let i = 0; i < 4; i++) await wrong();
    expect((await logIn(guard)).status).toBe(201);
    for (let i = 0; i < 4; i++) await wrong();
    expect((await logIn(guard)).status).toBe(201);
  });

  test('a shift leader lifts the lock of a guard', async () => {
    await open({ mode: 'demo' });
    await gateway.auth.accounts.create({ name: 'wang', displayName: '王', role: 'guard', pin: '472901' }, 'user:x');
    for (let i = 0; i < 5; i++) await wrong('wang');
    const users = (await gateway.call('GET', '/api/v1/users', { as: 'shift-leader' })).json<{ name: string }[]>();
    expect(users.find(({ name }) => name === 'wang')).toHaveProperty('lockedUntil');
    await gateway.call('PUT', '/api/v1/users/wang', { as: 'shift-leader', body: { unlock: true } });
    expect((await logIn({ name: 'wang', pin: '472901' })).status).toBe(201);
  });

  test('a restart neither lifts nor prolongs a lock', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'gh-auth-'));
    try {
      await open({ directory });
      await gateway.auth.accounts.create({ name: 'wang', displayName: '王', role: 'guard', pin: '472901' }, 'user:x');
      for (let i = 0; i < 5; i++) await wrong('wang');
      await clock.advance(10 * MINUTE);
      await gateway[Symbol.asyncDispose]();
      await open({ directory });
      expect((await logIn({ name: 'wang', pin: '472901' })).json()).toMatchObject({ code: 'auth.locked' });
      await clock.advance(5 * MINUTE + 1000);
      expect((await logIn({ name: 'wang', pin: '472901' })).status).toBe(201);
    } finally {
      await gateway[Symbol.asyncDispose]();
      await open();
      rmSync(directory, { recursive: true, force: true });
    }
  });
});

describe('sessions', () => {
  test('a password session ends after fifteen idle minutes, polling or not', async () => {
    await open();
    const cookie = cookieOf(await logIn(admin));
    for (let i = 0; i < 14; i++) {
      await clock.advance(MINUTE);
      expect((await gateway.call('GET', '/api/v1/status', { headers: { cookie } })).status).toBe(200);
    }
    expect((await gateway.call('GET', '/api/v1/devices', { headers: { cookie } })).status).toBe(200);
    await clock.advance(14 * MINUTE);
    expect((await whoAmI(cookie)).status).toBe(200);
    await clock.advance(2 * MINUTE);
    expect((await whoAmI(cookie)).json()).toMatchObject({ code: 'auth.missing' });
  });

  test('T6 a session outlives steps of the wall clock, to and fro, and is not prolonged by them', async () => {
    await open();
    const cookie = cookieOf(await logIn(guard));
    for (const hours of [30, -60]) {
      clock.step(hours * 60 * MINUTE);
      expect((await whoAmI(cookie)).status).toBe(200);
    }
    await clock.advance((12 * 60 + 1) * MINUTE);
    expect((await whoAmI(cookie)).status).toBe(401);
  });

  test('a PIN session lasts a shift of twelve hours and not longer, however busy', async () => {
    await open();
    const cookie = cookieOf(await logIn(guard));
    await clock.advance(11 * 60 * MINUTE);
    expect((await gateway.call('GET', '/api/v1/devices', { headers: { cookie } })).status).toBe(200);
    await clock.advance(61 * MINUTE);
    expect((await whoAmI(cookie)).status).toBe(401);
  });

  test('the fourth of one user ends the first', async () => {
    await open();
    const cookies: string[] = [];
    for (let i = 0; i < 4; i++) {
      cookies.push(cookieOf(await logIn(guard)));
      await clock.advance(1000);
    }
    const states = await Promise.all(cookies.map(async (cookie) => (await whoAmI(cookie)).status));
    expect(states).toEqual([401, 200, 200, 200]);
  });

  test('logging out ends this session only', async () => {
    await open();
    const [one, two] = [cookieOf(await logIn(guard)), cookieOf(await logIn(guard))];
    const headers = { cookie: one, 'x-gatehouse': '1' };
    const answer = await gateway.call('DELETE', '/api/v1/sessions/current', { headers });
    expect(answer.status).toBe(204);
    expect(String(answer.headers['set-cookie'])).toContain('gh_session=;');
    expect([(await whoAmI(one)).status, (await whoAmI(two)).status]).toEqual([401, 200]);
    expect(audits('auth.logout.done')).toHaveLength(1);
  });

  test('a gateway that comes back after a crash knows its sessions, and a stolen table opens none', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'gh-auth-'));
    try {
      await open({ directory });
      const cookie = cookieOf(await logIn(guard));
      const table = JSON.stringify(gateway.journal.db.prepare('SELECT * FROM login_session').all());
      expect(table).not.toContain(cookie.split('=')[1]);
      await gateway[Symbol.asyncDispose]();
      await open({ directory });
      expect((await whoAmI(cookie)).status).toBe(200);
      await gateway[Symbol.asyncDispose]();
      clock.step(13 * 60 * MINUTE);
      await open({ directory });
      expect((await whoAmI(cookie)).status).toBe(401);
    } finally {
      await gateway[Symbol.asyncDispose]();
      await open();
      rmSync(directory, { recursive: true, force: true });
    }
  });

  test('changing somebody\u2019s PIN or role, or disabling them, logs them out', async () => {
    await open();
    const { accounts } = gateway.auth;
    await accounts.create({ name: 'wang', displayName: '王', role: 'guard', pin: '472901' }, 'user:x');
    const changes = [{ pin: '839204' }, { role: 'shift-leader' as const }, { disabled: true }];
    let pin = '472901';
    for (const change of changes) {
      const cookie = cookieOf(await logIn({ name: 'wang', pin }));
      expect((await whoAmI(cookie)).status).toBe(200);
      await accounts.change('wang', change, 'user:x');
      expect((await whoAmI(cookie)).status).toBe(401);
      pin = '839204';
    }
    expect((await logIn({ name: 'wang', pin })).status).toBe(401);
  });
});

describe('requests of other pages', () => {
  const act = (headers: Record<string, string>) =>
    gateway.call('POST', '/api/v1/demo/smoke', { headers: { host: 'gatehouse.local:8080', ...headers } });

  test('a cookie alone changes nothing: it takes our header and no foreign origin', async () => {
    await open();
    const cookie = cookieOf(await logIn(guard));
    expect((await act({ cookie })).json()).toMatchObject({ status: 403, code: 'auth.origin' });
    const header = { cookie, 'x-gatehouse': '1' };
    expect((await act({ ...header, origin: 'http://evil.example' })).json()).toMatchObject({ code: 'auth.origin' });
    expect((await act({ ...header, origin: 'null' })).json()).toMatchObject({ code: 'auth.origin' });
    expect((await act({ ...header, origin: 'http://gatehouse.local:8080' })).status).toBe(204);
    expect((await act(header)).status).toBe(204);
    expect(gateway.played).toHaveLength(2);
    expect(audits('http.refused').map(({ data }) => data)).toMatchObject([
      { method: 'POST', route: '/api/v1/demo/:action', code: 'auth.origin' },
    ]);
  });

  test('a bearer token needs no header: no browser sends it by itself', async () => {
    await open();
    const answer = await gateway.call('POST', '/api/v1/commands', {
      as: 'flow',
      body: { device: 'gate-east-in', command: 'open' },
      headers: { 'idempotency-key': 'k1' },
    });
    expect(answer.status).toBe(202);
  });

  test('logging in from a foreign page with an old cookie is refused', async () => {
    await open();
    const cookie = cookieOf(await logIn(guard));
    expect((await logIn(guard, { cookie, origin: 'http://evil.example', host: 'x:1' })).status).toBe(403);
    expect((await logIn(guard, { cookie, origin: 'http://x:1', host: 'x:1' })).status).toBe(201);
  });
});

describe('first start', () => {
  const setUp = (code: string, more: object = {}) =>
    gateway.call('POST', '/api/v1/setup', {
      body: { code, name: 'chen', displayName: '陈', password: 'long enough 7391', ...more },
    });
  const needed = async () => (await gateway.call('GET', '/api/v1/setup')).json();

  test('the printed code makes one administrator, once', async () => {
    await open({ mode: 'site' });
    const code = gateway.auth.setupCode() ?? '';
    expect(code).toMatch(/^[0-9A-HJKMNP-TV-Z]{4}(-[0-9A-HJKMNP-TV-Z]{4}){3}$/);
    expect(await needed()).toEqual({ needed: true });
    const answer = await setUp(code.toLowerCase().replaceAll('-', ' '));
    expect(answer.status).toBe(201);
    expect(answer.json()).toMatchObject({ name: 'chen', role: 'admin', mode: 'site' });
    expect((await whoAmI(cookieOf(answer))).status).toBe(200);
    expect(await needed()).toEqual({ needed: false });
    expect(gateway.auth.setupCode()).toBeUndefined();
    expect((await setUp(code, { name: 'second' })).json()).toMatchObject({ code: 'auth.setup_closed' });
    expect(audits('user.account.created')).toMatchObject([{ actor: 'system:setup', data: { user: 'chen' } }]);
  });

  test('two at once with the right code make one administrator', async () => {
    await open({ mode: 'site' });
    const code = gateway.auth.setupCode() ?? '';
    const answers = await Promise.all([setUp(code), setUp(code, { name: 'second' })]);
    expect(answers.map(({ status }) => status).sort((a, b) => a - b)).toEqual([201, 409]);
  });

  test('five wrong codes spend it; a weak password does not', async () => {
    await open({ mode: 'site' });
    const code = gateway.auth.setupCode() ?? '';
    expect((await setUp(code, { password: 'gatehouse1' })).json()).toMatchObject({ code: 'auth.weak_password' });
    for (let i = 0; i < 5; i++) expect((await setUp('0000-0000-0000-0000')).status).toBe(401);
    expect((await setUp(code)).json()).toMatchObject({ code: 'auth.setup_closed' });
    expect(gateway.auth.setupCode()).toBeUndefined();
  });

  test('it is good for thirty minutes', async () => {
    await open({ mode: 'site' });
    const code = gateway.auth.setupCode() ?? '';
    await clock.advance(30 * MINUTE);
    expect((await setUp(code)).json()).toMatchObject({ code: 'auth.setup_closed' });
  });

  test('nobody is called admin or guest, and a password is worth its name', async () => {
    await open({ mode: 'site' });
    const code = gateway.auth.setupCode() ?? '';
    for (const name of ['admin', 'guest', 'root', 'Chen', 'demo-x', 'a']) {
      expect((await setUp(code, { name })).json()).toMatchObject({ code: 'user.invalid' });
    }
    for (const password of ['short', 'aaaaaaaaaaaa', '1234567890', 'password123', 'Gatehouse!', 'chenchen12']) {
      expect((await setUp(code, { password })).json(), password).toMatchObject({ code: 'auth.weak_password' });
    }
    expect((await setUp(code)).status).toBe(201);
  });
});

describe('demo accounts', () => {
  test('exist in demo mode on loopback, and go when the same data becomes a site', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'gh-auth-'));
    try {
      await open({ directory });
      expect(statSync(join(directory, 'secrets', 'pepper')).mode & 0o777).toBe(0o600);
      const stored = JSON.stringify(gateway.journal.db.prepare('SELECT * FROM account').all());
      for (const secret of Object.values(SECRETS)) expect(stored).not.toContain(secret);
      const cookie = cookieOf(await logIn(guard));
      await gateway[Symbol.asyncDispose]();
      await open({ directory, mode: 'site' });
      expect((await logIn(guard)).status).toBe(401);
      expect((await whoAmI(cookie)).status).toBe(401);
      expect((await gateway.call('GET', '/api/v1/status', { as: 'platform' })).status).toBe(401);
      expect(await gateway.auth.setupNeeded()).toBe(true);
    } finally {
      await gateway[Symbol.asyncDispose]();
      await open();
      rmSync(directory, { recursive: true, force: true });
    }
  });

  test('are refused off loopback and on a real site', async () => {
    await open({ mode: 'site' });
    await expect(gateway.auth.accounts.createDemo({})).rejects.toMatchObject({ code: 'config.invalid' });
  });

  test('get random secrets, which are told once', async () => {
    await open();
    const made = await gateway.auth.accounts.createDemo({});
    expect(made).toMatchObject({
      password: expect.stringMatching(/^([a-z2-9]{4}-){2}[a-z2-9]{4}$/),
      pin: expect.stringMatching(/^\d{6}$/),
    });
    expect((await logIn({ name: ACCOUNTS.guard, pin: made.pin })).status).toBe(201);
    expect((await logIn(guard)).status).toBe(401);
    expect((await gateway.call('GET', '/api/v1/status', { as: 'platform' })).status).toBe(401);
    const headers = { authorization: `Bearer ${made.token}` };
    expect((await gateway.call('GET', '/api/v1/status', { headers })).status).toBe(200);
  });

  test('a session outlives new secrets: a crash must not empty the booth', async () => {
    await open();
    const cookie = cookieOf(await logIn(guard));
    await gateway.auth.accounts.createDemo({});
    expect((await whoAmI(cookie)).status).toBe(200);
  });
});

describe('users and tokens', () => {
  test('need a password given within five minutes', async () => {
    await open();
    const cookie = cookieOf(await logIn(admin));
    const headers = { cookie, 'x-gatehouse': '1' };
    const create = (name: string) =>
      gateway.call('POST', '/api/v1/users', {
        headers,
        body: { name, displayName: name, role: 'installer', password: 'long enough 7391' },
      });
    expect((await create('li')).status).toBe(201);
    await clock.advance(6 * MINUTE);
    expect((await create('zhao')).json()).toMatchObject({ code: 'auth.reauth', status: 403 });
    const wrong = { headers, body: { password: 'not this one at all' } };
    expect((await gateway.call('PUT', '/api/v1/sessions/current', wrong)).status).toBe(401);
    const right = { headers, body: { password: SECRETS.password } };
    expect((await gateway.call('PUT', '/api/v1/sessions/current', right)).status).toBe(200);
    expect((await create('zhao')).status).toBe(201);
    expect((await create('zhao')).json()).toMatchObject({ code: 'user.exists' });
  });

  test('a shift leader keeps guards and nobody else', async () => {
    await open();
    const as = 'shift-leader' as const;
    const body = { name: 'wang', displayName: '王', role: 'guard', pin: '472901' };
    expect((await gateway.call('POST', '/api/v1/users', { as, body })).status).toBe(201);
    const other = { ...body, name: 'li', role: 'admin', pin: undefined, password: 'long enough 7391' };
    expect((await gateway.call('POST', '/api/v1/users', { as, body: other })).status).toBe(403);
    const rise = { as, body: { role: 'shift-leader' } };
    expect((await gateway.call('PUT', '/api/v1/users/wang', rise)).status).toBe(403);
    expect((await gateway.call('DELETE', '/api/v1/users/demo-admin', { as })).status).toBe(403);
    const seen = (await gateway.call('GET', '/api/v1/users', { as })).json<{ role: string }[]>();
    expect(new Set(seen.map(({ role }) => role))).toEqual(new Set(['guard']));
  });

  test('PINs are for guards and shift leaders, and no run', async () => {
    await open();
    const create = (role: string, pin: string) =>
      gateway.call('POST', '/api/v1/users', { as: 'admin', body: { name: 'li', displayName: '李', role, pin } });
    expect((await create('installer', '472901')).json()).toMatchObject({ code: 'user.invalid' });
    for (const pin of ['123456', '654321', '111111', '121212']) {
      expect((await create('guard', pin)).json(), pin).toMatchObject({ code: 'auth.weak_password' });
    }
  });

  test('the last administrator stays', async () => {
    await open();
    expect((await gateway.call('DELETE', '/api/v1/users/demo-admin', { as: 'admin' })).json()).toMatchObject({
      code: 'user.last_admin',
    });
    const change = { as: 'admin' as const, body: { disabled: true } };
    expect((await gateway.call('PUT', '/api/v1/users/demo-admin', change)).status).toBe(409);
  });

  test('nobody sees a hash', async () => {
    await open();
    expect((await gateway.call('GET', '/api/v1/users', { as: 'admin' })).body).not.toContain('argon2');
    const audit = JSON.stringify(gateway.records());
    expect(audit).not.toContain('argon2');
  });

  test('a token is shown once, moves nothing and has its end', async () => {
    await open();
    const body = { platform: 'street-office', days: 2 };
    const made = await gateway.call('POST', '/api/v1/tokens', { as: 'admin', body });
    const { token, id } = made.json<{ token: string; id: string }>();
    expect((await gateway.call('GET', '/api/v1/tokens', { as: 'admin' })).body).not.toContain(token);
    const headers = { authorization: `Bearer ${token}` };
    expect((await gateway.call('GET', '/api/v1/sessions/current', { headers })).json()).toMatchObject({
      name: 'street-office',
      role: 'platform',
    });
    const order = {
      headers: { ...headers, 'idempotency-key': 'k' },
      body: { device: 'gate-east-in', command: 'open' },
    };
    expect((await gateway.call('POST', '/api/v1/commands', order)).status).toBe(403);
    expect(gateway.barrier.orders).toEqual([]);
    clock.step(2 * 24 * 60 * MINUTE);
    expect((await gateway.call('GET', '/api/v1/status', { headers })).status).toBe(401);
    expect((await gateway.call('DELETE', `/api/v1/tokens/${id}`, { as: 'flow' })).status).toBe(403);
  });

  test('a withdrawn token is no longer good; wrong ones are on record, counted', async () => {
    await open();
    const made = await gateway.call('POST', '/api/v1/tokens', { as: 'admin', body: { platform: 'city' } });
    const { token, id } = made.json<{ token: string; id: string }>();
    expect((await gateway.call('DELETE', `/api/v1/tokens/${id}`, { as: 'admin' })).status).toBe(204);
    for (let i = 0; i < 4; i++) {
      const headers = { authorization: `Bearer ${token}` };
      expect((await gateway.call('GET', '/api/v1/status', { headers })).json()).toMatchObject({ code: 'auth.invalid' });
    }
    await clock.advance(MINUTE + 1000);
    await gateway.journal.append();
    expect(audits('auth.token.refused').map(({ data }) => data)).toMatchObject([
      { address: '127.0.0.1' },
      { count: 3, withinMs: MINUTE },
    ]);
  });
});

describe("a leader's PIN at a guard's panel", () => {
  const approve = (body: object) => gateway.call('POST', '/api/v1/sessions/approvals', { as: 'guard', body });
  const leader = { name: ACCOUNTS['shift-leader'], pin: SECRETS.pin };
  /** A change that is a leader's. */
  const RESET = '/api/v1/alarms/none/reset';
  const tryIt = (approval: string, as: 'guard' | 'admin' = 'guard', path = RESET) =>
    gateway.call('POST', path, { as, headers: { 'x-gatehouse-approval': approval }, body: {} });

  test('lends the rights for one change, to that session only, and both names are on record', async () => {
    await open();
    const answer = await approve(leader);
    expect(answer.status).toBe(201);
    const { approval } = answer.json<{ approval: string }>();
    expect(audits('auth.approval.given')).toMatchObject([
      { actor: 'user:demo-leader', data: { for: 'demo-guard', method: 'pin' } },
    ]);
    // Another session cannot spend it; a reading does not.
    expect((await tryIt(approval, 'admin')).json()).toMatchObject({ code: 'auth.approval' });
    expect((await gateway.call('GET', '/api/v1/users', { as: 'guard' })).status).toBe(403);
    // Past the guard's rights: refused for what it names, no longer for the role. Then it is spent.
    expect((await tryIt(approval)).json()).toMatchObject({ code: 'alarm.not_found' });
    expect((await tryIt(approval)).json()).toMatchObject({ code: 'auth.approval' });
    expect((await gateway.call('POST', RESET, { as: 'guard', body: {} })).json()).toMatchObject({
      code: 'auth.forbidden',
    });
  });

  test('does not stand for the password that changes of users ask for', async () => {
    await open();
    const { approval } = (await approve(leader)).json<{ approval: string }>();
    expect((await tryIt(approval, 'guard', '/api/v1/users')).json()).toMatchObject({ code: 'auth.reauth' });
  });

  test('is good for a minute, and only a leader can give it', async () => {
    await open();
    const { approval } = (await approve(leader)).json<{ approval: string }>();
    await clock.advance(60_000);
    expect((await tryIt(approval)).json()).toMatchObject({ code: 'auth.approval' });
    expect((await approve({ name: ACCOUNTS.guard, pin: SECRETS.pin })).json()).toMatchObject({
      code: 'auth.forbidden',
    });
    expect((await approve({ ...leader, pin: '000000' })).json()).toMatchObject({ code: 'auth.invalid' });
  });
});
