/** The kinds of entry of the inventory: their schema, their table, and what an audit record may show of them. */
import { type Static, type TObject, Type } from 'typebox';
import {
  alarmSettings,
  type Credential,
  credentialInput,
  type DeviceInput,
  deviceId,
  deviceInput,
  type Person,
  personInput,
  uplinkInput,
  type Vehicle,
  vehicleInput,
  type Zone,
  zoneInput,
} from '../contracts/api.ts';
import { calendarDay, location } from '../contracts/calendar.ts';
import { linkageReach } from '../contracts/linkages.ts';
import type { ErrorCode } from '../errors.ts';
import type { SqlValue, Write } from '../journal/journal.ts';
import type { EntryKind } from './problem.ts';

const closed = { additionalProperties: false } as const;

/** A site may ask for longer only. */
const days = (minimum: number, description: string) =>
  Type.Optional(Type.Integer({ minimum, maximum: 36_500, description }));

export const siteInput = Type.Object(
  {
    id: deviceId,
    name: Type.String({ maxLength: 64 }),
    timeZone: Type.String({ maxLength: 64 }),
    network: Type.Optional(
      Type.Object(
        { plainDevices: Type.Optional(Type.Boolean({ description: 'devices may use MQTT and HTTP without TLS' })) },
        closed,
      ),
    ),
    uplinks: Type.Optional(Type.Array(uplinkInput, { maxItems: 16 })),
    alarms: Type.Optional(alarmSettings),
    linkages: Type.Optional(Type.Array(linkageReach, { maxItems: 64 })),
    storage: Type.Optional(
      Type.Object(
        {
          gigabytes: Type.Optional(
            Type.Number({
              minimum: 2,
              maximum: 65_536,
              description: 'of the database; default: half the data partition',
            }),
          ),
          pictureGigabytes: Type.Optional(
            Type.Number({
              minimum: 1,
              maximum: 65_536,
              description: 'of pictures and clips; default: a fifth of the data partition',
            }),
          ),
          readingDays: days(30, 'readings as they came'),
          factDays: days(183, 'passages, alarms, commands and states, and their pictures'),
          auditDays: days(365, 'audit and gap records'),
          hourlyDays: days(731, 'hourly figures of readings'),
        },
        { ...closed, description: 'more than the least that is kept anyway' },
      ),
    ),
    location: Type.Optional(location),
    calendar: Type.Optional(
      Type.Array(calendarDay, { maxItems: 400, description: 'replaces the built-in list of every year it names' }),
    ),
  },
  { ...closed, title: 'Site' },
);
export type Site = Static<typeof siteInput>;

export interface EntryOf {
  site: Site;
  zone: Zone;
  device: DeviceInput;
  person: Person;
  vehicle: Vehicle;
  credential: Credential;
}
export type Entry = EntryOf[EntryKind];

interface Column {
  readonly name: string;
  readonly as?: 'json' | 'flag';
}
interface EntryType {
  readonly schema: TObject;
  /** The key that names an entry of this kind. */
  readonly key: string;
  readonly table: string;
  readonly columns: readonly Column[];
  readonly codes: { readonly exists: ErrorCode; readonly absent: ErrorCode; readonly invalid: ErrorCode };
}

const plain = (...names: string[]): Column[] => names.map((name) => ({ name }));
const json = (...names: string[]): Column[] => names.map((name) => ({ name, as: 'json' }));
const codes = {
  exists: 'inventory.conflict',
  absent: 'inventory.not_found',
  invalid: 'inventory.invalid',
} as const;

export const entryTypes: Readonly<Record<EntryKind, EntryType>> = {
  site: {
    schema: siteInput,
    key: 'id',
    table: 'site',
    columns: [
      ...plain('id', 'name', 'timeZone'),
      ...json('network', 'uplinks', 'storage', 'alarms', 'location', 'calendar', 'linkages'),
    ],
    codes,
  },
  zone: { schema: zoneInput, key: 'id', table: 'zone', columns: plain('id', 'name', 'kind', 'parent'), codes },
  device: {
    schema: deviceInput,
    key: 'id',
    table: 'device',
    columns: [...plain('id', 'name', 'zone', 'profile', 'parent'), ...json('address', 'settings', 'cameras')],
    codes: { exists: 'device.exists', absent: 'device.not_found', invalid: 'device.invalid' },
  },
  person: { schema: personInput, key: 'id', table: 'person', columns: plain('id', 'name', 'room', 'phone'), codes },
  vehicle: {
    schema: vehicleInput,
    key: 'plate',
    table: 'vehicle',
    columns: [...plain('plate', 'kind', 'person', 'note', 'validFrom', 'validTo'), ...json('schedule', 'zones')],
    codes,
  },
  credential: {
    schema: credentialInput,
    key: 'id',
    table: 'credential',
    columns: [
      ...plain('id', 'kind', 'value', 'person'),
      { name: 'blocked', as: 'flag' },
      ...plain('validFrom', 'validTo'),
      ...json('schedule', 'zones'),
    ],
    codes,
  },
};

/**
 * One table per kind. References between them are checked before the commit by the only writer there is, inventory.ts;
 * the unique columns are a second lock on what would open the wrong gate.
 */
