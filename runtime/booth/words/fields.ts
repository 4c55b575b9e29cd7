import { scenarioOf } from '../../contracts/index.ts';
import type { JournalRecord } from '../../contracts/record.ts';
import { deviceName, devices } from '../store.ts';
import { actorWords } from './actors.ts';
import { dataOf, describe } from './describe.ts';
import { say, t, word } from './words.ts';

/** Fields of a record as words and values, in the order a person asks: what, where, who, the rest, its number. */
export function fieldsOf(record: JournalRecord): ReadonlyMap<string, string> {
  const line = describe(record);
  const fields = new Map<string, string>();
  const put = (name: string, value: string) => value !== '' && fields.set(name, value);
  put(t('search.column.kind'), line.kind);
  put(t('search.column.place'), line.place);
  put(t('search.column.who'), line.who);
  put(t('search.column.result'), line.result);
  for (const [name, value] of Object.entries(dataOf(record))) {
    const words = eventField(record, name);
    if (words !== undefined && isPlain(value)) put(words, valueWords(value));
  }
  put(t('search.column.lane'), record.lane);
  put(t('search.column.position'), `${record.epoch}:${record.seq}`);
  put(t('search.column.id'), record.id);
  return fields;
}

/** Fields of the contract have words of their own; a command's and an alarm's inner ones are told elsewhere. */
function eventField(record: JournalRecord, name: string): string | undefined {
  if (record.kind !== 'event') return undefined;
  const schema = scenarioOf(record.scenario)?.events[record.name]?.data.properties[name] as
    | { description?: string; 'x-zh'?: string }
    | undefined;
  if (!schema || name === 'direction' || name === 'openedBy') return undefined;
  return say({ zh: schema['x-zh'] ?? name, en: (schema.description ?? name).replace(/[.;].*$/, '') });
}

const isPlain = (value: unknown): value is string | number | boolean =>
  typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';

function valueWords(value: string | number | boolean): string {
  const text = String(value);
  if (devices.value.has(text)) return deviceName(text);
  if (/^(user|flow|platform|system|linkage|device):/.test(text)) return actorWords(text);
  return word(`access.reason.${text}`, word(`point.value.${text}`, word(`gates.colour.${text}`, text)));
}
