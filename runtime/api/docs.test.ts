import { Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { scenarios } from '../contracts/index.ts';
import { asyncapiDocument } from '../derive/asyncapi.ts';
import { languages } from '../derive/language.ts';
import { openTestGateway, type TestGateway } from './gateway.fixture.ts';
import { rights } from './rights.ts';

type Json = Record<string, unknown>;
interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly tags: string[];
  readonly security: object[];
  readonly parameters?: { name: string; in: string; required?: boolean; schema: Json }[];
  readonly responses: Record<string, { description: string; content?: Record<string, { schema?: Json }> }>;
  readonly requestBody?: { content: Record<string, { schema: Json }> };
  readonly 'x-roles'?: string[];
}

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await openTestGateway();
});
afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
});
const load = async (path: string) => (await gateway.call('GET', path)).json<Json>();

/** Every object anywhere in a document. */
function* objects(value: unknown): Generator<Json> {
  if (typeof value !== 'object' || value === null) return;
  if (!Array.isArray(value)) yield value as Json;
  for (const item of Object.values(value)) yield* objects(item);
}
const resolve = (document: Json, ref: string): unknown =>
  ref
    .slice(2)
    .split('/')
    .reduce<unknown>(
      (at, key) => (at as Json | undefined)?.[key.replaceAll('~1', '/').replaceAll('~0', '~')],
      document,
    );
const brokenRefs = (document: Json) =>
  [...objects(document)]
    .map(({ $ref }) => $ref)
    .filter((ref): ref is string => typeof ref === 'string' && resolve(document, ref) === undefined);

describe.each(languages)('OpenAPI in %s', (language) => {
  let document: Json;
  let operations: [string, string, Operation][];
  beforeAll(async () => {
    document = await load(`/api/v1/openapi.json?lang=${language}`);
    operations = Object.entries(document.paths as Record<string, Record<string, Operation>>).flatMap(([path, item]) =>
      Object.entries(item).map(([method, operation]): [string, string, Operation] => [method, path, operation]),
    );
  });

  test('is version 3.1 with no reference into nowhere', () => {
    expect(document).toMatchObject({ openapi: '3.1.0', info: { title: expect.stringContaining('Gatehouse') } });
    expect(brokenRefs(document)).toEqual([]);
    expect(operations.length).toBeGreaterThan(60);
  });

  test('has words for every operation, tag and answer, and every name once', () => {
    const tags = (document.tags as { name: string; description: string }[]).map(({ name }) => name);
    const chinese = /\p{Script=Han}/u;
    for (const [method, path, operation] of operations) {
      const place = `${method} ${path}`;
      expect(chinese.test(operation.summary), `${place}: ${operation.summary}`).toBe(language === 'zh-CN');
      expect(tags, place).toEqual(expect.arrayContaining(operation.tags));
      expect(operation.tags, place).toHaveLength(1);
      for (const [status, { description }] of Object.entries(operation.responses)) {
        expect(description, `${place} ${status}`).not.toBe(status);
        expect(chinese.test(description), `${place} ${status}: ${description}`).toBe(language === 'zh-CN');
      }
      expect(operation.responses.default?.content, place).toHaveProperty(['application/problem+json']);
    }
    const names = operations.map(([, , { operationId }]) => operationId);
    expect(new Set(names).size).toBe(names.length);
  });

  test('declares every parameter of every path, required', () => {
    for (const [method, path, { parameters = [] }] of operations) {
      const named = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
      const declared = parameters.filter((one) => one.in === 'path');
      expect(
        declared.map(({ name }) => name),
        `${method} ${path}`,
      ).toEqual(named);
      expect(declared.every(({ required }) => required === true)).toBe(true);
    }
  });

  test('says who may, from the same table that decides', () => {
    const bySecurity = Object.groupBy(operations, ([, , { security }]) => (security.length === 0 ? 'open' : 'closed'));
    expect(bySecurity.open?.map(([method, path]) => `${method} ${path}`)).toEqual(
      expect.arrayContaining(['post /api/v1/sessions', 'get /livez', 'post /api/v1/setup']),
    );
    for (const [method, path, operation] of bySecurity.closed ?? []) {
      const roles = operation['x-roles'];
      expect(
        Object.values(rights).some((allowed) => JSON.stringify(allowed) === JSON.stringify(roles)),
        `${method} ${path}`,
      ).toBe(true);
    }
  });

  test('has schemas that validate: each one compiles', () => {
    const components = (document.components as { schemas: Json }).schemas;
    expect(Object.keys(components)).toEqual(
      expect.arrayContaining(['Device', 'Command', 'Alarm', 'JournalRecord', 'Problem', 'Status', 'Session']),
    );
    for (const [name, schema] of Object.entries(components)) {
      expect((schema as Json).title, name).toBe(name);
      expect(() => Compile(Type.Unsafe(inlined(document, schema)))).not.toThrow();
    }
  });
});