export const schema = `
CREATE TABLE IF NOT EXISTS site (
  one INTEGER PRIMARY KEY DEFAULT 1 CHECK (one = 1),
  id TEXT NOT NULL, name TEXT NOT NULL, timeZone TEXT NOT NULL, network TEXT, uplinks TEXT, storage TEXT,
  alarms TEXT, location TEXT, calendar TEXT, linkages TEXT
) STRICT;
CREATE TABLE IF NOT EXISTS zone (
  id TEXT PRIMARY KEY, name TEXT NOT NULL, kind TEXT NOT NULL, parent TEXT
) WITHOUT ROWID, STRICT;
CREATE TABLE IF NOT EXISTS device (
  id TEXT PRIMARY KEY, name TEXT NOT NULL, zone TEXT NOT NULL, profile TEXT NOT NULL,
  address TEXT, settings TEXT, cameras TEXT, identity TEXT NOT NULL UNIQUE, secret TEXT, parent TEXT
) WITHOUT ROWID, STRICT;
CREATE TABLE IF NOT EXISTS person (
  id TEXT PRIMARY KEY, name TEXT NOT NULL, room TEXT, phone TEXT
) WITHOUT ROWID, STRICT;
CREATE TABLE IF NOT EXISTS vehicle (
  plate TEXT PRIMARY KEY, kind TEXT NOT NULL, person TEXT, note TEXT,
  validFrom INTEGER, validTo INTEGER, schedule TEXT, zones TEXT
) WITHOUT ROWID, STRICT;
CREATE INDEX IF NOT EXISTS vehicle_person ON vehicle (person) WHERE person IS NOT NULL;
CREATE TABLE IF NOT EXISTS credential (
  id TEXT PRIMARY KEY, kind TEXT NOT NULL, value TEXT NOT NULL, person TEXT NOT NULL, blocked INTEGER,
  validFrom INTEGER, validTo INTEGER, schedule TEXT, zones TEXT,
  UNIQUE (kind, value)
) WITHOUT ROWID, STRICT;
CREATE INDEX IF NOT EXISTS credential_person ON credential (person);
`;

/** Columns of a kind, for a SELECT. */
export const columnsOf = (kind: EntryKind): string => entryTypes[kind].columns.map(({ name }) => name).join(', ');

export const idOf = (kind: EntryKind, entry: Entry): string =>
  (entry as unknown as Readonly<Record<string, string>>)[entryTypes[kind].key] ?? '';

/** @param row as SELECTed with {@link columnsOf}; empty columns become absent keys. */
export function entryOf<K extends EntryKind>(kind: K, row: Readonly<Record<string, SqlValue>>): EntryOf[K] {
  const entry: Record<string, unknown> = {};
  for (const { name, as } of entryTypes[kind].columns) {
    const value = row[name];
    if (value === null || value === undefined) continue;
    entry[name] = as === 'json' ? JSON.parse(String(value)) : as === 'flag' ? value === 1 : value;
  }
  return entry as unknown as EntryOf[K];
}

function valuesOf(kind: EntryKind, entry: Entry): SqlValue[] {
  const by = entry as unknown as Readonly<Record<string, unknown>>;
  return entryTypes[kind].columns.map(({ name, as }) => {
    const value = by[name];
    if (value === undefined) return null;
    return as === 'json' ? JSON.stringify(value) : as === 'flag' ? Number(value) : (value as SqlValue);
  });
}

export const deletion = (kind: EntryKind, id: string): Write =>
  kind === 'site'
    ? { sql: 'DELETE FROM site', params: [] }
    : { sql: `DELETE FROM ${entryTypes[kind].table} WHERE ${entryTypes[kind].key} = ?`, params: [id] };

/** @param more further columns of the table that are no part of the entry, e.g. a device's secret. */
export function insertion(kind: EntryKind, entry: Entry, more: Readonly<Record<string, SqlValue>> = {}): Write {
  const names = Object.keys(more);
  const places = [...entryTypes[kind].columns, ...names].map(() => '?').join(', ');
  return {
    sql: `INSERT INTO ${entryTypes[kind].table} (${[columnsOf(kind), ...names].join(', ')}) VALUES (${places})`,
    params: [...valuesOf(kind, entry), ...Object.values(more)],
  };
}

/** Keys in addresses whose values are secrets. */
export const SECRET_KEY = /password|passwd|secret|token|key$/i;
const cover = (text: string, head: number, tail: number): string =>
  text.length <= head + tail ? '*'.repeat(text.length) : `${text.slice(0, head)}***${tail ? text.slice(-tail) : ''}`;

/**
 * What the audit shows of an entry. A plate and a room stay: they are what a dispute about the list is over. Names,
 * phones, card numbers and notes are covered as far as the change stays recognisable; secrets in addresses altogether.
 */
export function auditView(kind: EntryKind, entry: Entry): Record<string, unknown> {
  const view: Record<string, unknown> = { ...entry };
  const covered = (key: string, head: number, tail: number) => {
    if (typeof view[key] === 'string') view[key] = cover(view[key], head, tail);
  };
  if (kind === 'person') {
    covered('name', 1, 0);
    covered('phone', 3, 4);
  }
  if (kind === 'credential') covered('value', 0, 4);
  if (kind === 'vehicle') covered('note', 0, 0);
  if (kind === 'device' && view.address !== undefined) view.address = withoutSecrets(view.address);
  return view;
}

function withoutSecrets(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutSecrets);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, SECRET_KEY.test(key) ? '***' : withoutSecrets(item)]),
  );
}
