/**
 * One cursor on its way up: reads ahead, hands out batches, keeps what is unacknowledged, and moves the saved place when
 * batches are acknowledged in order. It knows no connection.
 */
import type { Clock } from '../clock.ts';
import type { JournalRecord, Lane as LaneName, Position } from '../contracts/record.ts';
import { reasonOf } from '../errors.ts';
import { type Cursor, isAfter } from '../journal/cursors.ts';
import type { Journal } from '../journal/journal.ts';
import type { Log } from '../log.ts';
import { fitted, type Stretch } from './batch.ts';
import { createLaneReader, fits, type RecordFilter } from './reader.ts';

const BATCH_RECORDS = 500;
/** Read in one turn of the event loop. */
const STEP_RECORDS = 64;
const READ_AHEAD = 2 * BATCH_RECORDS;
/** A stretch without any record of this filter is told after so many places or so long a time. */
const QUIET_PLACES = 5000;
const QUIET_MS = 60_000;
const CATCH_UP_MS = 100;
/** The saved place may lag behind by so much: a crash then sends that again, recognisably. */
const SAVE_EVERY_MS = 200;

export interface Flight extends Stretch {
  readonly bytes: number;
  readonly sentAt: number;
}
interface Open extends Flight {
  acked: boolean;
  readonly oldest: number | undefined;
  /** How many of its records were written after the start. */
  readonly fresh: number;
}
interface Waiting {
  readonly json: string;
  readonly bytes: number;
  readonly seq: number;
  readonly received: number;
}

export interface LaneOptions {
  readonly journal: Journal;
  readonly cursor: Cursor;
  readonly filter: RecordFilter & { readonly lanes: readonly LaneName[] };
  readonly clock: Clock;
  readonly log: Log;
  /** How long a batch that is not full waits for more. */
  readonly lingerMs: number;
  /** Count what was already there at the start as backlog: it is known only as a number of places. */
  readonly countsOld: boolean;
}

export type SendLane = ReturnType<typeof createSendLane>;

