/**
 * A NATS JetStream cluster as the source, shared by any number of workers. NATS puts every MQTT message of QoS 1 into its
 * stream `$MQTT_msgs`, on all replicas, before it sends the PUBACK, and keeps it there as long as a consumer wants it: so one
 * durable pull consumer, created before the first gateway connects, gets everything the gateways got an acknowledgement for.
 * (A stream of our own beside it would be filled after the PUBACK; what a dying server had not copied would be missing.)
 */
import { setTimeout as delay } from 'node:timers/promises';
import {
  AckPolicy,
  DeliverPolicy,
  type JetStreamManager,
  type JsMsg,
  jetstream,
  jetstreamManager,
  RetentionPolicy,
  StorageType,
} from '@nats-io/jetstream';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import type { Delivery } from './message.ts';
import type { Source } from './mqtt-source.ts';
import type { Say } from './store.ts';

export interface NatsOptions {
  /** `nats://user:password@host:4222`, several servers of one cluster in a comma list. */
  readonly address: string;
  /** Name of the durable consumer; workers that name the same share the messages. */
  readonly group: string;
  /** How long a message belongs to one worker before another gets it, ms. */
  readonly ackWaitMs?: number;
  readonly say: Say;
  take(deliveries: readonly Delivery[]): Promise<unknown>;
}

const STREAM = '$MQTT_msgs';
const PREFIX = '$MQTT.msgs.';
const ACK_WAIT_MS = 30_000;
/** Handed out and not acknowledged, all workers together. */
const MOST_PENDING = 2000;
/** Asked for at once; with gateways' batches of at most 120 KiB that bounds what a worker holds in memory. */
const FETCH = 128;
const FETCH_MS = 5000;
/** Written in one transaction: small enough to be done long before another worker would get it. */
const PORTION_BYTES = 1 << 20;
const RETRY_MS = 500;
const REPLICAS = 3;
const STREAM_NOT_FOUND = 10_059;
const CONSUMER_NOT_FOUND = 10_014;
const NANOSECONDS = 1_000_000;

/** @throws if no server can be reached now; later losses of the connection are waited out */
export async function startNatsSource(options: NatsOptions): Promise<Source> {
  const { group, say, take, ackWaitMs = ACK_WAIT_MS } = options;
  const connection = await connect({
    ...readServers(options.address),
    name: `gatehouse-platform ${group}`,
    maxReconnectAttempts: -1,
    reconnectTimeWait: RETRY_MS,
    noEcho: true,
  });
  const stopping = new AbortController();

  async function serve(): Promise<void> {
    const manager = await jetstreamManager(connection);
    await provideStream(manager);
    await provideConsumer(manager, group, ackWaitMs);
    const consumer = await jetstream(connection).consumers.get(STREAM, group);
    say('listening', { server: connection.getServer(), group });
    while (!stopping.signal.aborted) {
      const messages = await consumer.fetch({ max_messages: FETCH, expires: FETCH_MS });
      const onAbort = () => messages.stop();
      stopping.signal.addEventListener('abort', onAbort);
      const drain = createDrain(take, ackWaitMs);
      try {
        for await (const message of messages) drain.add(message);
      } finally {
        stopping.signal.removeEventListener('abort', onAbort);
        await drain.done();
      }
    }
  }

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      try {
        await serve();
      } catch (error) {
        if (stopping.signal.aborted) return;
        say('nats', { reason: error instanceof Error ? error.message : String(error) });
        await delay(RETRY_MS, undefined, { signal: stopping.signal }).catch(() => {}); // aborted: the loop sees it
      }
    }
  }

  const running = run();
  return {
    /** Reaches gateways that are connected, as QoS 0. NATS cannot retain on behalf of MQTT, so `retain` has no effect. */
    async down(topic, body) {
      connection.publish(topic.replaceAll('/', '.'), JSON.stringify(body));
      await connection.flush();
    },
    async stop() {
      stopping.abort(new Error('stopped'));
      await running;
      await end(connection);
    },
  };
}

