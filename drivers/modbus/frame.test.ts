import { describe, expect, test } from 'vitest';
import type { GatehouseError } from '../../runtime/errors.ts';
import {
  crcHolds,
  decodeAnswer,
  decodeRequest,
  encodeRtu,
  encodeTcp,
  type Request,
  wrapRtu,
  wrapTcp,
} from './frame.ts';
import { RtuReceiver, RtuRequestFramer, TcpFramer } from './framers.ts';

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');
const show = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const codeOf = (action: () => unknown): string => {
  try {
    action();
  } catch (error) {
    return (error as GatehouseError).code;
  }
  return 'nothing thrown';
};

// Frames as the manuals of relay boards and the Modbus specification print them.
const printed: [string, Request, string][] = [
  ['relay 1 on', { unit: 1, function: 5, address: 0, value: 0xff00 }, '01 05 00 00 FF 00 8C 3A'],
  ['relay 1 off', { unit: 1, function: 5, address: 0, value: 0 }, '01 05 00 00 00 00 CD CA'],
  ['read 8 relays', { unit: 1, function: 1, address: 0, count: 8 }, '01 01 00 00 00 08 3D CC'],
  ['read 8 inputs', { unit: 1, function: 2, address: 0, count: 8 }, '01 02 00 00 00 08 79 CC'],
  [
    'all relays on',
    { unit: 1, function: 15, address: 0, values: [1, 1, 1, 1, 1, 1, 1, 1] },
    '01 0F 00 00 00 08 01 FF BE D5',
  ],
  ['read 2 registers', { unit: 1, function: 3, address: 0, count: 2 }, '01 03 00 00 00 02 C4 0B'],
  ['flash on, 0.7 s', { unit: 1, function: 5, address: 0x200, value: 7 }, '01 05 02 00 00 07 8D B0'],
];

describe('requests', () => {
  test.each(printed)('%s is encoded and read back', (_, request, frame) => {
    expect(show(encodeRtu(request))).toBe(show(hex(frame)));
    expect(decodeRequest(1, hex(frame).subarray(1, -2))).toEqual(request);
  });

  test('a TCP request carries transaction, length and unit', () => {
    const bytes = encodeTcp({ unit: 17, function: 16, address: 1, values: [10, 0x102] }, 0x1501);
    expect(show(bytes)).toBe(show(hex('15 01 00 00 00 0b 11 10 00 01 00 02 04 00 0a 01 02')));
  });
});

describe('answers are compared field by field', () => {
  const read: Request = { unit: 1, function: 3, address: 0x6b, count: 3 };
  const write: Request = { unit: 1, function: 5, address: 0x200, value: 7 };

  test('a read gives its data bytes', () => {
    expect(show(decodeAnswer(read, 1, hex('03 06 02 2B 00 00 00 64')))).toBe('022b00000064');
  });
  test('another unit, function, length, byte count or echo is a mismatch', () => {
    const answer = hex('03 06 02 2B 00 00 00 64');
    expect(codeOf(() => decodeAnswer(read, 2, answer))).toBe('driver.mismatch');
    expect(codeOf(() => decodeAnswer({ ...read, function: 4 }, 1, answer))).toBe('driver.mismatch');
    expect(codeOf(() => decodeAnswer({ ...read, count: 2 }, 1, answer))).toBe('driver.mismatch');
    expect(codeOf(() => decodeAnswer(read, 1, hex('03 05 02 2B 00 00 00 64')))).toBe('driver.mismatch');
    expect(codeOf(() => decodeAnswer(write, 1, hex('05 02 01 00 07')))).toBe('driver.mismatch');
    expect(codeOf(() => decodeAnswer(write, 1, hex('05 02 00 00 08')))).toBe('driver.mismatch');
    expect(decodeAnswer(write, 1, hex('05 02 00 00 07'))).toHaveLength(0);
  });
  test('an exception names its code, and one from a wrong unit is no exception of ours', () => {
    const refused = (() => {
      try {
        return decodeAnswer(read, 1, hex('83 02'));
      } catch (error) {
        return error as GatehouseError;
      }
    })();
    expect(refused).toMatchObject({ code: 'driver.refused', detail: { exception: 2 } });
    expect(codeOf(() => decodeAnswer(read, 9, hex('83 02')))).toBe('driver.mismatch');
  });
});

