/**
 * What goes up over one connection after the other: batches of the two lanes with a window of their own, urgent ahead of
 * bulk, and the messages beside them. What was not acknowledged when a connection ended is sent again over the next.
 */
import { type Clock, delay } from '../clock.ts';
import type { JournalRecord, Lane } from '../contracts/record.ts';
import { reasonOf } from '../errors.ts';
import { openCursor } from '../journal/cursors.ts';
import type { Journal } from '../journal/journal.ts';
import type { Log } from '../log.ts';
import { type Allowance, createAllowance } from './allowance.ts';
import { batchText, encode, fitted } from './batch.ts';
import type { Connection } from './connection.ts';
import { openDrain } from './drain.ts';
import { createSendLane, type Limits, type SendLane } from './lane.ts';
import { createPace } from './pace.ts';
import { fits, type RecordFilter } from './reader.ts';
import type { Ending } from './retry.ts';
import type { UplinkTopics } from './topics.ts';

/** Publishes in flight, all together; the last few are kept for urgent records and answers. */
const WINDOW = 20;
const RESERVE = 4;
/** Some brokers take 128 KiB and not a byte more, topic and header included. */
const BATCH_BYTES = 120 * 1024;
const ENVELOPE_BYTES = 512;
const REPLAY_BYTES = 100 * 1024;
const BULK_LINGER_MS = 100;
/** Urgent records on their way ahead of a backlog; beyond it the next come in their turn only. */
const MOST_AHEAD = 100;
/** As it stands in their messages: a replay nobody asked for. */
const AHEAD = 'ahead';
const urgentLanes: readonly Lane[] = ['L0', 'L1'];
const bulkLanes: readonly Lane[] = ['L2', 'L3'];
export const sentLanes: readonly Lane[] = [...urgentLanes, ...bulkLanes];

/** How fast a platform wants it; by default as fast as it acknowledges (reliability.md B5). */
export interface UplinkPace {
  /** Messages, which hold up to 500 records each, 2,000 where they are compressed. */
  readonly messagesPerSecond?: number;
  /** Messages not yet acknowledged, at most 20. */
  readonly inFlight?: number;
}

export interface SenderOptions {
  readonly uplink: string;
  readonly gateway: string;
  readonly filter: RecordFilter & { readonly lanes: readonly Lane[] };
  readonly topics: UplinkTopics;
  readonly pace?: UplinkPace;
  readonly journal: Journal;
  readonly clock: Clock;
  readonly log: Log;
}

/** The next part of a replay: `(from, through]`, told as beginning after `after`. */
export interface Part {
  readonly replay: string;
  readonly epoch: number;
  readonly from: number;
  readonly after: number;
  readonly through: number;
  readonly filter: RecordFilter & { readonly lanes: readonly Lane[] };
}

