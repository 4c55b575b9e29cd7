/**
 * One cursor on its way up: has batches made of what it has not sent yet, hands them out, keeps what is unacknowledged, and
 * moves the saved place when batches are acknowledged in order. It knows no connection. What lies in the journal is read by
 * the drain's thread; at the end of the journal new records come straight from the commit.
 */
import type { Clock } from '../clock.ts';
import type { JournalRecord, Lane as LaneName, Position } from '../contracts/record.ts';
import { reasonOf } from '../errors.ts';
import { type Cursor, isAfter } from '../journal/cursors.ts';
import type { Journal } from '../journal/journal.ts';
import { positionNumber } from '../journal/schema.ts';
import type { Log } from '../log.ts';
import { fitted, type Stretch } from './batch.ts';
import type { Drain, Piece, Urgency } from './drain.ts';
import { createLaneReader, fits, type LaneReader, type RecordFilter } from './reader.ts';

const BATCH_RECORDS = 500;
/** Batches that lie ready beyond what is in flight; when half of them are gone, as many are asked for. */
const AHEAD = 8;
/** New records kept while they cannot go; beyond it they will be read from the journal. */
const KEEP_RECORDS = 2 * BATCH_RECORDS;
const KEEP_BYTES = 1 << 20;
/** A stretch without any record of this filter is told after so many places or so long a time. */
const QUIET_PLACES = 5000;
const QUIET_MS = 60_000;
/** More than so many batches ready, or places unread, are a backlog. */
const FEW_BATCHES = 2;
const FAR_PLACES = 2 * QUIET_PLACES;
const CATCH_UP_MS = 100;
/** The saved place may lag behind by so much: a crash then sends that again, recognisably. */
const SAVE_EVERY_MS = 200;
const READ_AGAIN_MS = 1000;
/** Looked at in one go for the age of the oldest record. */
const LOOK_RECORDS = 64;

