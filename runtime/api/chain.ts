/** Why something happened and what came of it: the records around one record, along their causes (ux.md 4, 为什么). */
import type { JournalRecord } from '../contracts/record.ts';
import { GatehouseError } from '../errors.ts';
import type { DispatcherPort, JournalPort } from './parts.ts';

interface Sources {
  readonly journal: Pick<JournalPort, 'find' | 'effectsOf'>;
  readonly dispatcher: Pick<DispatcherPort, 'get'>;
}

const MAX_UP = 20;
const MAX_DOWN = 5;
const MAX_RECORDS = 200;

/** @returns at most 200 records, oldest first, the given one among them. */
export function chainOf(record: JournalRecord, sources: Sources): JournalRecord[] {
  const found = new Map([[record.id, record]]);
  const add = (records: readonly JournalRecord[]) => {
    for (const one of records) if (found.size < MAX_RECORDS) found.set(one.id, one);
  };
  climb(record, sources, add);
  let level: readonly string[] = [record.id, ...commandsOf([record])];
  for (let depth = 0; depth < MAX_DOWN && level.length > 0 && found.size < MAX_RECORDS; depth++) {
    const effects = level.flatMap((id) => sources.journal.effectsOf(id));
    const fresh = effects.filter(({ id }) => !found.has(id));
    add(effects);
    level = [...fresh.map(({ id }) => id), ...commandsOf(fresh)];
  }
  return [...found.values()].sort((a, b) => a.epoch - b.epoch || a.seq - b.seq);
}

function climb(record: JournalRecord, sources: Sources, add: (records: readonly JournalRecord[]) => void): void {
  const { journal } = sources;
  const own = commandsOf([record])[0];
  let cause = own === undefined ? record.cause : (causeOfCommand(own, sources, add) ?? record.cause);
  const seen = new Set<string>();
  while (cause !== undefined && !seen.has(cause) && seen.size < MAX_UP) {
    seen.add(cause);
    const parent = journal.find(cause);
    if (parent) add([parent]);
    // What a command leads to names the command, which is a life of several records.
    cause = parent ? parent.cause : causeOfCommand(cause, sources, add);
  }
}

/** Adds the records of a command. @returns what led to it. */
function causeOfCommand(
  id: string,
  { journal, dispatcher }: Sources,
  add: (records: readonly JournalRecord[]) => void,
): string | undefined {
  const isOwn = (record: JournalRecord) => commandsOf([record])[0] === id;
  add(journal.effectsOf(id).filter(isOwn));
  try {
    const { cause } = dispatcher.get(id);
    if (cause !== undefined) add(journal.effectsOf(cause).filter(isOwn));
    return cause;
  } catch (error) {
    if (error instanceof GatehouseError && error.code === 'command.not_found') return undefined; // forgotten after a week
    throw error;
  }
}

function commandsOf(records: readonly JournalRecord[]): string[] {
  return records.flatMap(({ kind, data }) => {
    const { command } = (kind === 'command' ? data : {}) as { command?: unknown };
    return typeof command === 'string' ? [command] : [];
  });
}
