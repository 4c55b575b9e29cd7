/** What a flow did in the past, out of the journal: the effects of a record that bear the flow's name. Pure but for the look-ups. */
import type { AccessDecision } from '../contracts/api.ts';
import type { JournalRecord } from '../contracts/record.ts';
import type { Act } from '../contracts/replay.ts';

export interface Effects {
  /** Records that name this id as their cause, oldest first. */
  effectsOf(id: string): readonly JournalRecord[];
}

type Data = Readonly<Record<string, unknown>>;
const dataOf = ({ data }: JournalRecord): Data => (typeof data === 'object' && data !== null ? (data as Data) : {});

/** Written by the access decision, which is an answer and no act. */
const DECISIONS = ['access.granted', 'vehicle.unrecognised'];

function ofCommand(record: JournalRecord, effects: Effects): Omit<Act, 'record'> | undefined {
  const { state, command, input } = dataOf(record);
  if (state !== 'accepted') return undefined;
  const last = effects.effectsOf(String(command)).findLast(({ kind }) => kind === 'command');
  const outcome = last ? dataOf(last).state : state;
  return { kind: 'command', device: record.device, action: record.name, input: input ?? {}, outcome: String(outcome) };
}

function ofAlarm(record: JournalRecord): Omit<Act, 'record'> | undefined {
  const { change, detail } = dataOf(record);
  const about = { kind: 'alarm', device: record.device } as const;
  if (change === 'raised' || change === 'repeated') {
    return { ...about, action: `raise ${record.name}`, input: detail ?? {}, outcome: String(change) };
  }
  return change === 'returned' ? { ...about, action: `clear ${record.name}`, input: {}, outcome: change } : undefined;
}

function ofEvent(record: JournalRecord): Omit<Act, 'record'> | undefined {
  const data = dataOf(record);
  if (record.name === 'notice.sent') {
    const { notice: _id, ...input } = data;
    return { kind: 'notice', device: '', action: 'notice', input };
  }
  if (record.name === 'workorder.created') {
    const { order: _id, state: _state, subject, ...input } = data;
    return { kind: 'work-order', device: typeof subject === 'string' ? subject : '', action: 'create', input };
  }
  if (record.scenario === 'gateway' || DECISIONS.includes(record.name)) return undefined;
  return { kind: 'event', device: record.device, action: record.name, input: data };
}

/** @param actors of the flow: its tab and its subflows */
export function actsBecauseOf(record: JournalRecord, actors: ReadonlySet<string>, effects: Effects): Act[] {
  return effects.effectsOf(record.id).flatMap((effect) => {
    if (!effect.actor?.startsWith('flow:') || !actors.has(effect.actor.slice('flow:'.length))) return [];
    const act =
      effect.kind === 'command'
        ? ofCommand(effect, effects)
        : effect.kind === 'alarm'
          ? ofAlarm(effect)
          : effect.kind === 'event'
            ? ofEvent(effect)
            : undefined;
    return act ? [{ record: record.id, ...act }] : [];
  });
}

/** The access decision that was made because of this record, laid over what would be decided now. */
export function decisionThen(record: string, effects: Effects): Partial<AccessDecision> | undefined {
  const found = effects.effectsOf(record).find(({ kind, name }) => kind === 'event' && DECISIONS.includes(name));
  if (!found) return undefined;
  const { reason, plate, subject } = dataOf(found);
  return {
    allow: found.name === 'access.granted',
    reason: reason as AccessDecision['reason'],
    gate: found.device,
    record: found.id,
    ...(typeof plate === 'string' ? { plate } : {}),
    ...(typeof subject === 'string' ? { subject } : {}),
  };
}
