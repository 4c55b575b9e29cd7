/** Cuts an MQTT byte stream into packets, keeping no more than one unfinished packet. Any version; pure. */

export const PUBLISH = 3;
const LENGTH_BYTES = 4;

/** Where a whole packet lies: `bytes` from `start` to `end`, what follows its fixed header from `body` on. */
export interface Frame {
  readonly bytes: Buffer;
  readonly start: number;
  readonly body: number;
  readonly end: number;
}

/** The next whole packet and the place behind it in the chunk; what is wrong with it; nothing whole in what is left. */
export interface FrameCutter {
  /**
   * Walks on from `at`. After a number, `frame` holds the packet until the next call; the number is the place in `chunk`
   * to go on from. Undefined: what is left is the beginning of a packet and is kept. A text is the fault that ends the
   * connection.
   */
  next(chunk: Buffer, at: number): number | undefined | string;
  readonly frame: Frame;
}

/**
 * @param refuse asked for every packet as soon as its fixed header is known: its type, its whole size in bytes, its place
 *   in the stream from 0. A returned text is the fault; what is not refused must fit into memory.
 */
export function createCutter(refuse: (type: number, size: number, index: number) => string | undefined): FrameCutter {
  const frame = { bytes: Buffer.alloc(0) as Buffer, start: 0, body: 0, end: 0 };
  let index = 0;
  /** The beginning of a packet: its header as far as it has come, or room for all of it once its size is known. */
  let kept: Buffer = Buffer.alloc(0);
  let filled = 0;
  let body = 0; // 0: the size of the kept packet is not known yet

  const found = (bytes: Buffer, start: number, content: number, end: number) => {
    frame.bytes = bytes;
    frame.start = start;
    frame.body = content;
    frame.end = end;
    index++;
  };

  function fill(chunk: Buffer, at: number): number | undefined {
    const taken = chunk.copy(kept, filled, at);
    filled += taken;
    if (filled < kept.length) return undefined;
    found(kept, 0, body, filled);
    kept = Buffer.alloc(0);
    filled = 0;
    body = 0;
    return at + taken;
  }

  /** The header was cut: it goes on in this chunk, byte by byte. */
  function head(chunk: Buffer, at: number): number | undefined | string {
    const more = Buffer.concat([kept, chunk.subarray(at, at + 1 + LENGTH_BYTES - kept.length)]);
    const before = kept.length;
    kept = Buffer.alloc(0);
    const next = cut(more, 0, true);
    if (typeof next === 'string') return next;
    if (next !== undefined) return at + next - before; // a packet without content
    return body > 0 ? fill(chunk, at + filled - before) : undefined;
  }

  function cut(chunk: Buffer, at: number, partial = false): number | undefined | string {
    let size = 0;
    let place = at + 1;
    for (let shift = 1; ; shift *= 128) {
      if (place - at > LENGTH_BYTES) return 'length field of more than four bytes';
      const byte = chunk[place];
      if (byte === undefined) {
        kept = Buffer.from(chunk.subarray(at));
        return undefined;
      }
      place++;
      size += (byte & 0x7f) * shift;
      if (byte < 0x80) break;
    }
    const end = place + size;
    const fault = refuse((chunk[at] ?? 0) >> 4, end - at, index);
    if (fault !== undefined) return fault;
    if (end <= chunk.length && (!partial || size === 0)) {
      found(chunk, at, place, end);
      return end;
    }
    kept = Buffer.allocUnsafe(end - at);
    body = place - at;
    filled = chunk.copy(kept, 0, at, partial ? place : chunk.length);
    return undefined;
  }

  return {
    frame,
    next(chunk, at) {
      if (at >= chunk.length) return undefined;
      if (body > 0) return fill(chunk, at);
      return kept.length > 0 ? head(chunk, at) : cut(chunk, at);
    },
  };
}
