/**
 * A platform that takes what an uplink sends and proves with two integers per batch that nothing is missing. It keeps each
 * record once, notices holes, and may ask for them again.
 */
import { zstdDecompressSync } from 'node:zlib';
import mqtt, { type MqttClient } from 'mqtt';
import type { JournalRecord } from '../runtime/contracts/record.ts';

export interface Batch {
  readonly gateway: string;
  readonly epoch: number;
  readonly after: number;
  readonly through: number;
  readonly records: readonly JournalRecord[];
  readonly replay?: string;
}
interface Hole {
  readonly epoch: number;
  readonly after: number;
  readonly through: number;
}
export interface Track {
  epoch: number;
  through: number;
  readonly records: JournalRecord[];
  readonly holes: Hole[];
  /** Batches that began before the place already reached: sent again, and recognised by that. */
  again: number;
  batches: number;
}

export interface Receiver extends AsyncDisposable {
  readonly client: MqttClient;
  readonly urgent: Track;
  readonly bulk: Track;
  /** Everything on `up/reply`. */
  readonly replies: (Batch & Record<string, unknown>)[];
  readonly statuses: Record<string, unknown>[];
  /** Payloads that came as zstd. */
  readonly compressed: number;
  readonly bytes: number;
  /** Asks for a stretch again; what comes is added to the records of `track`. */
  ask(id: string, hole: Hole, more?: object): Promise<void>;
}

/** @param version MQTT version of the receiver itself */
export async function startReceiver(
  port: number,
  gateway: string,
  version: 4 | 5 = 5,
  site = 'site',
  login: { readonly username?: string; readonly password?: string } = {},
): Promise<Receiver> {
  const base = `gatehouse/v1/${site}/${gateway}`;
  const client = await mqtt.connectAsync({
    host: '127.0.0.1',
    port,
    protocolVersion: version,
    clientId: `platform-${gateway}-${site}`,
    ...login,
    clean: false,
    ...(version === 5 ? { properties: { sessionExpiryInterval: 3600, receiveMaximum: 1000 } } : {}),
    reconnectPeriod: 100,
    reconnectOnConnackError: true,
  });
  const counts = { compressed: 0, bytes: 0 };
  const receiver = {
    client,
    urgent: newTrack(),
    bulk: newTrack(),
    replies: [] as (Batch & Record<string, unknown>)[],
    statuses: [] as Record<string, unknown>[],
    get compressed() {
      return counts.compressed;
    },
    get bytes() {
      return counts.bytes;
    },
    async ask(id: string, { epoch, after, through }: Hole, more: object = {}) {
      const body = JSON.stringify({ id, epoch, after, through, ...more });
      await client.publishAsync(`${base}/down/replay`, body, { qos: 1 });
    },
    async [Symbol.asyncDispose]() {
      await client.endAsync(true);
    },
  };
  client.on('message', (topic, payload) => {
    const name = topic.slice(base.length + 1);
    counts.bytes += payload.length;
    if (isPacked(payload)) counts.compressed++;
    const body = bodyOf(payload);
    if (name === 'status') receiver.statuses.push(body);
    else if (name === 'up/reply') receiver.replies.push(body);
    else if (name === 'up/urgent') take(receiver.urgent, body);
    else if (name === 'up/bulk') take(receiver.bulk, body);
  });
  client.on('error', () => {}); // it reconnects by itself
  await client.subscribeAsync([`${base}/up/+`, `${base}/status`], { qos: 1 });
  return receiver;
}

const isPacked = (payload: Buffer): boolean => payload[0] === 0x28;
export const bodyOf = (payload: Buffer) =>
  JSON.parse((isPacked(payload) ? zstdDecompressSync(payload) : payload).toString());

export const newTrack = (): Track => ({ epoch: 0, through: 0, records: [], holes: [], again: 0, batches: 0 });

/** Keeps what is new, in order. @throws if a batch contradicts itself */
export function take(track: Track, batch: Batch): void {
  const { epoch, after, through, records } = batch;
  if (through < after) throw new Error(`batch runs backwards: ${after} to ${through}`);
  let last = after;
  for (const { seq, epoch: own } of records) {
    if (own !== epoch || seq <= last || seq > through) throw new Error(`record ${own}:${seq} outside its batch`);
    last = seq;
  }
  track.batches++;
  if (epoch < track.epoch) {
    track.again++;
    return;
  }
  if (epoch > track.epoch) {
    track.epoch = epoch;
    track.through = 0;
  }
  if (after > track.through) track.holes.push({ epoch, after: track.through, through: after });
  if (after < track.through) track.again++;
  track.records.push(...records.filter(({ seq }) => seq > track.through));
  track.through = Math.max(track.through, through);
}
