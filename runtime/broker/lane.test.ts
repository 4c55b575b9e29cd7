import { EventEmitter } from 'node:events';
import { expect, test } from 'vitest';
import { manualClock } from '../../test/manual-clock.ts';
import type { Frame } from './cutter.ts';
import { openLane } from './lane.ts';

const TOPIC = 'gatehouse/devices/smoke-1/up/event';

interface Given {
  readonly qos?: number;
  readonly id?: number;
  readonly payload?: string;
  readonly type?: number;
}

function frame(topic: string | Buffer, { qos = 1, id = 7, payload = 'x', type = 3 }: Given = {}): Frame {
  const name = Buffer.from(topic);
  const bytes = Buffer.concat([
    Buffer.from([(type << 4) | (qos << 1), 0, name.length >> 8, name.length & 0xff]),
    name,
    qos > 0 ? Buffer.from([id >> 8, id & 0xff]) : Buffer.alloc(0),
    Buffer.from(payload),
  ]);
  return { bytes, start: 0, body: 2, end: bytes.length };
}

class StandInSocket extends EventEmitter {
  readonly written: Buffer[] = [];
  readonly waits: boolean[] = [];
  drains = true;
  destroyed = false;
  write(bytes: Buffer): boolean {
    this.written.push(bytes);
    return this.drains;
  }
  wait(waits: boolean): void {
    this.waits.push(waits);
  }
  destroy(): void {
    this.destroyed = true;
  }
}

function open(listened: ReadonlySet<string> = new Set()) {
  const socket = new StandInSocket();
  const clock = manualClock();
  const taken: { topic: string; payload: string; done: (error?: unknown) => void }[] = [];
  const lane = openLane({
    socket,
    topics: [TOPIC],
    listened,
    clock,
    drainMs: 10_000,
    judge: (_topic, error, done) => done(error === 'unusable' ? undefined : new Error(String(error))),
    take: (topic, payload, done) => taken.push({ topic, payload: payload.toString(), done }),
  });
  return { socket, clock, taken, lane };
}
const turn = () => new Promise<void>((resolve) => queueMicrotask(resolve));

test('takes what a device may publish, and answers QoS 1 alone, in one write for what is settled together', async () => {
  const { lane, taken, socket } = open();
  expect([frame(TOPIC, { qos: 0 }), frame(TOPIC, { id: 0x102 }), frame(TOPIC, { id: 2 })].map(lane)).toEqual([
    true,
    true,
    true,
  ]);
  expect(taken.map(({ topic, payload }) => [topic, payload])).toEqual(Array(3).fill([TOPIC, 'x']));
  await turn();
  expect(socket.written).toEqual([]);
  for (const { done } of taken) done();
  await turn();
  expect(socket.written).toEqual([Buffer.from([0x40, 2, 1, 2, 0x40, 2, 0, 2])]);
});

test.each([
  ['a foreign topic', frame(`${TOPIC}/more`)],
  ['a topic that only begins like its own', frame(TOPIC.slice(0, -1))],
  ['QoS 2', frame(TOPIC, { qos: 2 })],
  ['QoS 3', frame(TOPIC, { qos: 3 })],
  ['packet id 0', frame(TOPIC, { id: 0 })],
  ['a subscription', frame(TOPIC, { type: 8 })],
  ['no room for its topic', { ...frame(TOPIC), end: 20 }],
  ['no room for its id', { ...frame(TOPIC, { payload: '' }), end: 4 + TOPIC.length }],
  ['no content at all', { ...frame(TOPIC), end: 2 }],
])('leaves %s to the library', (_what, one) => {
  const { lane, taken } = open();
  expect(lane(one)).toBe(false);
  expect(taken).toEqual([]);
});

test('leaves a topic to the library that another device listens to', () => {
  expect(open(new Set([TOPIC])).lane(frame(TOPIC))).toBe(false);
});

test('R1 a message that could not be stored has no PUBACK, and the connection ends', async () => {
  const { lane, taken, socket } = open();
  lane(frame(TOPIC));
  taken[0]?.done(new Error('disk full'));
  await turn();
  expect(socket.written).toEqual([]);
  expect(socket.destroyed).toBe(true);
});

test('a message that can never be used is acknowledged', async () => {
  const { lane, taken, socket } = open();
  lane(frame(TOPIC));
  taken[0]?.done('unusable');
  await turn();
  expect(socket.written).toEqual([Buffer.from([0x40, 2, 0, 7])]);
});

test('PUBACKs that a device leaves unread stop it, and end it after a while', async () => {
  const { lane, taken, socket, clock } = open();
  socket.drains = false;
  lane(frame(TOPIC));
  taken[0]?.done();
  await turn();
  expect(socket.waits).toEqual([true]);
  socket.drains = true;
  socket.emit('drain');
  expect(socket.waits).toEqual([true, false]);
  await clock.advance(20_000);
  expect(socket.destroyed).toBe(false);
  socket.drains = false;
  lane(frame(TOPIC));
  taken[1]?.done();
  await turn();
  await clock.advance(10_000);
  expect(socket.destroyed).toBe(true);
});
