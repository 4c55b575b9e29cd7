/**
 * Live followers of the journal over server-sent events. A follower reads what it missed from the journal, page by page
 * and no faster than it takes it, then goes over to the records as they are committed: without a gap, because committed
 * records are readable before they are announced, and without a duplicate, because each follower knows its place.
 */
import type { ServerResponse } from 'node:http';
import { every } from '../clock.ts';
import { formatPosition, type JournalRecord, type Position } from '../contracts/record.ts';
import { GatehouseError, reasonOf } from '../errors.ts';
import { isAfter } from '../journal/cursors.ts';
import type { Caller } from './auth.ts';
import { maskRecord } from './masking.ts';
import type { Parts, RouteContext } from './parts.ts';
import { type LiveFilter, matches } from './record-query.ts';
import { type Mask, searchFrom, sights } from './rights.ts';

const BEAT_MS = 1000;
const PAGE = 500;
/** So few places are looked at in less than a millisecond. */
const NEAR = 1000;
/** A client that takes nothing for so long gives its place to another. */
const STALLED_BEATS = 30;

export interface Streams {
  /**
   * Writes the stream to `response` until either side ends it.
   * @param after last record the client has; undefined: only what comes from now on.
   * @throws GatehouseError `stream.limit` before anything was written
   */
  open(request: { caller: Caller; filter: LiveFilter; after: Position | undefined; response: ServerResponse }): void;
  count(): number;
  /** Ends all; the clients come back with their last id. */
  close(): void;
}

interface Follower {
  readonly caller: Caller;
  readonly filter: LiveFilter;
  readonly response: ServerResponse;
  readonly mask: Mask;
  place: Position;
  /** Reading the journal; commits are read from there too. */
  catchingUp: boolean;
  /** Beats since it last took something. */
  stalled: number;
}

export function createStreams({ parts, limits }: RouteContext): Streams {
  const { journal, clock, log, inventory } = parts;
  const followers = new Set<Follower>();

  const unfollow = journal.onCommit((records) => {
    const texts = frames();
    for (const follower of followers) {
      if (follower.catchingUp) continue;
      try {
        deliver(follower, records, texts);
      } catch (error) {
        // A follower's trouble must not reach the journal or the other followers.
        log.error({ err: error, actor: follower.caller.actor }, 'a stream failed');
        end(follower);
      }
    }
  });
  const stopBeats = every(clock, BEAT_MS, () => {
    const beat = beatText(parts);
    for (const follower of followers) {
      if (!follower.caller.valid()) end(follower);
      else if (!follower.response.writableNeedDrain) write(follower, beat);
      else if (++follower.stalled > STALLED_BEATS) drop(follower);
    }
  });

  function deliver(follower: Follower, records: readonly JournalRecord[], texts: Texts): void {
    let text = '';
    for (const record of records) {
      // Already read from the journal before it was announced here.
      if (!isAfter(record, follower.place)) continue;
      follower.place = { epoch: record.epoch, seq: record.seq };
      if (matches(record, follower.filter)) text += texts(record, follower.mask);
    }
    if (text !== '') write(follower, text);
  }

  function write(follower: Follower, text: string): boolean {
    const { response } = follower;
    const flowing = response.write(text);
    if (flowing) follower.stalled = 0;
    // A page of the journal may be larger; the next one waits until this one is gone.
    else if (!follower.catchingUp && response.writableLength > limits.streamUnsentBytes) drop(follower);
    return flowing;
  }

  function drop(follower: Follower): void {
    const { caller, response } = follower;
    log.warn({ actor: caller.actor, unsent: response.writableLength }, 'a stream is too slow and is closed');
    followers.delete(follower);
    response.destroy();
  }

  function end(follower: Follower): void {
    followers.delete(follower);
    follower.response.end();
  }

  async function catchUp(follower: Follower): Promise<void> {
    const { caller, response, filter } = follower;
    const from = searchFrom(caller.role, clock.now(), inventory.site().timeZone);
    while (followers.has(follower)) {
      // Taken before reading: whatever is committed meanwhile lies behind it.
      const head = journal.head();
      const query = { ...filter, after: follower.place, limit: PAGE, ...(from === undefined ? {} : { from }) };
      // Far behind it reads on another thread. The end is read at once, so that no commit falls between.
      const near = head.epoch === follower.place.epoch && head.seq - follower.place.seq <= NEAR;
      const { items, next } = near ? journal.read(query) : await journal.search(query);
      if (!followers.has(follower)) return;
      const last = items.at(-1);
      if (last && isAfter(last, follower.place)) follower.place = { epoch: last.epoch, seq: last.seq };
      const texts = frames();
      const flowing = items.length === 0 || write(follower, items.map((item) => texts(item, follower.mask)).join(''));
      if (next === undefined) {
        if (isAfter(head, follower.place)) follower.place = head;
        if (near) {
          follower.catchingUp = false;
          return;
        }
      }
      await (flowing ? new Promise<void>((resolve) => setImmediate(resolve)) : drained(response));
    }
  }

  return {
    open({ caller, filter, after, response }) {
      const keyOf = ({ via, actor }: Caller) => (via === 'flow' ? via : actor);
      const own = [...followers].filter((other) => keyOf(other.caller) === keyOf(caller)).length;
      const most = caller.via === 'flow' ? limits.flowStreams : limits.streamsPerUser;
      if (own >= most || followers.size >= limits.streams) {
        throw new GatehouseError('stream.limit', `At most ${most} streams each, ${limits.streams} in all`);
      }
      const head = journal.head();
      const unknown = after !== undefined && isAfter(after, head);
      const follower: Follower = {
        ...{ caller, filter, response },
        mask: sights[caller.role].mask,
        place: unknown || !after ? head : after,
        catchingUp: true,
        stalled: 0,
      };
      followers.add(follower);
      response.writeHead(200);
      response.once('close', () => followers.delete(follower));
      response.write(unknown ? `event: reset\ndata: {"head":"${formatPosition(head)}"}\n\n` : beatText(parts));
      catchUp(follower).catch((error: unknown) => {
        log.error({ err: error, actor: caller.actor, reason: reasonOf(error) }, 'a stream could not catch up');
        end(follower);
      });
    },
    count: () => followers.size,
    close() {
      stopBeats();
      unfollow();
      for (const follower of followers) end(follower);
    },
  };
}

const beatText = ({ clock, journal }: Parts): string =>
  `event: beat\ndata: {"now":${clock.now()},"head":"${formatPosition(journal.head())}"}\n\n`;

type Texts = (record: JournalRecord, mask: Mask) => string;

/** Frames of one batch, made once however many follow it. */
function frames(): Texts {
  const made: Record<Mask, Map<JournalRecord, string>> = { none: new Map(), live: new Map(), all: new Map() };
  return (record, mask) => {
    const known = made[mask].get(record);
    if (known !== undefined) return known;
    const data = JSON.stringify(maskRecord(record, mask));
    const text = `id: ${formatPosition(record)}\nevent: record\ndata: ${data}\n\n`;
    made[mask].set(record, text);
    return text;
  };
}

const drained = (response: ServerResponse): Promise<void> =>
  new Promise((resolve) => {
    const done = () => {
      response.off('drain', done);
      response.off('close', done);
      resolve();
    };
    response.on('drain', done);
    response.on('close', done);
  });
