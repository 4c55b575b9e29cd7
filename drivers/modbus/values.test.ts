import { describe, expect, test } from 'vitest';
import type { Reading } from '../driver.ts';
import { decodeBlock, planPoint, planReads, splitBlock } from './planner.ts';
import type { Point } from './schema.ts';
import { compileReading } from './values.ts';

const read = (point: Point, bytes: string, first = 0): Reading =>
  compileReading('p', point)(Buffer.from(bytes.replaceAll(' ', ''), 'hex'), first);
const holding = { read: 'holding-register', address: 0 } as const;

describe('numbers', () => {
  test.each<[Point, string, number]>([
    [{ ...holding, as: 'uint16' }, 'fffe', 65_534],
    [{ ...holding, as: 'int16' }, 'fffe', -2],
    [{ ...holding, as: 'int16', order: 'BA' }, 'feff', -2],
    [{ ...holding, as: 'int16', scale: 0.1 }, '00fd', 25.3],
    [{ ...holding, as: 'int16', scale: 0.1 }, 'ff9c', -10],
    [{ ...holding, as: 'uint16', scale: 0.01, offset: -40 }, '1a2b', 26.99],
    [{ ...holding, as: 'uint32' }, '12345678', 0x12345678],
    [{ ...holding, as: 'uint32', order: 'CDAB' }, '56781234', 0x12345678],
    [{ ...holding, as: 'uint32', order: 'BADC' }, '34127856', 0x12345678],
    [{ ...holding, as: 'uint32', order: 'DCBA' }, '78563412', 0x12345678],
    [{ ...holding, as: 'int32' }, 'fffffffe', -2],
    [{ ...holding, as: 'float32' }, '41c90000', 25.125],
    [{ ...holding, as: 'float32', order: 'CDAB' }, '000041c9', 25.125],
    [{ ...holding, as: 'float32', order: 'BADC' }, 'c9410000', 25.125],
    [{ ...holding, as: 'float32', order: 'DCBA' }, '0000c941', 25.125],
    [{ ...holding, as: 'float32' }, '3dcccccd', 0.1],
    [{ ...holding, as: 'float32', decimals: 1 }, '42480ccd', 50],
  ])('%j of %s', (point, bytes, value) => {
    expect(read(point, bytes)).toEqual({ point: 'p', value });
  });

  test('the sentinel of the device is a bad reading, in whatever order it travels', () => {
    const point: Point = { ...holding, as: 'int16', scale: 0.1, invalid: ['7fff', 'ffff'] };
    expect(read(point, '7fff')).toMatchObject({ quality: 'bad' });
    expect(read(point, 'ffff')).toMatchObject({ quality: 'bad' });
    expect(read(point, '7ffe').quality).toBeUndefined();
    expect(read({ ...holding, as: 'uint32', order: 'DCBA', invalid: ['7fffffff'] }, 'ffffff7f').quality).toBe('bad');
    expect(read({ ...holding, as: 'float32' }, '7fc00000')).toMatchObject({ quality: 'bad', value: 0x7fc00000 });
  });
  test('an integer can mean a word', () => {
    const point: Point = { ...holding, as: 'uint16', of: { '0': 'closed', '2': 'open' } };
    expect(read(point, '0002')).toEqual({ point: 'p', value: 'open' });
    expect(read(point, '0007')).toEqual({ point: 'p', value: 7, quality: 'bad' });
  });
});

describe('bits', () => {
  test('one input, inverted or not, anywhere in the block', () => {
    const point: Point = { read: 'discrete-input', address: 10, as: 'bit' };
    expect(read(point, '0004', 0).value).toBe(true);
    expect(read({ ...point, invert: true }, '0004', 0).value).toBe(false);
    expect(read(point, '01', 10).value).toBe(true);
  });
  test('a bit of a register', () => {
    expect(read({ ...holding, bit: 0, as: 'bit' }, '0001').value).toBe(true);
    expect(read({ ...holding, bit: 15, as: 'bit' }, '8000').value).toBe(true);
    expect(read({ ...holding, address: 1, bit: 3, as: 'bit' }, 'fff70008').value).toBe(true);
  });
  test('several bits mean a word, and an unlisted pattern is bad', () => {
    const limits: Point = {
      read: 'discrete-input',
      address: 0,
      as: 'bits',
      count: 2,
      of: { '10': 'open', '01': 'closed', '00': 'between' },
    };
    expect(['01', '02', '00'].map((byte) => read(limits, byte).value)).toEqual(['open', 'closed', 'between']);
    expect(read(limits, '03')).toEqual({ point: 'p', value: '11', quality: 'bad' });
    const inRegister: Point = { ...holding, bit: 14, as: 'bits', count: 3, of: { '101': 'yes' } };
    expect(read(inRegister, '4000 0001').value).toBe('yes');
  });
});

describe('planning', () => {
  const plan = (points: Record<string, Point>) =>
    planReads(Object.entries(points).map(([name, point]) => planPoint(name, point)));
  const shape = (points: Record<string, Point>) => plan(points).map((b) => `${b.function}:${b.address}+${b.count}`);

  test('neighbours are read together, whatever their order in the profile', () => {
    expect(
      shape({
        c: { ...holding, address: 3, as: 'float32' },
        a: { ...holding, as: 'int16' },
        b: { ...holding, address: 1, as: 'uint32' },
      }),
    ).toEqual(['3:0+5']);
  });
  test('a hole, another function or another table separates', () => {
    expect(
      shape({
        a: { ...holding, as: 'int16' },
        b: { ...holding, address: 2, as: 'int16' },
        c: { read: 'input-register', address: 1, as: 'int16' },
        d: { read: 'coil', address: 0, as: 'bit' },
        e: { read: 'coil', address: 1, as: 'bit' },
      }),
    ).toEqual(['1:0+2', '3:0+1', '3:2+1', '4:1+1']);
  });
  test('no request is longer than Modbus allows', () => {
    const many = Object.fromEntries(
      Array.from({ length: 130 }, (_, i) => [`p${i}`, { ...holding, address: i, as: 'int16' } as Point]),
    );
    expect(shape(many)).toEqual(['3:0+125', '3:125+5']);
  });
  test('points that share registers share the request, and one block splits into single points', () => {
    const blocks = plan({
      low: { ...holding, bit: 0, as: 'bit' },
      high: { ...holding, bit: 1, as: 'bit' },
      next: { ...holding, address: 1, as: 'int16' },
    });
    expect(blocks).toHaveLength(1);
    expect(blocks.flatMap((block) => splitBlock(block)).map((b) => `${b.address}+${b.count}`)).toEqual([
      '0+1',
      '0+1',
      '1+1',
    ]);
    expect(blocks.flatMap((block) => decodeBlock(block, Buffer.from('0002fffe', 'hex')))).toEqual([
      { point: 'low', value: false },
      { point: 'high', value: true },
      { point: 'next', value: -2 },
    ]);
  });
});
