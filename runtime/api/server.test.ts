import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { connect } from 'node:net';
import { networkInterfaces, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { manualClock } from '../../test/manual-clock.ts';
import { catalogue } from '../errors.ts';
import { silentLog } from '../log.ts';
import { openTestGateway, type TestGateway, type TestOptions } from './gateway.fixture.ts';
import { keyPair } from './tls.ts';

const opened: AsyncDisposable[] = [];
afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one[Symbol.asyncDispose]();
});
async function open(options: TestOptions = {}): Promise<TestGateway> {
  const gateway = await openTestGateway(options);
  opened.push(gateway);
  return gateway;
}
function folder(): string {
  const directory = mkdtempSync(join(tmpdir(), 'gh-server-'));
  opened.push({ [Symbol.asyncDispose]: async () => rmSync(directory, { recursive: true, force: true }) });
  return directory;
}
const answerOf = (request: ClientRequest): Promise<{ status: number; text: string; response: IncomingMessage }> =>
  new Promise((resolve, reject) => {
    request.once('error', reject);
    request.once('response', (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (piece: string) => {
        text += piece;
      });
      response.once('end', () => resolve({ status: response.statusCode ?? 0, text, response }));
    });
    request.end();
  });
const login = (gateway: TestGateway, payload: string, headers: Record<string, string> = {}) =>
  gateway.api.inject({
    method: 'POST',
    url: '/api/v1/sessions',
    payload,
    headers: { 'content-type': 'application/json', ...headers },
  });

/** Nobody asks without a record here. */
const decide = (): never => {
  throw new Error('not asked');
};

describe('a refusal', () => {
  test('is problem+json with a code of the catalogue, whatever went wrong', async () => {
    const gateway = await open();
    const cases: [Promise<{ statusCode: number; body: string; headers: object }>, number, string][] = [
      [gateway.api.inject('/api/v1/nothing'), 404, 'http.not_found'],
      [gateway.api.inject('/api/v1/devices'), 401, 'auth.missing'],
      [login(gateway, '{"name": '), 400, 'http.invalid'],
      [login(gateway, ''), 400, 'http.invalid'],
      [login(gateway, '{"name":"x","password":"y","more":1}'), 400, 'http.invalid'],
      [login(gateway, '{}', { 'content-type': 'text/plain' }), 415, 'http.unsupported'],
      [login(gateway, '{"name":"x","password":"y"}'), 401, 'auth.invalid'],
      [gateway.api.inject('/api/v1/%ff'), 400, 'http.invalid'],
    ];
    for (const [answer, status, code] of cases) {
      const { statusCode, body, headers } = await answer;
      expect(JSON.parse(body), body).toMatchObject({ status, code, type: `urn:gatehouse:problem:${code}` });
      expect(statusCode).toBe(status);
      expect(headers).toMatchObject({ 'content-type': 'application/problem+json; charset=utf-8' });
      expect(Object.keys(catalogue)).toContain(code);
    }
  });

  test('names every wrong field', async () => {
    const gateway = await open();
    const body = { id: 'Gate East', zone: 'east-in', profile: 'x', address: 7 };
    const answer = await gateway.call('POST', '/api/v1/devices', { as: 'installer', body });
    const { fields } = answer.json<{ fields: { field: string }[] }>();
    expect(fields.map(({ field }) => field)).toEqual(expect.arrayContaining(['id', 'address']));
    expect(answer.body).toContain('name');
  });

  test('of the gateway\u2019s own fault keeps the inside for the log', async () => {
    const logged: string[] = [];
    const log = Object.assign(Object.create(silentLog) as typeof silentLog, {
      error: (fault: { err: Error }) => logged.push(fault.err.message),
    });
    const gateway = await open({
      parts: {
        log,
        access: { ask: () => Promise.reject(new Error('disk /dev/secret is on fire')), decide },
      },
    });
    const body = { gate: 'gate-east-in', plate: '粤B12345' };
    const answer = await gateway.call('POST', '/api/v1/access', { as: 'flow', body });
    expect(answer.status).toBe(500);
    expect(answer.json()).toMatchObject({ code: 'http.internal' });
    expect(answer.body).not.toContain('fire');
    expect(logged).toEqual(['disk /dev/secret is on fire']);
  });
});

