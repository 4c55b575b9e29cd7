import { expect, test } from 'vitest';
import { createFrameMeter } from './frames.ts';

const packet = (type: number, body: number) => {
  const length: number[] = [];
  for (let left = body; ; ) {
    const more = left >> 7;
    length.push((left & 0x7f) | (more ? 0x80 : 0));
    if (!more) break;
    left = more;
  }
  return Buffer.concat([Buffer.from([type << 4, ...length]), Buffer.alloc(body, 0xff)]);
};
const stream = Buffer.concat([
  packet(1, 20),
  packet(12, 0),
  packet(3, 127),
  packet(3, 128),
  packet(3, 20_000),
  packet(14, 0),
]);
const expected = [
  [1, 22, 0],
  [12, 2, 1],
  [3, 129, 2],
  [3, 131, 3],
  [3, 20_004, 4],
  [14, 2, 5],
];

test.each([1, 2, 3, 7, 100, 1024, stream.length])('finds the same packets in pieces of %i bytes', (size) => {
  const seen: number[][] = [];
  const meter = createFrameMeter((type, bytes, index) => {
    seen.push([type, bytes, index]);
    return undefined;
  });
  let first = 0;
  for (let at = 0; at < stream.length; at += size) {
    const walked = meter.feed(stream.subarray(at, at + size));
    if ('fault' in walked) throw new Error(walked.fault);
    first += walked.first;
  }
  expect(seen).toEqual(expected);
  expect(first).toBe(22);
});

test('refuses a packet by its header, before its body has come', () => {
  const meter = createFrameMeter((_type, bytes) => (bytes > 1000 ? 'too large' : undefined));
  expect(meter.feed(packet(3, 2000).subarray(0, 3))).toEqual({ fault: 'too large' });
});

test('refuses a length of five bytes', () => {
  const meter = createFrameMeter(() => undefined);
  expect(meter.feed(Buffer.from([0x10, 0xff, 0xff, 0xff, 0xff, 0x01]))).toHaveProperty('fault');
});