async function end(connection: NatsConnection): Promise<void> {
  try {
    await connection.drain(); // sends the last acknowledgements
  } catch {
    await connection.close(); // it was closed or is reconnecting
  }
}

/**
 * Commits what has come as soon as the commit before is done, a portion at a time, and acknowledges it then. What waits longer
 * is kept from being handed to another worker.
 */
function createDrain(take: (deliveries: readonly Delivery[]) => Promise<unknown>, ackWaitMs: number) {
  const waiting: JsMsg[] = [];
  let running: Promise<void> | undefined;
  let toldAt = performance.now();
  function portion(): JsMsg[] {
    let bytes = 0;
    const end = waiting.findIndex(({ data }, index) => {
      bytes += data.length;
      return index > 0 && bytes > PORTION_BYTES;
    });
    return waiting.splice(0, end < 0 ? waiting.length : end);
  }
  function keep(): void {
    const now = performance.now();
    if (now - toldAt < ackWaitMs / 4) return;
    toldAt = now;
    for (const message of waiting) message.working();
  }
  async function commit(): Promise<void> {
    while (waiting.length > 0) {
      const messages = portion();
      await take(messages.map(({ subject, data }) => ({ topic: topicOf(subject), payload: Buffer.from(data) })));
      for (const message of messages) message.ack();
      keep();
    }
  }
  return {
    add(message: JsMsg): void {
      waiting.push(message);
      running ??= commit().finally(() => {
        running = undefined;
      });
      running.catch(() => {}); // told by `done`
    },
    /** @throws what `take` threw; the rest is not acknowledged then and comes again */
    async done(): Promise<void> {
      await running;
      if (waiting.length > 0) await commit();
    },
  };
}

const topicOf = (subject: string): string => subject.slice(PREFIX.length).replaceAll('.', '/');

/** NATS makes its stream when the first MQTT client comes; made in the same way before, it takes it as its own. */
async function provideStream(manager: JetStreamManager): Promise<void> {
  try {
    await manager.streams.info(STREAM);
  } catch (error) {
    if (codeOf(error) !== STREAM_NOT_FOUND) throw error;
    const wanted = {
      name: STREAM,
      subjects: [`${PREFIX}>`],
      retention: RetentionPolicy.Interest,
      storage: StorageType.File,
    };
    try {
      await manager.streams.add({ ...wanted, num_replicas: REPLICAS });
    } catch (failure) {
      // A single server has no replicas to offer.
      if (!/replicas/.test(String(failure))) throw failure;
      await manager.streams.add({ ...wanted, num_replicas: 1 });
    }
  }
}

async function provideConsumer(manager: JetStreamManager, group: string, ackWaitMs: number): Promise<void> {
  try {
    await manager.consumers.info(STREAM, group);
  } catch (error) {
    if (codeOf(error) !== CONSUMER_NOT_FOUND) throw error;
    await manager.consumers.add(STREAM, {
      durable_name: group,
      ack_policy: AckPolicy.Explicit,
      deliver_policy: DeliverPolicy.All,
      filter_subject: `${PREFIX}gatehouse.v1.>`,
      ack_wait: ackWaitMs * NANOSECONDS,
      max_deliver: -1,
      max_ack_pending: MOST_PENDING,
    });
  }
}

const codeOf = (error: unknown): unknown =>
  typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;

function readServers(text: string): { servers: string[]; user?: string; pass?: string } {
  const parts = text.split(',').map((part) => part.trim());
  const first = URL.parse(parts[0] ?? '');
  const servers = parts.map((part) => part.replace(/^(nats|tls):\/\/(?:[^@]*@)?/, (_all, scheme) => `${scheme}://`));
  return first?.username
    ? { servers, user: decodeURIComponent(first.username), pass: decodeURIComponent(first.password) }
    : { servers };
}
