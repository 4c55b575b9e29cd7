import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { zstdDecompressSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { systemClock } from '../clock.ts';
import type { Draft, JournalRecord, Lane } from '../contracts/record.ts';
import { openCursor } from '../journal/cursors.ts';
import { Journal } from '../journal/journal.ts';
import { silentLog } from '../log.ts';
import { type Ask, type Drain, openDrain, type Piece } from './drain.ts';
import { createSendLane, type Flight, type Limits } from './lane.ts';
import type { RecordFilter } from './reader.ts';

let directory: string;
let journal: Journal;
let drain: Drain;
let now = 0;
const clock = { ...systemClock, mono: () => now };
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'gh-lane-'));
  journal = await Journal.open({ directory, clock: systemClock, log: silentLog });
  drain = openDrain(journal, systemClock);
  now = 0;
});
afterEach(async () => {
  await drain.close();
  await journal[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true, force: true });
});

const BIG = 1 << 20;
const ROOMY: Limits = { most: BIG, hard: BIG, zstd: false };

function lane(lingerMs = 0, filter: RecordFilter & { lanes: readonly Lane[] } = { lanes: ['L1'] }) {
  const cursor = openCursor(journal, 'test');
  const asked: Ask[] = [];
  let open = 0;
  let arrived = () => {};
  const made = createSendLane({
    uplink: 'main',
    journal,
    drain: {
      read(ask, urgency): Promise<readonly Piece[]> {
        asked.push(ask);
        open++;
        return drain.read(ask, urgency).finally(() => open--);
      },
    },
    urgency: 'urgent',
    cursor,
    filter,
    clock,
    log: silentLog,
    lingerMs,
    countsOld: false,
    wake: () => arrived(),
  });
  made.reset(true);
  /** Has made what can be made, until nothing more is asked for. */
  async function fill(limits = ROOMY): Promise<void> {
    for (;;) {
      made.fill(limits);
      if (open === 0) return;
      await new Promise<void>((resolve) => {
        arrived = resolve;
      });
    }
  }
  return { ...made, made, cursor, asked, fill };
}
const record = (name: Lane, data: unknown = 1): Draft => ({
  lane: name,
  kind: name === 'L3' ? 'telemetry' : 'event',
  scenario: 'vehicle-gate',
  device: 'd',
  name: 'n',
  data,
});
const many = (count: number, name: Lane = 'L1', data?: unknown) =>
  Array.from({ length: count }, () => record(name, data));

/** The records of a batch, however it was made. */
function recordsOf({ content }: Flight): JournalRecord[] {
  if (!(content instanceof Uint8Array)) return content.map((text) => JSON.parse(text) as JournalRecord);
  const plain = content[0] === 0x28 ? zstdDecompressSync(content) : Buffer.from(content);
  return (JSON.parse(plain.toString()) as { records: JournalRecord[] }).records;
}
const shape = (flight: Flight) => [flight.after, flight.through, recordsOf(flight).length];