describe('input limits', () => {
  test('a text of 1 MB is refused by its size, before it is read', async () => {
    const gateway = await open();
    const { body } = await login(gateway, JSON.stringify({ name: 'x'.repeat(1 << 20), password: 'y' }));
    expect(JSON.parse(body)).toMatchObject({ status: 413, code: 'http.too_large' });
    await gateway.journal.append();
    expect(gateway.records().filter(({ name }) => name === 'http.limit.exceeded')).toHaveLength(1);
  });

  test('a hundred thousand nested arrays are an answer, not a crash', async () => {
    const gateway = await open();
    const deep = '['.repeat(100_000) + ']'.repeat(100_000);
    expect(JSON.parse((await login(gateway, deep)).body)).toMatchObject({ status: 400, code: 'http.invalid' });
    const edge = (levels: number) => `${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`;
    expect((await login(gateway, edge(21))).body).toContain('20 levels');
    expect((await login(gateway, edge(20))).body).not.toContain('levels');
    // A bracket inside a text is no level.
    expect((await login(gateway, JSON.stringify({ name: '[[[['.repeat(15), password: '"]\\"' }))).statusCode).toBe(401);
  });

  test('too many items, keys, control characters and prototype keys are refused', async () => {
    const gateway = await open();
    const many = Object.fromEntries(Array.from({ length: 201 }, (_, i) => [`k${i}`, 1]));
    for (const body of [
      JSON.stringify({ a: Array.from({ length: 1001 }, () => 1) }),
      JSON.stringify(many),
      '{"name":"a\\u0000b","password":"y"}',
      '{"name":"a\\u009bb","password":"y"}',
      '{"__proto__":{"admin":true}}',
      '{"a":{"constructor":1}}',
    ]) {
      expect(JSON.parse((await login(gateway, body)).body), body.slice(0, 60)).toMatchObject({ code: 'http.invalid' });
    }
  });

  test('a long address is refused, headers without end close the connection', async () => {
    const gateway = await open();
    expect((await gateway.api.inject(`/livez?x=${'y'.repeat(2048)}`)).json()).toMatchObject({ status: 400 });
    const { port } = await gateway.api.listen();
    const socket = connect(port, '127.0.0.1');
    socket.write(`GET /livez HTTP/1.1\r\nhost: x\r\ny: ${'z'.repeat(20_000)}\r\n\r\n`);
    const text = await new Promise<string>((resolve) => socket.once('data', (data) => resolve(data.toString())));
    expect(text).toMatch(/^HTTP\/1\.1 431 /);
    socket.destroy();
  });

  test('texts are brought to one form, so that equal-looking names are equal', async () => {
    const gateway = await open();
    const body = { id: 'zoe', name: 'Zoe\u0308' };
    const answer = await gateway.call('POST', '/api/v1/people', { as: 'installer', body });
    expect(answer.status).toBe(201);
    expect((await gateway.call('GET', '/api/v1/people/zoe', { as: 'admin' })).json()).toMatchObject({
      name: 'Zo\u00eb',
    });
  });

  test('a session has fifty requests a second, a stranger ten, health is always answered', async () => {
    const clock = manualClock();
    const gateway = await open({ clock, limits: { requestsPerSecond: 50, anonymousPerSecond: 10 } });
    const statuses = async (count: number, url: string, as?: 'guard') => {
      const seen = [];
      for (let i = 0; i < count; i++) seen.push((await gateway.call('GET', url, as ? { as } : {})).status);
      return seen.filter((status) => status === 429).length;
    };
    await gateway.login('guard');
    expect(await statuses(60, '/api/v1/devices', 'guard')).toBe(10);
    expect(await statuses(20, '/api/v1/setup')).toBe(11); // the log-in was one of them
    expect(await statuses(30, '/livez')).toBe(0);
    const told = await gateway.call('GET', '/api/v1/setup');
    expect(told.json()).toMatchObject({ code: 'http.rate', retryAfterMs: 100 });
    expect(told.headers['retry-after']).toBe('1');
    await clock.advance(1000);
    expect(await statuses(10, '/api/v1/setup')).toBe(0);
  });

  test('the files of a page are counted apart: a booth loads all of them at once', async () => {
    const gateway = await open({ limits: { anonymousPerSecond: 1, filesPerSecond: 400 } });
    for (let i = 0; i < 300; i++) expect((await gateway.call('GET', '/assets/a.js')).status).toBe(404);
  });
});

