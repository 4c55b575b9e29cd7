/** Follows the packet borders of an MQTT byte stream without keeping a byte of it. Any version; pure. */

export const CONNECT = 1;
const LENGTH_BYTES = 4;

export interface FrameMeter {
  /**
   * Walks over the next bytes of the stream.
   * @returns a fault that ends the connection, or how many bytes of this chunk belong to the first packet (all of them
   *   while it is incomplete, none once it lies behind).
   */
  feed(chunk: Uint8Array): { readonly fault: string } | { readonly first: number };
}

/**
 * @param refuse asked for every packet as soon as its fixed header is known: its type, its whole size in bytes, its place
 *   in the stream from 0. A returned text is the fault.
 */
export function createFrameMeter(
  refuse: (type: number, size: number, index: number) => string | undefined,
): FrameMeter {
  let index = 0;
  let type = -1; // -1: the next byte starts a packet
  let length = 0;
  let lengthBytes = 0;
  let left = 0; // body bytes still to come
  return {
    feed(chunk) {
      let first = index === 0 ? chunk.length : 0;
      for (let at = 0; at < chunk.length; ) {
        const byte = chunk[at] ?? 0;
        if (left > 0) {
          const step = Math.min(left, chunk.length - at);
          left -= step;
          at += step;
        } else if (type === -1) {
          type = byte >> 4;
          length = 0;
          lengthBytes = 0;
          at++;
          continue;
        } else {
          if (++lengthBytes > LENGTH_BYTES) return { fault: 'length field of more than four bytes' };
          length += (byte & 0x7f) * 128 ** (lengthBytes - 1);
          at++;
          if (byte & 0x80) continue;
          const fault = refuse(type, 1 + lengthBytes + length, index);
          if (fault !== undefined) return { fault };
          left = length;
        }
        if (left === 0) {
          type = -1;
          if (index++ === 0) first = at;
        }
      }
      return { first };
    },
  };
}
