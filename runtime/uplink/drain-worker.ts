/**
 * Makes batches of what the journal holds, in a thread of its own: the main thread only publishes them. It reads from its
 * own connection, in bounded steps, and answers one request at a time.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { openTexts } from '../journal/texts.ts';
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
  /** Bytes of the batch's text, but for a single record that is larger. */
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
  /** Of the text, before it is compressed. */
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

export const BATCH_RECORDS = 500;
/** Places looked at in one step: lanes have no index, and whoever waits next must not wait long. */
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
    const most = Math.max(Math.min(ask.most, LEAST_BYTES), ask.most - (gaps?.length ?? 0));
    const repeated = replay === undefined ? undefined : { replay, ...(gaps ? { gaps: gaps.toString() } : {}) };
    const kind = filter.lanes.join();
    const guess = Math.floor((CAUTION * most) / (averages.get(kind) ?? FIRST_GUESS_BYTES));
    for (let limit = Math.max(1, Math.min(BATCH_RECORDS, guess)); ; ) {
      const { text, count, fresh, last, oldest } = texts.read({
        ...filter,
        epoch,
        after: from,
        through: stop,
        limit,
        freshAfter,
      });
      if (!text) {
        const payload = gaps && batchBytes(gateway, { epoch, after, through: stop }, Buffer.alloc(0), repeated);
        const piece = { through: stop, count, fresh, oldest, bytes: 0 };
        return payload ? { ...piece, payload: own(encode(payload, ask.zstd)) } : piece;
      }
      averages.set(kind, text.length / count);
      if (text.length > most && count > 1) {
        limit = Math.max(1, Math.floor((CAUTION * count * most) / text.length));
        continue;
      }
      const through = count === limit ? last : stop;
      const records = text.length > hard && count === 1 ? Buffer.from(fitted(text.toString(), hard)) : text;
      const batch = batchBytes(gateway, { epoch, after, through }, records, repeated);
      return { through, count, fresh, oldest, bytes: text.length, payload: own(encode(batch, ask.zstd)) };
    }
  }

  /** Until there are enough, or nothing more is found within a step. */
  function findAll(ask: Ask): Piece[] {
    const pieces: Piece[] = [];
    for (let { from, after } = ask; pieces.length < ask.pieces && from < ask.through; ) {
      const piece = find({ ...ask, from, after });
      pieces.push(piece);
      if (!piece.payload) break;
      from = piece.through;
      after = piece.through;
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

/** In memory of its own, which is handed over without a copy. */
const own = (bytes: Buffer): Uint8Array<ArrayBuffer> => new Uint8Array(bytes);

if (parentPort) run(parentPort, workerData as DrainData);
