/**
 * What a gateway publishes, read with suspicion: a batch, a status, an answer to a replay request, or something that is none
 * of them. Pure.
 */
import { hash } from 'node:crypto';
import { zstdDecompressSync } from 'node:zlib';
import { type Static, Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { canonical } from '../contracts/canonical.ts';
import { type JournalRecord, journalRecord, type Lane, lanes } from '../contracts/record.ts';

/** What came, whatever it came over. */
export interface Delivery {
  /** As MQTT writes it, with slashes. */
  readonly topic: string;
  readonly payload: Buffer;
}

/** A gateway sends two chains of batches that know nothing of each other, and each is complete or not by itself. */
export const chains = ['urgent', 'bulk'] as const;
export type Chain = (typeof chains)[number];
export const lanesOf: Readonly<Record<Chain, readonly Lane[]>> = { urgent: ['L0', 'L1'], bulk: ['L2', 'L3'] };

export interface TakenRecord {
  readonly record: JournalRecord;
  readonly json: string;
  /** SHA-256 over the record with its keys in order: equal content, however it was written. */
  readonly digest: Buffer;
}

interface Sender {
  readonly site: string;
  readonly gateway: string;
}
export interface Batch extends Sender {
  readonly type: 'batch';
  readonly epoch: number;
  readonly after: number;
  readonly through: number;
  /** The chain it is a link of; absent on a replay, which says itself what it is an answer to. */
  readonly chain?: Chain;
  readonly replay?: string;
  readonly records: readonly TakenRecord[];
  /** On a replay: the gap records about its stretch, from other places in the journal: what is not there any more. */
  readonly gaps: readonly TakenRecord[];
}
export interface GatewayStatus extends Sender {
  readonly type: 'status';
  readonly state: string;
  readonly epoch?: number;
  readonly head?: number;
  readonly lanes?: readonly Lane[];
  /** This platform gets every record of those lanes. */
  readonly everything?: boolean;
}
export interface ReplayAnswer extends Sender {
  readonly type: 'answer';
  readonly replay: string;
  readonly state: 'done' | 'refused';
  readonly code?: string;
  readonly detail?: string;
}
/** A message that contradicts its topic, its form or itself. Nothing of it is believed. */
export interface Poison {
  readonly type: 'poison';
  readonly topic: string;
  readonly payload: Buffer;
  /** By the topic; undefined if even that is not one of ours. */
  readonly gateway?: string;
  readonly reason: string;
}
/** None of our business: what other platforms and we ourselves send down. */
export interface Other {
  readonly type: 'other';
}
export type Message = Batch | GatewayStatus | ReplayAnswer | Poison | Other;

/** More than any gateway sends in one message, whatever it was packed into. */
const MOST_BYTES = 16 << 20;
const ZSTD_MAGIC = 0x28;
const MOST_EPOCH = 8191;
const MOST_SEQ = 2 ** 40 - 1;

const seq = Type.Integer({ minimum: 0, maximum: MOST_SEQ });
const batchForm = Type.Object({
  gateway: Type.String(),
  epoch: Type.Integer({ minimum: 1, maximum: MOST_EPOCH }),
  after: seq,
  through: seq,
  replay: Type.Optional(Type.String({ maxLength: 64 })),
  records: Type.Array(journalRecord, { maxItems: 10_000 }),
  gaps: Type.Optional(Type.Array(journalRecord, { maxItems: 10_000 })),
});
const statusForm = Type.Object({
  gateway: Type.String(),
  state: Type.String({ maxLength: 64 }),
  epoch: Type.Optional(Type.Integer({ minimum: 1, maximum: MOST_EPOCH })),
  head: Type.Optional(seq),
  filter: Type.Optional(
    Type.Object({
      lanes: Type.Optional(Type.Array(Type.Enum(lanes))),
      kinds: Type.Optional(Type.Unknown()),
      scenarios: Type.Optional(Type.Unknown()),
    }),
  ),
});
const answerForm = Type.Object({
  gateway: Type.String(),
  replay: Type.String({ maxLength: 64 }),
  state: Type.Enum(['done', 'refused']),
  code: Type.Optional(Type.String({ maxLength: 200 })),
  detail: Type.Optional(Type.String({ maxLength: 1000 })),
});
const isBatch = Compile(batchForm);
const isStatus = Compile(statusForm);
const isAnswer = Compile(answerForm);

const TOPIC =
  /^gatehouse\/v1\/([A-Za-z0-9_-]{1,64})\/([A-Za-z0-9_-]{1,64})\/(up\/urgent|up\/bulk|up\/reply|status|down\/.+)$/;

export function readMessage({ topic, payload }: Delivery): Message {
  const [, site = '', gateway = '', name = ''] = TOPIC.exec(topic) ?? [];
  const poison = (reason: string): Poison => ({
    type: 'poison',
    topic,
    payload,
    ...(gateway === '' ? {} : { gateway }),
    reason,
  });
  if (name === '') return poison('not a topic of a gateway');
  if (name.startsWith('down/')) return { type: 'other' };
  if (name === 'status' && payload.length === 0) return { type: 'other' }; // somebody cleared what was retained
  let body: unknown;
  try {
    body = unpack(payload);
  } catch (error) {
    return poison(`cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
  // Whoever may publish on a topic is decided by the broker; what a message says about itself proves nothing.
  const owner = typeof body === 'object' && body !== null && 'gateway' in body ? body.gateway : undefined;
  if (owner !== gateway) return poison('names another gateway than its topic');
  const sender = { site, gateway };
  if (name === 'status') return isStatus.Check(body) ? statusOf(sender, body) : poison('not a status');
  if (name === 'up/reply' && isAnswer.Check(body)) {
    const { replay, state, code, detail } = body;
    const why = { ...(code === undefined ? {} : { code }), ...(detail === undefined ? {} : { detail }) };
    return { type: 'answer', ...sender, replay, state: state === 'done' ? 'done' : 'refused', ...why };
  }
  // Refused commands are answered here as well; they belong to whoever sent them.
  if (name === 'up/reply' && typeof body === 'object' && body !== null && 'command' in body) return { type: 'other' };
  if (!isBatch.Check(body)) return poison(`not a batch: ${firstFault(body)}`);
  const chain = name === 'up/urgent' ? 'urgent' : name === 'up/bulk' ? 'bulk' : undefined;
  const fault = contradiction(body, chain);
  if (fault !== undefined) return poison(fault);
  const { epoch, after, through, replay } = body;
  return {
    type: 'batch',
    ...sender,
    epoch,
    after,
    through,
    ...(chain === undefined ? {} : { chain }),
    ...(replay === undefined ? {} : { replay }),
    records: body.records.map(taken),
    gaps: (body.gaps ?? []).map(taken),
  };
}

/** @throws if it is neither JSON nor a zstd frame of it, or too large */
function unpack(payload: Buffer): unknown {
  const plain = payload[0] === ZSTD_MAGIC ? zstdDecompressSync(payload, { maxOutputLength: MOST_BYTES }) : payload;
  if (plain.length > MOST_BYTES) throw new Error(`${plain.length} bytes`);
  return JSON.parse(plain.toString());
}

function statusOf(sender: Sender, { state, epoch, head, filter }: Static<typeof statusForm>): GatewayStatus {
  return {
    type: 'status',
    ...sender,
    state,
    ...(epoch === undefined ? {} : { epoch }),
    ...(head === undefined ? {} : { head }),
    ...(filter === undefined
      ? {}
      : { lanes: filter.lanes ?? lanes, everything: filter.kinds === undefined && filter.scenarios === undefined }),
  };
}

function firstFault(body: unknown): string {
  const [fault] = isBatch.Errors(body);
  return fault ? `${fault.instancePath} ${fault.message}`.trim().slice(0, 200) : 'unknown';
}

/** Why these records cannot be all of this chain in `(after, through]`; undefined if they can. */
function contradiction(batch: Static<typeof batchForm>, chain: Chain | undefined): string | undefined {
  const { gateway, epoch, after, through, records, replay, gaps = [] } = batch;
  if (through < after) return `runs backwards, from ${after} to ${through}`;
  if (chain === undefined && replay === undefined) return 'a reply that answers nothing';
  let last = after;
  for (const record of records) {
    const place = `${record.epoch}:${record.seq}`;
    if (record.gateway !== gateway || record.epoch !== epoch)
      return `record ${record.gateway} ${place} is not of this batch`;
    if (record.seq <= last || record.seq > through) return `record ${place} is outside its batch or out of order`;
    if (chain !== undefined && !lanesOf[chain].includes(record.lane))
      return `record ${place} of ${record.lane} on ${chain}`;
    last = record.seq;
  }
  const stray = gaps.find((record) => record.gateway !== gateway || record.kind !== 'gap');
  if (stray) return `record ${stray.epoch}:${stray.seq} is no gap record of this gateway`;
  return undefined;
}

function taken(record: JournalRecord): TakenRecord {
  return { record, json: JSON.stringify(record), digest: hash('sha256', canonical(record), 'buffer') };
}

/**
 * A gateway sends a record that is larger than its broker takes without its data (`{omittedBytes}`, quality bad). The same
 * record in full, asked for another way, is not a contradiction to it.
 */
export function isAbridged({ data, quality }: JournalRecord): boolean {
  return (
    quality === 'bad' &&
    typeof data === 'object' &&
    data !== null &&
    Object.keys(data).length === 1 &&
    'omittedBytes' in data
  );
}

/** Equal but for what abridging takes away. */
export const sameButAbridged = (a: JournalRecord, b: JournalRecord): boolean =>
  isAbridged(a) !== isAbridged(b) &&
  canonical({ ...a, data: 0, quality: 0 }) === canonical({ ...b, data: 0, quality: 0 });
