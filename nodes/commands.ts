/** What an input message asks for. Forgiving in what it takes, strict in what it hands on. Pure. */
import type { CommandKind, Scenario } from '../runtime/contracts/contract.ts';
import { NodeFailure } from './failures.ts';
import { isObject } from './shapes.ts';

export interface Order {
  readonly command: string;
  readonly input: Readonly<Record<string, unknown>>;
  /** As the message names it; absent: the node's own. */
  readonly device?: string;
}

/** Commands a flow may send, in the order of the contract. */
export const flowCommands = (scenario: Scenario): [string, CommandKind][] =>
  Object.entries(scenario.commands).filter(([, kind]) => kind.allow.includes('flow'));

const bad = (reason: string, values: Record<string, string> = {}) => new NodeFailure('GH_BAD_INPUT', reason, values);

/** A command by its id or its words in either language, whatever the case. */
function find(scenario: Scenario, text: string): string {
  const wanted = text.trim().toLowerCase();
  const named = Object.entries(scenario.commands).find(([id, { words }]) =>
    [id, words.zh, words.en].some((name) => name.toLowerCase() === wanted),
  );
  const known = flowCommands(scenario);
  if (!named) {
    throw bad('noCommand', { name: text.slice(0, 40), known: known.map(([id]) => id).join(', ') });
  }
  if (!known.some(([id]) => id === named[0])) throw new NodeFailure('GH_FORBIDDEN', 'notForFlows', { name: named[0] });
  return named[0];
}

/**
 * @param fallback the command that a bare `true` means
 * @throws NodeFailure GH_BAD_INPUT, GH_FORBIDDEN. `false` is refused: a command names a state to reach, never "not that".
 */
export function readOrder(scenario: Scenario, payload: unknown, fallback: string): Order {
  if (payload === true) return { command: fallback, input: {} };
  if (typeof payload === 'string') return { command: find(scenario, payload), input: {} };
  if (!isObject(payload)) throw bad('notACommand', { type: payload === null ? 'null' : typeof payload });
  const named = payload.command ?? payload.action;
  if (typeof named !== 'string') throw bad('unnamed');
  const command = find(scenario, named);
  if (payload.input !== undefined && !isObject(payload.input)) throw bad('inputShape');
  if (payload.device !== undefined && typeof payload.device !== 'string') throw bad('deviceShape');
  return {
    command,
    input: payload.input ?? {},
    ...(payload.device === undefined ? {} : { device: payload.device }),
  };
}
