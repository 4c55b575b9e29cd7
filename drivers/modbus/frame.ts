/**
 * Modbus requests and answers ↔ bytes, pure. Sources: MODBUS Application Protocol Specification V1.1b3,
 * MODBUS over Serial Line V1.02, MODBUS Messaging on TCP/IP V1.0b.
 */
import { GatehouseError } from '../../runtime/errors.ts';

export type ReadFunction = 1 | 2 | 3 | 4;

export interface ReadRequest {
  readonly unit: number;
  readonly function: ReadFunction;
  readonly address: number;
  readonly count: number;
}

/** FC05, FC06. `value`: the 16 bits as they travel, for a coil 0xFF00 or 0x0000, or what the board makes of the address. */
export interface WriteRequest {
  readonly unit: number;
  readonly function: 5 | 6;
  readonly address: number;
  readonly value: number;
}

/** FC0F (values 0 or 1), FC10. */
export interface WriteManyRequest {
  readonly unit: number;
  readonly function: 15 | 16;
  readonly address: number;
  readonly values: readonly number[];
}

export type Request = ReadRequest | WriteRequest | WriteManyRequest;

export const COIL_ON = 0xff00;
export const COIL_OFF = 0x0000;
/** Longest PDU and longest RTU frame, bytes. */
export const MAX_PDU = 253;
export const MAX_RTU = 256;
/** Most coils, most registers of one read. */
export const MAX_BITS = 2000;
export const MAX_REGISTERS = 125;

const isRead = (request: Request): request is ReadRequest => request.function <= 4;

const crcTable = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xa001 : crc >>> 1;
  return crc;
});

/** CRC-16/MODBUS of `bytes[from..to)`; it travels low byte first. */
export function crc16(bytes: Uint8Array, from = 0, to = bytes.length): number {
  let crc = 0xffff;
  for (let i = from; i < to; i++) crc = (crc >>> 8) ^ (crcTable[(crc ^ (bytes[i] ?? 0)) & 0xff] ?? 0);
  return crc;
}

/** True if `bytes[from..to)` ends in its own checksum. */
export const crcHolds = (bytes: Uint8Array, from: number, to: number): boolean =>
  crc16(bytes, from, to - 2) === ((bytes[to - 2] ?? 0) | ((bytes[to - 1] ?? 0) << 8));

const pduLength = (request: Request): number =>
  'values' in request
    ? 6 + (request.function === 15 ? Math.ceil(request.values.length / 8) : request.values.length * 2)
    : 5;

function writePdu(request: Request, out: Buffer, at: number): void {
  out.writeUInt8(request.function, at);
  out.writeUInt16BE(request.address, at + 1);
  if (isRead(request)) {
    out.writeUInt16BE(request.count, at + 3);
  } else if ('values' in request) {
    out.writeUInt16BE(request.values.length, at + 3);
    if (request.function === 15) {
      out.writeUInt8(Math.ceil(request.values.length / 8), at + 5);
      request.values.forEach((value, i) => {
        if (value) out[at + 6 + (i >> 3)] = (out[at + 6 + (i >> 3)] ?? 0) | (1 << (i & 7));
      });
    } else {
      out.writeUInt8(request.values.length * 2, at + 5);
      for (const [i, value] of request.values.entries()) out.writeUInt16BE(value, at + 6 + i * 2);
    }
  } else {
    out.writeUInt16BE(request.value, at + 3);
  }
}

/** The request as it goes over RS-485 or a transparent serial server: unit, PDU, checksum. */
export function encodeRtu(request: Request): Buffer {
  const out = Buffer.alloc(pduLength(request) + 3);
  out.writeUInt8(request.unit, 0);
  writePdu(request, out, 1);
  out.writeUInt16LE(crc16(out, 0, out.length - 2), out.length - 2);
  return out;
}

/** The request with an MBAP header. @param transaction 0 to 65535, comes back with the answer. */
export function encodeTcp(request: Request, transaction: number): Buffer {
  const length = pduLength(request);
  const out = Buffer.alloc(length + 7);
  out.writeUInt16BE(transaction, 0);
  out.writeUInt16BE(length + 1, 4);
  out.writeUInt8(request.unit, 6);
  writePdu(request, out, 7);
  return out;
}

