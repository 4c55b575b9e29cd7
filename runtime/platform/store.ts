/**
 * Writes what came into PostgreSQL. Any number of workers may do so at once, and everything may come twice and in any order:
 * a transaction either holds a whole message or nothing of it, and a message taken again changes nothing but the counts.
 */
import { hash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type pg from 'pg';
import type { JournalRecord } from '../contracts/record.ts';
import {
  type Batch,
  type Delivery,
  type GatewayStatus,
  isAbridged,
  type Message,
  type Poison,
  type ReplayAnswer,
  readMessage,
  sameButAbridged,
  type TakenRecord,
} from './message.ts';
import { chainOfReplay } from './replay-id.ts';
import { inTransaction } from './tables.ts';

export type Say = (event: string, detail: object) => void;

/** Of a poisonous message so much is kept. */
const KEPT_BYTES = 1 << 20;
const RETRY_MS = 1000;

export interface Store {
  /**
   * Resolves when everything is committed, so that it may be acknowledged. A database that does not answer is waited for.
   * @throws the signal's reason once it is aborted; nothing may be acknowledged then
   */
  take(deliveries: readonly Delivery[]): Promise<readonly Message[]>;
}

/** @param say is told of what somebody should look at: poison, contradictions, a database that does not answer. */
export function createStore(pool: pg.Pool, say: Say, signal: AbortSignal): Store {
  async function write(messages: readonly Message[]): Promise<void> {
    for (;;) {
      signal.throwIfAborted();
      try {
        const contradictions = await inTransaction(pool, (client) => writeAll(client, messages));
        for (const one of contradictions) say('conflict', one);
        for (const message of messages) {
          if (message.type === 'poison') say('poison', { topic: message.topic, reason: message.reason });
        }
        return;
      } catch (error) {
        if (isRefusal(error)) throw error;
        if (isCollision(error)) continue;
        say('database', { reason: error instanceof Error ? error.message : String(error) });
        await delay(RETRY_MS, undefined, { signal });
      }
    }
  }

  return {
    async take(deliveries) {
      const messages = deliveries.map(readMessage);
      try {
        await write(messages);
        return messages;
      } catch (error) {
        if (!isRefusal(error)) throw error;
      }
      // Something in there is nothing the database takes. One at a time, so that only that one is put aside.
      for (const [index, message] of messages.entries()) {
        try {
          await write([message]);
        } catch (error) {
          const delivery = deliveries[index];
          if (!isRefusal(error) || message.type === 'poison' || !delivery) throw error;
          const gateway = 'gateway' in message ? { gateway: message.gateway } : {};
          const reason = `the database refuses it: ${error.message}`;
          const poison: Poison = { type: 'poison', ...delivery, ...gateway, reason };
          await write([poison]);
          messages[index] = poison;
        }
      }
      return messages;
    },
  };
}

/** The database answers and says no to what it was given (SQLSTATE classes 22 and 23), today and tomorrow. */
const isRefusal = (error: unknown): error is Error =>
  error instanceof Error && 'code' in error && /^2[23]\w{3}$/.test(String(error.code));

/** Two workers stood in each other's way and this one gave in (class 40). */
const isCollision = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && /^40\w{3}$/.test(String(error.code));

interface Conflict {
  readonly gateway: string;
  readonly epoch: number;
  readonly seq: number;
}

/**
 * The order of the statements and of the rows in each is the same for all, so that no two workers wait for each other.
 * @returns the contradictions found
 */
async function writeAll(client: pg.PoolClient, messages: readonly Message[]): Promise<Conflict[]> {
  const batches = messages.filter((message) => message.type === 'batch');
  const conflicts = await writeRecords(
    client,
    batches.flatMap(({ records, gaps }) => [...records, ...gaps]),
  );
  await writeChains(client, batches);
  const statuses = messages.filter((message) => message.type === 'status');
  const answers = messages.filter((message) => message.type === 'answer');
  await writeGateways(client, [...batches, ...statuses, ...answers], statuses);
  for (const batch of batches) await heardReplay(client, batch);
  for (const answer of answers) await writeAnswer(client, answer);
  for (const message of messages) {
    if (message.type === 'poison') await writePoison(client, message);
  }
  return conflicts;
}

const INSERT_RECORDS = `
WITH news AS (
  INSERT INTO gatehouse.record
  SELECT gateway, epoch, seq, to_timestamp(at / 1000.0), to_timestamp(received / 1000.0),
         lane, kind, scenario, device, name, digest, record
  FROM unnest($1::text[], $2::int[], $3::bigint[], $4::float8[], $5::float8[], $6::text[], $7::text[], $8::text[],
              $9::text[], $10::text[], $11::bytea[], $12::json[])
       AS one (gateway, epoch, seq, at, received, lane, kind, scenario, device, name, digest, record)
  ORDER BY gateway, epoch, seq
  ON CONFLICT DO NOTHING
  RETURNING gateway, epoch
)
SELECT gateway, epoch, count(*)::int AS count FROM news GROUP BY gateway, epoch`;

const COUNT_DUPLICATES = `
INSERT INTO gatehouse.duplicate
SELECT * FROM unnest($1::text[], $2::int[], $3::bigint[]) AS one (gateway, epoch, times) ORDER BY gateway, epoch
ON CONFLICT (gateway, epoch) DO UPDATE SET times = duplicate.times + excluded.times`;

const DIFFERENT = `
SELECT one.place::int AS place, held.record
FROM unnest($1::text[], $2::int[], $3::bigint[], $4::bytea[]) WITH ORDINALITY
     AS one (gateway, epoch, seq, digest, place)
JOIN gatehouse.record AS held USING (gateway, epoch, seq)
WHERE held.digest <> one.digest
ORDER BY one.place`;

/** PostgreSQL holds no NUL in a text; the record itself, beside it, keeps it in its escaped form. */
const searchable = (text: string): string => text.replaceAll('\0', '\uFFFD');

async function writeRecords(client: pg.PoolClient, all: readonly TakenRecord[]): Promise<Conflict[]> {
  if (all.length === 0) return [];
  const column = <Value>(of: (record: JournalRecord) => Value) => all.map(({ record }) => of(record));
  const keys = [column(({ gateway }) => gateway), column(({ epoch }) => epoch), column(({ seq }) => seq)];
  const digests = all.map(({ digest }) => digest);
  const { rows: news } = await client.query<{ gateway: string; epoch: number; count: number }>(INSERT_RECORDS, [
    ...keys,
    column(({ at }) => at),
    column(({ received }) => received),
    column(({ lane }) => lane),
    column(({ kind }) => kind),
    column(({ scenario }) => searchable(scenario)),
    column(({ device }) => searchable(device)),
    column(({ name }) => searchable(name)),
    digests,
    all.map(({ json }) => json),
  ]);
  const again = new Map<string, { gateway: string; epoch: number; times: number }>();
  const count = (gateway: string, epoch: number, times: number) => {
    const key = `${gateway} ${epoch}`;
    again.set(key, { gateway, epoch, times: (again.get(key)?.times ?? 0) + times });
  };
  for (const { record } of all) count(record.gateway, record.epoch, 1);
  for (const { gateway, epoch, count: inserted } of news) count(gateway, epoch, -inserted);
  const repeated = [...again.values()].filter(({ times }) => times > 0);
  if (repeated.length === 0) return [];
  await client.query(COUNT_DUPLICATES, [
    repeated.map(({ gateway }) => gateway),
    repeated.map(({ epoch }) => epoch),
    repeated.map(({ times }) => times),
  ]);
  const { rows: different } = await client.query<{ place: number; record: JournalRecord }>(DIFFERENT, [
    ...keys,
    digests,
  ]);
  const conflicts: Conflict[] = [];
  for (const { place, record: held } of different) {
    const taken = all[place - 1];
    if (taken && !(await wasAbridged(client, held, taken))) {
      const { gateway, epoch, seq } = taken.record;
      await client.query(
        `INSERT INTO gatehouse.conflict VALUES ($1, $2, $3, $4, $5, 1)
         ON CONFLICT (gateway, epoch, seq, digest) DO UPDATE SET times = conflict.times + 1`,
        [gateway, epoch, seq, taken.digest, taken.json],
      );
      conflicts.push({ gateway, epoch, seq });
    }
  }
  return conflicts;
}

/** A record that came without its data, and now in full or the other way round: the full one is kept. */
async function wasAbridged(client: pg.PoolClient, held: JournalRecord, taken: TakenRecord): Promise<boolean> {
  if (!sameButAbridged(held, taken.record)) return false;
  if (isAbridged(held)) {
    const { gateway, epoch, seq } = taken.record;
    await client.query(
      'UPDATE gatehouse.record SET record = $4, digest = $5 WHERE gateway = $1 AND epoch = $2 AND seq = $3',
      [gateway, epoch, seq, taken.json, taken.digest],
    );
  }
  return true;
}

const WRITE_CHAINS = `
INSERT INTO gatehouse.chain
SELECT gateway, epoch, chain, range_agg(int8range(after + 1, through + 1)),
       coalesce(range_agg(int8range(after + 1, through + 1)) FILTER (WHERE again), '{}'), count(*)
FROM unnest($1::text[], $2::int[], $3::text[], $4::bigint[], $5::bigint[], $6::boolean[])
     AS one (gateway, epoch, chain, after, through, again)
GROUP BY gateway, epoch, chain
ORDER BY gateway, epoch, chain
ON CONFLICT (gateway, epoch, chain)
DO UPDATE SET covered = chain.covered + excluded.covered,
              replayed = chain.replayed + excluded.replayed,
              batches = chain.batches + excluded.batches`;

/** A replay counts for a chain only if it is known to hold all of its lanes: if it answers a request of ours. */
async function writeChains(client: pg.PoolClient, batches: readonly Batch[]): Promise<void> {
  const links = batches.flatMap((batch) => {
    const chain = batch.chain ?? chainOfReplay(batch);
    return chain === undefined ? [] : [{ ...batch, chain }];
  });
  if (links.length === 0) return;
  await client.query(WRITE_CHAINS, [
    links.map(({ gateway }) => gateway),
    links.map(({ epoch }) => epoch),
    links.map(({ chain }) => chain),
    links.map(({ after }) => after),
    links.map(({ through }) => through),
    links.map(({ replay }) => replay !== undefined),
  ]);
}

const WRITE_GATEWAYS = `
INSERT INTO gatehouse.gateway (gateway, site)
SELECT DISTINCT ON (gateway) gateway, site
FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS one (gateway, site, place)
ORDER BY gateway, place DESC
ON CONFLICT (gateway) DO UPDATE SET site = excluded.site, heard_at = now()`;

const WRITE_STATUS = `
UPDATE gatehouse.gateway
SET state = $2,
    head = CASE WHEN $3 > epoch THEN $4 ELSE greatest(head, $4) END,
    epoch = greatest(epoch, $3),
    lanes = coalesce($5, lanes),
    everything = coalesce($6, everything)
WHERE gateway = $1 AND coalesce($3 >= epoch, true)`;

async function writeGateways(
  client: pg.PoolClient,
  heard: readonly { readonly gateway: string; readonly site: string }[],
  statuses: readonly GatewayStatus[],
): Promise<void> {
  if (heard.length === 0) return;
  await client.query(WRITE_GATEWAYS, [heard.map(({ gateway }) => gateway), heard.map(({ site }) => site)]);
  const ordered = [...statuses].sort((a, b) => (a.gateway < b.gateway ? -1 : a.gateway > b.gateway ? 1 : 0));
  for (const { gateway, state, epoch, head, lanes, everything } of ordered) {
    await client.query(WRITE_STATUS, [
      gateway,
      searchable(state),
      epoch ?? null,
      head ?? null,
      lanes ?? null,
      everything ?? null,
    ]);
  }
}

/** A replay that makes progress is not asked for again. */
async function heardReplay(client: pg.PoolClient, batch: Batch): Promise<void> {
  if (batch.replay === undefined) return;
  await client.query('UPDATE gatehouse.replay SET heard_at = now() WHERE gateway = $1 AND id = $2', [
    batch.gateway,
    batch.replay,
  ]);
}

async function writeAnswer(client: pg.PoolClient, answer: ReplayAnswer): Promise<void> {
  await client.query(
    'UPDATE gatehouse.replay SET state = $3, detail = $4, heard_at = now() WHERE gateway = $1 AND id = $2',
    [
      answer.gateway,
      answer.replay,
      answer.state,
      answer.code === undefined ? null : searchable(`${answer.code}: ${answer.detail ?? ''}`),
    ],
  );
}

async function writePoison(client: pg.PoolClient, { topic, payload, gateway, reason }: Poison): Promise<void> {
  const digest = hash('sha256', Buffer.concat([Buffer.from(`${topic}\n`), payload]), 'buffer');
  await client.query(
    `INSERT INTO gatehouse.poison VALUES ($1, $2, $3, $4, $5, $6, 1)
     ON CONFLICT (digest) DO UPDATE SET times = poison.times + 1`,
    [digest, gateway ?? null, searchable(topic), searchable(reason), payload.length, payload.subarray(0, KEPT_BYTES)],
  );
}
