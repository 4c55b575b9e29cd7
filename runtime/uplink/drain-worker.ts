/**
 * Makes batches of what the journal holds, in a thread of its own: the main thread only publishes them. It reads from its
 * own connection, in bounded steps, and answers one request at a time.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { openTexts, type TextQuery, type Texts } from '../journal/texts.ts';
import { batchBytes, encode, fitted } from './batch.ts';
import type { RecordFilter } from './reader.ts';

export interface Ask {
  readonly epoch: number;
  /** Where the search begins, and how far it may go: `(from, through]`. */
  readonly from: number;
  readonly through: number;
  /** What the batch says it begins after; before `from` where a search found nothing. */
  readonly after: number;
  readonly filter: Required<Pick<RecordFilter, 'lanes'>> & RecordFilter;
  /** Bytes of the message, but for a single record that is larger. */
  readonly most: number;
  /** Bytes of a record the receiver takes at all. */
  readonly hard: number;
  /** Place beyond which records count as fresh. */
  readonly freshAfter: number;
  readonly zstd: boolean;
  /** At most so many batches, one after the other. */
  readonly pieces: number;
  /** Id of the request that wants them again; gap records about the stretch are then added. */
  readonly replay?: string;
}
/** What was found. Without records there is no payload, only how far the search went. */
export interface Piece {
  readonly through: number;
  readonly count: number;
  readonly fresh: number;
  readonly oldest: number | undefined;
  /** As it goes over the line, but for what is around the records. */
  readonly bytes: number;
  readonly payload?: Uint8Array<ArrayBuffer>;
}
export type ToDrain = { readonly turn: number; readonly ask: Ask } | { readonly close: true };
export type FromDrain = { readonly turn: number } & (
  | { readonly pieces: readonly Piece[] }
  | { readonly failed: string }
);
export interface DrainData {
  readonly file: string;
  readonly gateway: string;
}

const BATCH_RECORDS = 500;
/** Compressed, a message takes several times the text: fewer of them go further on a long line. */
const PACKED = 4;
/** Of this thread's own work on one request: whoever is more urgent must not wait long. */
const TURN_MS = 10;
/** Places looked at in one step: lanes have no index. */
const SPAN = 100_000;
/** In a replay, so that the gap records of one batch stay few. */
const REPLAY_SPAN = 20_000;
const LEAST_BYTES = 1024;
const FIRST_GUESS_BYTES = 300;
/** Guesses are a little low, as a batch that came out too large is read again. */
const CAUTION = 0.97;

const NOTHING = new Uint8Array(0);

/** What a search found, and where it began. */
interface Found {
  readonly from: number;
  readonly after: number;
  readonly piece: Omit<Piece, 'payload'>;
  readonly batch?: Buffer;
}
interface Packed extends Found {
  readonly payload?: Buffer;
}

/** Runs on the worker's side only. */
function run(port: NonNullable<typeof parentPort>, { file, gateway }: DrainData): void {
  const texts = openTexts(file, gateway);
  const averages = new Map<string, number>();
  /** How much smaller the last batch became. */
  const ratios = new Map<string, number>();

  /** @param times as much text as the message may have bytes */
  function find(ask: Ask, times: number): Found {
    const { epoch, from, after, filter, hard, freshAfter, replay } = ask;
    const stop = Math.min(ask.through, from + (replay === undefined ? SPAN : REPLAY_SPAN));
    const gaps = replay === undefined ? undefined : texts.gaps({ epoch, after, through: stop, lanes: filter.lanes });
    const repeated = replay === undefined ? undefined : { replay, ...(gaps ? { gaps: gaps.toString() } : {}) };
    const kind = filter.lanes.join();
    const most = Math.max(Math.min(ask.most, LEAST_BYTES), times * ask.most - (gaps?.length ?? 0));
    const guess = Math.floor((CAUTION * most) / (averages.get(kind) ?? FIRST_GUESS_BYTES));
    const first = Math.max(1, Math.min(times * BATCH_RECORDS, guess));
    const query = { ...filter, epoch, after: from, through: stop, freshAfter };
    const { text, count, fresh, oldest, last, limit } = readUpTo(most, first, query);
    const through = text && count === limit ? last : stop;
    const bytes = text?.length ?? 0;
    if (text) averages.set(kind, bytes / count);
    const records = text && bytes > hard && count === 1 ? Buffer.from(fitted(text.toString(), hard)) : text;
    const batch = (records ?? gaps) && batchBytes(gateway, { epoch, after, through }, records ?? NOTHING, repeated);
    return { from, after, piece: { through, count, fresh, oldest, bytes }, ...(batch ? { batch } : {}) };
  }

  /** Fewer records where so many would be more than `most` bytes, but one in any case. */
  function readUpTo(most: number, limit: number, query: Omit<TextQuery, 'limit'>): Texts & { readonly limit: number } {
    for (let next = limit; ; ) {
      const found = texts.read({ ...query, limit: next });
      const { length } = found.text ?? { length: 0 };
      if (length <= most || found.count === 1) return { ...found, limit: next };
      next = Math.max(1, Math.floor((CAUTION * found.count * most) / length));
    }
  }

  /** Until there are enough, or somebody else should have a turn. Of searches in vain only the last is told. */
  function findAll(ask: Ask, times: number): Packed[] {
    const until = worked() + TURN_MS;
    const found: Packed[] = [];
    for (let { from, after } = ask; found.length < ask.pieces && from < ask.through; ) {
      const next = find({ ...ask, from, after }, times);
      if (found.length > 0 && !found.at(-1)?.batch) found.pop();
      found.push({ ...next, ...(next.batch ? { payload: encode(next.batch, ask.zstd) } : {}) });
      from = next.piece.through;
      if (next.batch) after = from;
      if (worked() >= until) break;
    }
    return found;
  }

  function answer(ask: Ask, times = timesOf(ask)): Piece[] {
    const pieces: Piece[] = [];
    for (const { piece, payload, from, after } of findAll(ask, times)) {
      if (payload && ask.zstd) ratios.set(ask.filter.lanes.join(), piece.bytes / payload.length);
      if (payload && times > 1 && payload.length > ask.most) {
        // It does not compress so well: fewer records, and what was found behind it will be asked for again.
        return pieces.length > 0 ? pieces : answer({ ...ask, from, after, pieces: 1 }, 1);
      }
      const bytes = payload && ask.zstd ? payload.length : piece.bytes;
      pieces.push(payload ? { ...piece, bytes, payload: own(payload) } : piece);
    }
    return pieces;
  }
  function timesOf({ zstd, replay, filter }: Ask): number {
    if (!zstd || replay !== undefined) return 1;
    const ratio = ratios.get(filter.lanes.join()) ?? PACKED;
    return Math.max(1, Math.min(PACKED, Math.floor(ratio * CAUTION)));
  }

  port.on('message', (message: ToDrain) => {
    if ('close' in message) {
      texts.close();
      port.close();
      return;
    }
    const { turn, ask } = message;
    try {
      const pieces = texts.atOnce(() => answer(ask));
      const buffers = pieces.flatMap(({ payload }) => (payload ? [payload.buffer] : []));
      port.postMessage({ turn, pieces } satisfies FromDrain, buffers);
    } catch (error) {
      port.postMessage({ turn, failed: (error as Error).message } satisfies FromDrain);
    }
  });
}

/** Ms; on a busy machine it stands still while others run, and batches do not become small for that. */
function worked(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

/** In memory of its own, which is handed over without a copy. */
const own = (bytes: Buffer): Uint8Array<ArrayBuffer> => new Uint8Array(bytes);

if (parentPort) run(parentPort, workerData as DrainData);
