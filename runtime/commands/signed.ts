/**
 * Commands of platforms (reliability.md C8, C10): signed, for this gateway, fresh, and once. They come over MQTT and over
 * HTTP, and are the same command on both ways. What is not in order is refused, answered and audited here; the rest is
 * the dispatcher's.
 */
import { randomBytes } from 'node:crypto';
import { Compile } from 'typebox/compile';
import { type Clock, every } from '../clock.ts';
import type { CommandView } from '../contracts/api.ts';
import { canonical } from '../contracts/canonical.ts';
import type { Draft, JournalRecord } from '../contracts/record.ts';
import { type SignedCommand, signedCommand } from '../contracts/signed-command.ts';
import { GatehouseError, reasonOf } from '../errors.ts';
import type { Journal, Write } from '../journal/journal.ts';
import type { Log } from '../log.ts';
import type { Dispatcher, Who } from './dispatcher.ts';
import { codeOf } from './facts.ts';
import { type PlatformKeys, platformKeyTable } from './platform-keys.ts';
import { createRate } from './rate.ts';
import { KEEP_MS } from './store.ts';

export const schema = `${platformKeyTable}
CREATE TABLE IF NOT EXISTS platform_nonce (
  actor TEXT NOT NULL,
  nonce TEXT NOT NULL,
  command TEXT NOT NULL,
  refused INTEGER NOT NULL,
  at INTEGER NOT NULL,
  PRIMARY KEY (actor, nonce)
) WITHOUT ROWID, STRICT;
CREATE INDEX IF NOT EXISTS platform_nonce_at ON platform_nonce (at);
`;
const REMEMBER = 'INSERT INTO platform_nonce VALUES (?, ?, ?, ?, ?)';
const FORGET =
  'DELETE FROM platform_nonce WHERE (actor, nonce) IN (SELECT actor, nonce FROM platform_nonce WHERE at < ? LIMIT 500)';

const SKEW_MS = 30_000;
const CHALLENGE_MS = 60_000;
/** Challenges of one platform that are open at once. */
const MOST_CHALLENGES = 20;
/** Commands of one platform a minute, whatever becomes of them: each may write to the journal. */
const PER_MINUTE = 60;
const FORGET_EVERY_MS = 3600_000;

export interface SignedCommands {
  /** A nonce of ours, good for a minute: proves that a command is fresh when the clocks cannot. @throws `command.rate` */
  challenge(platform: string): { readonly nonce: string; readonly expiresInMs: number };
  /**
   * The same message again answers with the same command.
   * @param platform whose channel it came on
   * @throws GatehouseError `command.*`; audited
   */
  submit(platform: string, body: unknown): Promise<CommandView>;
  /** A command that lay at the broker, nobody knows how long (C10). @throws GatehouseError `command.retained`; audited */
  retained(platform: string, body: unknown): Promise<never>;
  stop(): void;
}

export interface SignedParts {
  readonly journal: Journal;
  readonly dispatcher: Pick<Dispatcher, 'send'>;
  readonly keys: PlatformKeys;
  readonly clock: Clock;
  readonly log: Log;
  readonly clockQuality: () => JournalRecord['clock'];
  readonly zoneOf: (device: string) => string | undefined;
}

const form = Compile(signedCommand);

