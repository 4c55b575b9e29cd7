/** Holidays and make-up workdays 节假日与调休, where the site lies, and what a schedule tells of itself. */
import { type Static, Type } from 'typebox';
import type { EventKind } from './contract.ts';
import { says } from './words.ts';

const closed = { additionalProperties: false } as const;

export const location = Type.Object(
  {
    latitude: Type.Number({ minimum: -90, maximum: 90, description: 'degrees, north is positive' }),
    longitude: Type.Number({ minimum: -180, maximum: 180, description: 'degrees, east is positive' }),
  },
  { ...closed, title: 'Location' },
);
export type Location = Static<typeof location>;

/** A day that is not what its weekday says. */
export const calendarDay = Type.Object(
  {
    date: Type.String({ pattern: '^20[0-9]{2}-[01][0-9]-[0-3][0-9]$' }),
    off: Type.Boolean({ description: 'true: nobody works; false: a weekend day that is worked' }),
    name: Type.Optional(Type.String({ minLength: 1, maxLength: 32 })),
  },
  { ...closed, title: 'CalendarDay' },
);
export type CalendarDay = Static<typeof calendarDay>;

const year = Type.Integer({ minimum: 2000, maximum: 2099 });
export const calendarYear = Type.Object(
  {
    year,
    source: Type.Enum(['site', 'built-in', 'none'], { description: 'none: Monday to Friday are taken as workdays' }),
    days: Type.Array(calendarDay),
  },
  { title: 'CalendarYear' },
);
export type CalendarYear = Static<typeof calendarYear>;

export const calendarView = Type.Object(
  { timeZone: Type.String(), location: Type.Optional(location), years: Type.Array(calendarYear) },
  { title: 'Calendar' },
);
export type CalendarView = Static<typeof calendarView>;

export const calendarInput = Type.Object(
  { days: Type.Array(calendarDay, { minItems: 1, maxItems: 100 }) },
  { ...closed, title: 'CalendarInput' },
);

/** A time of a schedule, told by the node that keeps it, before anything follows from it. */
export const occurrenceInput = Type.Object(
  {
    node: Type.String({ pattern: '^[\\w.-]{1,64}$' }),
    name: Type.Optional(Type.String({ minLength: 1, maxLength: 64 })),
    due: Type.Integer({ minimum: 0, description: 'ms UTC' }),
    missed: Type.Boolean({ description: 'found after an outage, nothing is started' }),
  },
  { ...closed, title: 'OccurrenceInput' },
);
export type OccurrenceInput = Static<typeof occurrenceInput>;
export const occurrenceView = Type.Object(
  {
    record: Type.String({ description: 'id of the record: the cause of what follows' }),
    missed: Type.Boolean({ description: 'as it is on record' }),
    first: Type.Boolean({ description: 'false: this time is on record already, nothing may follow from it again' }),
  },
  { title: 'Occurrence' },
);
export type OccurrenceView = Static<typeof occurrenceView>;

const occurrence = Type.Object({
  node: Type.String(says('Node that keeps the schedule.', '节点')),
  flow: Type.String(says('Flow it stands in.', '流程')),
  name: Type.Optional(Type.String(says('Its name.', '名称'))),
  due: Type.Integer(says('When it was due, UTC.', '应触发时间', 'ms')),
});

/** Events of the scenario `gateway`. */
export const scheduleEvents = {
  'schedule.due': { words: { zh: '定时触发', en: 'Schedule due' }, data: occurrence, lane: 'L2' },
  'schedule.missed': { words: { zh: '定时错过', en: 'Schedule missed' }, data: occurrence },
} as const satisfies Readonly<Record<string, EventKind>>;