/** A schema without references: ours have no cycles. */
function inlined(document: Json, value: unknown): object {
  if (Array.isArray(value)) return value.map((item) => (typeof item === 'object' ? inlined(document, item) : item));
  const { $ref, ...rest } = value as Json;
  if (typeof $ref === 'string') return inlined(document, resolve(document, $ref));
  return Object.fromEntries(
    Object.entries(rest).map(([key, item]) => [
      key,
      typeof item === 'object' && item !== null ? inlined(document, item) : item,
    ]),
  );
}

test('the documents speak their language inside the schemas too', async () => {
  const [zh, en] = [await load('/api/v1/openapi.json'), await load('/api/v1/openapi.json?lang=en-US')];
  const seq = (document: Json) => resolve(document, '#/components/schemas/JournalRecord/properties/seq/description');
  expect(seq(zh)).toBe('序号');
  expect(seq(en)).toBe('Place in the journal, gap-free within an epoch.');
  expect(JSON.stringify([zh, en])).not.toContain('x-zh');
});

describe.each(languages)('AsyncAPI in %s', (language) => {
  const document = asyncapiDocument(scenarios, '1.2.3', language) as Json;
  const messages = (document.components as { messages: Record<string, Json> }).messages;
  const channels = document.channels as Record<string, { address: string; description: string; messages: Json }>;

  test('is version 3 with no reference into nowhere, and served', async () => {
    expect(document).toMatchObject({ asyncapi: '3.0.0', info: { version: '1.2.3' } });
    expect(brokenRefs(document)).toEqual([]);
    expect(await load(`/api/v1/asyncapi.json?lang=${language}`)).toEqual({
      ...JSON.parse(JSON.stringify(document)),
      info: { ...(document.info as Json), version: '0.0.0-test' },
    });
  });

  test('contains everything a contract can say, on the stream', () => {
    const wanted = scenarios.flatMap((scenario) => [
      ...Object.keys(scenario.telemetry).map((name) => `record.${scenario.id}.telemetry.${name}`),
      ...Object.keys(scenario.events).map((name) => `record.${scenario.id}.event.${name}`),
      ...Object.keys(scenario.alarms).map((name) => `record.${scenario.id}.alarm.${name}`),
      ...Object.keys(scenario.commands).map((name) => `record.${scenario.id}.command.${name}`),
    ]);
    expect(wanted.length).toBeGreaterThan(50);
    expect(Object.keys(messages)).toEqual(expect.arrayContaining(wanted));
    expect(Object.keys(channels.stream?.messages ?? {})).toEqual(expect.arrayContaining([...wanted, 'beat', 'reset']));
  });

  test('has every channel of the uplink and of the device broker', () => {
    const base = 'gatehouse/v1/{site}/{gateway}';
    expect(Object.values(channels).map(({ address }) => address)).toEqual([
      '/api/v1/stream',
      `${base}/up/urgent`,
      `${base}/up/bulk`,
      `${base}/up/reply`,
      `${base}/status`,
      `${base}/down/command`,
      `${base}/down/challenge`,
      `${base}/down/replay`,
      `${base}/down/accept`,
      'gatehouse/devices/{device}/up/telemetry',
      'gatehouse/devices/{device}/up/event',
    ]);
    const operations = document.operations as Record<string, { action: string; channel: { $ref: string } }>;
    const used = Object.values(operations).map(({ channel }) => channel.$ref.split('/').at(-1));
    expect(used).toEqual(expect.arrayContaining(Object.keys(channels)));
  });

  test('has words in its language for every message', () => {
    for (const [name, { title }] of Object.entries(messages)) {
      expect(/\p{Script=Han}/u.test(String(title)), `${name}: ${title}`).toBe(language === 'zh-CN');
    }
    for (const { description } of Object.values(channels)) {
      expect(description).toEqual(expect.any(String));
    }
  });
});

describe('the page', () => {
  test('is on the box, and only its own policy is looser', async () => {
    const page = await gateway.call('GET', '/docs/');
    expect(page.status).toBe(200);
    const policy = String(page.headers['content-security-policy']);
    expect(policy).toContain(`style-src 'self' 'unsafe-inline'`);
    expect(policy).not.toMatch(/script-src[^;]*unsafe/);
    expect(page.body).not.toMatch(/<script(?![^>]*src=)/);
    expect(page.body).not.toMatch(/(src|href)="https?:/);
    const sources = [...page.body.matchAll(/(?:src|href)="\.?([^"]+)"/g)].map(([, path]) => `/docs${path}`);
    expect(sources.length).toBeGreaterThan(5);
    for (const path of sources) expect((await gateway.call('GET', path)).status, path).toBe(200);
    expect((await gateway.call('GET', '/docs/static/swagger-initializer.js')).body).toContain(
      'openapi.json?lang=zh-CN',
    );
  });
});
