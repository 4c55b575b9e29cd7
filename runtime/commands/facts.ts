/** A command as a record, and as a body that is or is not the same as another. Pure. */
import { createHash } from 'node:crypto';
import type { CommandInput, CommandView } from '../contracts/api.ts';
import { canonical } from '../contracts/canonical.ts';
import type { CommandState, Draft } from '../contracts/record.ts';
import { type ErrorCode, GatehouseError } from '../errors.ts';

export const codeOf = (error: unknown): ErrorCode => (error instanceof GatehouseError ? error.code : 'http.internal');

/** @param unclear sent, and the device has not said no */
export function failureState(code: ErrorCode, unclear: boolean): CommandState {
  if (unclear) return 'unknown';
  return code === 'command.expired' ? 'expired' : 'failed';
}

/** `cause` is the record that led to the command; what the command leads to names the command. */
export function recordOf(view: CommandView, scenario: string): Draft {
  return {
    lane: 'L0',
    kind: 'command',
    scenario,
    device: view.device,
    name: view.command,
    data: { ...view, command: view.id, name: view.command },
    actor: view.actor,
    cause: view.state === 'accepted' ? (view.cause ?? view.id) : view.id,
  };
}

/** Order of keys does not matter: the same body is the same command. */
export const digestOf = (input: CommandInput): string =>
  createHash('sha256').update(canonical(input)).digest('base64url');
