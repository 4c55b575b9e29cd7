/**
 * Validation of everything that comes in over HTTP, compiled from the TypeBox schema of the route. Nothing is coerced
 * but query strings, where all values arrive as text.
 */
import type { FastifySchemaCompiler, FastifySerializerCompiler } from 'fastify';
import type { Static, TSchema } from 'typebox';
import { Compile } from 'typebox/compile';
import { GatehouseError } from '../errors.ts';

/** Gives handlers the types of their schemas. */
export interface TypeBoxProvider {
  readonly schema: unknown;
  readonly validator: this['schema'] extends TSchema ? Static<this['schema']> : unknown;
  readonly serializer: unknown;
}

/**
 * What a handler returns is sent as it is; response schemas are for the documents.
 * @param check for tests: an answer that is not what the documents promise is an error.
 */
export const serializerCompiler =
  (check: boolean): FastifySerializerCompiler<TSchema> =>
  ({ schema, method, url }) => {
    if (!check) return (data) => JSON.stringify(data);
    const validator = Compile(schema);
    return (data) => {
      // What counts is what is sent: `undefined` is not.
      const text = JSON.stringify(data);
      const sent: unknown = JSON.parse(text);
      if (validator.Check(sent)) return text;
      throw new Error(`${method} ${url}: ${JSON.stringify(validator.Errors(sent))} in ${text}`);
    };
  };

const MAX_FIELDS_NAMED = 10;

/** @throws at start, if a schema cannot be compiled. Validation failures are `http.invalid` with the fields named. */
export const validatorCompiler: FastifySchemaCompiler<TSchema> = ({ schema, httpPart }) => {
  const validator = Compile(schema);
  const prepare = httpPart === 'querystring' ? fromText(schema) : (data: unknown) => data;
  return (data) => {
    const value = prepare(data);
    if (validator.Check(value)) return { value };
    return { error: invalid(httpPart ?? 'body', validator.Errors(value)) };
  };
};

interface Complaint {
  readonly instancePath: string;
  readonly message: string;
  readonly params: object;
}

function invalid(part: string, complaints: readonly Complaint[]): GatehouseError {
  const fields = complaints
    .filter(({ message }) => message !== 'schema is false') // its parent says the same in words
    .slice(0, MAX_FIELDS_NAMED)
    .map(({ instancePath, message, params }) => ({
      field: instancePath === '' ? part : instancePath.slice(1).replaceAll('/', '.'),
      message: 'additionalProperties' in params ? `${message}: ${String(params.additionalProperties)}` : message,
    }));
  const text = fields.map(({ field, message }) => `${field} ${message}`).join('; ');
  return new GatehouseError('http.invalid', `${part}: ${text}`, { detail: { fields } });
}

/** Text of a query string into what its schema wants: whole numbers, booleans, lists (repeated or with commas). */
function fromText(schema: TSchema): (query: unknown) => unknown {
  const properties = Object.entries(
    'properties' in schema ? (schema.properties as Record<string, { type?: string }>) : {},
  );
  return (query) => {
    if (typeof query !== 'object' || query === null) return query;
    const out: Record<string, unknown> = { ...query };
    for (const [name, { type }] of properties) {
      const value = out[name];
      if (value === undefined) continue;
      if (type === 'array') out[name] = [value].flat().flatMap((entry) => String(entry).split(','));
      else if (type === 'integer' && typeof value === 'string' && /^-?\d{1,15}$/.test(value)) out[name] = Number(value);
      else if (type === 'boolean' && (value === 'true' || value === 'false')) out[name] = value === 'true';
    }
    return out;
  };
}
