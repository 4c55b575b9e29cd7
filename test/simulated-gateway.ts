/**
 * A gateway reduced to its uplink: a sequence of records of its own, cut into batches of the two chains, over a connection of
 * its own by the real code, with a window of unacknowledged batches. What was not acknowledged when a connection ended goes
 * again over the next.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '../runtime/clock.ts';
import type { JournalRecord, Lane } from '../runtime/contracts/record.ts';
import { batchText, encode } from '../runtime/uplink/batch.ts';
import { type Connection, connect } from '../runtime/uplink/connection.ts';
import { createRetry } from '../runtime/uplink/retry.ts';
import { type Server, uplinkTopics } from '../runtime/uplink/topics.ts';

export interface SimulatedGateway extends AsyncDisposable {
  readonly gateway: string;
  /** Sends everything. Resolves when all of it is acknowledged, with the number of batches that went more than once. */
  send(): Promise<number>;
  /** Its records as JSON, in order. */
  texts(): string[];
}
export interface SimulatedOptions {
  readonly site: string;
  readonly gateway: string;
  readonly records: number;
  readonly servers: readonly Server[];
  /** Index of the server to begin with. */
  readonly first: number;
  random(): number;
}

/** Batches of a chain without an acknowledgement. A thousand gateways that all come at once keep it small. */
const WINDOW = 2;
const MOST_RECORDS = 25;
/** Of all gateways, so many throw their connection away in the middle. */
const CLUMSY = 0.1;
const AT = Date.UTC(2026, 0, 1);

export async function simulateGateway(options: SimulatedOptions): Promise<SimulatedGateway> {
  const { site, gateway, records, servers, random } = options;
  const topics = uplinkTopics(site, gateway);
  const laneOf = Array.from(
    { length: records },
    (): Lane => (['L0', 'L1', 'L2', 'L3', 'L3', 'L3'] as const)[Math.floor(random() * 6)] ?? 'L3',
  );
  const textOf = (seq: number): string => {
    const lane = laneOf[seq - 1] ?? 'L3';
    const record: JournalRecord = {
      gateway,
      epoch: 1,
      seq,
      id: `0190a000-0000-7000-8000-${seq.toString(16).padStart(12, '0')}`,
      at: AT + seq * 1000,
      received: AT + seq * 1000 + 5,
      clock: 'synced',
      lane,
      kind: lane === 'L3' ? 'telemetry' : 'event',
      scenario: 'environment-monitoring',
      device: `env-${seq % 7}`,
      name: lane === 'L3' ? 'pm25' : 'something',
      data: lane === 'L3' ? seq / 10 : { of: gateway, seq },
      quality: 'good',
    };
    return JSON.stringify(record);
  };

  let turn = options.first;
  const retry = createRetry(servers.length, random);
  let line: Connection | undefined;
  let lost: Connection | undefined;
  async function dial(): Promise<Connection> {
    for (;;) {
      const server = servers[turn++ % servers.length];
      if (!server) throw new Error('no server');
      const answer = await connect({
        server,
        version: 4,
        clientId: `gh-${gateway}-main`,
        will: { topic: topics.status, payload: JSON.stringify({ gateway, state: 'offline' }) },
        keepaliveSeconds: 60,
        connectMs: 30_000,
        pubackMs: 60_000,
        clock: systemClock,
        signal: new AbortController().signal,
        onMessage: () => {},
      });
      if ('kind' in answer) {
        await sleep(retry.delayAfter(answer));
        continue;
      }
      line = answer;
      const status = { gateway, state: 'online', epoch: 1, head: records, filter: { lanes: ['L0', 'L1', 'L2', 'L3'] } };
      try {
        await answer.publish(topics.status, JSON.stringify(status), { retain: true });
      } catch {
        await sleep(retry.delayAfter(await answer.ended));
        continue;
      }
      // Nobody waits for this one: a gateway that cannot listen sends all the same.
      answer.subscribe([topics.command, topics.replay, topics.accept]).catch(() => {});
      return answer;
    }
  }
  await dial();

  let resent = 0;
  /** One chain: a window of batches after the other, from the last acknowledged place on, over whatever connection stands. */
  async function sendChain(topic: string, lanes: readonly Lane[], clumsyAt: number): Promise<void> {
    let acked = 0;
    let furthest = 0;
    let clumsy = clumsyAt > 0;
    while (acked < records) {
      const on = line ?? (await redial());
      const flights: { readonly through: number; readonly acked: Promise<void> }[] = [];
      for (let at = acked; flights.length < WINDOW && at < records; ) {
        const stretch = {
          epoch: 1,
          after: at,
          through: Math.min(records, at + 1 + Math.floor(random() * MOST_RECORDS)),
        };
        const seqs = Array.from({ length: stretch.through - at }, (_none, index) => at + 1 + index);
        const texts = seqs.filter((seq) => lanes.includes(laneOf[seq - 1] ?? 'L4')).map(textOf);
        if (at < furthest) resent++;
        at = stretch.through;
        flights.push({ through: at, acked: on.publish(topic, encode(batchText(gateway, stretch, texts), false)) });
      }
      furthest = Math.max(furthest, flights.at(-1)?.through ?? 0);
      if (clumsy && furthest >= clumsyAt) {
        clumsy = false;
        void on.end(); // some of them arrive and are not acknowledged to us
      }
      const over = on.ended.then(({ reason }) => Promise.reject(new Error(reason)));
      const answers = await Promise.allSettled(flights.map((flight) => Promise.race([flight.acked, over])));
      const unanswered = answers.findIndex(({ status }) => status === 'rejected');
      acked = flights[unanswered < 0 ? flights.length - 1 : unanswered - 1]?.through ?? acked;
      if (unanswered < 0 || line !== on) continue;
      line = undefined;
      lost = on;
    }
  }
  let dialling: Promise<Connection> | undefined;
  const redial = () => {
    dialling ??= again().finally(() => {
      dialling = undefined;
    });
    return dialling;
  };
  /** As patiently as a real one, or a thousand of them never let a cluster recover. */
  async function again(): Promise<Connection> {
    if (lost) await sleep(retry.delayAfter(await lost.ended));
    return dial();
  }

  return {
    gateway,
    texts: () => Array.from({ length: records }, (_none, index) => textOf(index + 1)),
    async send() {
      const clumsyAt = random() < CLUMSY ? Math.ceil(records / 2) : 0;
      await Promise.all([sendChain(topics.urgent, ['L0', 'L1'], clumsyAt), sendChain(topics.bulk, ['L2', 'L3'], 0)]);
      return resent;
    },
    async [Symbol.asyncDispose]() {
      await line?.end();
    },
  };
}
