/**
 * OpenAPI 3.1 from the routes that run: named schemas once, words in the reader's language, what an error looks like.
 * Pure: a document in, a document out.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { problem } from '../contracts/api.ts';
import { inLanguage, type Language } from './language.ts';

type Json = Readonly<Record<string, unknown>>;
interface Words {
  readonly title: string;
  readonly description: string;
  readonly tags: Readonly<Record<string, string>>;
  readonly answers: Readonly<Record<string, string>>;
  readonly operations: Readonly<Record<string, string>>;
}

const METHODS = ['get', 'put', 'post', 'delete'];

/**
 * @param raw document of the route collector, with schemas spelled out wherever they are used.
 * @throws Error for two different schemas of one title, or an operation without words: a fault in the code, found by tests.
 */
export function openapiDocument(raw: object, language: Language): Json {
  const words = wordsOf(language);
  const schemas = new Map<string, { text: string; schema: Json }>();
  const told = (value: unknown) => inLanguage(value, language);
  const hoisted = (value: unknown): unknown => hoist(value, schemas);
  hoisted(told(problem));
  const { info, paths, components, ...rest } = raw as { info: Json; paths: Json; components: Json };
  const described = Object.fromEntries(
    Object.entries(paths)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([path, item]) => [path, pathItem(item as Json, words, (value) => hoisted(told(value)))]),
  );
  return {
    ...rest,
    info: { ...info, title: words.title, description: words.description },
    tags: Object.entries(words.tags).map(([name, description]) => ({ name, description })),
    paths: described,
    components: {
      ...components,
      schemas: Object.fromEntries(
        [...schemas].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, { schema }]) => [name, schema]),
      ),
    },
  };
}

const wordsOf = (language: Language): Words =>
  JSON.parse(readFileSync(join(import.meta.dirname, 'locales', `openapi.${language}.json`), 'utf8')) as Words;

function pathItem(item: Json, words: Words, schemasOf: (value: unknown) => unknown): Json {
  return Object.fromEntries(
    Object.entries(item)
      .filter(([method]) => METHODS.includes(method))
      .map(([method, operation]) => [method, operationOf(operation as Json, words, schemasOf)]),
  );
}

function operationOf(raw: Json, words: Words, schemasOf: (value: unknown) => unknown): Json {
  const operation = schemasOf(raw) as Json & { operationId: string; responses: Readonly<Record<string, Json>> };
  const summary = words.operations[operation.operationId];
  if (summary === undefined) throw new Error(`no words for operation ${operation.operationId}`);
  const responses = Object.fromEntries(
    Object.entries(operation.responses).map(([status, response]) => [
      status,
      { ...response, description: words.answers[status] ?? status },
    ]),
  );
  return {
    ...operation,
    summary,
    responses: {
      ...responses,
      default: {
        description: words.answers.default ?? '',
        content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
      },
    },
  };
}

/** Puts schemas with a title under `components` and a reference in their place. */
function hoist(value: unknown, schemas: Map<string, { text: string; schema: Json }>): unknown {
  if (Array.isArray(value)) return value.map((item) => hoist(item, schemas));
  if (typeof value !== 'object' || value === null) return value;
  const inner = Object.fromEntries(Object.entries(value).map(([key, item]) => [key, hoist(item, schemas)])) as Json;
  const { title, type } = inner;
  if (typeof title !== 'string' || type !== 'object') return inner;
  const text = JSON.stringify(inner);
  const known = schemas.get(title);
  if (known && known.text !== text) throw new Error(`two schemas are called ${title}`);
  schemas.set(title, { text, schema: inner });
  return { $ref: `#/components/schemas/${title}` };
}
