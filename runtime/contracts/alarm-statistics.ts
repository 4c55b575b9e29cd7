/** What `GET /alarms/statistics` answers: how well the alarms serve those who answer them (ISA-18.2, ux.md 5). */
import { type Static, Type } from 'typebox';

const count = (description: string) => Type.Integer({ minimum: 0, description });
const peak = (description: string) =>
  Type.Object(
    { alarms: count('alarms'), until: Type.Optional(Type.Integer({ description: 'end of that stretch' })) },
    { description },
  );
const times = {
  answered: count('acknowledged'),
  p50Ms: Type.Optional(Type.Integer({ description: 'half were answered within' })),
  p90Ms: Type.Optional(Type.Integer()),
  p99Ms: Type.Optional(Type.Integer()),
};
const source = {
  device: Type.String(),
  scenario: Type.String(),
  kind: Type.String(),
  zone: Type.String(),
};
const putAside = Type.Object({
  alarm: Type.String(),
  ...source,
  priority: Type.Integer(),
  by: Type.Optional(Type.String()),
  reason: Type.Optional(Type.String({ description: 'note or number of the work order' })),
  until: Type.Optional(Type.Integer()),
});

export const alarmStatistics = Type.Object(
  {
    from: Type.Integer({ description: 'ms UTC; later than asked for where the role may not look further back' }),
    to: Type.Integer(),
    alarms: count('that somebody had to look at; those suppressed, shelved or under repair are none'),
    booths: Type.Array(
      Type.Object({
        booth: Type.String({ description: '"" where there is only one' }),
        alarms: count('alarms'),
        perHour: Type.Number({ description: 'on average; at most 6 are aimed at' }),
        peakHour: peak('worst sixty minutes'),
        peakTenMinutes: peak('worst ten minutes; at most 10 are aimed at'),
        floodSeconds: count('time in flood'),
        floodShare: Type.Number({ description: 'of the whole time; less than 0.01 is aimed at' }),
      }),
    ),
    operators: Type.Array(
      Type.Object({
        operator: Type.String({ description: 'who acknowledged' }),
        ...times,
        perHour: Type.Number({ description: 'answered, on average over the hours in which any was' }),
        peakTenMinutes: peak('most answered in ten minutes'),
      }),
    ),
    priorities: Type.Array(
      Type.Object({
        priority: Type.Integer(),
        alarms: count('alarms'),
        share: Type.Number({ description: 'of all, 0 to 1' }),
        most: Type.Optional(Type.Number({ description: 'share aimed at' })),
        ...times,
        withinMs: Type.Integer({ description: 'answer aimed at' }),
        late: count('answered later than that'),
        escalated: count('that went on to somebody else'),
      }),
    ),
    escalations: Type.Array(
      Type.Object({ priority: Type.Integer(), level: Type.Integer(), steps: count('times this step was taken') }),
    ),
    dispositions: Type.Object({
      real: count('real'),
      false: count('false'),
      test: count('test'),
      fault: count('fault'),
    }),
    worst: Type.Array(Type.Object({ ...source, alarms: count('alarms'), share: Type.Number() }), {
      description: 'the five sources with the most alarms',
    }),
    chattering: Type.Array(Type.Object({ ...source, comings: count('times it came while it chattered') }), {
      description: 'none is aimed at',
    }),
    standing: Type.Array(
      Type.Object({ alarm: Type.String(), ...source, priority: Type.Integer(), since: Type.Integer() }),
      { description: 'longer than 24 hours at the end; fewer than 5 are aimed at' },
    ),
    shelved: Type.Array(putAside, { description: 'now' }),
    outOfService: Type.Array(putAside, { description: 'now' }),
  },
  { title: 'AlarmStatistics' },
);
export type AlarmStatistics = Static<typeof alarmStatistics>;