/** Adds unit and checksum to an answer PDU. */
export function wrapRtu(unit: number, pdu: Uint8Array): Buffer {
  const out = Buffer.alloc(pdu.length + 3);
  out.writeUInt8(unit, 0);
  out.set(pdu, 1);
  out.writeUInt16LE(crc16(out, 0, out.length - 2), out.length - 2);
  return out;
}

/** Adds the MBAP header to an answer PDU. */
export function wrapTcp(transaction: number, unit: number, pdu: Uint8Array): Buffer {
  const out = Buffer.alloc(pdu.length + 7);
  out.writeUInt16BE(transaction, 0);
  out.writeUInt16BE(pdu.length + 1, 4);
  out.writeUInt8(unit, 6);
  out.set(pdu, 7);
  return out;
}

/** Length of the PDU that answers `request` when all is well, bytes. */
export const answerLength = (request: Request): number =>
  isRead(request) ? 2 + (request.function <= 2 ? Math.ceil(request.count / 8) : request.count * 2) : 5;

const exceptionNames: Readonly<Record<number, string>> = {
  1: 'illegal function',
  2: 'illegal data address',
  3: 'illegal data value',
  4: 'device failure',
  5: 'acknowledge',
  6: 'busy',
  8: 'memory parity error',
  10: 'gateway path unavailable',
  11: 'gateway target silent',
};

export const describe = (request: Request): string =>
  `unit ${request.unit} FC${String(request.function).padStart(2, '0')} address ${request.address}`;

/**
 * Compares an answer with its request field by field.
 * @returns data bytes of a read (bits: eight per byte, first in the lowest; registers: high byte first), empty for a write.
 * @throws {GatehouseError} `driver.refused` with `detail.exception`; `driver.mismatch` if it answers something else.
 */
export function decodeAnswer(request: Request, unit: number, pdu: Buffer): Buffer {
  const code = pdu[0] ?? 0;
  if (unit !== request.unit) throw mismatch(request, pdu, `unit ${unit} answered`);
  if (code === (request.function | 0x80) && pdu.length === 2) {
    const exception = pdu[1] ?? 0;
    const name = exceptionNames[exception] ?? 'unknown';
    throw new GatehouseError('driver.refused', `${describe(request)}: exception ${exception} (${name})`, {
      detail: { exception },
    });
  }
  if (code !== request.function) throw mismatch(request, pdu, `function ${code}`);
  if (pdu.length !== answerLength(request)) throw mismatch(request, pdu, `${pdu.length} bytes`);
  if (isRead(request)) {
    if (pdu[1] !== pdu.length - 2) throw mismatch(request, pdu, `byte count ${pdu[1]}`);
    return pdu.subarray(2);
  }
  const second = 'values' in request ? request.values.length : request.value;
  if (pdu.readUInt16BE(1) !== request.address || pdu.readUInt16BE(3) !== second) {
    throw mismatch(request, pdu, `echo ${pdu.readUInt16BE(1)}=${pdu.readUInt16BE(3)}`);
  }
  return pdu.subarray(5);
}

const mismatch = (request: Request, pdu: Buffer, what: string): GatehouseError =>
  new GatehouseError('driver.mismatch', `${describe(request)}: ${what} in ${pdu.toString('hex')}`);

/**
 * Reads a request PDU, as a slave does.
 * @returns undefined for a function this file does not know or a length that does not fit.
 */
export function decodeRequest(unit: number, pdu: Buffer): Request | undefined {
  if (pdu.length < 5) return undefined;
  const code = pdu.readUInt8(0);
  const address = pdu.readUInt16BE(1);
  const word = pdu.readUInt16BE(3);
  if (code >= 1 && code <= 4 && pdu.length === 5) {
    return { unit, function: code as ReadFunction, address, count: word };
  }
  if ((code === 5 || code === 6) && pdu.length === 5) return { unit, function: code, address, value: word };
  if ((code === 15 || code === 16) && pdu.length >= 6 && pdu.length === 6 + pdu.readUInt8(5)) {
    const values =
      code === 15
        ? Array.from({ length: word }, (_, i) => ((pdu[6 + (i >> 3)] ?? 0) >> (i & 7)) & 1)
        : Array.from({ length: Math.min(word, (pdu.length - 6) >> 1) }, (_, i) => pdu.readUInt16BE(6 + i * 2));
    const bytes = code === 15 ? Math.ceil(word / 8) : word * 2;
    return bytes === pdu.length - 6 ? { unit, function: code, address, values } : undefined;
  }
  return undefined;
}
