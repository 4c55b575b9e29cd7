/**
 * Says what in a value does not fit its schema, for the person who wrote it: which key, what is wrong, what was probably
 * meant. TypeBox decides whether it fits; this only explains, so it need not know every keyword.
 */
import type { TSchema } from 'typebox';
import { Value } from 'typebox/value';
import { type Problem, shown } from './problem.ts';

export type Finding = Pick<Problem, 'what' | 'path' | 'fill'>;

/** The parts of JSON Schema our contracts and drivers use. */
interface Schema {
  readonly type?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly Schema[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly patternProperties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: boolean | Schema;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly maxItems?: number;
  readonly minItems?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly pattern?: string;
}
type Path = readonly (string | number)[];

const ID_PATTERN = '^[a-z0-9][a-z0-9-]{0,62}$';
const TIME_PATTERN = '^[0-2][0-9]:[0-5][0-9]$';

/** @returns empty if the value fits. */
export function findings(schema: TSchema, value: unknown): Finding[] {
  if (Value.Check(schema, value)) return [];
  const found = look(schema as Schema, value, []);
  return found.length > 0 ? found : [{ what: 'misfit', path: [], fill: {} }];
}

function look(schema: Schema, value: unknown, path: Path): Finding[] {
  if (schema.anyOf) return lookAtAny(schema.anyOf, value, path);
  const choices = schema.enum ?? ('const' in schema ? [schema.const] : undefined);
  if (choices) return choices.includes(value) ? [] : [notAllowed(choices, value, path)];
  if (!schema.type) return [];
  if (!isType(schema.type, value)) {
    return [{ what: 'wrongType', path, fill: { value: shown(value), type: schema.type } }];
  }
  if (typeof value === 'string') return lookAtText(schema, value, path);
  if (typeof value === 'number') return lookAtNumber(schema, value, path);
  if (Array.isArray(value)) return lookAtList(schema, value, path);
  if (typeof value === 'object' && value !== null) return lookAtObject(schema, value as Record<string, unknown>, path);
  return [];
}

function isType(type: string, value: unknown): boolean {
  if (type === 'integer') return Number.isInteger(value);
  if (type === 'number') return Number.isFinite(value);
  if (type === 'array') return Array.isArray(value);
  if (type === 'null') return value === null;
  if (type === 'object') return typeof value === 'object' && value !== null && !Array.isArray(value);
  return typeof value === type;
}

function notAllowed(choices: readonly unknown[], value: unknown, path: Path): Finding {
  const names = choices.map(String);
  const near = typeof value === 'string' ? nearest(value, names) : undefined;
  return near === undefined
    ? { what: 'notAllowed', path, fill: { value: shown(value), allowed: names.join(', ') } }
    : { what: 'notAllowedNear', path, fill: { value: shown(value), near } };
}

/** Of several shapes, explains by the one the writer meant: same tag (`transport: rtu`), or else same type. */
function lookAtAny(shapes: readonly Schema[], value: unknown, path: Path): Finding[] {
  const ofType = shapes.filter((shape) => shape.type === undefined || isType(shape.type, value));
  if (ofType.length === 0) {
    const types = new Set(shapes.flatMap((shape) => shape.type ?? []));
    return [{ what: 'wrongType', path, fill: { value: shown(value), type: [...types].join('|') } }];
  }
  const tag = tagOf(ofType);
  if (tag !== undefined) {
    const given = (value as Record<string, unknown>)[tag];
    const meant = ofType.find(({ properties, required = [] }) =>
      given === undefined ? !required.includes(tag) : properties?.[tag]?.const === given,
    );
    if (meant) return look(meant, value, path);
    if (given === undefined) return [{ what: 'missingKey', path, fill: { key: tag } }];
    const choices = ofType.map((shape) => shape.properties?.[tag]?.const);
    return [notAllowed(choices, given, [...path, tag])];
  }
  const attempts = ofType.map((shape) => look(shape, value, path));
  return attempts.reduce((best, next) => (next.length < best.length ? next : best));
}

/** The property that has one constant in every shape. */
const tagOf = (shapes: readonly Schema[]): string | undefined =>
  shapes.length < 2
    ? undefined
    : Object.keys(shapes[0]?.properties ?? {}).find((key) =>
        shapes.every((shape) => shape.properties?.[key] !== undefined && 'const' in shape.properties[key]),
      );

function lookAtText(schema: Schema, value: string, path: Path): Finding[] {
  const { minLength = 0, maxLength = Number.POSITIVE_INFINITY, pattern } = schema;
  const length = value.length > 4 * maxLength ? value.length : [...value].length;
  if (length > maxLength) return [{ what: 'tooLong', path, fill: { length: `${length}`, limit: `${maxLength}` } }];
  if (length < minLength) return [{ what: 'empty', path, fill: {} }];
  if (pattern === undefined || new RegExp(pattern, 'u').test(value)) return [];
  if (pattern === ID_PATTERN) return [{ what: 'badId', path, fill: { value: shown(value) } }];
  if (pattern === TIME_PATTERN) return [{ what: 'badTime', path, fill: { value: shown(value) } }];
  return [{ what: 'badForm', path, fill: { value: shown(value), pattern } }];
}

function lookAtNumber({ minimum, maximum }: Schema, value: number, path: Path): Finding[] {
  if (minimum !== undefined && value < minimum) {
    return [{ what: 'tooSmall', path, fill: { value: `${value}`, limit: `${minimum}` } }];
  }
  if (maximum !== undefined && value > maximum) {
    return [{ what: 'tooLarge', path, fill: { value: `${value}`, limit: `${maximum}` } }];
  }
  return [];
}

function lookAtList(schema: Schema, value: readonly unknown[], path: Path): Finding[] {
  const { minItems = 0, maxItems = Number.POSITIVE_INFINITY, items } = schema;
  if (value.length > maxItems) {
    return [{ what: 'tooMany', path, fill: { length: `${value.length}`, limit: `${maxItems}` } }];
  }
  if (value.length < minItems) return [{ what: 'empty', path, fill: {} }];
  return items ? value.flatMap((item, index) => look(items, item, [...path, index])) : [];
}

function lookAtObject(schema: Schema, value: Readonly<Record<string, unknown>>, path: Path): Finding[] {
  const { properties = {}, patternProperties = {}, additionalProperties = true, required = [] } = schema;
  const patterns = Object.entries(patternProperties).map(([pattern, of]) => ({ test: new RegExp(pattern, 'u'), of }));
  const missing = required.filter((key) => !Object.hasOwn(value, key));
  const found: Finding[] = [];
  for (const [key, item] of Object.entries(value)) {
    const own = Object.hasOwn(properties, key) ? properties[key] : undefined;
    const by = own ?? patterns.find(({ test }) => test.test(key))?.of;
    if (by) found.push(...look(by, item, [...path, key]));
    else if (additionalProperties === false) found.push(unknownKey(key, Object.keys(properties), missing, path));
    else if (typeof additionalProperties === 'object') found.push(...look(additionalProperties, item, [...path, key]));
  }
  const misspelt = new Set(found.filter(({ what }) => what === 'unknownKeyNear').map(({ fill }) => fill.near));
  for (const key of missing) if (!misspelt.has(key)) found.push({ what: 'missingKey', path, fill: { key } });
  return found;
}

/** A key that is missing is what a misspelt one was most probably meant to be. */
function unknownKey(key: string, known: readonly string[], missing: readonly string[], path: Path): Finding {
  const near = nearest(key, missing) ?? nearest(key, known);
  const at = [...path, key];
  return near === undefined
    ? { what: 'unknownKey', path: at, fill: { key: shown(key), known: known.join(', ') } }
    : { what: 'unknownKeyNear', path: at, fill: { key: shown(key), near } };
}

/** The candidate a typist meant: same but for case, or at most a third of its letters wrong. */
export function nearest(text: string, candidates: Iterable<string>): string | undefined {
  if (text.length > 128) return undefined;
  let best: string | undefined;
  let least = Number.POSITIVE_INFINITY;
  for (const candidate of candidates) {
    const wrong = distance(text.toLowerCase(), candidate.toLowerCase());
    if (wrong < least && wrong <= Math.max(1, Math.floor(candidate.length / 3))) {
      best = candidate;
      least = wrong;
    }
  }
  return best;
}

/** Letters to add, drop, change or swap with their neighbour (optimal string alignment). */
function distance(a: string, b: string): number {
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let least = Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (last[j - 1] ?? 0) + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        least = Math.min(least, (before[j - 2] ?? 0) + 1);
      row.push(least);
    }
    before = last;
    last = row;
  }
  return last[b.length] ?? 0;
}
