/** One record as one line a person can read, from the words of the contracts. */
import { scenarioOf } from '../../contracts/index.ts';
import type { JournalRecord } from '../../contracts/record.ts';
import { changeOf } from '../state/alarms.ts';
import { deviceName } from '../store.ts';
import { actorWords } from './actors.ts';
import { refusalWords } from './refusals.ts';
import { say, t, word } from './words.ts';

export interface Line {
  readonly kind: string;
  readonly what: string;
  readonly place: string;
  readonly who: string;
  readonly result: string;
  readonly plate?: string;
}

export function describe(record: JournalRecord): Line {
  const data = dataOf(record);
  const plate = textOf(data.plate);
  return {
    kind: word(`search.kind.${record.kind}`, record.kind),
    what: whatOf(record),
    place: record.device === '' ? '' : deviceName(record.device),
    who: actorWords(record.kind === 'event' ? (textOf(data.openedBy) ?? record.actor) : record.actor),
    result: resultOf(record, data),
    ...(plate === undefined ? {} : { plate }),
  };
}

function whatOf(record: JournalRecord): string {
  const scenario = scenarioOf(record.scenario);
  const words =
    record.kind === 'event'
      ? scenario?.events[record.name]?.words
      : record.kind === 'alarm'
        ? scenario?.alarms[record.name]?.words
        : record.kind === 'command'
          ? scenario?.commands[record.name]?.words
          : undefined;
  if (words) return say(words);
  if (record.kind === 'telemetry') return pointWords(record.scenario, record.name);
  return word(`record.${record.kind}.${record.name}`, record.name);
}

/** What a point is called. */
export function pointWords(scenario: string, point: string): string {
  const schema = scenarioOf(scenario)?.telemetry[point] as { description?: string; 'x-zh'?: string } | undefined;
  if (!schema) return point;
  return say({ zh: schema['x-zh'] ?? point, en: (schema.description ?? point).replace(/\.$/, '') });
}

function resultOf(record: JournalRecord, data: Record<string, unknown>): string {
  switch (record.kind) {
    case 'alarm':
      return word(`alarm.change.${changeOf(record.data) ?? ''}`, '');
    case 'command': {
      const state = word(`command.state.${textOf(data.state) ?? ''}`, '');
      const code = textOf(data.code);
      const reason = textOf(data.reason);
      const more = code === undefined ? reason && reasonWords(reason) : refusalWords(code);
      return more ? t('common.pair', { a: state, b: more }) : state;
    }
    case 'event':
      return eventResult(record.name, data);
    case 'telemetry':
    case 'state':
      return stateWords(record.data);
    default:
      return textOf(data.reason) ?? textOf(data.code) ?? '';
  }
}

function eventResult(name: string, data: Record<string, unknown>): string {
  if (name === 'passage') return t(data.direction === 'out' ? 'lane.direction.out' : 'lane.direction.in');
  const reason = textOf(data.reason);
  if (reason !== undefined) return word(`access.reason.${reason}`, reason);
  return textOf(data.trigger) === undefined ? '' : word(`plate.trigger.${textOf(data.trigger)}`, '');
}

const stateWords = (data: unknown): string => {
  if (typeof data === 'object' && data !== null && 'state' in data)
    return word(`device.link.${String(data.state)}`, '');
  return typeof data === 'object' ? '' : word(`point.value.${String(data)}`, String(data));
};

/** A reason of the list in words; the code `reason: note` of the gateway keeps its note. */
export function reasonWords(reason: string): string {
  const [code = '', ...note] = reason.split(': ');
  const known = word(`gates.reason.${code}`, code);
  return note.length === 0 ? known : t('common.pair', { a: known, b: note.join(': ') });
}

export const dataOf = (record: JournalRecord): Record<string, unknown> =>
  typeof record.data === 'object' && record.data !== null ? (record.data as Record<string, unknown>) : {};

export const textOf = (value: unknown): string | undefined =>
  typeof value === 'string' && value !== '' ? value : undefined;
