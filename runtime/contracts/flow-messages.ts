/** What leaves our nodes, as JSON Schema: strict, so that whatever comes after can rely on it (ux.md 11.3). */
import { type TSchema, Type } from 'typebox';
import { accessDecision } from './api.ts';
import { noticeView, workOrderView } from './duty.ts';
import { alarmChange, journalRecord, kinds, qualities } from './record.ts';

const closed = { additionalProperties: false } as const;
const optional = (schema: TSchema) => Type.Optional(schema);
const text = Type.String();

/** `msg.gh`: where a message comes from. */
export const originSchema = Type.Object(
  {
    v: Type.Literal(1),
    kind: Type.Enum(kinds),
    id: text,
    ts: Type.Integer(),
    site: text,
    device: text,
    name: text,
    point: optional(text),
    quality: Type.Enum(qualities),
    corr: text,
    cause: optional(text),
    actor: optional(text),
    replay: Type.Boolean(),
  },
  closed,
);

/** `msg.payload` by the kind of record, where no contract of a scenario says it. */
export const payloadSchemas: Readonly<Record<'telemetry' | 'event' | 'alarm' | 'command' | 'state', TSchema>> = {
  telemetry: Type.Union([Type.String(), Type.Number(), Type.Boolean()]),
  event: Type.Record(text, Type.Unknown()),
  alarm: Type.Object({
    alarm: text,
    change: alarmChange.properties.change,
    process: alarmChange.properties.process,
    handling: alarmChange.properties.handling,
    priority: Type.Integer({ minimum: 1, maximum: 4 }),
  }),
  command: Type.Record(text, Type.Unknown()),
  state: Type.Unknown({ description: 'the state itself, e.g. "offline", where the record has one' }),
};

/** Output 2 of a scenario's node. */
export const outcomeSchema = Type.Object(
  {
    id: text,
    device: text,
    command: text,
    state: Type.Literal('succeeded'),
    proven: Type.Boolean(),
    tookMs: Type.Integer(),
  },
  closed,
);

const { to, id, title, text: said, priority, at, until } = noticeView.properties;
const order = workOrderView.properties;
const day = {
  date: Type.String({ pattern: '^20[0-9][0-9]-[01][0-9]-[0-3][0-9]$' }),
  workday: Type.Boolean(),
  daylight: optional(Type.Boolean()),
  holiday: optional(text),
  calendar: Type.Boolean({ description: 'the holidays of this year are known' }),
};
const point = Type.Object(
  { device: text, name: text, value: Type.Unknown(), at: Type.Integer(), quality: Type.Enum(qualities) },
  closed,
);
const { kind, scenario, device, name, data, quality, actor, cause } = journalRecord.properties;
const record = Type.Object(
  { id: journalRecord.properties.id, kind, scenario, device, name, at, data, quality, actor, cause },
  closed,
);

/** The outputs of the core nodes, by the property of the message that the schema is about. */
export const coreOutputs: Readonly<Record<string, Readonly<Record<string, TSchema>>>> = {
  'gh-records': {},
  'gh-access': {
    'msg.access': accessDecision,
    'msg.payload (1)': Type.Object({ command: Type.Literal('open'), device: text }, closed),
    'msg.payload (2)': Type.Object(
      { allow: Type.Literal(false), reason: text, gate: text, plate: optional(text) },
      closed,
    ),
  },
  'gh-alarm': {
    'msg.payload': Type.Object({ device: text, kind: text }, { description: 'the state of the alarm' }),
  },
  'gh-notice': {
    'msg.payload': Type.Object({ id, title, text: said, priority, to, at, until }, closed),
  },
  'gh-workorder': {
    'msg.payload': Type.Object(
      {
        id: order.id,
        title: order.title,
        state: order.state,
        priority: order.priority,
        device: order.device,
        zone: order.zone,
        alarm: order.alarm,
        assignee: order.assignee,
        due: order.due,
        createdAt: order.createdAt,
      },
      closed,
    ),
  },
  'gh-query': {
    'msg.payload': Type.Object(
      {
        ask: Type.Enum(['latest', 'records', 'count']),
        complete: Type.Boolean(),
        count: Type.Integer({ minimum: 0 }),
        rows: Type.Array(Type.Union([point, record])),
      },
      closed,
    ),
  },
  'gh-schedule': {
    'msg.schedule (1)': Type.Object({ due: Type.Integer(), ...day }, closed),
    'msg.schedule (2)': Type.Object(
      { due: Type.Integer(), ...day, missed: Type.Enum(['late', 'uncertain', 'unrecorded']) },
      closed,
    ),
    'msg.schedule (3)': Type.Object({ ...day, next: optional(Type.Integer()) }, closed),
  },
};
