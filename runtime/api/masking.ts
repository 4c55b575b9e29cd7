/** Personal data in records, masked by role and by what the contracts mark (reliability.md K4, ux.md 9.6). */
import type { TObject } from 'typebox';
import type { Credential, Person, Vehicle } from '../contracts/api.ts';
import { scenarios } from '../contracts/index.ts';
import type { JournalRecord } from '../contracts/record.ts';
import type { Mask } from './rights.ts';

/** `scenario/event` to the marked fields of its data. */
const marked = new Map<string, readonly string[]>(
  scenarios.flatMap((scenario) =>
    Object.entries(scenario.events).map(
      ([name, { data }]) => [`${scenario.id}/${name}`, personalFields(data)] as const,
    ),
  ),
);

function personalFields(schema: TObject): string[] {
  return Object.entries(schema.properties)
    .filter(([, property]) => 'x-personal' in property)
    .map(([field]) => field);
}

/** What a guard must compare with the car in front of him. */
const LIVE_FIELDS = ['plate', 'was', 'subject'];
/** A journal field that names a vehicle or credential without being marked itself. */
const NAMING_FIELDS = ['subject'];

/** Keeps the ends, so that people who know a value recognise it: `粤B1***5`, `李**`, `138****5678`. */
export function maskText(text: string): string {
  const letters = [...text];
  const { length } = letters;
  const ahead = length >= 10 ? 3 : length >= 6 ? 2 : 1;
  const behind = length >= 10 ? 4 : length >= 6 ? 1 : 0;
  return letters.map((char, at) => (at < ahead || at >= length - behind ? char : '*')).join('');
}

export function maskRecord(record: JournalRecord, mask: Mask): JournalRecord {
  if (mask === 'none') return record;
  if (record.kind === 'audit') return maskAudit(record);
  const fields = marked.get(`${record.scenario}/${record.name}`);
  if (record.kind !== 'event' || !fields) return record;
  const hidden = [...fields, ...NAMING_FIELDS].filter((field) => mask === 'all' || !LIVE_FIELDS.includes(field));
  return { ...record, data: maskFields(record.data, hidden) };
}

/** Names, phones and card numbers are covered before an audit record is written; plates are what is left. */
function maskAudit(record: JournalRecord): JournalRecord {
  if (!record.name.startsWith('inventory.vehicle.')) return record;
  const { before, after, ...rest } = record.data as Record<string, unknown>;
  return {
    ...record,
    data: {
      ...maskFields(rest, ['id']),
      ...(before === undefined ? {} : { before: maskFields(before, ['plate']) }),
      ...(after === undefined ? {} : { after: maskFields(after, ['plate']) }),
    },
  };
}

function maskFields(data: unknown, fields: readonly string[]): Record<string, unknown> {
  if (typeof data !== 'object' || data === null) return {};
  return Object.fromEntries(
    Object.entries(data).map(([key, value]) => [
      key,
      fields.includes(key) && typeof value === 'string' ? maskText(value) : value,
    ]),
  );
}

export const maskPerson = (person: Person, mask: Mask): Person =>
  mask === 'none'
    ? person
    : {
        ...person,
        name: maskText(person.name),
        ...(person.phone === undefined ? {} : { phone: maskText(person.phone) }),
      };

export const maskVehicle = (vehicle: Vehicle, mask: Mask): Vehicle =>
  mask === 'all' ? { ...vehicle, plate: maskText(vehicle.plate) } : vehicle;

export const maskCredential = (credential: Credential, mask: Mask): Credential =>
  mask === 'none' ? credential : { ...credential, value: maskText(credential.value) };
