/**
 * The shape of a firmware profile, made of what every driver says of its points and commands. `node
 * drivers/profile-schema.ts` writes it as JSON Schema beside the profiles, where editors look for it.
 */
import { writeFileSync } from 'node:fs';
import { type TSchema, Type } from 'typebox';
import type { Driver } from './driver.ts';
import { drivers } from './index.ts';

const closed = { additionalProperties: false } as const;
const scalar = Type.Union([Type.String(), Type.Number(), Type.Boolean()]);
const words = Type.Object({ zh: Type.String({ minLength: 1 }), en: Type.String({ minLength: 1 }) }, closed);
const named = (value: TSchema, what: string) =>
  Type.Record(Type.String({ pattern: '^[a-zA-Z][a-zA-Z0-9.-]{0,63}$' }), value, { description: what });

const frame = Type.Object(
  {
    name: Type.String({ minLength: 1, description: 'what it shows' }),
    origin: Type.Enum(['recorded', 'standard-example', 'synthesised'], {
      description: 'only a recorded frame proves a model',
    }),
    request: Type.Optional(Type.String({ description: 'what was asked, hex' })),
    receive: Type.String({ description: 'what came: hex for binary protocols, text for the others' }),
    topic: Type.Optional(Type.String()),
    expect: Type.Object(
      {
        readings: Type.Optional(named(scalar, 'good readings, no more and no less')),
        events: Type.Optional(
          Type.Array(Type.Object({ name: Type.String(), data: Type.Record(Type.String(), Type.Unknown()) }, closed)),
        ),
        error: Type.Optional(Type.String({ description: 'error code' })),
      },
      closed,
    ),
  },
  closed,
);

/** A profile of one protocol. */
export const profileOf = (driver: Driver) =>
  Type.Object(
    {
      $schema: Type.Optional(Type.String()),
      scenario: Type.String({ pattern: '^[a-z0-9-]+@[0-9]+$', description: '<scenario>@<version>' }),
      role: Type.String({ description: 'role of the scenario' }),
      driver: Type.Literal(driver.protocol),
      title: words,
      source: Type.String({ minLength: 1, description: 'manual, standard or capture it was made from' }),
      offlineAfterMs: Type.Integer({ minimum: 500, maximum: 604_800_000, description: 'silence that means offline' }),
      points: named(driver.point, 'points of the contract, and how this model says them'),
      ...(driver.kind === 'link'
        ? { commands: Type.Optional(named(driver.command, 'commands of the contract, and what is sent for them')) }
        : {}),
      frames: Type.Array(frame, { minItems: 1, description: 'frames and what they mean: the test of this profile' }),
    },
    { ...closed, title: driver.protocol },
  );

/** What `firmware-profiles/profile.schema.json` must hold. */
export const profileSchemaText = (): string => {
  const schema = {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'Gatehouse firmware profile',
    ...Type.Union(drivers.map(profileOf)),
  };
  return `${JSON.stringify(schema, null, 2)}\n`;
};

if (import.meta.main) {
  writeFileSync(new URL('../firmware-profiles/profile.schema.json', import.meta.url), profileSchemaText());
}