export function createSender({ uplink, gateway, filter, topics, pace: wanted, journal, clock, log }: SenderOptions) {
  const drain = openDrain(journal, clock);
  const sendLane = (name: 'urgent' | 'bulk', lanes: readonly Lane[], lingerMs: number) =>
    createSendLane({
      uplink,
      journal,
      drain,
      urgency: name,
      cursor: openCursor(journal, `uplink:${uplink}:${name}`),
      filter: { ...filter, lanes: lanes.filter((lane) => filter.lanes.includes(lane)) },
      clock,
      log,
      lingerMs,
      countsOld: name === 'bulk',
      wake: () => schedule(),
    });
  const urgent = sendLane('urgent', urgentLanes, 0);
  const bulk = sendLane('bulk', bulkLanes, BULK_LINGER_MS);
  const pace = createPace(BATCH_BYTES, WINDOW);
  const allowance: Allowance = createAllowance(clock, wanted?.messagesPerSecond);
  let connection: Connection | undefined;
  let zstd = false;
  /** L0 that came while urgent records wait. */
  let ahead: JournalRecord[] = [];
  let beside = 0; // publishes in flight that belong to no lane
  let scheduled = false;
  let cancelLinger: (() => void) | undefined;
  let wakesAt = 0;

  const window = () => Math.min(WINDOW, wanted?.inFlight ?? WINDOW, connection?.receiveMaximum ?? 0);
  const inFlight = () => urgent.inFlight + bulk.inFlight + beside;
  const recordBytes = () => (connection?.packetBytes ?? BATCH_BYTES) - ENVELOPE_BYTES;
  /** For what has waited already: it must not fill the line so that what comes now cannot get through. */
  const roomForBacklog = () => {
    const bytes = bulk.bytesInFlight + (urgent.behind ? urgent.bytesInFlight : 0);
    return inFlight() < Math.max(1, window() - RESERVE) && (bytes === 0 || bytes + pace.batch <= pace.bytes);
  };
  const roomForUrgent = () => (urgent.behind ? roomForBacklog() : inFlight() < window());
  const urgentBytes = () => (urgent.behind ? pace.batch : BATCH_BYTES);

  const wakesIn = () => (cancelLinger ? Math.max(0, wakesAt - clock.mono()) : Number.POSITIVE_INFINITY);
  const limits = (most: number): Limits => ({ most: Math.min(most, recordBytes()), hard: recordBytes(), zstd });

  function publishOn(line: Connection, topic: string, payload: Buffer, retain = false): Promise<void> {
    allowance.spend();
    const contentType = payload[0] === 0x28 ? 'application/zstd' : 'application/json';
    return line.publish(topic, payload, { retain, contentType });
  }

  function send(lane: SendLane, topic: string, most: number): void {
    const line = connection;
    if (!line) return;
    const paced = lane === bulk || urgent.behind;
    const flight = lane.take(Math.min(most, recordBytes()), recordBytes());
    const { content } = flight;
    const payload =
      content instanceof Uint8Array ? asBuffer(content) : encode(batchText(gateway, flight, content), zstd);
    publishOn(line, topic, payload).then(
      () => {
        if (paced && flight.bytes > 0) pace.acked(clock.mono() - flight.sentAt);
        lane.acked(flight);
        schedule();
      },
      (error: unknown) => log.debug({ reason: reasonOf(error), through: flight.through }, 'batch not acknowledged'),
    );
  }

  /**
   * A fire alarm must not wait for a month of passages: while urgent records wait it goes on `up/reply` at once, as a replay
   * of its one place, and once more in its turn. A receiver keeps each record once by its number.
   */
  function sendAhead(): void {
    while (ahead.length > 0 && inFlight() < window() && allowance.has('urgent')) {
      const [record] = ahead.splice(0, 1);
      if (!record) return;
      const { epoch, seq } = record;
      const text = batchText(
        gateway,
        { epoch, after: seq - 1, through: seq },
        [fitted(JSON.stringify(record), recordBytes())],
        {
          replay: AHEAD,
        },
      );
      publishBeside(topics.reply, encode(text, zstd), false).catch((error: unknown) =>
        log.debug({ reason: reasonOf(error), seq }, 'an urgent record comes in its turn only'),
      );
    }
  }

  /** One turn of the event loop's worth of work: urgent first, then at most one batch of bulk. */
  function step(): void {
    scheduled = false;
    if (!connection) return;
    sendAhead();
    urgent.fill(limits(urgentBytes()));
    while (roomForUrgent() && urgent.due(urgentBytes()) && allowance.has('urgent')) {
      send(urgent, topics.urgent, urgentBytes());
      urgent.fill(limits(urgentBytes()));
    }
    bulk.fill(limits(pace.batch));
    if (roomForBacklog() && bulk.due(pace.batch) && allowance.has('bulk')) {
      send(bulk, topics.bulk, pace.batch);
      schedule();
    } else wakeLater();
  }
  function schedule(): void {
    if (scheduled || !connection) return;
    scheduled = true;
    setImmediate(step);
  }
  /** For a batch that waits for more, or for its turn; where there is no room, an acknowledgement will wake us. */
  function wakeLater(): void {
    const urgentIn = urgent.due(urgentBytes()) ? allowance.in('urgent') : urgent.dueIn();
    const bulkIn = bulk.due(pace.batch) ? allowance.in('bulk') : bulk.dueIn();
    const ms = Math.min(
      roomForUrgent() ? (urgentIn ?? Number.POSITIVE_INFINITY) : Number.POSITIVE_INFINITY,
      ahead.length > 0 && inFlight() < window() ? allowance.in('urgent') : Number.POSITIVE_INFINITY,
      roomForBacklog() ? (bulkIn ?? Number.POSITIVE_INFINITY) : Number.POSITIVE_INFINITY,
    );
    if (!Number.isFinite(ms) || ms >= wakesIn()) return;
    cancelLinger?.();
    wakesAt = clock.mono() + ms;
    cancelLinger = clock.after(Math.max(1, ms), () => {
      cancelLinger = undefined;
      schedule();
    });
  }

  async function publishBeside(topic: string, payload: Buffer, retain: boolean): Promise<void> {
    const line = connection;
    if (!line) throw new Error('not connected');
    beside++;
    try {
      await publishOn(line, topic, payload, retain);
    } finally {
      if (line === connection) beside--;
      schedule();
    }
  }

  const unfollow = journal.onCommit((records: readonly JournalRecord[]) => {
    const news = [urgent.heard(records), bulk.heard(records)];
    if (connection && urgent.behind) {
      const first = records.filter((record) => isPressing(record) && fits(record, filter));
      ahead.push(...first.slice(0, MOST_AHEAD - ahead.length));
      news.push(first.length > 0);
    }
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
      ahead = [];
      cancelLinger?.();
      cancelLinger = undefined;
      urgent.reset(false);
      bulk.reset(false);
    },
    /** The receiver understands zstd from now on. */
    compress(on: boolean): void {
      if (zstd === on) return;
      zstd = on;
      urgent.rewind();
      bulk.rewind();
      schedule();
    },
    /** A message beside the lanes. Resolves on its PUBACK; rejects when there is no connection or it ended. */
    publish: (topic: string, text: string, retain = false): Promise<void> =>
      publishBeside(topic, encode(text, zstd && !retain), retain),
    /**
     * Sends the next part of a replay on `up/reply`, when it is its turn. @returns how far it searched, and whether that was
     * sent: a part without records is told with the next. Rejects when there is no connection or it ended.
     */
    async repeat({ replay, ...part }: Part): Promise<{ readonly through: number; readonly told: boolean }> {
      for (let ms = allowance.in('bulk'); ms > 0; ms = allowance.in('bulk')) await delay(clock, ms);
      const ask = { ...part, ...limits(REPLAY_BYTES), freshAfter: Number.MAX_SAFE_INTEGER, pieces: 1, replay };
      const [{ through, payload } = { through: part.through, payload: undefined }] = await drain.read(ask, 'replay');
      if (!payload && through < part.through) return { through, told: false };
      const nothing = () => Buffer.from(batchText(gateway, { ...part, through }, [], { replay }));
      await publishBeside(topics.reply, payload ? asBuffer(payload) : nothing(), false);
      return { through, told: true };
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
      await drain.close();
    },
  };
}

/** Somebody waits for it above: an alarm, an outcome; nobody does for the proofs. */
const isPressing = ({ lane, kind }: JournalRecord): boolean => lane === 'L0' && kind !== 'audit' && kind !== 'gap';

const asBuffer = ({ buffer, byteOffset, byteLength }: Uint8Array): Buffer =>
  Buffer.from(buffer, byteOffset, byteLength);