describe('listening', () => {
  test('two servers on one port: the second says which port and how to choose another', async () => {
    const first = await open();
    const { port } = await first.api.listen();
    const second = await open();
    const taken = await openTestGateway({
      parts: { config: { ...second.parts.config, http: { host: '127.0.0.1', port } } },
    });
    opened.push(taken);
    await expect(taken.api.listen()).rejects.toMatchObject({
      code: 'http.port_taken',
      message: `Another program uses 127.0.0.1:${port}; stop it or choose another with GATEHOUSE_HTTP=127.0.0.1:<port>`,
    });
  });

  test('the unix socket serves the same API, for this user only', async () => {
    const gateway = await open();
    await gateway.api.listen();
    expect(gateway.api.socketPath).toBe(join(gateway.directory, 'gatehouse.sock'));
    expect(statSync(gateway.api.socketPath).mode & 0o777).toBe(0o600);
    const { socketPath } = gateway.api;
    const headers = { authorization: `Bearer ${gateway.auth.flowToken}` };
    const { status } = await answerOf(httpRequest({ socketPath, path: '/api/v1/devices', headers }));
    expect(status).toBe(200);
    expect((await answerOf(httpRequest({ socketPath, path: '/metrics' }))).status).toBe(200);
    expect((await answerOf(httpRequest({ socketPath, path: '/api/v1/devices' }))).status).toBe(401);
    await gateway.api.close();
    expect(existsSync(socketPath)).toBe(false);
  });

  test('what a killed gateway left behind is taken over, a living one is not', async () => {
    const directory = folder();
    // A socket file with nobody behind it, as SIGKILL leaves it.
    const script = `const s = require('net').createServer().listen(${JSON.stringify(join(directory, 'gatehouse.sock'))}, () => process.kill(process.pid, 'SIGKILL'))`;
    const { spawnSync } = await import('node:child_process');
    spawnSync(process.execPath, ['-e', script]);
    expect(existsSync(join(directory, 'gatehouse.sock'))).toBe(true);
    const gateway = await openTestGateway({ directory });
    await gateway.api.listen();
    const other = await open({ parts: { config: gateway.parts.config } });
    await expect(other.api.listen()).rejects.toMatchObject({ code: 'http.port_taken' });
    expect((await answerOf(httpRequest({ socketPath: gateway.api.socketPath, path: '/livez' }))).status).toBe(200);
    await gateway[Symbol.asyncDispose]();
  });

  test('a data directory too deep for a socket name gets a private folder elsewhere', async () => {
    const directory = join(folder(), 'x'.repeat(60), 'y'.repeat(60));
    mkdirSync(directory, { recursive: true });
    const gateway = await openTestGateway({ directory });
    await gateway.api.listen();
    expect(Buffer.byteLength(gateway.api.socketPath)).toBeLessThanOrEqual(100);
    expect(statSync(dirname(gateway.api.socketPath)).mode & 0o777).toBe(0o700);
    expect((await answerOf(httpRequest({ socketPath: gateway.api.socketPath, path: '/livez' }))).status).toBe(200);
    await gateway[Symbol.asyncDispose]();
    expect(existsSync(dirname(gateway.api.socketPath))).toBe(false);
  });

  test('off loopback it speaks TLS with a certificate of its own, and health is for those who log in', async () => {
    const address = Object.values(networkInterfaces())
      .flatMap((list) => list ?? [])
      .find(({ family, internal }) => family === 'IPv4' && !internal)?.address;
    const host = address ?? '0.0.0.0';
    const gateway = await open({ host, mode: 'site' });
    const { scheme, port } = await gateway.api.listen();
    expect(scheme).toBe('https');
    const files = ['key.pem', 'cert.pem'].map((name) => join(gateway.directory, 'tls', name));
    expect(statSync(files[0] ?? '').mode & 0o777).toBe(0o600);
    const ca = readFileSync(files[1] ?? '');
    const target = { host: address ?? '127.0.0.1', port, ca, servername: 'localhost' };
    const page = await answerOf(httpsRequest({ ...target, path: '/api/v1/setup' }));
    expect([page.status, page.text]).toEqual([200, '{"needed":true}']);
    expect(page.response.headers['strict-transport-security']).toBe('max-age=31536000');
    if (address) expect((await answerOf(httpsRequest({ ...target, path: '/metrics' }))).status).toBe(401);
    await expect(answerOf(httpRequest({ host: target.host, port, path: '/livez' }))).rejects.toThrow();

    const made = { method: 'POST', path: '/api/v1/setup', headers: { 'content-type': 'application/json' } };
    const request = httpsRequest({ ...target, ...made });
    request.write(
      JSON.stringify({ code: gateway.auth.setupCode(), name: 'chen', displayName: '陈', password: 'long enough 7391' }),
    );
    const session = await answerOf(request);
    expect(session.status).toBe(201);
    expect(String(session.response.headers['set-cookie'])).toMatch(
      /^__Host-gh_session=[\w-]+; Max-Age=43200; Path=\/; HttpOnly; Secure; SameSite=Strict$/,
    );
    const cookie = String(session.response.headers['set-cookie']).split(';')[0];
    expect((await answerOf(httpsRequest({ ...target, path: '/metrics', headers: { cookie } }))).status).toBe(200);
  });

  test('closing waits for the request under way and is done within seconds', async () => {
    let finish = () => {};
    const gateway = await open({
      parts: {
        access: {
          decide,
          ask: () =>
            new Promise((resolve) => {
              finish = () =>
                resolve({ allow: false, reason: 'unknown', gate: 'gate-east-in', explanation: { zh: '无', en: 'no' } });
            }),
        },
      },
    });
    const { port } = await gateway.api.listen();
    const headers = { ...(await gateway.login('flow')), 'content-type': 'application/json' };
    const request = httpRequest({ host: '127.0.0.1', port, method: 'POST', path: '/api/v1/access', headers });
    request.write('{"gate":"gate-east-in"}');
    const answer = answerOf(request);
    while (finish.toString() === '() => {}') await new Promise((resolve) => setImmediate(resolve));
    const from = performance.now();
    const closed = gateway.api.close();
    finish();
    expect((await answer).status).toBe(200);
    await closed;
    expect(performance.now() - from).toBeLessThan(3000); // long before anything is cut
    await expect(answerOf(httpRequest({ host: '127.0.0.1', port, path: '/livez' }))).rejects.toThrow('ECONNREFUSED');
  });
});

