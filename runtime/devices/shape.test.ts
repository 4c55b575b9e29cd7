import { type TSchema, Type } from 'typebox';
import { Value } from 'typebox/value';
import { describe, expect, test } from 'vitest';
import { deviceInput, vehicleInput, zoneInput } from '../contracts/api.ts';
import { siteInput } from './entries.ts';
import { explain, pathText } from './problem.ts';
import { findings, nearest } from './shape.ts';

const told = (schema: TSchema, value: unknown) =>
  findings(schema, value).map((finding) => `${pathText(finding.path)}: ${explain(finding).what.en}`);

describe('what does not fit', () => {
  const closed = { additionalProperties: false } as const;
  const either = Type.Union([
    Type.Object({ by: Type.Optional(Type.Literal('net')), host: Type.String({ minLength: 1 }) }, closed),
    Type.Object(
      { by: Type.Literal('line'), path: Type.String(), speed: Type.Optional(Type.Enum([9600, 19200])) },
      closed,
    ),
  ]);

  test.each<[TSchema, unknown, string[]]>([
    [either, { host: 'a' }, []],
    [either, { by: 'line', path: '/dev/x', speed: 9600 }, []],
    [either, { host: '' }, ['host: this may not be empty']],
    [either, { by: 'lime', path: 'x' }, ['by: `lime` is not one of the choices']],
    [either, { by: 'line', host: 'a' }, ['host: unknown key `host`', ': `path` is missing']],
    [either, { by: 'line', path: 'x', speed: 1200 }, ['speed: `1200` is not one of the choices']],
    [either, 'net', [': `net` is not a group of `key: value`']],
    [either, null, [': `null` is not a group of `key: value`']],
    [
      Type.Union([Type.String({ maxLength: 3 }), Type.Number(), Type.Boolean()]),
      [],
      [': `[…]` is not text or a number or true or false'],
    ],
    [Type.Union([Type.String({ maxLength: 3 }), Type.Number()]), 'long', [': text too long: 4 characters, at most 3']],
    [
      Type.Array(Type.Integer({ minimum: 1, maximum: 7 }), { maxItems: 3 }),
      [1, 9, 2.5],
      ['[1]: 9 is too large, at most 7', '[2]: `2.5` is not a whole number'],
    ],
    [Type.Array(Type.Integer(), { maxItems: 3 }), [1, 2, 3, 4], [': 4 items, at most 3']],
    [Type.Number(), Number.NaN, [': `NaN` is not a number']],
    [
      Type.Object({ a: Type.Optional(Type.String()) }, closed),
      JSON.parse('{"__proto__": 1}'),
      ['__proto__: unknown key `__proto__`'],
    ],
    [Type.Object({}, { additionalProperties: Type.Number() }), { a: 'x' }, ['a: `x` is not a number']],
  ])('%#', (schema, value, expected) => expect(told(schema, value)).toEqual(expected));

  test('whatever is wrong with a real entry, something is said, and nothing where nothing is', () => {
    const good: [TSchema, Record<string, unknown>][] = [
      [zoneInput, { id: 'z', name: 'z', kind: 'area', parent: 'a' }],
      [
        deviceInput,
        { id: 'd', name: 'd', zone: 'z', profile: 'p', address: { a: 1 }, settings: { a: true }, cameras: ['c'] },
      ],
      [
        vehicleInput,
        { plate: 'x', kind: 'staff', zones: ['z'], schedule: { days: [1], from: '00:00', to: '01:00' }, validTo: 5 },
      ],
      [
        siteInput,
        {
          id: 's',
          name: 's',
          timeZone: 'UTC',
          network: {},
          uplinks: [{ id: 'u', url: 'x', password: { env: 'A' }, filter: { lanes: ['L0'] } }],
        },
      ],
    ];
    const junk = [
      null,
      '',
      'Ä',
      'x'.repeat(500),
      -1,
      1e300,
      Number.NaN,
      true,
      [],
      {},
      [null],
      { a: {} },
      JSON.parse('{"__proto__":{}}'),
    ];
    for (const [schema, entry] of good) {
      expect(findings(schema, entry)).toEqual([]);
      for (const key of [...Object.keys(entry), 'more', '__proto__']) {
        for (const bad of junk) {
          const value = Object.fromEntries([...Object.entries(entry), [key, bad]]);
          const found = findings(schema, value);
          expect(found.length > 0, `${key} ${String(bad)}`).toBe(!Value.Check(schema, value));
          for (const finding of found) expect(JSON.stringify(explain(finding))).not.toMatch(/\{\w+\}|undefined/);
        }
      }
    }
  });
});

describe('what was probably meant', () => {
  test.each([
    ['adress', 'address'],
    ['Address', 'address'],
    ['addres', 'address'],
    ['zoen', 'zone'],
    ['colour', undefined],
    ['x', undefined],
    ['', undefined],
    ['address'.repeat(1000), undefined],
  ])('%s: %s', (written, meant) => expect(nearest(written, ['id', 'name', 'zone', 'address', 'settings'])).toBe(meant));
});
