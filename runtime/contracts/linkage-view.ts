/** How safety linkages show themselves: what each would do where, what is missing, when it ran and when it was tried. */
import { type Static, Type } from 'typebox';

const words = Type.Object({ zh: Type.String(), en: Type.String() });
const scalar = Type.Union([Type.String(), Type.Number(), Type.Boolean()]);
const link = Type.Enum(['online', 'offline', 'unknown']);

const placeView = Type.Object({
  id: Type.String({ description: '"compound", a part of it, a zone or a device' }),
  zone: Type.String(),
  state: Type.Enum(['ready', 'active', 'ending', 'spent'], {
    description: 'spent: ended by its longest time, waits until its trigger is gone',
  }),
  since: Type.Optional(Type.Integer({ description: 'at work since, ms UTC' })),
  sources: Type.Array(Type.Object({ device: Type.String(), link }), { description: 'devices that trigger it' }),
  triggeredBy: Type.Array(Type.Object({ device: Type.String(), alarm: Type.String() })),
  outputs: Type.Array(
    Type.Object({
      device: Type.String(),
      command: Type.String(),
      link,
      done: Type.Optional(Type.Boolean({ description: 'proved, while it is at work' })),
    }),
  ),
  watches: Type.Array(Type.Object({ device: Type.String(), point: Type.String(), withinMs: Type.Integer(), link })),
  warnings: Type.Array(Type.Object({ code: Type.String(), words }), { description: 'what is missing for it to help' }),
});

export const linkageView = Type.Object(
  {
    id: Type.String({ description: 'row of the list of linkages, e.g. L02' }),
    words,
    about: words,
    state: Type.Enum(['ready', 'active', 'incomplete', 'absent'], {
      description: 'absent: the site has nothing of it; incomplete: see the warnings',
    }),
    lastRan: Type.Optional(Type.Object({ at: Type.Integer(), place: Type.String() })),
    lastTested: Type.Optional(
      Type.Object({ at: Type.Integer(), by: Type.String(), passed: Type.Boolean(), record: Type.String() }),
    ),
    places: Type.Array(placeView),
  },
  { title: 'Linkage' },
);
export type LinkageView = Static<typeof linkageView>;

const rehearsedOutput = Type.Object({
  device: Type.String(),
  command: Type.String(),
  input: Type.Record(Type.String(), scalar),
  reachable: Type.Boolean({ description: 'it answered just now' }),
  readBack: Type.Optional(
    Type.Object({ point: Type.String(), value: scalar, at: Type.Integer() }, { description: 'what would prove it' }),
  ),
  problem: Type.Optional(words),
});
export const linkageTest = Type.Object(
  {
    linkage: Type.String(),
    at: Type.Integer(),
    by: Type.String(),
    passed: Type.Boolean({ description: 'every trigger leads to its outputs, and every device answers' }),
    record: Type.String({ description: 'signed record of this test' }),
    places: Type.Array(
      Type.Object({
        id: Type.String(),
        triggers: Type.Array(
          Type.Object({
            alarm: Type.String(),
            devices: Type.Array(Type.String()),
            works: Type.Boolean({ description: 'this signal begins the linkage' }),
          }),
        ),
        outputs: Type.Array(rehearsedOutput),
        watches: Type.Array(Type.Object({ device: Type.String(), point: Type.String(), reachable: Type.Boolean() })),
        warnings: placeView.properties.warnings,
      }),
    ),
  },
  { title: 'LinkageTest', description: 'from trigger to outputs, without touching any' },
);
export type LinkageTest = Static<typeof linkageTest>;