describe('an upgrade', () => {
  const upgrade = (port: number) => {
    const socket = connect(port, '127.0.0.1');
    socket.write('GET /editor/comms HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n');
    return socket;
  };

  test('nobody waits for is closed', async () => {
    const gateway = await open();
    const socket = upgrade((await gateway.api.listen()).port);
    await new Promise<void>((resolve) => socket.once('close', () => resolve()));
  });

  test('that nobody ends does not keep the gateway from closing', async () => {
    const gateway = await open({
      limits: { closeGraceMs: 200 },
      parts: {
        editor: (app) => void app.server.on('upgrade', (_request, socket) => socket.write('HTTP/1.1 101 OK\r\n\r\n')),
      },
    });
    const socket = upgrade((await gateway.api.listen()).port);
    await new Promise((resolve) => socket.once('data', resolve));
    const closed = new Promise((resolve) => socket.once('close', resolve));
    await gateway.api.close();
    await closed;
  });
});

describe('the certificate', () => {
  const parts = { clock: manualClock(), log: silentLog };

  test('stays from start to start, and is made anew before it runs out', async () => {
    const directory = folder();
    const first = await keyPair(directory, '10.0.0.5', parts);
    expect(await keyPair(directory, '10.0.0.5', parts)).toEqual(first);
    const later = { ...parts, clock: manualClock(parts.clock.now() + 800 * 86_400_000) };
    expect((await keyPair(directory, '10.0.0.5', later)).cert).not.toBe(first.cert);
  });

  test('that somebody put there is left alone, however old', async () => {
    const directory = folder();
    const { key } = await keyPair(directory, 'localhost', parts);
    const { generate } = await import('selfsigned');
    const own = await generate([{ name: 'commonName', value: 'gate.example.cn' }], { keyType: 'ec' });
    writeFileSync(join(directory, 'cert.pem'), own.cert);
    const later = { ...parts, clock: manualClock(parts.clock.now() + 900 * 86_400_000) };
    expect(await keyPair(directory, 'localhost', later)).toEqual({ key, cert: own.cert });
  });
});