describe('batches', () => {
  test('join without a hole, whatever ends them: count, bytes, or nothing more', async () => {
    await journal.append(...many(1200));
    const { take, fill, due, asked } = lane();
    await fill({ ...ROOMY, most: 60_000 });
    const flights: Flight[] = [];
    while (due(BIG)) {
      flights.push(take(BIG, BIG));
      await fill({ ...ROOMY, most: 60_000 });
    }
    expect(flights.every(({ bytes }) => bytes <= 60_000)).toBe(true);
    expect(flights.flatMap(recordsOf)).toEqual(readAll());
    expect(flights.map(({ after }) => after)).toEqual([0, ...flights.slice(0, -1).map(({ through }) => through)]);
    expect(flights.at(-1)?.through).toBe(1201);
    expect(asked.length).toBeLessThan(12);
  });

  test('hold at most 500 records, and a few of them lie ready, not the whole journal', async () => {
    await journal.append(...many(6000));
    const { take, fill, due } = lane();
    await fill();
    const ready: number[] = [];
    while (due(BIG)) ready.push(recordsOf(take(BIG, BIG)).length);
    expect(ready.length).toBeLessThanOrEqual(8);
    expect(new Set(ready)).toEqual(new Set([500]));
  });

  test('have at least one record, and one that is too large for the receiver leaves its place', async () => {
    await journal.append(record('L1', 'a'), record('L1', 'x'.repeat(5000)), record('L1', 'b'));
    const { made, take, fill } = lane();
    const alone = { ...ROOMY, most: 1500 };
    await fill(alone);
    const first = [take(BIG, BIG), take(BIG, BIG), take(BIG, BIG)];
    expect(first.flatMap(recordsOf)).toEqual(readAll());
    expect(recordsOf(first[1] as Flight)).toHaveLength(1);
    made.reset(true);
    await fill({ ...alone, hard: 1000 });
    const second = [take(BIG, BIG), take(BIG, BIG), take(BIG, BIG)].flatMap(recordsOf);
    expect(second.map(({ seq }) => seq)).toEqual([2, 3, 4]);
    expect(second[1]).toMatchObject({ data: { omittedBytes: expect.any(Number) }, quality: 'bad' });
  });

  test('are the same whether they come straight from the commit or out of the file, compressed or not', async () => {
    const odd = ['"\\\u0000\u001f\u007f', '\u2028门岗🚗', '\ufeff', { ['__proto__']: [null, 1e21, -0] }];
    const { made, take, fill, heard } = lane();
    await fill();
    journal.onCommit(heard);
    for (const data of odd) await journal.append(record('L1', data));
    const live = recordsOf(take(BIG, BIG));
    made.reset(true);
    await fill();
    const read = take(BIG, BIG);
    made.reset(true);
    await fill({ ...ROOMY, zstd: true });
    const packed = take(BIG, BIG);
    expect(recordsOf(read)).toEqual(live);
    expect(recordsOf(packed)).toEqual(live);
    expect(live).toEqual(readAll());
  });

  test('that compress badly are still no larger than the receiver takes, and hold fewer records', async () => {
    const noise = () => randomBytes(600).toString('base64');
    await journal.append(...Array.from({ length: 600 }, () => record('L1', noise())), ...many(1500));
    const { take, fill, due } = lane();
    const limits = { ...ROOMY, most: 60_000, zstd: true };
    await fill(limits);
    const flights: Flight[] = [];
    while (due(BIG)) {
      flights.push(take(BIG, BIG));
      await fill(limits);
    }
    expect(flights.flatMap(recordsOf)).toEqual(readAll());
    expect(flights.every(({ content }) => content instanceof Uint8Array && content.length <= 60_000)).toBe(true);
    expect(Math.max(...flights.map((flight) => recordsOf(flight).length))).toBeGreaterThan(200);
  });

  test('bulk waits for more, but not longer than it may', async () => {
    const { due, dueIn, heard, fill } = lane(100);
    await fill();
    journal.onCommit(heard);
    await journal.append(record('L1'));
    expect([due(BIG), dueIn()]).toEqual([false, 100]);
    now = 60;
    await journal.append(record('L1'));
    expect([due(BIG), dueIn()]).toEqual([false, 40]);
    now = 100;
    expect(due(BIG)).toBe(true);
    expect(due(10)).toBe(true); // and at once when it is full
  });

  test('a stretch without any of its records is told after 5,000 places or a minute', async () => {
    const { due, heard, take, fill } = lane();
    await fill();
    journal.onCommit(heard);
    await journal.append(...many(4000, 'L3'));
    await fill();
    expect(due(BIG)).toBe(false);
    now = 60_000;
    expect(due(BIG)).toBe(true);
    expect(shape(take(BIG, BIG))).toEqual([0, 4001, 0]);
    expect(due(BIG)).toBe(false);
    await journal.append(...many(5000, 'L3'));
    await fill();
    expect(due(BIG)).toBe(true);
    expect(shape(take(BIG, BIG))).toEqual([4001, 9001, 0]);
  });

  test('made for a fast line are made anew, smaller, when it has become slow', async () => {
    await journal.append(...many(1500));
    const { take, fill } = lane();
    await fill();
    const first = take(BIG, BIG);
    await fill({ ...ROOMY, most: 4096 });
    const second = take(BIG, BIG);
    expect(second.after).toBe(first.through);
    expect(second.bytes).toBeLessThanOrEqual(4096);
  });
});

