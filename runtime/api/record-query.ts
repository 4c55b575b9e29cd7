/** The filters of `/records`, `/records/export` and `/stream`: one schema, one meaning, cut to what the caller may see. */
import { type Static, Type } from 'typebox';
import { deviceId, position } from '../contracts/api.ts';
import { type JournalRecord, type Kind, kinds, type Lane, lanes, parsePosition } from '../contracts/record.ts';
import { GatehouseError } from '../errors.ts';
import type { RecordQuery } from '../journal/journal.ts';
import type { Caller } from './auth.ts';
import { searchFrom, sights } from './rights.ts';

const list = 'repeat it or separate with commas';

export const filterFields = {
  lane: Type.Optional(Type.Array(Type.Enum(lanes), { maxItems: lanes.length, description: list })),
  kind: Type.Optional(Type.Array(Type.Enum(kinds), { maxItems: kinds.length, description: list })),
  scenario: Type.Optional(Type.String({ maxLength: 64 })),
  device: Type.Optional(Type.Union([deviceId, Type.Literal('')])),
  name: Type.Optional(Type.String({ maxLength: 128 })),
};
export const searchFields = {
  ...filterFields,
  from: Type.Optional(Type.Integer({ minimum: 0, description: 'gateway time of receipt, ms UTC, included' })),
  to: Type.Optional(Type.Integer({ minimum: 0, description: 'gateway time of receipt, ms UTC, included' })),
  text: Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: 64,
      description: 'part of one of the texts in the data, e.g. of a plate or a name; telemetry is not searched',
    }),
  ),
};
export const recordsQuery = Type.Object(
  {
    ...searchFields,
    after: Type.Optional(position),
    before: Type.Optional(position),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 500, description: 'default 100' })),
    order: Type.Optional(Type.Enum(['asc', 'desc'])),
  },
  { additionalProperties: false },
);

type Asked = Partial<Static<typeof recordsQuery>>;

/** @throws GatehouseError `journal.position` */
export function positionOf(text: string) {
  const position = parsePosition(text);
  if (!position) throw new GatehouseError('journal.position', `${text}: expected epoch:seq`);
  return position;
}

const withoutAudit: readonly Kind[] = kinds.filter((kind) => kind !== 'audit');

/** @param now ms UTC @returns the query cut to the caller's kinds and to how far back the caller may look. */
export function queryFor(asked: Asked, caller: Caller, now: number, timeZone: string): RecordQuery {
  const { after, before, from, kind, ...rest } = asked;
  const oldest = searchFrom(caller.role, now, timeZone);
  const since = oldest === undefined ? from : Math.max(oldest, from ?? 0);
  const seen = kindsFor(kind, caller);
  return {
    ...rest,
    ...(after === undefined ? {} : { after: positionOf(after) }),
    ...(before === undefined ? {} : { before: positionOf(before) }),
    ...(since === undefined ? {} : { from: since }),
    ...(seen === undefined ? {} : { kind: seen }),
  };
}

/** Undefined: no filter. An empty list: nothing that was asked for may be seen. */
function kindsFor(asked: readonly Kind[] | undefined, caller: Caller): readonly Kind[] | undefined {
  if (sights[caller.role].audit) return asked;
  return asked ? asked.filter((kind) => kind !== 'audit') : withoutAudit;
}

/** Whether a caller may see this record at all. */
export const mayRead = (caller: Caller, record: JournalRecord, now: number, timeZone: string): boolean =>
  (sights[caller.role].audit || record.kind !== 'audit') &&
  record.received >= (searchFrom(caller.role, now, timeZone) ?? 0);

export type LiveFilter = Pick<RecordQuery, 'lane' | 'kind' | 'scenario' | 'device' | 'name'>;

/** The same filter on a record that has just been committed. */
export function matches(record: JournalRecord, filter: LiveFilter): boolean {
  const has = <T>(wanted: readonly T[] | undefined, value: T) => wanted === undefined || wanted.includes(value);
  const is = (wanted: string | undefined, value: string) => wanted === undefined || wanted === value;
  return (
    has<Lane>(filter.lane, record.lane) &&
    has<Kind>(filter.kind, record.kind) &&
    is(filter.scenario, record.scenario) &&
    is(filter.device, record.device) &&
    is(filter.name, record.name)
  );
}
