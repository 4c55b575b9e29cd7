/**
 * Commands that come down from one platform, and what became of them, on `up/reply`: one answer for every state until the
 * last. Whether a command is in order is not decided here (commands/signed.ts); the records of it go up like all others, so
 * an answer that is lost on the way is only late.
 */
import type { SignedCommands } from '../commands/signed.ts';
import type { CommandView } from '../contracts/api.ts';
import { finalStates, type JournalRecord } from '../contracts/record.ts';
import { GatehouseError, reasonOf } from '../errors.ts';
import type { Journal } from '../journal/journal.ts';
import type { Log } from '../log.ts';

export interface OrderParts {
  readonly uplink: string;
  readonly journal: Pick<Journal, 'onCommit'>;
  readonly log: Log;
  /** Absent: this uplink takes none. */
  readonly signed?: Pick<SignedCommands, 'challenge' | 'submit' | 'retained'>;
  /** Publishes on `up/reply`. */
  answer(body: object): Promise<void>;
}

/** The id the platform gave it, for an answer to something that may be no command at all. */
export function idOf(body: unknown): string {
  const { id, signed } = fieldsOf(body);
  return text(fieldsOf(signed).id ?? id);
}

export function createOrders({ uplink, journal, log, signed, answer }: OrderParts) {
  /** Our ids of commands that are not final yet, and what the platform calls them. */
  const followed = new Map<string, string>();
  /** While one is being handed over, what is told about commands nobody knows yet. */
  let early: CommandView[] = [];
  let handingOver = 0;
  let turn: Promise<void> = Promise.resolve();
  const say = (body: object) => {
    turn = turn
      .then(() => answer(body))
      .catch((error: unknown) => log.debug({ uplink, reason: reasonOf(error) }, 'an answer was not sent'));
  };

  function told(command: string, { id, state, code, detail, proven, updatedAt }: CommandView): void {
    if (finalStates.includes(state)) followed.delete(id);
    const why = { ...(code === undefined ? {} : { code }), ...(detail === undefined ? {} : { detail }) };
    say({ command, id, state, at: updatedAt, ...why, ...(proven === undefined ? {} : { proven }) });
  }
  function changed({ kind, actor, data }: JournalRecord): void {
    if (kind !== 'command' || actor !== `platform:${uplink}`) return;
    const view = data as CommandView;
    const command = followed.get(view.id);
    if (command !== undefined) told(command, view);
    else if (handingOver > 0) early.push(view);
  }
  const unfollow = journal.onCommit((records) => records.forEach(changed));

  async function submit(body: unknown): Promise<void> {
    if (!signed) throw new GatehouseError('command.forbidden', 'This uplink takes no commands');
    const command = idOf(body);
    handingOver++;
    try {
      const view = await signed.submit(uplink, body);
      const missed = early.filter(({ id }) => id === view.id);
      if (!finalStates.includes(view.state)) followed.set(view.id, command);
      if (missed.length === 0) told(command, view); // it was there before
      for (const one of missed) told(command, one);
    } finally {
      handingOver--;
      if (handingOver === 0) early = [];
    }
  }

  const refused = (command: string, error: unknown): void => {
    if (!(error instanceof GatehouseError)) throw error;
    const { code, message: detail } = error;
    say({ command, state: 'refused', code, detail, ...(error.detail ? { more: error.detail } : {}) });
  };

  return {
    /** @param retained it lay at the broker */
    async command(body: unknown, retained: boolean): Promise<void> {
      const id = idOf(body);
      try {
        if (retained && signed) await signed.retained(uplink, body);
        else await submit(body);
      } catch (error) {
        refused(id, error);
      }
    },
    challenge(body: unknown): void {
      const id = idOf(body);
      try {
        if (!signed) throw new GatehouseError('command.forbidden', 'This uplink takes no commands');
        say({ challenge: id, ...signed.challenge(uplink) });
      } catch (error) {
        refused(id, error);
      }
    },
    stop: unfollow,
  };
}

const fieldsOf = (body: unknown): Readonly<Record<string, unknown>> =>
  typeof body === 'object' && body !== null ? (body as Record<string, unknown>) : {};

/** Foreign text for an answer: at most 64 characters, none of them control characters. */
const text = (value: unknown): string =>
  typeof value === 'string' ? value.replaceAll(/\p{Cc}/gu, '\uFFFD').slice(0, 64) : '';