describe('the saved place', () => {
  test('moves only over batches acknowledged in order', async () => {
    await journal.append(...many(1500));
    const { made, take, acked, cursor, fill } = lane();
    await fill();
    const [first, second, third] = [take(BIG, BIG), take(BIG, BIG), take(BIG, BIG)];
    acked(third);
    acked(second);
    await made.flush();
    expect(cursor.position.seq).toBe(0);
    acked(first);
    await made.flush();
    expect(cursor.position.seq).toBe(1501);
    expect(made.inFlight).toBe(0);
  });

  test('is where a new connection goes on, and a late acknowledgement of the old one means nothing', async () => {
    await journal.append(...many(700));
    const { made, take, acked, fill } = lane();
    await fill();
    const [first, second] = [take(BIG, BIG), take(BIG, BIG)];
    acked(first);
    made.reset(true);
    acked(second);
    await made.flush();
    await fill();
    expect(shape(take(BIG, BIG))).toEqual([first.through, 701, 200]);
  });

  test('is saved a few times a second at most, and always in the end', async () => {
    await journal.append(...many(50));
    const { made, take, acked, cursor, fill } = lane();
    const advance = vi.spyOn(cursor, 'advance');
    for (let n = 0; n < 50; n++) {
      await fill({ ...ROOMY, most: 1 });
      acked(take(1, BIG));
    }
    await made.flush();
    expect(cursor.position.seq).toBe(51);
    expect(advance.mock.calls.length).toBeLessThan(25);
  });
});

describe('new records', () => {
  test('are not read from the disk: what is committed is handed on', async () => {
    const { heard, take, fill, asked } = lane();
    await fill();
    const before = asked.length;
    journal.onCommit(heard);
    await journal.append(record('L1', 'a'), record('L3', 2), record('L1', 'b'));
    expect(shape(take(BIG, BIG))).toEqual([0, 4, 2]);
    await fill();
    expect(asked.length).toBe(before);
  });

  test('that come while the end of the journal is being read follow right behind', async () => {
    await journal.append(...many(30));
    const { made, heard, take, fill } = lane();
    journal.onCommit(heard);
    made.fill(ROOMY);
    await journal.append(record('L1', 'a'), record('L3'), record('L1', 'b'));
    await fill();
    expect([take(BIG, BIG), take(BIG, BIG)].map(shape)).toEqual([
      [0, 31, 30],
      [31, 34, 2],
    ]);
  });

  test('that nobody can take are not kept without end: they are read again when there is room', async () => {
    const { heard, take, fill, asked, due } = lane();
    await fill();
    journal.onCommit(heard);
    for (let n = 0; n < 5; n++) await journal.append(...many(500));
    const before = asked.length;
    const found: number[] = [];
    while (due(1)) {
      found.push(...recordsOf(take(BIG, BIG)).map(({ seq }) => seq));
      await fill();
    }
    expect(found).toEqual(Array.from({ length: 2500 }, (_, n) => n + 2));
    expect(asked.length).toBeGreaterThan(before);
  });
});

test('the backlog counts what waits, and no longer what a gap has taken', async () => {
  const { made, heard, take, acked, backlog, fill } = lane(0, { lanes: ['L3'] });
  await fill();
  journal.onCommit(heard);
  await journal.append(...many(10, 'L3'));
  expect(backlog()).toBe(10);
  const data = { lane: 'L3', epoch: 1, from: 2, to: 5, count: 4, undelivered: { main: 4 }, reason: 'space' };
  await journal.append({ ...record('L0', data), kind: 'gap', name: 'buffer.gap' });
  expect(backlog()).toBe(6);
  made.reset(true);
  await fill();
  acked(take(BIG, BIG));
  expect(backlog()).toBe(0);
});

const readAll = () => {
  const all: JournalRecord[] = [];
  for (let after = { epoch: 0, seq: 0 }; ; ) {
    const { items, next } = journal.read({ after, lane: ['L1'], limit: 500 });
    all.push(...items);
    const last = items.at(-1);
    if (!next || !last) return all;
    after = { epoch: last.epoch, seq: last.seq };
  }
};
