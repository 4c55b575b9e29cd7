/** What a message may claim, and what is not believed. */
import { zstdCompressSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { isAbridged, readMessage, sameButAbridged } from './message.ts';
import { batch, record, topicOf } from './testing/gateway.ts';

const read = (topic: string, body: unknown) =>
  readMessage({ topic, payload: Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)) });
const urgent = topicOf('up/urgent');
const whole = batch({ after: 0, through: 3, records: [record(1, 'L0'), record(3, 'L1')] });

test('a batch is read, from JSON or from a zstd frame, with the digest of each record', () => {
  const plain = read(urgent, whole);
  const packed = readMessage({ topic: urgent, payload: zstdCompressSync(JSON.stringify(whole)) });
  expect(packed).toEqual(plain);
  expect(plain).toMatchObject({ type: 'batch', gateway: 'gh-1', epoch: 1, after: 0, through: 3, chain: 'urgent' });
});

test('the digest is of the content, not of the order it was written in', () => {
  const [first] = [record(1, 'L0', { data: { a: 1, b: [{ c: 2, d: null }] } })];
  const turned = Object.fromEntries(Object.entries({ ...first, data: { b: [{ d: null, c: 2 }], a: 1 } }).reverse());
  const digestOf = (one: unknown) => {
    const message = read(urgent, batch({ after: 0, through: 1, records: [one] }));
    return message.type === 'batch' ? message.records[0]?.digest.toString('hex') : undefined;
  };
  expect(digestOf(turned)).toBe(digestOf(first));
  expect(digestOf({ ...first, data: { a: 1, b: [{ c: 3, d: null }] } })).not.toBe(digestOf(first));
  expect(digestOf(first)).toBeDefined();
});

describe('not believed:', () => {
  test.each([
    ['no JSON', urgent, '{"gateway":'],
    ['a torn zstd frame', urgent, String.fromCharCode(0x28, 0xb5)],
    ['a batch of another gateway than its topic', topicOf('up/urgent', 'gh-2'), whole],
    [
      'a record of another gateway',
      urgent,
      batch({ after: 0, through: 1, records: [record(1, 'L0', { gateway: 'gh-2' })] }),
    ],
    ['a record of another epoch', urgent, batch({ after: 0, through: 1, records: [record(1, 'L0', { epoch: 2 })] })],
    ['a record before its stretch', urgent, batch({ after: 1, through: 2, records: [record(1, 'L0')] })],
    ['a record behind its stretch', urgent, batch({ after: 0, through: 1, records: [record(2, 'L0')] })],
    ['records out of order', urgent, batch({ after: 0, through: 2, records: [record(2, 'L0'), record(1, 'L0')] })],
    ['a record twice', urgent, batch({ after: 0, through: 2, records: [record(2, 'L0'), record(2, 'L0')] })],
    ['a record of the other chain', urgent, batch({ after: 0, through: 1, records: [record(1, 'L3')] })],
    ['a stretch that runs backwards', urgent, batch({ after: 2, through: 1 })],
    ['a number too large', urgent, batch({ after: 0, through: 2 ** 53 })],
    ['a record that is none', urgent, batch({ after: 0, through: 1, records: [{ seq: 1 }] })],
    ['a reply to nothing', topicOf('up/reply'), batch({ after: 0, through: 1 })],
    ['a status without state', topicOf('status'), { gateway: 'gh-1' }],
    ['a topic that is none', 'gatehouse/v1/site/gh-1/up/other', whole],
    ['a level no gateway has', 'gatehouse/v1/site/gh 1/up/urgent', whole],
    [
      'a gap record that is none',
      topicOf('up/reply'),
      { ...batch({ after: 0, through: 1 }), replay: 'x', gaps: [record(1, 'L0')] },
    ],
  ])('%s', (_what, topic, body) => {
    expect(read(topic, body)).toMatchObject({ type: 'poison', topic, reason: expect.stringMatching(/./) });
  });

  test('a bomb, before it is unpacked', () => {
    const payload = zstdCompressSync(Buffer.alloc(64 << 20, ' '));
    expect(payload.length).toBeLessThan(100_000);
    expect(readMessage({ topic: urgent, payload })).toMatchObject({ type: 'poison' });
  });
});

test('what other platforms send down and answers to their commands are none of our business', () => {
  expect(read(topicOf('down/replay'), '{}')).toEqual({ type: 'other' });
  expect(read(topicOf('up/reply'), { gateway: 'gh-1', command: 'c', state: 'refused' })).toEqual({ type: 'other' });
  expect(read(topicOf('status'), '')).toEqual({ type: 'other' });
});

test('a status tells how far the journal is and what is sent of it', () => {
  const filter = { lanes: ['L0', 'L1'], scenarios: ['vehicle-gate'] };
  expect(read(topicOf('status'), { gateway: 'gh-1', state: 'online', epoch: 2, head: 7, filter })).toMatchObject({
    ...{ type: 'status', state: 'online', epoch: 2, head: 7, lanes: ['L0', 'L1'], everything: false },
  });
  expect(read(topicOf('status'), { gateway: 'gh-1', state: 'offline' })).toEqual({
    ...{ type: 'status', site: 'site', gateway: 'gh-1', state: 'offline' },
  });
});

test('a record without its data is the same record, but only that way round', () => {
  const full = record(1, 'L1', { data: { plate: '粤B12345' } });
  const short = record(1, 'L1', { data: { omittedBytes: 400_000 }, quality: 'bad' });
  expect([isAbridged(full), isAbridged(short)]).toEqual([false, true]);
  expect(sameButAbridged(full, short)).toBe(true);
  expect(sameButAbridged(short, full)).toBe(true);
  expect(sameButAbridged(short, { ...full, name: 'other' })).toBe(false);
  expect(sameButAbridged(full, { ...full, data: 1 })).toBe(false);
});
