/** Alarms as they cross the HTTP API, and how a site answers them. Times are ms UTC. */
import { type Static, Type } from 'typebox';
import { deviceId } from './id.ts';
import { alarmChange } from './record.ts';

const text = (maxLength: number) => Type.String({ maxLength });
const closed = { additionalProperties: false } as const;

/** Whom an alarm that nobody answers goes to next (ux.md 5). */
export const recipients = [
  'shift-leader',
  'manager',
  'second-booth',
  'siren',
  'sms',
  'wechat',
  'voice',
  'shift-report',
  'work-order',
] as const;
export type Recipient = (typeof recipients)[number];

const escalationSteps = Type.Optional(
  Type.Array(
    Type.Object(
      {
        afterSeconds: Type.Integer({ minimum: 10, maximum: 604_800, description: 'unanswered' }),
        to: Type.Array(Type.Enum(recipients), { minItems: 1, maxItems: recipients.length }),
      },
      closed,
    ),
    { minItems: 1, maxItems: 5, description: 'earliest first' },
  ),
);
/** How a site answers alarms: its booths, and who is told when nobody reacts. What is absent is as in ux.md 5. */
export const alarmSettings = Type.Object(
  {
    booths: Type.Optional(
      Type.Array(
        Type.Object(
          { id: deviceId, zones: Type.Array(deviceId, { minItems: 1, maxItems: 200, description: 'with all below' }) },
          closed,
        ),
        { maxItems: 16, description: 'absent: one booth sees to everything' },
      ),
    ),
    escalation: Type.Optional(
      Type.Object(
        {
          p1: escalationSteps,
          p2: escalationSteps,
          p3: escalationSteps,
          p4: escalationSteps,
          repeatSeconds: Type.Optional(
            Type.Integer({ minimum: 30, maximum: 180, description: 'the last step of priority 1 again; default 180' }),
          ),
        },
        closed,
      ),
    ),
  },
  { ...closed, title: 'AlarmSettings' },
);
export type AlarmSettings = Static<typeof alarmSettings>;

export const alarmView = Type.Object(
  {
    id: Type.String(),
    scenario: Type.String(),
    device: Type.String(),
    kind: Type.String({ description: 'alarm of the contract' }),
    zone: Type.String(),
    priority: Type.Integer({ minimum: 1, maximum: 4 }),
    severity: Type.Enum(['critical', 'major', 'minor']),
    process: alarmChange.properties.process,
    handling: alarmChange.properties.handling,
    raisedAt: Type.Integer(),
    raisedBy: Type.Optional(
      Type.String({ description: 'actor that found it last; a flow ends only what a flow has raised' }),
    ),
    changedAt: Type.Integer(),
    count: Type.Integer({ description: 'times raised while it was open' }),
    latching: Type.Boolean(),
    ackedBy: Type.Optional(Type.String()),
    ackedAt: Type.Optional(Type.Integer()),
    answerMs: Type.Optional(
      Type.Integer({ description: 'from its coming to the acknowledgement, while the gateway ran' }),
    ),
    returnedAt: Type.Optional(Type.Integer()),
    disposition: Type.Optional(Type.Enum(['real', 'false', 'test', 'fault'])),
    note: Type.Optional(Type.String()),
    shelvedUntil: Type.Optional(Type.Integer()),
    shelvedBy: Type.Optional(Type.String()),
    cause: Type.Optional(Type.String()),
    cameras: Type.Optional(Type.Array(Type.String(), { description: 'devices that show the place, best first' })),
    place: Type.Optional(Type.String({ description: 'names of the zones, outermost first' })),
    escalation: Type.Optional(
      Type.Object(
        { level: Type.Integer(), at: Type.Integer(), to: Type.Array(Type.Enum(recipients)) },
        { description: 'the last step taken as nobody answered; it stays to be seen after the answer' },
      ),
    ),
    nextEscalation: Type.Optional(
      Type.Object(
        { at: Type.Integer(), to: Type.Array(Type.Enum(recipients)) },
        { description: 'what comes next if nobody answers, by the clock of now' },
      ),
    ),
    suppressedBy: Type.Optional(Type.String({ description: 'alarm of the line or device that cuts this one off' })),
    chatter: Type.Optional(
      Type.Object(
        { count: Type.Integer(), since: Type.Integer(), holdOffMs: Type.Integer() },
        { description: 'it comes and goes: times it came, and how long it must be gone to count as gone' },
      ),
    ),
    outOfService: Type.Optional(
      Type.Object({ ticket: Type.String(), by: Type.String(), until: Type.Optional(Type.Integer()) }),
    ),
    clearedFalse: Type.Optional(Type.Object({ by: Type.String(), at: Type.Integer() })),
  },
  { title: 'Alarm' },
);
export type AlarmView = Static<typeof alarmView>;
/** The last ten minutes of each booth. In a flood, screens show the groups and announce the urgent one by one. */
export const floodView = Type.Object(
  {
    booths: Type.Array(
      Type.Object({
        booth: Type.String({ description: '"" where there is only one' }),
        alarms: Type.Integer({ description: 'that came in the last ten minutes; more than 10 are a flood' }),
        flood: Type.Optional(
          Type.Object({
            since: Type.Integer(),
            most: Type.Integer({ description: 'in ten minutes' }),
          }),
        ),
        urgent: Type.Array(Type.String(), { description: 'open alarms of priority 1, newest first' }),
        groups: Type.Array(
          Type.Object({
            zone: Type.String(),
            scenario: Type.String(),
            kind: Type.String(),
            priority: Type.Integer({ description: 'the most urgent of them' }),
            count: Type.Integer(),
            waiting: Type.Integer({ description: 'not yet acknowledged' }),
            newestAt: Type.Integer(),
          }),
          { description: 'the other open alarms by place and kind, most urgent first' },
        ),
      }),
    ),
  },
  { title: 'AlarmFlood' },
);
export type FloodView = Static<typeof floodView>;

/** Body of `POST /alarms/{id}/{action}`: what each action needs. */
export const alarmAction = Type.Object(
  {
    disposition: Type.Optional(Type.Enum(['real', 'false', 'test', 'fault'], { description: 'resolve' })),
    note: Type.Optional(text(256)),
    minutes: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 43_200,
        description: 'shelve (at most 480), out-of-service (needed for priority 1)',
      }),
    ),
    ticket: Type.Optional(
      Type.String({ minLength: 1, maxLength: 64, description: 'out-of-service: number of the work order' }),
    ),
    confirm: Type.Optional(Type.Boolean({ description: 'clear-false: the second tap' })),
    to: Type.Optional(Type.String({ maxLength: 64, description: 'dispatch' })),
  },
  { ...closed, title: 'AlarmAction' },
);
export type AlarmAction = Static<typeof alarmAction>;
