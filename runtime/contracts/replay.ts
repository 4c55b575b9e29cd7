/** Past records played into a flow: what it would do, beside what really happened then (ux.md 11.5). */
import { type Static, Type } from 'typebox';
import { accessDecision, deviceView, zoneInput } from './api.ts';
import { journalRecord, kinds } from './record.ts';

const closed = { additionalProperties: false } as const;
const text = (maxLength: number) => Type.String({ maxLength });

/** A whole day of one lane; more is played in parts. */
export const MOST_RECORDS = 2000;

/** Which records: by filter and time of receipt, oldest first, or one by one. */
export const replayRecords = Type.Union([
  Type.Object(
    {
      from: Type.Integer({ minimum: 0, description: 'ms UTC, included' }),
      to: Type.Integer({ minimum: 0, description: 'ms UTC, included' }),
      scenario: Type.Optional(text(64)),
      device: Type.Optional(text(64)),
      kind: Type.Optional(Type.Array(Type.Enum(kinds), { minItems: 1, maxItems: kinds.length })),
      name: Type.Optional(text(128)),
      text: Type.Optional(Type.String({ minLength: 1, maxLength: 64 })),
    },
    closed,
  ),
  Type.Object({ ids: Type.Array(text(64), { minItems: 1, maxItems: 500 }) }, closed),
]);

export const replayRequest = Type.Object(
  {
    tab: Type.String({ maxLength: 64, description: 'id or name of the flow tab' }),
    records: replayRecords,
    speed: Type.Union([Type.Literal(1), Type.Literal(10), Type.Literal('step'), Type.Literal('fast')], {
      description: 'as fast as it happened, ten times as fast, one by one on demand, or without waiting',
    }),
    flow: Type.Optional(
      Type.Array(Type.Record(Type.String(), Type.Unknown()), {
        maxItems: 1000,
        description: 'the nodes as they stand in the editor; absent: as they are deployed',
      }),
    ),
    settleSeconds: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 120, description: 'how long the flow may still act after the last record' }),
    ),
  },
  { ...closed, title: 'ReplayRequest' },
);
export type ReplayRequest = Static<typeof replayRequest>;

export const actKinds = ['command', 'alarm', 'notice', 'work-order', 'event'] as const;

/** Something a flow does: caught during a replay, or found in the journal. */
export const act = Type.Object(
  {
    record: Type.String({ description: 'id of the record that led to it; empty: none did' }),
    kind: Type.Enum(actKinds),
    device: Type.String({ description: 'empty where there is none' }),
    action: Type.String({ description: 'command, or what is done: `raise smoke`' }),
    input: Type.Unknown(),
    node: Type.Optional(Type.String({ description: 'node that does it' })),
    nodeName: Type.Optional(Type.String()),
    /** What became of it then. */
    outcome: Type.Optional(Type.String()),
  },
  { title: 'Act' },
);
export type Act = Static<typeof act>;

export const comparisonRow = Type.Object(
  {
    verdict: Type.Enum(['same', 'different', 'missing'], {
      description: 'missing: it happened then, and the flow would not do it now',
    }),
    would: Type.Optional(act),
    happened: Type.Optional(act),
  },
  { title: 'ComparisonRow' },
);
export type ComparisonRow = Static<typeof comparisonRow>;

const replayStates = ['starting', 'running', 'done', 'failed', 'stopped'] as const;

export const flowReplayView = Type.Object(
  {
    id: Type.String(),
    tab: Type.Object({ id: Type.String(), name: Type.String() }),
    state: Type.Enum(replayStates),
    /** Why it failed, for people. */
    reason: Type.Optional(Type.String()),
    speed: replayRequest.properties.speed,
    dryRun: Type.Literal(true),
    by: Type.String(),
    startedAt: Type.Integer(),
    total: Type.Integer({ description: 'records chosen' }),
    more: Type.Boolean({ description: `there were more than ${MOST_RECORDS}` }),
    played: Type.Integer({ description: 'records handed to the flow' }),
    outside: Type.Array(Type.String(), { description: 'nodes that reach out of the flow and were left out' }),
    wouldDo: Type.Array(act),
    happened: Type.Array(act),
    comparison: Type.Array(comparisonRow),
    failures: Type.Array(
      Type.Object({ node: Type.String(), text: Type.String() }, { description: 'what nodes reported' }),
    ),
  },
  { title: 'FlowReplay' },
);
export type FlowReplayView = Static<typeof flowReplayView>;

/** A saved replay: everything it needs to be run again anywhere, and what is expected. `flows/<scenario>/<name>.test/*.json` */
export const replayFixture = Type.Object(
  {
    title: text(200),
    tab: text(64),
    records: Type.Array(journalRecord, { maxItems: MOST_RECORDS }),
    devices: Type.Array(deviceView),
    zones: Type.Array(zoneInput),
    /** Access decisions by the record that asked. */
    decisions: Type.Record(Type.String(), accessDecision),
    expected: Type.Array(Type.Omit(act, ['node', 'nodeName', 'outcome'])),
  },
  { ...closed, title: 'ReplayFixture' },
);
export type ReplayFixture = Static<typeof replayFixture>;
