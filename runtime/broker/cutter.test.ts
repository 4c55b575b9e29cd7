import { expect, test } from 'vitest';
import { createCutter } from './cutter.ts';

const packet = (type: number, body: number) => {
  const length: number[] = [];
  for (let left = body; ; ) {
    const more = left >> 7;
    length.push((left & 0x7f) | (more ? 0x80 : 0));
    if (!more) break;
    left = more;
  }
  return Buffer.concat([Buffer.from([type << 4, ...length]), Buffer.alloc(body, body)]);
};
const packets = [packet(1, 20), packet(12, 0), packet(3, 127), packet(3, 128), packet(3, 20_000), packet(14, 0)];
const stream = Buffer.concat(packets);

function cut(chunks: readonly Buffer[], refuse: Parameters<typeof createCutter>[0]) {
  const cutter = createCutter(refuse);
  const found: { bytes: Buffer; body: number }[] = [];
  for (const chunk of chunks) {
    for (let at = 0; ; ) {
      const next = cutter.next(chunk, at);
      if (typeof next === 'string') return { found, fault: next };
      if (next === undefined) break;
      const { bytes, start, body, end } = cutter.frame;
      found.push({ bytes: Buffer.from(bytes.subarray(start, end)), body: body - start });
      at = next;
    }
  }
  return { found, fault: undefined };
}
const pieces = (bytes: Buffer, size: number) =>
  Array.from({ length: Math.ceil(bytes.length / size) }, (_, n) => bytes.subarray(n * size, (n + 1) * size));

test.each([1, 2, 3, 4, 5, 7, 100, 129, 1024, stream.length])(
  'cuts the same packets from pieces of %i bytes',
  (size) => {
    const asked: number[][] = [];
    const { found, fault } = cut(pieces(stream, size), (...header) => {
      asked.push(header);
      return undefined;
    });
    expect(fault).toBeUndefined();
    expect(found.map(({ bytes }) => bytes)).toEqual(packets);
    expect(found.map(({ body }) => body)).toEqual([2, 2, 2, 3, 4, 2]);
    expect(asked).toEqual([1, 12, 3, 3, 3, 14].map((type, index) => [type, packets[index]?.length, index]));
  },
);

test.each([1, 3, 2003])('refuses a packet by its header, before its body is kept: pieces of %i bytes', (size) => {
  const bytes = Buffer.concat([packet(12, 0), packet(3, 2000).subarray(0, 3)]);
  const { found, fault } = cut(pieces(bytes, size), (_type, whole) => (whole > 1000 ? `${whole} bytes` : undefined));
  expect(found).toHaveLength(1);
  expect(fault).toBe('2003 bytes');
});

test.each([1, 6])('refuses a length of five bytes: pieces of %i bytes', (size) => {
  const { fault } = cut(pieces(Buffer.from([0x10, 0xff, 0xff, 0xff, 0xff, 0x01]), size), () => undefined);
  expect(fault).toMatch(/four bytes/);
});
