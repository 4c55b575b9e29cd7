/** Which requests read a set of points: as few as possible, and never an address nobody asked for. */
import type { Reading } from '../driver.ts';
import { MAX_BITS, MAX_REGISTERS, type ReadFunction } from './frame.ts';
import type { Point } from './schema.ts';
import { compileReading, type Decode, functionOf, spanOf } from './values.ts';

export interface PlannedPoint {
  readonly name: string;
  readonly function: ReadFunction;
  readonly address: number;
  readonly span: number;
  readonly decode: Decode;
}

/** One request and the points its answer holds. */
export interface Block {
  readonly function: ReadFunction;
  readonly address: number;
  readonly count: number;
  readonly points: readonly PlannedPoint[];
}

export const planPoint = (name: string, point: Point): PlannedPoint => ({
  name,
  function: functionOf[point.read],
  address: point.address,
  span: spanOf(point),
  decode: compileReading(name, point),
});

/**
 * Joins neighbours of one function. Across a hole nothing is joined: many devices answer exception 2 for the whole
 * block when one register of it is not mapped.
 */
export function planReads(points: Iterable<PlannedPoint>): Block[] {
  const sorted = [...points].sort((a, b) => a.function - b.function || a.address - b.address || a.span - b.span);
  const blocks: { function: ReadFunction; address: number; count: number; points: PlannedPoint[] }[] = [];
  for (const point of sorted) {
    const last = blocks.at(-1);
    const end = point.address + point.span;
    const limit = point.function <= 2 ? MAX_BITS : MAX_REGISTERS;
    if (
      last &&
      last.function === point.function &&
      point.address <= last.address + last.count &&
      end - last.address <= limit
    ) {
      last.count = Math.max(last.count, end - last.address);
      last.points.push(point);
    } else {
      blocks.push({ function: point.function, address: point.address, count: point.span, points: [point] });
    }
  }
  return blocks;
}

/** One request per point, for a device that refuses the joined one. */
export const splitBlock = (block: Block): Block[] => block.points.flatMap((point) => planReads([point]));

export const decodeBlock = (block: Block, data: Buffer): Reading[] =>
  block.points.map((point) => point.decode(data, block.address));
