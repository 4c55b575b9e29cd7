/** What comes down from a platform: which encoding it takes, what it wants repeated, and commands (orders.ts). */
import type { Clock } from '../clock.ts';
import type { Draft } from '../contracts/record.ts';
import { GatehouseError, reasonOf } from '../errors.ts';
import type { Journal } from '../journal/journal.ts';
import type { Log } from '../log.ts';
import type { createOrders } from './orders.ts';
import type { UplinkTopics } from './topics.ts';

const MAX_BYTES = 65_536;
/** Messages heeded in a minute, each of which may cause an audit record and an answer; more are only counted. */
const PER_MINUTE = 30;

export interface DownOptions {
  readonly uplink: string;
  readonly topics: UplinkTopics;
  readonly journal: Pick<Journal, 'append'>;
  readonly clock: Clock;
  readonly log: Log;
  readonly orders: Pick<ReturnType<typeof createOrders>, 'command' | 'challenge'>;
  /** Publishes on `up/reply`. */
  answer(body: object): Promise<void>;
  /** @throws GatehouseError why it cannot be repeated */
  replay(body: unknown): Promise<unknown>;
  accept(encodings: readonly string[]): void;
}

export function createDown({ uplink, topics, journal, clock, log, orders, answer, replay, accept }: DownOptions) {
  let heeded = 0;
  let suppressed = 0;
  let cancel: (() => void) | undefined;

  function audit(name: string, data: object): void {
    const draft: Draft = {
      lane: 'L0',
      kind: 'audit',
      scenario: 'gateway',
      device: '',
      name,
      data: { uplink, ...data },
      actor: `platform:${uplink}`,
    };
    journal.append(draft).catch((error: unknown) => log.error({ err: error, name }, 'audit record not written'));
  }
  /** False once there have been too many in this minute. */
  function heed(): boolean {
    cancel ??= clock.after(60_000, () => {
      cancel = undefined;
      if (suppressed > 0) audit('uplink.input.suppressed', { count: suppressed });
      heeded = 0;
      suppressed = 0;
    });
    if (heeded++ < PER_MINUTE) return true;
    suppressed++;
    return false;
  }

  async function repeat(body: unknown): Promise<void> {
    try {
      await replay(body);
    } catch (error) {
      if (!(error instanceof GatehouseError)) throw error;
      const { code, message: detail } = error;
      await answer({ replay: text(fieldsOf(body).id), state: 'refused', code, detail });
    }
  }

  return {
    /** @param retained as the broker marked it: true for what was there before we came. */
    async message(topic: string, payload: Buffer, retained: boolean): Promise<void> {
      if (!heed()) return;
      const body = payload.length > MAX_BYTES ? undefined : parse(payload);
      try {
        if (topic === topics.accept) {
          const { encoding } = fieldsOf(body);
          accept(Array.isArray(encoding) ? encoding.map(String) : []);
        } else if (body === undefined) {
          if (payload.length > 0) audit('uplink.input.invalid', { topic, bytes: payload.length });
        } else if (topic === topics.command) {
          await orders.command(body, retained);
        } else if (topic === topics.challenge) {
          orders.challenge(body);
        } else if (topic === topics.replay) {
          await repeat(body);
        }
      } catch (error) {
        log.warn({ topic, reason: reasonOf(error) }, 'answer not sent');
      }
    },
    stop(): void {
      cancel?.();
      if (suppressed > 0) audit('uplink.input.suppressed', { count: suppressed });
    },
  };
}

function parse(payload: Buffer): unknown {
  try {
    return JSON.parse(payload.toString());
  } catch {
    return undefined; // told by the caller
  }
}

const fieldsOf = (body: unknown): Readonly<Record<string, unknown>> =>
  typeof body === 'object' && body !== null ? (body as Record<string, unknown>) : {};

/** Foreign text for a record: at most 64 characters, none of them control characters. */
const text = (value: unknown): string =>
  typeof value === 'string' ? value.replaceAll(/\p{Cc}/gu, '\uFFFD').slice(0, 64) : '';
