/** Prepared look-ups on the inventory's tables; every value is bound, none is part of a statement. */
import type { DeviceInput } from '../contracts/api.ts';
import type { ReadOnlyDatabase, SqlValue } from '../journal/journal.ts';
import { columnsOf, type EntryOf, entryOf, entryTypes } from './entries.ts';
import { normalisePlate } from './plate.ts';
import type { EntryKind } from './problem.ts';
import { eachSecret, type Vault } from './vault.ts';

type Row = Record<string, SqlValue>;

/** `q` finds parts of a word; `after` is the key of the last entry of the page before. At most 1000, default 100. */
export interface ListQuery {
  readonly q?: string;
  readonly after?: string;
  readonly limit?: number;
  readonly person?: string;
}

const MAX_PAGE = 1000;
const PAGE = 100;

/** `%text%` with the wildcards of LIKE taken literally; null, which matches nothing, for no text. */
const part = (text: string): string | null => (text === '' ? null : `%${text.replace(/[\\%_]/g, '\\$&')}%`);

export type Lookups = ReturnType<typeof createLookups>;

export function createLookups(db: ReadOnlyDatabase, vault: Vault) {
  const one = (kind: EntryKind, where: string) =>
    db.prepare<SqlValue[], Row>(`SELECT ${columnsOf(kind)} FROM ${entryTypes[kind].table} WHERE ${where}`);
  const byKey = {
    zone: one('zone', 'id = ?'),
    person: one('person', 'id = ?'),
    vehicle: one('vehicle', 'plate = ?'),
    credential: one('credential', 'id = ?'),
  };
  const deviceColumns = `${columnsOf('device')}, identity, secret`;
  const device = db.prepare<[string], Row>(`SELECT ${deviceColumns} FROM device WHERE id = ?`);
  const devices = db.prepare<[], Row>(`SELECT ${deviceColumns} FROM device ORDER BY id`);
  const zones = db.prepare<[], Row>(`SELECT ${columnsOf('zone')} FROM zone ORDER BY id`);
  const site = db.prepare<[], Row>(`SELECT ${columnsOf('site')} FROM site`);
  const credentialByValue = one('credential', 'kind = ? AND value = ?');
  const list = (kind: 'person' | 'vehicle' | 'credential', where: string) => {
    const { key, table } = entryTypes[kind];
    return db.prepare<[Row], Row>(
      `SELECT ${columnsOf(kind)} FROM ${table} WHERE ${key} > @after
       AND (@person IS NULL OR ${kind === 'person' ? 'id' : 'person'} = @person)
       AND (@q IS NULL OR ${where}) ORDER BY ${key} LIMIT @limit`,
    );
  };
  const like = (column: string) => `${column} LIKE @q ESCAPE '\\'`;
  const ofPerson = `person IN (SELECT id FROM person WHERE ${like('name')} OR ${like('room')})`;
  const lists = {
    person: list('person', [like('id'), like('name'), like('room'), like('phone')].join(' OR ')),
    vehicle: list('vehicle', `plate LIKE @plate ESCAPE '\\' OR ${like('note')} OR ${ofPerson}`),
    credential: list('credential', `${like('id')} OR ${like('value')} OR ${ofPerson}`),
  };
  const zoneUsers = db.prepare<[Row], { user: string }>(
    `SELECT id AS user FROM zone WHERE parent = @id UNION ALL SELECT id FROM device WHERE zone = @id
     UNION ALL SELECT plate FROM vehicle WHERE EXISTS (SELECT 1 FROM json_each(vehicle.zones) WHERE value = @id)
     UNION ALL SELECT id FROM credential WHERE EXISTS (SELECT 1 FROM json_each(credential.zones) WHERE value = @id)
     LIMIT 20`,
  );
  const deviceUsers = db.prepare<[Row], { user: string }>(
    `SELECT id AS user FROM device WHERE id <> @id
     AND (parent = @id OR EXISTS (SELECT 1 FROM json_each(device.cameras) WHERE value = @id)) LIMIT 20`,
  );
  const personUsers = db.prepare<[Row], { user: string }>(
    `SELECT plate AS user FROM vehicle WHERE person = @id UNION ALL SELECT id FROM credential WHERE person = @id LIMIT 20`,
  );

  return {
    site: () => maybe('site', site.get()),
    zones: () => zones.all().map((row) => entryOf('zone', row)),
    /** With what is stored beside the description. */
    device: (id: string) => stored(device.get(id), vault),
    devices: () => devices.all().flatMap((row) => stored(row, vault) ?? []),
    /** The same with its secrets as they are stored. */
    deviceRows: () => devices.all().map((row) => ({ input: entryOf('device', row), secret: secretOf(row) })),
    find: <K extends keyof typeof byKey>(kind: K, id: string): EntryOf[K] | undefined =>
      maybe(kind, byKey[kind].get(id)),
    credentialByValue: (kind: string, value: string) => maybe('credential', credentialByValue.get(kind, value)),
    list<K extends keyof typeof lists>(kind: K, { q = '', after = '', limit = PAGE, person }: ListQuery): EntryOf[K][] {
      const bound = {
        q: part(q.normalize('NFC').trim()),
        after,
        person: person ?? null,
        limit: Math.min(Math.max(1, Math.trunc(limit)), MAX_PAGE),
        ...(kind === 'vehicle' ? { plate: part(normalisePlate(q)) } : {}),
      };
      return lists[kind].all(bound).map((row) => entryOf(kind, row));
    },
    /** Who would be left pointing at nothing if the entry were deleted. */
    usersOf(kind: EntryKind, id: string): string[] {
      const statement = { zone: zoneUsers, device: deviceUsers, person: personUsers }[kind as 'zone'];
      return statement ? statement.all({ id }).map(({ user }) => user) : [];
    },
  };
}

const maybe = <K extends EntryKind>(kind: K, row: Row | undefined): EntryOf[K] | undefined => row && entryOf(kind, row);

const secretOf = (row: Row): string | undefined => (row.secret == null ? undefined : String(row.secret));

function stored(row: Row | undefined, vault: Vault) {
  if (!row) return undefined;
  const { address, ...rest } = entryOf('device', row);
  const kept = secretOf(row);
  /** A secret that no longer opens: the device cannot log in, and nothing else changes. */
  let lost = false;
  const open = (text: string) => {
    const opened = vault.open(text, rest.id);
    lost ||= opened === undefined;
    return opened;
  };
  const secret = kept === undefined ? undefined : open(kept);
  const opened = eachSecret(address, open) as DeviceInput['address'];
  const input: DeviceInput = { ...rest, ...(opened === undefined ? {} : { address: opened }) };
  return { input, identity: String(row.identity), secret, lost };
}
