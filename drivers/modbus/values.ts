/** Registers and bits → values, by the closed list of readings in schema.ts. Pure. */
import type { Reading } from '../driver.ts';
import type { ReadFunction } from './frame.ts';
import type { Point } from './schema.ts';

type NumberPoint = Extract<Point, { as: 'uint16' | 'int16' | 'uint32' | 'int32' | 'float32' }>;

/** Reads one point out of the data bytes of an answer that begins at address `first`. */
export type Decode = (data: Buffer, first: number) => Reading;

export const functionOf: Readonly<Record<Point['read'], ReadFunction>> = {
  coil: 1,
  'discrete-input': 2,
  'holding-register': 3,
  'input-register': 4,
};

/** How many addresses a point covers, from its own on. */
export function spanOf(point: Point): number {
  if (point.read === 'coil' || point.read === 'discrete-input') return point.as === 'bits' ? point.count : 1;
  if (point.as === 'bits' && 'bit' in point) return point.bit + point.count > 16 ? 2 : 1;
  return point.as === 'uint32' || point.as === 'int32' || point.as === 'float32' ? 2 : 1;
}

/** Compiled once per point, so that polling only moves numbers. */
export function compileReading(name: string, point: Point): Decode {
  if (point.as !== 'bit' && point.as !== 'bits') return compileNumber(name, point);
  const bitAt = bitReader(point);
  if (point.as === 'bit') {
    const invert = point.invert === true;
    return (data, first) => ({ point: name, value: bitAt(data, first, 0) !== invert });
  }
  const { count, of } = point;
  return (data, first) => {
    let pattern = '';
    for (let i = 0; i < count; i++) pattern += bitAt(data, first, i) ? '1' : '0';
    const value = of[pattern];
    return value === undefined ? { point: name, value: pattern, quality: 'bad' } : { point: name, value };
  };
}

function bitReader(point: Extract<Point, { as: 'bit' | 'bits' }>): (data: Buffer, first: number, n: number) => boolean {
  const { address } = point;
  if (!('bit' in point)) {
    return (data, first, n) => (((data[(address - first + n) >> 3] ?? 0) >> ((address - first + n) & 7)) & 1) === 1;
  }
  const { bit } = point;
  return (data, first, n) => {
    const word = data.readUInt16BE((address - first + ((bit + n) >> 4)) * 2);
    return ((word >> ((bit + n) & 15)) & 1) === 1;
  };
}

const decimalsOf = (value: number): number => {
  const [mantissa = '', exponent = '0'] = String(value).split('e');
  return Math.max(0, (mantissa.split('.')[1]?.length ?? 0) - Number(exponent));
};

/** A float carries about seven digits; more would only show how it was stored. */
const FLOAT_DIGITS = 7;

function compileNumber(name: string, point: NumberPoint): Decode {
  const raw = rawReader(point);
  const read = interpreter(point.as);
  const scale = point.scale ?? 1;
  const offset = point.offset ?? 0;
  const digits =
    point.decimals ?? (point.as === 'float32' ? undefined : Math.max(decimalsOf(scale), decimalsOf(offset)));
  const factor = 10 ** (digits ?? 0);
  const width = spanOf(point) * 4;
  const invalid = new Set((point.invalid ?? []).map((hex) => Number.parseInt(hex.padStart(width, '0'), 16)));
  const { of } = point;
  return (data, first) => {
    const bits = raw(data, first);
    const number = read(bits);
    if (!Number.isFinite(number)) return { point: name, value: bits, quality: 'bad' };
    if (of) {
      const value = of[String(number)];
      return value === undefined ? { point: name, value: number, quality: 'bad' } : { point: name, value };
    }
    const scaled = number * scale + offset;
    const value =
      digits === undefined ? Number(scaled.toPrecision(FLOAT_DIGITS)) : Math.round(scaled * factor) / factor;
    return invalid.has(bits) ? { point: name, value, quality: 'bad' } : { point: name, value };
  };
}

/** The 16 or 32 bits of the point as an unsigned number, whatever order they travel in. */
function rawReader(point: NumberPoint): (data: Buffer, first: number) => number {
  const { address } = point;
  const order = point.order ?? (spanOf(point) === 2 ? 'ABCD' : 'AB');
  if (order.length === 2) {
    return order === 'AB'
      ? (data, first) => data.readUInt16BE((address - first) * 2)
      : (data, first) => data.readUInt16LE((address - first) * 2);
  }
  const [a = 0, b = 0, c = 0, d = 0] = [...'ABCD'].map((letter) => order.indexOf(letter));
  return (data, first) => {
    const at = (address - first) * 2;
    const byte = (n: number): number => data.readUInt8(at + n);
    return ((byte(a) << 24) | (byte(b) << 16) | (byte(c) << 8) | byte(d)) >>> 0;
  };
}

function interpreter(as: NumberPoint['as']): (bits: number) => number {
  const view = new DataView(new ArrayBuffer(4));
  switch (as) {
    case 'uint16':
    case 'uint32':
      return (bits) => bits;
    case 'int16':
      return (bits) => (bits << 16) >> 16;
    case 'int32':
      return (bits) => bits | 0;
    case 'float32':
      return (bits) => {
        view.setUint32(0, bits);
        return view.getFloat32(0);
      };
  }
}