export function createSignedCommands(parts: SignedParts): SignedCommands {
  const { journal, dispatcher, keys, clock, log, clockQuality, zoneOf } = parts;
  const rate = createRate(clock);
  /** Nonce → until when, on the monotonic clock. */
  const challenges = new Map<string, Map<string, number>>();
  /** Nonces whose fate is not on the disk yet. */
  const open = new Map<string, string>();
  const remembered = journal.db.prepare<[string, string], { command: string; refused: number }>(
    'SELECT command, refused FROM platform_nonce WHERE actor = ? AND nonce = ?',
  );
  const oldest = journal.db.prepare<[number], { at: number }>('SELECT at FROM platform_nonce WHERE at < ? LIMIT 1');

  async function forget(): Promise<void> {
    if (clockQuality() !== 'synced') return; // T5
    while (oldest.get(clock.now() - KEEP_MS))
      await journal.commit({ writes: [{ sql: FORGET, params: [clock.now() - KEEP_MS] }] });
  }
  const stopForgetting = every(clock, FORGET_EVERY_MS, () => {
    forget().catch((error: unknown) => log.warn({ err: error }, 'old nonces could not be forgotten'));
  });

  const challengesOf = (platform: string): Map<string, number> => {
    const mine = challenges.get(platform) ?? new Map<string, number>();
    for (const [nonce, until] of mine) if (until <= clock.mono()) mine.delete(nonce);
    challenges.set(platform, mine);
    return mine;
  };

  function limit(platform: string, what: string): void {
    const waitMs = rate.take(`${what}/${platform}`, '', PER_MINUTE);
    if (waitMs === 0) return;
    throw new GatehouseError('command.rate', `More than ${PER_MINUTE} a minute from ${platform}`, {
      detail: { retryAfterMs: waitMs },
    });
  }

  const remember = (actor: string, { signed }: SignedCommand, refused: boolean): Write => ({
    sql: REMEMBER,
    params: [actor, signed.nonce, signed.id, refused ? 1 : 0, clock.now()],
  });

  function read(body: unknown): SignedCommand {
    if (form.Check(body)) return body;
    if (!isObject(body) || !isObject(body.signed))
      throw new GatehouseError('command.signature', 'A command of a platform is signed: the field "signed" is missing');
    const problems = form
      .Errors(body)
      .map(({ instancePath, message }) => `${instancePath.replaceAll('/', '.')} ${message}`);
    throw new GatehouseError('command.invalid', problems.join('; '));
  }

  /** @throws GatehouseError unless this platform may have signed exactly this, for this gateway */
  function authenticate(platform: string, command: SignedCommand): void {
    const { signature, ...signed } = command.signed;
    const key = keys.check(platform, signed.key, canonical({ ...command, signed }), signature);
    if (signed.gatewayId !== journal.gateway)
      throw new GatehouseError('command.foreign', `It is for gateway ${signed.gatewayId}; this is ${journal.gateway}`);
    const { devices, zones, commands } = key;
    const mayReach =
      (devices === undefined && zones === undefined) ||
      devices?.includes(command.device) ||
      zones?.includes(zoneOf(command.device) ?? '');
    if (!mayReach || commands?.includes(command.command) === false) {
      const text = `Key ${key.id} is not for "${command.command}" on ${command.device}`;
      throw new GatehouseError('command.forbidden', text);
    }
  }

  /**
   * What is left of the time the command has, as C2 wants it: from its issue by the wall clock, or from our own challenge.
   * @throws GatehouseError `command.stale`, `command.expired`
   */
  function freshness(platform: string, { signed, deadlineMs }: SignedCommand): number | undefined {
    if (challengesOf(platform).delete(signed.nonce)) return deadlineMs;
    const quality = clockQuality();
    if (quality !== 'synced') {
      const text = `The clock of the gateway is ${quality}: sign a challenge instead`;
      throw new GatehouseError('command.stale', text, { detail: { challenge: true } });
    }
    const age = clock.now() - signed.issuedAt;
    if (Math.abs(age) > SKEW_MS) {
      const text = `Issued ${Math.round(age / 1000)} s before the time here, ${SKEW_MS / 1000} s at most are taken`;
      throw new GatehouseError('command.stale', text, { detail: { challenge: true } });
    }
    if (deadlineMs === undefined || age <= 0) return deadlineMs;
    if (age >= deadlineMs) throw new GatehouseError('command.expired', 'Its deadline had passed when it came');
    return deadlineMs - age;
  }

  /** @returns whether this very message is known already. @throws GatehouseError `command.replayed` */
  function isRepeated(actor: string, { signed: { nonce, id } }: SignedCommand): boolean {
    const row = remembered.get(actor, nonce);
    const command = open.get(`${actor}\n${nonce}`) ?? row?.command;
    if (command === undefined) return false;
    if (command !== id) throw new GatehouseError('command.replayed', `Nonce ${nonce} was used for command ${command}`);
    if (row?.refused) throw new GatehouseError('command.replayed', `Command ${id} was refused; sign it anew`);
    return true;
  }

  async function tell(actor: string, body: unknown, error: unknown): Promise<void> {
    await journal.append(
      audit(actor, 'command.signed.refused', isObject(body) ? body : {}, {
        code: codeOf(error),
        detail: reasonOf(error),
      }),
    );
  }

  /** Refused is refused: whoever listened in must not be able to send it again a moment later. */
  async function spoil(actor: string, command: SignedCommand): Promise<void> {
    await journal
      .commit({ writes: [remember(actor, command, true)] })
      .catch((error: unknown) => log.error({ err: error }, 'the nonce of a refused command is not remembered'));
  }

  /** @returns how to hand it to the dispatcher. @throws GatehouseError why not */
  async function examine(who: Who, platform: string, body: unknown): Promise<() => Promise<CommandView>> {
    limit(platform, 'command');
    const command = read(body);
    authenticate(platform, command);
    const { signed, ...input } = command;
    if (isRepeated(who.actor, command)) return () => dispatcher.send(input, who, signed.id);
    const claim = `${who.actor}\n${signed.nonce}`;
    open.set(claim, signed.id);
    try {
      const leftMs = freshness(platform, command);
      const also = {
        records: [audit(who.actor, 'command.signed', command, { signed })],
        writes: [remember(who.actor, command, false)],
      };
      return async () => {
        try {
          return await dispatcher.send(input, who, signed.id, { also, ...(leftMs === undefined ? {} : { leftMs }) });
        } catch (error) {
          if (codeOf(error) !== 'command.conflict') await spoil(who.actor, command);
          throw error;
        } finally {
          open.delete(claim);
        }
      };
    } catch (error) {
      await spoil(who.actor, command);
      open.delete(claim);
      throw error;
    }
  }

  return {
    challenge(platform) {
      limit(platform, 'challenge');
      const mine = challengesOf(platform);
      const [first] = mine.keys();
      if (mine.size >= MOST_CHALLENGES && first !== undefined) mine.delete(first);
      const nonce = randomBytes(24).toString('base64url');
      mine.set(nonce, clock.mono() + CHALLENGE_MS);
      return { nonce, expiresInMs: CHALLENGE_MS };
    },
    async submit(platform, body) {
      const who: Who = { actor: `platform:${platform}`, sender: 'platform' };
      let handOver: () => Promise<CommandView>;
      try {
        handOver = await examine(who, platform, body);
      } catch (error) {
        // A flood is told once a minute.
        if (codeOf(error) !== 'command.rate' || rate.take(`told/${platform}`, '', 1) === 0)
          await tell(who.actor, body, error);
        throw error;
      }
      return handOver();
    },
    async retained(platform, body) {
      const text = 'It lay at the broker as a retained message, nobody knows how long';
      const error = new GatehouseError('command.retained', text);
      await tell(`platform:${platform}`, body, error);
      throw error;
    },
    stop: stopForgetting,
  };
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Foreign text for a record: at most 64 characters, none of them control characters. */
const text = (value: unknown): string =>
  typeof value === 'string' ? value.replaceAll(/\p{Cc}/gu, '\uFFFD').slice(0, 64) : '';

function audit(actor: string, name: string, about: Record<string, unknown> | SignedCommand, data: object): Draft {
  const { device, command, signed } = about as Record<string, unknown>;
  const id = isObject(signed) ? signed.id : undefined;
  return {
    lane: 'L0',
    kind: 'audit',
    scenario: 'gateway',
    device: text(device),
    name,
    data: { id: text(id), device: text(device), command: text(command), ...data },
    actor,
  };
}