export function createSendLane({ journal, cursor, filter, clock, log, lingerMs, countsOld }: LaneOptions) {
  const reader = createLaneReader(journal, filter);
  const start = journal.head();
  const idle = filter.lanes.length === 0; // this receiver gets nothing of it
  let acked = cursor.position;
  let scanned = acked;
  let sent = acked;
  let ready: Waiting[] = [];
  let readyBytes = 0;
  let readySince = 0;
  let lastSentAt = clock.mono();
  let flights: Open[] = [];
  let fresh = 0;
  let following = false;

  const push = (record: JournalRecord) => {
    const json = JSON.stringify(record);
    if (ready.length === 0) readySince = clock.mono();
    const bytes = Buffer.byteLength(json) + 1;
    readyBytes += bytes;
    ready.push({ json, bytes, seq: record.seq, received: record.received });
  };
  const atEnd = () => !isAfter(reader.endOf(scanned.epoch), scanned);
  const isOldEpoch = () => scanned.epoch < start.epoch;

  /** Moves into the next epoch once everything of this one has been handed out. */
  function crossBorder(): boolean {
    if (!isOldEpoch() || ready.length > 0 || isAfter(scanned, sent)) return false;
    const next = reader.epochAfter(scanned.epoch);
    if (!next) return false;
    scanned = next;
    sent = next;
    return true;
  }

  /** One bounded step of reading ahead. @returns true if another would find more. */
  function fill(): boolean {
    if (idle || ready.length >= READ_AHEAD) return false;
    if (atEnd() && !crossBorder()) return false;
    const { records, through } = reader.read(scanned, STEP_RECORDS);
    for (const record of records) push(record);
    scanned = through;
    return ready.length < BATCH_RECORDS && (!atEnd() || isOldEpoch());
  }

  const saver = createSaver(cursor, clock, log);
  return {
    fill,
    get inFlight(): number {
      return flights.length;
    },
    get bytesInFlight(): number {
      return flights.reduce((sum, flight) => sum + (flight.acked ? 0 : flight.bytes), 0);
    },
    /** Records just committed; at the end of the journal they need not be read again. @returns true if there is news. */
    heard(records: readonly JournalRecord[]): boolean {
      const first = records[0];
      const last = records.at(-1);
      if (idle || !first || !last) return false;
      const ours = records.filter((record) => fits(record, filter));
      fresh += ours.length;
      const seamless = scanned.epoch === first.epoch && scanned.seq === first.seq - 1;
      if (!following || !seamless || ready.length + ours.length > READ_AHEAD) return following;
      for (const record of ours) push(record);
      scanned = { epoch: last.epoch, seq: last.seq };
      return ours.length > 0 || scanned.seq - sent.seq >= QUIET_PLACES;
    },
    /** A batch should go now. @param batchBytes when it counts as full */
    due(batchBytes: number): boolean {
      if (idle) return false;
      const now = clock.mono();
      if (ready.length >= BATCH_RECORDS || readyBytes >= batchBytes) return true;
      const end = atEnd();
      if (ready.length > 0)
        return now - readySince >= (end && !isOldEpoch() ? lingerMs : CATCH_UP_MS) || (end && isOldEpoch());
      const quiet = scanned.seq - sent.seq;
      return quiet > 0 && ((end && isOldEpoch()) || quiet >= QUIET_PLACES || now - lastSentAt >= QUIET_MS);
    },
    /** In how many ms a batch that waits for more will be due; undefined if none waits. */
    dueIn(): number | undefined {
      return ready.length === 0
        ? undefined
        : Math.max(0, Math.max(lingerMs, atEnd() ? 0 : CATCH_UP_MS) - (clock.mono() - readySince));
    },
    /**
     * Hands out the next batch, at least one record if any waits.
     * @param most bytes of the whole batch; @param hard bytes the receiver takes at all
     */
    take(most: number, hard: number): Flight {
      let count = 0;
      let bytes = 0;
      for (const { bytes: size } of ready) {
        if (count > 0 && (count >= BATCH_RECORDS || bytes + size > most)) break;
        count++;
        bytes += size;
      }
      const taken = ready.slice(0, count);
      ready = ready.slice(count);
      readyBytes -= bytes;
      readySince = clock.mono();
      lastSentAt = readySince;
      const through = ready.length > 0 ? (taken.at(-1)?.seq ?? sent.seq) : scanned.seq;
      const flight: Open = {
        epoch: scanned.epoch,
        after: sent.seq,
        through,
        records: taken.map(({ json, bytes: size }) => (size > hard ? fitted(json, hard) : json)),
        bytes,
        sentAt: lastSentAt,
        acked: false,
        oldest: taken[0]?.received,
        fresh: taken.filter(({ seq }) => isAfter({ epoch: scanned.epoch, seq }, start)).length,
      };
      sent = { epoch: scanned.epoch, seq: through };
      flights.push(flight);
      return flight;
    },
    acked(flight: Flight): void {
      const open = flights.find((other) => other === flight);
      if (!open) return; // from before a reset: it will be acknowledged again
      open.acked = true;
      while (flights[0]?.acked) {
        const first = flights.shift();
        if (!first) break;
        fresh -= first.fresh;
        acked = { epoch: first.epoch, seq: first.through };
      }
      saver.save(acked);
    },
    /** A connection begins or has ended: everything unacknowledged will be read and sent again. */
    reset(follow: boolean): void {
      following = follow;
      flights = [];
      ready = [];
      readyBytes = 0;
      scanned = acked;
      sent = acked;
    },
    /** Records not yet acknowledged: exactly those since the start, of older ones about as many as there are places. */
    backlog(): number {
      // Of what was there at the start only the places are known: those from the first that still waits.
      const [next] = ready;
      const searched = next ? { epoch: scanned.epoch, seq: next.seq - 1 } : scanned;
      const from = flights.length === 0 ? searched : acked;
      if (idle || !countsOld || !isAfter(start, from)) return fresh;
      const rest = from.epoch === start.epoch ? 0 : reader.endOf(from.epoch).seq;
      return fresh + rest + start.seq - from.seq;
    },
    /** When the gateway got the oldest record not yet acknowledged; found a step further with every call. */
    oldest(): number | undefined {
      if (flights.length === 0 && ready.length === 0) fill();
      return flights.find((flight) => flight.oldest !== undefined)?.oldest ?? ready[0]?.received;
    },
    flush: saver.flush,
  };
}

/** Saves the newest place, one write at a time and not more often than need be. */
function createSaver(cursor: Cursor, clock: Clock, log: Log) {
  let wanted: Position | undefined;
  let running: Promise<void> | undefined;
  let cancelPause: (() => void) | undefined;
  async function write(): Promise<void> {
    while (wanted) {
      const to = wanted;
      wanted = undefined;
      try {
        await cursor.advance(to);
      } catch (error) {
        log.warn({ cursor: cursor.name, reason: reasonOf(error) }, 'place not saved; it will be with the next batch');
      }
    }
  }
  const begin = () => {
    running ??= write().finally(() => {
      running = undefined;
    });
    return running;
  };
  return {
    save(to: Position): void {
      wanted = to;
      if (running || cancelPause) return;
      void begin();
      cancelPause = clock.after(SAVE_EVERY_MS, () => {
        cancelPause = undefined;
        if (wanted) void begin();
      });
    },
    /** Resolves when the newest place is saved. */
    async flush(): Promise<void> {
      cancelPause?.();
      cancelPause = undefined;
      await begin();
    },
  };
}
