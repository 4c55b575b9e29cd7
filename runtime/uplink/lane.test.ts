import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { systemClock } from '../clock.ts';
import type { Draft, Lane } from '../contracts/record.ts';
import { openCursor } from '../journal/cursors.ts';
import { Journal } from '../journal/journal.ts';
import { silentLog } from '../log.ts';
import { createSendLane } from './lane.ts';

let directory: string;
let journal: Journal;
let now = 0;
const clock = { ...systemClock, mono: () => now };
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'gh-lane-'));
  journal = await Journal.open({ directory, clock: systemClock, log: silentLog });
  now = 0;
});
afterEach(async () => {
  await journal[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true, force: true });
});
const lane = (lingerMs = 0, lanes: Lane[] = ['L1']) => {
  const cursor = openCursor(journal, 'test');
  const made = createSendLane({
    journal,
    cursor,
    filter: { lanes },
    clock,
    log: silentLog,
    lingerMs,
    countsOld: false,
  });
  made.reset(true);
  return { ...made, made, cursor };
};
const record = (name: Lane, data: unknown = 1): Draft => ({
  lane: name,
  kind: name === 'L3' ? 'telemetry' : 'event',
  scenario: 'vehicle-gate',
  device: 'd',
  name: 'n',
  data,
});
const fillAll = ({ fill }: { fill(): boolean }) => {
  while (fill());
};
const BIG = 1 << 20;
const shape = ({ after, through, records }: { after: number; through: number; records: readonly string[] }) => [
  after,
  through,
  records.length,
];

describe('batches', () => {
  test('join without a hole, whatever ends them: count, bytes, or nothing more', async () => {
    await journal.append(...Array.from({ length: 1200 }, () => record('L1')));
    const { made, take } = lane();
    fillAll(made);
    const first = take(BIG, BIG);
    fillAll(made);
    const second = take(4096, BIG);
    fillAll(made);
    const third = take(BIG, BIG);
    expect(first.records).toHaveLength(500);
    expect(second.records.join(',').length).toBeLessThanOrEqual(4096);
    expect([first.after, second.after, third.after]).toEqual([0, first.through, second.through]);
  });

  test('take at least one record, and one that is too large for the receiver leaves its place', async () => {
    await journal.append(record('L1', 'x'.repeat(5000)));
    const { made, take } = lane();
    fillAll(made);
    expect(take(100, BIG).records[0]).toContain('xxxx');
    made.reset(true);
    fillAll(made);
    const { records } = take(100, 1000);
    expect(JSON.parse(records[0] ?? '')).toMatchObject({
      seq: 2,
      data: { omittedBytes: expect.any(Number) },
      quality: 'bad',
    });
  });

  test('bulk waits for more, but not longer than it may', async () => {
    const { made, due, dueIn, heard } = lane(100);
    fillAll(made);
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
    const { made, due, heard, take } = lane();
    fillAll(made);
    journal.onCommit(heard);
    await journal.append(...Array.from({ length: 4000 }, () => record('L3')));
    fillAll(made);
    expect(due(BIG)).toBe(false);
    now = 60_000;
    expect(due(BIG)).toBe(true);
    expect(shape(take(BIG, BIG))).toEqual([0, 4001, 0]);
    expect(due(BIG)).toBe(false);
    await journal.append(...Array.from({ length: 5000 }, () => record('L3')));
    fillAll(made);
    expect(due(BIG)).toBe(true);
    expect(shape(take(BIG, BIG))).toEqual([4001, 9001, 0]);
  });
});

describe('the saved place', () => {
  test('moves only over batches acknowledged in order', async () => {
    await journal.append(...Array.from({ length: 1500 }, () => record('L1')));
    const { made, take, acked, cursor } = lane();
    const flights = Array.from({ length: 3 }, () => {
      fillAll(made);
      return take(BIG, BIG);
    });
    const [first, second, third] = flights;
    if (!first || !second || !third) throw new Error('three batches');
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
    await journal.append(...Array.from({ length: 700 }, () => record('L1')));
    const { made, take, acked } = lane();
    fillAll(made);
    const first = take(BIG, BIG);
    fillAll(made);
    const second = take(BIG, BIG);
    acked(first);
    made.reset(true);
    acked(second);
    await made.flush();
    fillAll(made);
    expect(shape(take(BIG, BIG))).toEqual([first.through, 701, 200]);
  });

  test('is saved a few times a second at most, and always in the end', async () => {
    await journal.append(...Array.from({ length: 50 }, () => record('L1')));
    const { made, take, acked, cursor } = lane();
    const advance = vi.spyOn(cursor, 'advance');
    fillAll(made);
    for (let n = 0; n < 50; n++) acked(take(1, BIG));
    await made.flush();
    expect(cursor.position.seq).toBe(51);
    expect(advance.mock.calls.length).toBeLessThan(4);
  });
});

test('a record read by nobody else is not read from the disk either: what is committed is handed on', async () => {
  const { made, heard, take } = lane();
  fillAll(made);
  const read = vi.spyOn(journal, 'read');
  journal.onCommit(heard);
  await journal.append(record('L1', 'a'), record('L3', 2), record('L1', 'b'));
  expect(shape(take(BIG, BIG))).toEqual([0, 4, 2]);
  expect(read).not.toHaveBeenCalled();
});
