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
  /** Between the first and the last message, ms; and when that came, as `sentAt` counts. */
  readonly tookMs: number;
  readonly lastAt: number;
  /** Records of L0 that have one: their `data.sentAt`, and ms from then to where it came first. */
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
  const waits = new Map<number, number>();
  const counts: number[] = [];
  const times: number[] = [];
  for (const { at, body } of arrivals) {
    const { topic, payload } = messageOf(body);
    let count = topic.endsWith('/one') ? 1 : 0;
    if (topic.includes('/up/')) {
      const { records = [] } = JSON.parse(
        (payload[0] === 0x28 ? zstdDecompressSync(payload) : payload).toString(),
      ) as Partial<Batch>;
      for (const { lane, data } of records) {
        if (lane !== 'L0') count++;
        for (const { sentAt, ms } of waitOf(data, at)) waits.set(sentAt, Math.min(ms, waits.get(sentAt) ?? ms));
      }
    }
    if (count === 0) continue;
    counts.push(count);
    times.push(at);
  }
  return {
    records: counts.reduce((sum, count) => sum + count, 0),
    first: counts[0] ?? 0,
    messages: arrivals.length,
    tookMs: (times.at(-1) ?? 0) - (times[0] ?? 0),
    lastAt: times.at(-1) ?? 0,
    waits: [...waits].map(([sentAt, ms]) => ({ sentAt, ms })),
  };
}

function waitOf(data: unknown, at: number): { sentAt: number; ms: number }[] {
  const sentAt = typeof data === 'object' && data !== null && 'sentAt' in data ? Number(data.sentAt) : Number.NaN;
  return Number.isNaN(sentAt) ? [] : [{ sentAt, ms: at - sentAt }];
}
