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

/** Runs on the worker's side only. */
function run(port: NonNullable<typeof parentPort>, { file, gateway }: DrainData): void {
  const texts = openTexts(file, gateway);
  const averages = new Map<string, number>();

  function find(ask: Ask): Piece {
    const { epoch, from, after, filter, hard, freshAfter, replay } = ask;
    const stop = Math.min(ask.through, from + (replay === undefined ? SPAN : REPLAY_SPAN));
    const gaps = replay === undefined ? undefined : texts.gaps({ epoch, after, through: stop, lanes: filter.lanes });
    const repeated = replay === undefined ? undefined : { replay, ...(gaps ? { gaps: gaps.toString() } : {}) };
    const kind = filter.lanes.join();
    for (let times = ask.zstd && replay === undefined ? PACKED : 1; ; times = 1) {
      const most = Math.max(Math.min(ask.most, LEAST_BYTES), times * ask.most - (gaps?.length ?? 0));
      const guess = Math.floor((CAUTION * most) / (averages.get(kind) ?? FIRST_GUESS_BYTES));
      const limit = Math.max(1, Math.min(times * BATCH_RECORDS, guess));
      const found = readUpTo(most, limit, { ...filter, epoch, after: from, through: stop, freshAfter });
      const { text, count, fresh, oldest } = found;
      const through = count === found.limit ? found.last : stop;
      if (!text) {
        const bare = gaps && batchBytes(gateway, { epoch, after, through }, Buffer.alloc(0), repeated);
        const piece = { through, count, fresh, oldest, bytes: 0 };
        return bare ? { ...piece, payload: own(encode(bare, ask.zstd)) } : piece;
      }
      averages.set(kind, text.length / count);
      const records = text.length > hard && count === 1 ? Buffer.from(fitted(text.toString(), hard)) : text;
      const payload = encode(batchBytes(gateway, { epoch, after, through }, records, repeated), ask.zstd);
      if (times > 1 && payload.length > ask.most) continue; // it does not compress well
      const bytes = ask.zstd ? payload.length : text.length;
      return { through, count, fresh, oldest, bytes, payload: own(payload) };
    }
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
  function findAll(ask: Ask): Piece[] {
    const until = worked() + TURN_MS;
    const pieces: Piece[] = [];
    for (let { from, after } = ask; pieces.length < ask.pieces && from < ask.through; ) {
      const piece = find({ ...ask, from, after });
      if (pieces.length > 0 && !pieces.at(-1)?.payload) pieces.pop();
      pieces.push(piece);
      from = piece.through;
      if (piece.payload) after = piece.through;
      if (worked() >= until) break;
    }
    return pieces;
  }

  port.on('message', (message: ToDrain) => {
    if ('close' in message) {
      texts.close();
      port.close();
      return;
    }
    const { turn, ask } = message;
    try {
      const pieces = texts.atOnce(() => findAll(ask));
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
