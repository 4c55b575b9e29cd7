/**
 * How much bulk may be on its way at once. On a fast line the window of batches is the limit; on a slow one a full window
 * would hold up an alarm for minutes, so the bytes in flight shrink until acknowledgements come back within a second.
 */

const LEAST_BYTES = 4096;
const SLOW_MS = 1000;
const QUICK_MS = 250;

export interface Pace {
  /** Bytes that may be unacknowledged. */
  readonly bytes: number;
  /** Bytes of one batch: a quarter of that, so that the first acknowledgement comes early. */
  readonly batch: number;
  acked(ms: number): void;
  /** A batch was never acknowledged. */
  lost(): void;
}

/** @param batchBytes of one batch at full pace. */
export function createPace(batchBytes: number, window: number): Pace {
  const most = batchBytes * window;
  let bytes = Math.min(most, 2 * batchBytes); // a few quick acknowledgements later it is all
  return {
    get bytes() {
      return bytes;
    },
    get batch() {
      return Math.min(batchBytes, Math.max(LEAST_BYTES, Math.floor(bytes / 4)));
    },
    acked(ms) {
      if (ms > SLOW_MS) bytes = Math.max(LEAST_BYTES, bytes / 2);
      else if (ms < QUICK_MS) bytes = Math.min(most, bytes * 1.25);
    },
    lost() {
      bytes = LEAST_BYTES;
    },
  };
}