/** What the receiver takes now. */
export interface Limits {
  /** Bytes of a batch. */
  readonly most: number;
  /** Bytes of a record. */
  readonly hard: number;
  readonly zstd: boolean;
}
export interface Flight extends Stretch {
  readonly turn: number;
  /** Made already, or else to be made of these JSON texts. */
  readonly content: Uint8Array | readonly string[];
  readonly bytes: number;
  readonly sentAt: number;
}
/** What is kept of a flight: not its content. */
interface Open extends Omit<Flight, 'content'> {
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
/** A request to the drain, and what is committed while it is under way: it follows right behind, if it was all. */
interface Asking {
  readonly head: Position;
  overheard: { readonly records: JournalRecord[]; last: Position } | undefined;
}

export interface LaneOptions {
  /** Of the uplink, as it stands in gap records. */
  readonly uplink: string;
  readonly journal: Journal;
  readonly drain: Pick<Drain, 'read'>;
  readonly urgency: Urgency;
  readonly cursor: Cursor;
  readonly filter: RecordFilter & { readonly lanes: readonly LaneName[] };
  readonly clock: Clock;
  readonly log: Log;
  /** How long a batch that is not full waits for more. */
  readonly lingerMs: number;
  /** Count what was already there at the start as backlog: it is known only as a number of places. */
  readonly countsOld: boolean;
  /** Something may be due that was not. */
  wake(): void;
}

export type SendLane = ReturnType<typeof createSendLane>;

export function createSendLane(options: LaneOptions) {
  const { journal, cursor, filter, clock, log, lingerMs } = options;
  const reader = createLaneReader(journal, filter);
  const start = journal.head();
  const idle = filter.lanes.length === 0; // this receiver gets nothing of it
  let acked = cursor.position;
  let scanned = acked;
  let sent = acked;
  let prepared: Piece[] = [];
  let ready: Waiting[] = [];
  let readyBytes = 0;
  let readySince = 0;
  let lastSentAt = clock.mono();
  let flights: Open[] = [];
  let fresh = 0;
  let following = false;
  let asking: Asking | undefined;
  let cancelPause: (() => void) | undefined;
  let turn = 0;
  const oldest = createOldest(reader, start.epoch);

  const push = (record: JournalRecord) => {
    const json = JSON.stringify(record);
    if (ready.length === 0) readySince = clock.mono();
    const bytes = Buffer.byteLength(json) + 1;
    readyBytes += bytes;
    ready.push({ json, bytes, seq: record.seq, received: record.received });
  };
  const fitsBeside = (more: readonly JournalRecord[]) =>
    ready.length + more.length <= KEEP_RECORDS && readyBytes <= KEEP_BYTES;
  const atEnd = () => !isAfter(reader.endOf(scanned.epoch), scanned);
  const isOldEpoch = () => scanned.epoch < start.epoch;

  /** Moves into the next epoch once everything of this one has been handed out. */
  function crossBorder(): boolean {
    if (!isOldEpoch() || prepared.length > 0 || ready.length > 0 || isAfter(scanned, sent)) return false;
    const next = reader.epochAfter(scanned.epoch);
    if (!next) return false;
    scanned = next;
    sent = next;
    return true;
  }

  /** Forgets what was read and not sent. */
  function rewind(): void {
    asking = undefined;
    prepared = [];
    ready = [];
    readyBytes = 0;
    scanned = sent;
  }

  function arrived(pieces: readonly Piece[], { head, overheard }: Asking): void {
    scanned = { epoch: scanned.epoch, seq: pieces.at(-1)?.through ?? scanned.seq };
    prepared.push(...pieces.filter(({ payload }) => payload));
    if (!overheard || isAfter(head, scanned) || !following || !fitsBeside(overheard.records)) return;
    for (const record of overheard.records) push(record);
    scanned = overheard.last;
  }

  /** Has the next batch made, if there is anything to make one of; `wake` tells when it is there. */
  function fill({ most, hard, zstd }: Limits): void {
    const [next] = prepared;
    if (next && next.count > 1 && next.bytes > 2 * most) rewind(); // the line has become slow
    if (idle || asking || cancelPause || ready.length > 0 || prepared.length > AHEAD / 2) return;
    if (atEnd() && !crossBorder()) return;
    const head = journal.head();
    const { epoch, seq: through } = reader.endOf(scanned.epoch);
    const request: Asking = {
      head,
      overheard: epoch === head.epoch ? { records: [], last: head } : undefined,
    };
    asking = request;
    const ask = {
      epoch,
      from: scanned.seq,
      through,
      after: prepared.at(-1)?.through ?? sent.seq,
      filter,
      most,
      hard,
      freshAfter: positionNumber(start.epoch, start.seq),
      zstd,
      pieces: AHEAD - prepared.length,
    };
    options.drain.read(ask, options.urgency).then(
      (pieces) => {
        if (asking !== request) return;
        asking = undefined;
        arrived(pieces, request);
        options.wake();
      },
      (error: unknown) => {
        if (asking !== request) return;
        asking = undefined;
        log.warn(
          { cursor: cursor.name, reason: reasonOf(error) },
          'the journal could not be read; once more in a second',
        );
        cancelPause = clock.after(READ_AGAIN_MS, () => {
          cancelPause = undefined;
          options.wake();
        });
      },
    );
  }

  function launch(
    to: number,
    content: Flight['content'],
    bytes: number,
    what: { readonly oldest: number | undefined; readonly fresh: number },
  ): Flight {
    lastSentAt = clock.mono();
    const flight = { turn: ++turn, epoch: sent.epoch, after: sent.seq, through: to, bytes, sentAt: lastSentAt };
    flights.push({ ...flight, ...what, acked: false });
    sent = { epoch: sent.epoch, seq: to };
    return { ...flight, content };
  }

  /** A gap took records that were counted as waiting. */
  function forget({ data }: JournalRecord): void {
    const { lane, epoch, to, undelivered } = data as {
      readonly lane?: LaneName;
      readonly epoch?: number;
      readonly to?: number;
      readonly undelivered?: Readonly<Record<string, number>>;
    };
    oldest.again();
    if (!lane || !filter.lanes.includes(lane) || epoch !== start.epoch || (to ?? 0) <= start.seq) return;
    fresh = Math.max(0, fresh - (undelivered?.[options.uplink] ?? 0));
  }

  const saver = createSaver(cursor, clock, log);
  return {
    fill,
    rewind,
    get inFlight(): number {
      return flights.length;
    },
    /** What is committed now would have to wait for a backlog that goes before it. */
    get behind(): boolean {
      const head = journal.head();
      const unread = head.epoch === scanned.epoch ? head.seq - scanned.seq : Number.POSITIVE_INFINITY;
      return !idle && (prepared.length > FEW_BATCHES || unread > FAR_PLACES);
    },
    get bytesInFlight(): number {
      return flights.reduce((sum, flight) => sum + (flight.acked ? 0 : flight.bytes), 0);
    },
    /** Records just committed; at the end of the journal they need not be read again. @returns true if there is news. */
    heard(records: readonly JournalRecord[]): boolean {
      const first = records[0];
      const last = records.at(-1);
      if (idle || !first || !last) return false;
      for (const record of records) if (record.kind === 'gap') forget(record);
      const ours = records.filter((record) => fits(record, filter));
      fresh += ours.length;
      if (!following) return false;
      const follows = ({ epoch, seq }: Position) => epoch === first.epoch && seq === first.seq - 1;
      const to = { epoch: last.epoch, seq: last.seq };
      if (asking) {
        const { overheard } = asking;
        if (!overheard || !follows(overheard.last) || overheard.records.length + ours.length > KEEP_RECORDS) {
          asking.overheard = undefined;
          return false;
        }
        overheard.records.push(...ours);
        overheard.last = to;
        return false;
      }
      if (!follows(scanned) || !fitsBeside(ours)) return true;
      for (const record of ours) push(record);
      scanned = to;
      return ours.length > 0 || scanned.seq - sent.seq >= QUIET_PLACES;
    },
    /** A batch should go now. @param batchBytes when it counts as full */
    due(batchBytes: number): boolean {
      if (idle) return false;
      if (prepared.length > 0) return true;
      const now = clock.mono();
      if (ready.length >= BATCH_RECORDS || readyBytes >= batchBytes) return true;
      const end = atEnd();
      if (ready.length > 0) return now - readySince >= (end ? lingerMs : CATCH_UP_MS);
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
      const piece = prepared.shift();
      if (piece?.payload) return launch(piece.through, piece.payload, piece.bytes, piece);
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
      const through = ready.length > 0 ? (taken.at(-1)?.seq ?? sent.seq) : scanned.seq;
      const texts = taken.map(({ json, bytes: size }) => (size > hard ? fitted(json, hard) : json));
      return launch(through, texts, bytes, { oldest: taken[0]?.received, fresh: taken.length });
    },
    acked(flight: Flight): void {
      const open = flights.find(({ turn: own }) => own === flight.turn);
      if (!open) return; // from before a reset: it will be acknowledged again
      open.acked = true;
      while (flights[0]?.acked) {
        const first = flights.shift();
        if (!first) break;
        fresh = Math.max(0, fresh - first.fresh);
        acked = { epoch: first.epoch, seq: first.through };
      }
      if (!isAfter(journal.head(), acked)) fresh = 0;
      saver.save(acked);
    },
    /** A connection begins or has ended: everything unacknowledged will be read and sent again. */
    reset(follow: boolean): void {
      following = follow;
      flights = [];
      sent = acked;
      rewind();
    },
    /** Records not yet acknowledged: exactly those since the start, of older ones about as many as there are places. */
    backlog(): number {
      // Of what was there at the start only the places are known: those from the first that still waits.
      const nothingOut = flights.length === 0 && prepared.length === 0 && ready.length === 0;
      const from = nothingOut ? later(scanned, oldest.searched(acked)) : acked;
      if (idle || !options.countsOld || !isAfter(start, from)) return fresh;
      const rest = from.epoch === start.epoch ? 0 : reader.endOf(from.epoch).seq;
      return fresh + rest + start.seq - from.seq;
    },
    /** When the gateway got the oldest record not yet acknowledged; found a step further with every call. */
    oldest(): number | undefined {
      if (idle) return undefined;
      const known = flights.find((flight) => flight.oldest !== undefined)?.oldest;
      return known ?? prepared[0]?.oldest ?? ready[0]?.received ?? oldest.find(acked);
    },
    /** Ends asking and saves the place. */
    async flush(): Promise<void> {
      asking = undefined;
      cancelPause?.();
      await saver.flush();
    },
  };
}

const later = (a: Position, b: Position): Position => (isAfter(b, a) ? b : a);

/** Looks for the first record that waits where nothing of it is in memory, a bounded step at a time. */
function createOldest(reader: LaneReader, current: number) {
  let from: Position | undefined;
  let at: Position = { epoch: 0, seq: 0 };
  let received: number | undefined;
  const begin = (acked: Position) => {
    if (from && !isAfter(acked, from) && !isAfter(from, acked)) return;
    from = acked;
    at = acked;
    received = undefined;
  };
  return {
    find(acked: Position): number | undefined {
      begin(acked);
      if (received !== undefined) return received;
      if (at.epoch < current && !isAfter(reader.endOf(at.epoch), at)) at = reader.epochAfter(at.epoch) ?? at;
      const { records, through } = reader.read(at, LOOK_RECORDS);
      const [first] = records;
      received = first?.received;
      at = first ? { epoch: first.epoch, seq: first.seq - 1 } : through;
      return received;
    },
    /** Up to here nothing waits. */
    searched(acked: Position): Position {
      begin(acked);
      return at;
    },
    /** What was found may be gone. */
    again(): void {
      from = undefined;
    },
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
