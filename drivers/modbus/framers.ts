/** Finds frames in a stream of bytes: split anywhere, junk between them, two in one segment, memory bounded. */
import { GatehouseError } from '../../runtime/errors.ts';
import { answerLength, crcHolds, describe, MAX_PDU, MAX_RTU, type Request } from './frame.ts';

const MBAP = 7;

export type Deliver = (transaction: number, unit: number, pdu: Buffer) => void;

/**
 * Modbus TCP. There is no way to find the next header once one is wrong, so junk throws and the connection must go.
 * Holds at most one unfinished frame, 260 bytes.
 */
export class TcpFramer {
  #rest: Buffer | undefined;

  /** @throws {GatehouseError} `driver.frame` if the bytes cannot be a Modbus TCP header. */
  push(chunk: Buffer, deliver: Deliver): void {
    let bytes = this.#rest ? Buffer.concat([this.#rest, chunk]) : chunk;
    this.#rest = undefined;
    while (bytes.length >= MBAP - 1) {
      const length = bytes.readUInt16BE(4);
      if (bytes.readUInt16BE(2) !== 0 || length < 2 || length > MAX_PDU + 1) {
        throw new GatehouseError('driver.frame', `Not Modbus TCP: ${bytes.subarray(0, 16).toString('hex')}`);
      }
      const end = MBAP - 1 + length;
      if (bytes.length < end) break;
      deliver(bytes.readUInt16BE(0), bytes.readUInt8(6), bytes.subarray(MBAP, end));
      bytes = bytes.subarray(end);
    }
    // A copy: the chunk belongs to the socket's pool and would stay alive for a few bytes of it.
    if (bytes.length > 0) this.#rest = Buffer.from(bytes);
  }
}

/**
 * RTU, on the asking side. RTU frames carry no length and silence between bytes does not survive a serial server, so an
 * answer is found by what it must look like: our unit, our function, the right length, a checksum that holds.
 */
export class RtuReceiver {
  readonly #bytes = Buffer.alloc(MAX_RTU * 2);
  #length = 0;
  #dropped = 0;

  /** Forgets what is there. @returns how many bytes that was: late answers, noise. */
  clear(): number {
    const lost = this.#length + this.#dropped;
    this.#length = 0;
    this.#dropped = 0;
    return lost;
  }

  get received(): number {
    return this.#length + this.#dropped;
  }

  push(chunk: Uint8Array): void {
    const fresh = chunk.length > this.#bytes.length ? chunk.subarray(chunk.length - this.#bytes.length) : chunk;
    const overflow = this.#length + fresh.length - this.#bytes.length;
    if (overflow > 0) {
      this.#bytes.copyWithin(0, overflow, this.#length);
      this.#length -= Math.min(overflow, this.#length);
      this.#dropped += overflow;
    }
    this.#bytes.set(fresh, this.#length);
    this.#length += fresh.length;
  }

  /** @returns the PDU that answers `request`, as soon as it is there; everything received is forgotten with it. */
  take(request: Request): { readonly pdu: Buffer; readonly junk: number } | undefined {
    for (let start = 0; start + 5 <= this.#length; start++) {
      if (this.#bytes[start] !== request.unit) continue;
      const code = this.#bytes[start + 1];
      const length = code === request.function ? answerLength(request) + 3 : code === (request.function | 0x80) ? 5 : 0;
      if (length === 0 || start + length > this.#length || !crcHolds(this.#bytes, start, start + length)) continue;
      const pdu = Buffer.from(this.#bytes.subarray(start + 1, start + length - 2));
      return { pdu, junk: this.clear() - length };
    }
    return undefined;
  }

  /** What to say when no answer came: nothing at all, another unit, or bytes with no frame in them. */
  diagnose(request: Request, timeoutMs: number): GatehouseError {
    if (this.#length === 0) return silence(request, timeoutMs);
    const hex = this.#bytes.subarray(0, Math.min(this.#length, 64)).toString('hex');
    for (let start = 0; start + 5 <= this.#length; start++) {
      const length = rtuAnswerLength(this.#bytes, start, this.#length);
      if (length === undefined || start + length > this.#length || !crcHolds(this.#bytes, start, start + length))
        continue;
      const what = `unit ${this.#bytes[start]} function ${this.#bytes[start + 1]}`;
      return new GatehouseError('driver.mismatch', `${describe(request)}: ${what} answered instead, ${hex}`);
    }
    return new GatehouseError('driver.frame', `${describe(request)}: half a frame or a wrong checksum, ${hex}`);
  }
}

export const silence = (request: Request, timeoutMs: number): GatehouseError =>
  new GatehouseError('driver.timeout', `${describe(request)}: no answer within ${timeoutMs} ms`);

/** Length an RTU answer at `start` would have by its function and byte count. */
function rtuAnswerLength(bytes: Buffer, start: number, end: number): number | undefined {
  const code = bytes[start + 1] ?? 0;
  if (code & 0x80) return 5;
  if (code >= 1 && code <= 4) return start + 3 < end ? 5 + (bytes[start + 2] ?? 0) : undefined;
  return code === 5 || code === 6 || code === 15 || code === 16 ? 8 : undefined;
}

/** RTU, on the answering side: finds requests. Bytes that begin no request are skipped one by one. */
export class RtuRequestFramer {
  #bytes: Buffer = Buffer.alloc(0);

  push(chunk: Buffer, deliver: (unit: number, pdu: Buffer) => void): void {
    this.#bytes = Buffer.concat([this.#bytes, chunk]).subarray(-MAX_RTU * 2);
    this.#scan(false, deliver);
  }

  /** The line fell silent: a frame that is still short will never be whole, but one may stand behind its beginning. */
  flush(deliver: (unit: number, pdu: Buffer) => void): void {
    this.#scan(true, deliver);
    this.#bytes = Buffer.alloc(0);
  }

  #scan(silent: boolean, deliver: (unit: number, pdu: Buffer) => void): void {
    const bytes = this.#bytes;
    let start = 0;
    while (start + 4 <= bytes.length) {
      // A function we do not know has no length of its own: take it if the checksum of all that is there holds.
      const length = rtuRequestLength(bytes, start) ?? bytes.length - start;
      if (start + length > bytes.length && !silent) break;
      if (start + length > bytes.length || !crcHolds(bytes, start, start + length)) {
        start++;
        continue;
      }
      deliver(bytes.readUInt8(start), Buffer.from(bytes.subarray(start + 1, start + length - 2)));
      start += length;
    }
    this.#bytes = Buffer.from(bytes.subarray(start));
  }
}

function rtuRequestLength(bytes: Buffer, start: number): number | undefined {
  const code = bytes[start + 1] ?? 0;
  if (code >= 1 && code <= 6) return 8;
  if (code !== 15 && code !== 16) return undefined;
  const count = bytes[start + 6];
  return count === undefined ? MAX_RTU * 2 : 9 + count;
}