describe('TCP framing', () => {
  const first = wrapTcp(7, 1, hex('03 02 00 2A'));
  const second = wrapTcp(8, 2, hex('83 02'));
  const stream = Buffer.concat([first, second]);
  const collect = () => {
    const seen: string[] = [];
    return { seen, deliver: (t: number, unit: number, pdu: Buffer) => seen.push(`${t}/${unit}/${show(pdu)}`) };
  };

  test('two frames in a segment, split at every byte', () => {
    for (let cut = 0; cut <= stream.length; cut++) {
      const framer = new TcpFramer();
      const { seen, deliver } = collect();
      framer.push(stream.subarray(0, cut), deliver);
      framer.push(stream.subarray(cut), deliver);
      expect(seen).toEqual(['7/1/0302002a', '8/2/8302']);
    }
  });
  test('byte by byte', () => {
    const framer = new TcpFramer();
    const { seen, deliver } = collect();
    for (const byte of stream) framer.push(Buffer.of(byte), deliver);
    expect(seen).toHaveLength(2);
  });
  test.each(['00 01 00 01 00 03 01 03 00', '00 01 00 00 00 01 01', '00 01 00 00 ff ff 01 03', 'ff'.repeat(40)])(
    'a header that cannot be is refused: %s',
    (bytes) => {
      expect(codeOf(() => new TcpFramer().push(hex(bytes), () => {}))).toBe('driver.frame');
    },
  );
});

describe('RTU framing, asking side', () => {
  const request: Request = { unit: 1, function: 3, address: 0, count: 2 };
  const answer = wrapRtu(1, hex('03 04 00 FA 02 58'));

  test('split at every byte, with junk in front', () => {
    const stream = Buffer.concat([hex('00 ff 01 03 04'), answer]);
    for (let cut = 0; cut < stream.length; cut++) {
      const receiver = new RtuReceiver();
      receiver.push(stream.subarray(0, cut));
      expect(receiver.take(request)).toBeUndefined();
      receiver.push(stream.subarray(cut));
      expect(receiver.take(request)).toMatchObject({ pdu: hex('03 04 00 FA 02 58'), junk: 5 });
    }
  });
  test('an answer of another unit before ours is passed over', () => {
    const receiver = new RtuReceiver();
    receiver.push(Buffer.concat([wrapRtu(2, hex('03 04 00 01 00 02')), answer]));
    expect(receiver.take(request)?.pdu).toEqual(hex('03 04 00 FA 02 58'));
  });
  test('says what it saw instead of an answer', () => {
    const receiver = new RtuReceiver();
    expect(receiver.diagnose(request, 1000).code).toBe('driver.timeout');
    receiver.push(answer.subarray(0, 5));
    expect(receiver.diagnose(request, 1000).code).toBe('driver.frame');
    receiver.clear();
    receiver.push(wrapRtu(2, hex('03 04 00 01 00 02')));
    expect(receiver.take(request)).toBeUndefined();
    expect(receiver.diagnose(request, 1000).code).toBe('driver.mismatch');
    receiver.clear();
    const damaged = Buffer.from(answer);
    damaged[4] = 0;
    receiver.push(damaged);
    expect(receiver.take(request)).toBeUndefined();
    expect(receiver.diagnose(request, 1000).code).toBe('driver.frame');
  });
  test('a flood of junk neither grows nor hides the answer behind it', () => {
    const receiver = new RtuReceiver();
    for (let i = 0; i < 1000; i++) receiver.push(Buffer.alloc(700, 1));
    receiver.push(answer);
    expect(receiver.take(request)?.pdu).toEqual(hex('03 04 00 FA 02 58'));
    expect(receiver.received).toBe(0);
  });
});

describe('RTU framing, answering side', () => {
  const pulse = hex('01 05 02 00 00 07 8D B0');
  const many = hex('01 0F 00 00 00 08 01 FF BE D5');
  const collect = () => {
    const seen: string[] = [];
    return { seen, deliver: (unit: number, pdu: Buffer) => seen.push(`${unit}/${show(pdu)}`) };
  };

  test('two requests and junk, split at every byte', () => {
    const stream = Buffer.concat([hex('ff 00'), pulse, many]);
    for (let cut = 0; cut <= stream.length; cut++) {
      const framer = new RtuRequestFramer();
      const { seen, deliver } = collect();
      framer.push(stream.subarray(0, cut), deliver);
      framer.push(stream.subarray(cut), deliver);
      expect(seen).toEqual(['1/0502000007', '1/0f0000000801ff']);
    }
  });
  test('after silence a request behind half a frame is found', () => {
    const framer = new RtuRequestFramer();
    const { seen, deliver } = collect();
    framer.push(Buffer.concat([hex('01 0F 00 00 00 08 FF'), pulse]), deliver);
    expect(seen).toEqual([]);
    framer.flush(deliver);
    expect(seen).toEqual(['1/0502000007']);
  });
  test('an unknown function with a checksum that holds is handed on, to be refused', () => {
    const framer = new RtuRequestFramer();
    const { seen, deliver } = collect();
    framer.push(wrapRtu(3, hex('2B 0E 01 00')), deliver);
    expect(seen).toEqual(['3/2b0e0100']);
  });
});

test('a checksum that does not hold is seen in every single byte', () => {
  const frame = hex('01 03 04 00 FA 02 58 00 00');
  const good = wrapRtu(1, frame.subarray(1, -2));
  expect(crcHolds(good, 0, good.length)).toBe(true);
  for (let i = 0; i < good.length; i++) {
    const bad = Buffer.from(good);
    bad[i] = (bad[i] ?? 0) ^ 0x10;
    expect(crcHolds(bad, 0, bad.length)).toBe(false);
  }
});