describe('the booth\u2019s page', () => {
  test('is served for each of its screens, its files for ever, anything else not at all', async () => {
    const gateway = await open();
    const booth = join(gateway.directory, 'booth');
    const missing = await gateway.call('GET', '/');
    expect(missing.status).toBe(503);
    expect(missing.body).toContain('npx vite build runtime/booth');
    expect(missing.body).toContain('岗亭界面尚未生成');

    mkdirSync(join(booth, 'assets'), { recursive: true });
    writeFileSync(join(booth, 'index.html'), '<!doctype html><title>岗亭</title>');
    writeFileSync(join(booth, 'assets', 'app-1a2b.js'), 'export {}');
    writeFileSync(join(booth, 'icon.svg'), '<svg xmlns="http://www.w3.org/2000/svg"/>');
    for (const path of ['/', '/login', '/setup', '/gates', '/search?kind=event', '/settings']) {
      const page = await gateway.call('GET', path);
      expect([page.status, page.body], path).toEqual([200, '<!doctype html><title>岗亭</title>']);
      expect(page.headers).toMatchObject({
        'content-type': 'text/html; charset=utf-8',
        'cache-control': 'no-cache',
        'content-security-policy': expect.stringContaining(`frame-ancestors 'none'`),
        'x-content-type-options': 'nosniff',
      });
      expect(String(page.headers['content-security-policy'])).not.toContain('unsafe');
    }
    const script = await gateway.call('GET', '/assets/app-1a2b.js');
    expect(script.headers).toMatchObject({
      'content-type': expect.stringContaining('javascript'),
      'cache-control': 'public, max-age=31536000, immutable',
    });
    expect((await gateway.call('GET', '/icon.svg')).status).toBe(200);
    for (const path of [
      '/assets/none.js',
      '/assets/../../secrets/pepper',
      '/assets/%2e%2e/%2e%2e/secrets/pepper',
      '/x',
    ]) {
      const answer = await gateway.call('GET', path);
      expect([404, 400, 403], path).toContain(answer.status);
      expect(answer.headers['content-type'], path).toContain('problem+json');
    }
  });
});

test('answers of the API are not kept by anybody', async () => {
  const gateway = await open();
  expect((await gateway.call('GET', '/api/v1/devices', { as: 'guard' })).headers['cache-control']).toBe('no-store');
});
