/** The platform's side of the drain benchmark, in a thread of its own: takes everything, notes when, and opens it afterwards. */
import { parentPort, workerData } from 'node:worker_threads';
import { zstdDecompressSync } from 'node:zlib';
import type { JournalRecord } from '../../runtime/contracts/record.ts';
import { messageOf, openSubscriber } from './mqtt-wire.ts';

export interface SinkData {
  readonly host: string;
  readonly port: number;
}
export interface Arrived {
  readonly records: number;
  /** Of them, those in the first message: the clock starts with it. */
  readonly first: number;
  readonly messages: number;
  /** Between the first and the last message, ms. */
  readonly tookMs: number;
  /** Records of L0 that have one: their `data.sentAt`, and ms from then to here. */
  readonly waits: readonly { readonly sentAt: number; readonly ms: number }[];
}

interface Batch {
  readonly records: readonly JournalRecord[];
}

const { host, port } = workerData as SinkData;
const arrivals: { readonly at: number; readonly body: Buffer }[] = [];
await openSubscriber(host, port, (body) => arrivals.push({ at: performance.timeOrigin + performance.now(), body }));
parentPort?.on('message', () => parentPort?.postMessage(report()));
parentPort?.postMessage('ready');

function report(): Arrived {
  const waits: { sentAt: number; ms: number }[] = [];
  const counts: number[] = [];
  const times: number[] = [];
  for (const { at, body } of arrivals) {
    const { topic, payload } = messageOf(body);
    if (topic.endsWith('/one')) counts.push(1);
    else if (!topic.includes('/up/')) continue;
    else {
      const { records } = JSON.parse((payload[0] === 0x28 ? zstdDecompressSync(payload) : payload).toString()) as Batch;
      if (topic.endsWith('/urgent')) {
        for (const { data } of records) waits.push(...waitOf(data, at));
        continue;
      }
      counts.push(records.length);
    }
    times.push(at);
  }
  return {
    records: counts.reduce((sum, count) => sum + count, 0),
    first: counts[0] ?? 0,
    messages: arrivals.length,
    tookMs: (times.at(-1) ?? 0) - (times[0] ?? 0),
    waits,
  };
}

function waitOf(data: unknown, at: number): { sentAt: number; ms: number }[] {
  const sentAt = typeof data === 'object' && data !== null && 'sentAt' in data ? Number(data.sentAt) : Number.NaN;
  return Number.isNaN(sentAt) ? [] : [{ sentAt, ms: at - sentAt }];
}
