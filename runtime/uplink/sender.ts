/**
 * What goes up over one connection after the other: batches of the two lanes with a window of their own, urgent ahead of
 * bulk, and the messages beside them. What was not acknowledged when a connection ended is sent again over the next.
 */
import type { Clock } from '../clock.ts';
import type { JournalRecord, Lane } from '../contracts/record.ts';
import { reasonOf } from '../errors.ts';
import { openCursor } from '../journal/cursors.ts';
import type { Journal } from '../journal/journal.ts';
import type { Log } from '../log.ts';
import { encode, fitted, type Stretch, stretchText } from './batch.ts';
import type { Connection } from './connection.ts';
import { createSendLane, type SendLane } from './lane.ts';
import { createPace } from './pace.ts';
import type { RecordFilter } from './reader.ts';
import type { Ending } from './retry.ts';
import type { UplinkTopics } from './topics.ts';

/** Publishes in flight, all together; the last few are kept for urgent records and answers. */
const WINDOW = 20;
const RESERVE = 4;
/** Some brokers take 128 KiB and not a byte more, topic and header included. */
const BATCH_BYTES = 120 * 1024;
const ENVELOPE_BYTES = 512;
const BULK_LINGER_MS = 100;
const urgentLanes: readonly Lane[] = ['L0', 'L1'];
const bulkLanes: readonly Lane[] = ['L2', 'L3'];
export const sentLanes: readonly Lane[] = [...urgentLanes, ...bulkLanes];

export interface SenderOptions {
  readonly uplink: string;
  readonly gateway: string;
  readonly filter: RecordFilter & { readonly lanes: readonly Lane[] };
  readonly topics: UplinkTopics;
  readonly journal: Journal;
  readonly clock: Clock;
  readonly log: Log;
}

export function createSender({ uplink, gateway, filter, topics, journal, clock, log }: SenderOptions) {
  const sendLane = (name: 'urgent' | 'bulk', lanes: readonly Lane[], lingerMs: number) =>
    createSendLane({
      journal,
      cursor: openCursor(journal, `uplink:${uplink}:${name}`),
      filter: { ...filter, lanes: lanes.filter((lane) => filter.lanes.includes(lane)) },
      clock,
      log,
      lingerMs,
      countsOld: name === 'bulk',
    });
  const urgent = sendLane('urgent', urgentLanes, 0);
  const bulk = sendLane('bulk', bulkLanes, BULK_LINGER_MS);
  const pace = createPace(BATCH_BYTES, WINDOW);
  let connection: Connection | undefined;
  let zstd = false;
  let beside = 0; // publishes in flight that belong to no lane
  let scheduled = false;
  let cancelLinger: (() => void) | undefined;

  const window = () => Math.min(WINDOW, connection?.receiveMaximum ?? 0);
  const inFlight = () => urgent.inFlight + bulk.inFlight + beside;
  const recordBytes = () => (connection?.packetBytes ?? BATCH_BYTES) - ENVELOPE_BYTES;
  const roomForBulk = () =>
    inFlight() < Math.max(1, window() - RESERVE) &&
    (bulk.inFlight === 0 || bulk.bytesInFlight + pace.batch <= pace.bytes);

  function publishOn(line: Connection, topic: string, text: string, compress: boolean, retain = false): Promise<void> {
    const payload = encode(text, compress);
    const contentType = payload[0] === 0x28 ? 'application/zstd' : 'application/json';
    return line.publish(topic, payload, { retain, contentType });
  }

  function send(lane: SendLane, topic: string, most: number): void {
    const line = connection;
    if (!line) return;
    const flight = lane.take(Math.min(most, recordBytes()), recordBytes());
    publishOn(line, topic, stretchText(gateway, flight), zstd).then(
      () => {
        if (lane === bulk && flight.bytes > 0) pace.acked(clock.mono() - flight.sentAt);
        lane.acked(flight);
        schedule();
      },
      (error: unknown) => log.debug({ reason: reasonOf(error), through: flight.through }, 'batch not acknowledged'),
    );
  }

  /** One turn of the event loop's worth of work: urgent first, then at most one batch of bulk. */
  function step(): void {
    scheduled = false;
    if (!connection) return;
    let again = inFlight() < window() && urgent.fill();
    while (inFlight() < window() && urgent.due(BATCH_BYTES)) send(urgent, topics.urgent, BATCH_BYTES);
    if (roomForBulk()) {
      again = bulk.fill() || again;
      if (bulk.due(pace.batch)) {
        send(bulk, topics.bulk, pace.batch);
        again = true;
      }
    }
    if (again) schedule();
    else wakeForLinger();
  }
  function schedule(): void {
    if (scheduled || !connection) return;
    scheduled = true;
    setImmediate(step);
  }
  function wakeForLinger(): void {
    const ms = Math.min(urgent.dueIn() ?? Number.POSITIVE_INFINITY, bulk.dueIn() ?? Number.POSITIVE_INFINITY);
    if (cancelLinger || !Number.isFinite(ms) || !roomForBulk()) return; // no room: an acknowledgement will wake us
    cancelLinger = clock.after(Math.max(1, ms), () => {
      cancelLinger = undefined;
      schedule();
    });
  }

  const unfollow = journal.onCommit((records: readonly JournalRecord[]) => {
    const news = [urgent.heard(records), bulk.heard(records)];
    if (news.includes(true)) schedule();
  });

  return {
    begin(line: Connection): void {
      connection = line;
      zstd = false;
      beside = 0;
      urgent.reset(true);
      bulk.reset(true);
      schedule();
    },
    end(ending: Ending): void {
      if (ending.unanswered && bulk.bytesInFlight > 0) pace.lost();
      connection = undefined;
      cancelLinger?.();
      cancelLinger = undefined;
      urgent.reset(false);
      bulk.reset(false);
    },
    /** The receiver understands zstd from now on. */
    compress(on: boolean): void {
      zstd = on;
    },
    /** A message beside the lanes. Resolves on its PUBACK; rejects when there is no connection or it ended. */
    async publish(topic: string, text: string, retain = false): Promise<void> {
      const line = connection;
      if (!line) throw new Error('not connected');
      beside++;
      try {
        await publishOn(line, topic, text, zstd && !retain, retain);
      } finally {
        if (line === connection) beside--;
        schedule();
      }
    },
    /** Part of a replay, on `up/reply`. */
    async repeat(stretch: Stretch, replay: string): Promise<void> {
      const records = stretch.records.map((record) => fitted(record, recordBytes()));
      await this.publish(topics.reply, stretchText(gateway, { ...stretch, records }, replay));
    },
    /** About how many records are not yet acknowledged, and when the gateway got the oldest of them. */
    backlog(): { readonly backlog: number; readonly oldestAt?: number } {
      const oldest = [urgent.oldest(), bulk.oldest()].filter((at) => at !== undefined);
      return {
        backlog: urgent.backlog() + bulk.backlog(),
        ...(oldest.length > 0 ? { oldestAt: Math.min(...oldest) } : {}),
      };
    },
    /** Ends following the journal and saves the places. */
    async stop(): Promise<void> {
      unfollow();
      await Promise.all([urgent.flush(), bulk.flush()]);
    },
  };
}
