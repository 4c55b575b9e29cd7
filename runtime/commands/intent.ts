/** What is checked before a command is accepted: contract, sender, interlocks, deadline. Pure. */
import { Compile, type Validator } from 'typebox/compile';
import type { CommandInput } from '../contracts/api.ts';
import type { CommandKind, Scalar, Sender } from '../contracts/contract.ts';
import { scenarioOf } from '../contracts/index.ts';
import type { Words } from '../contracts/words.ts';
import { GatehouseError } from '../errors.ts';

/** The longest a physical output may wait (reliability.md C2). */
export const MAX_DEADLINE_MS = 60_000;

/**
 * Fire before letting go what was held, that before the person who sees the lane, before people further away, before
 * automation, before platforms (C7).
 */
const PRIORITY: Readonly<Record<Sender, number>> = {
  linkage: 8,
  booth: 7,
  system: 6,
  guard: 5,
  'shift-leader': 4,
  admin: 4,
  installer: 4,
  flow: 3,
  platform: 2,
  auditor: 0,
};
/** Letting go what was held, and the emergency opening. */
const makesSafe = (sender: Sender): boolean => sender === 'system' || sender === 'booth';
/** Carried out even while the disk takes no record of it (R7, AU5). */
export const isFailSafe = (kind: CommandKind, sender: Sender): boolean => kind.failSafe === true || makesSafe(sender);
/** Never too often (C9). A person's is, whatever it is for: a stuck button is not to wear out a barrier. */
export const isUnlimited = (kind: CommandKind, sender: Sender): boolean =>
  kind.perMinute === undefined || makesSafe(sender) || (sender === 'linkage' && kind.failSafe === true);
/** Does not wait for the disk to be told that it was refused: it has to try again. */
export const isUrgent = (sender: Sender): boolean => sender === 'linkage' || makesSafe(sender);
export const priorityOf = (sender: Sender): number => PRIORITY[sender];

export interface Target {
  readonly id: string;
  readonly scenario: string;
  /** Commands the device's profile has. */
  readonly commands: readonly string[];
}

const validators = new Map<CommandKind, Validator>();
function validatorOf(kind: CommandKind): Validator {
  const known = validators.get(kind);
  if (known) return known;
  const made = Compile(kind.input);
  validators.set(kind, made);
  return made;
}

/** What is so on site now. */
export interface Situation {
  /** The last good value of a point of the target. */
  latest(point: string): Scalar | undefined;
  /** An alarm of this kind stands in the zone of the target. */
  alarmed(scenario: string, alarm: string): boolean;
  /** A safety linkage at work forbids the command; in these words. */
  forbidden(command: string): Words | undefined;
}

/** @throws GatehouseError `command.interlock` while an alarm stands, or a safety linkage is at work, that forbids it */
export function checkSituation(
  kind: CommandKind,
  command: string,
  target: Target,
  { alarmed, forbidden }: Pick<Situation, 'alarmed' | 'forbidden'>,
): void {
  const linkage = forbidden(command);
  if (linkage) {
    throw new GatehouseError('command.interlock', `${target.id} ${command}: ${linkage.en}`, {
      detail: { words: linkage },
    });
  }
  for (const { alarm, scenario = target.scenario, words } of kind.forbiddenWhile ?? []) {
    if (alarmed(scenario, alarm)) {
      throw new GatehouseError('command.interlock', `${words.en}: ${alarm} stands at ${target.id}`, {
        detail: { alarm, scenario, words },
      });
    }
  }
}

/** The gateway lets go what it must; the emergency opening needs no log-in (F8). The rest is as the contract says. */
const maySend = (kind: CommandKind, sender: Sender): boolean =>
  sender === 'system' || (sender === 'booth' ? kind.emergency === true : kind.allow.includes(sender));

/**
 * @throws GatehouseError `command.unsupported`, `.forbidden`, `.invalid` or `.interlock`
 */
export function checkIntent(input: CommandInput, target: Target, sender: Sender, situation: Situation): CommandKind {
  const kind = scenarioOf(target.scenario)?.commands[input.command];
  if (!kind || (kind.acts === 'device' && !target.commands.includes(input.command))) {
    throw new GatehouseError(
      'command.unsupported',
      `${target.id} has no command "${input.command}"; it has: ${target.commands.join(', ') || 'none'}`,
    );
  }
  if (kind.lease && !target.commands.includes(kind.lease.release)) {
    throw new GatehouseError(
      'command.unsupported',
      `${target.id} has no command "${kind.lease.release}" to let go what "${input.command}" holds`,
    );
  }
  if (!maySend(kind, sender))
    throw new GatehouseError('command.forbidden', `${sender} may not send "${input.command}" to ${target.id}`);
  const validator = validatorOf(kind);
  const value = input.input ?? {};
  if (!validator.Check(value)) {
    const problems = validator
      .Errors(value)
      .map((error) => `input${error.instancePath.replaceAll('/', '.')} ${error.message}`);
    throw new GatehouseError('command.invalid', problems.join('; '));
  }
  checkSituation(kind, input.command, target, situation);
  for (const lock of kind.interlocks ?? []) {
    const now = situation.latest(lock.point);
    if (now !== lock.mustBe) {
      throw new GatehouseError('command.interlock', `${lock.words.en}: ${lock.point} is ${String(now ?? 'unknown')}`, {
        detail: { point: lock.point, value: now, words: lock.words },
      });
    }
  }
  return kind;
}
