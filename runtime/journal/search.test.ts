import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type ManualClock, manualClock } from '../../test/manual-clock.ts';
import { systemClock } from '../clock.ts';
import { type Draft, type JournalRecord, type Kind, type Lane, parsePosition } from '../contracts/record.ts';
import { silentLog } from '../log.ts';
import { Journal, type RecordQuery } from './journal.ts';
import { BLOCK, blockOf, markRemoved } from './postings.ts';
import { positionNumber } from './schema.ts';
import { folded, hasText } from './text-index.ts';

let directory: string;
let clock: ManualClock;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'gh-search-'));
  clock = manualClock();
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));
const open = () => Journal.open({ directory, clock, log: silentLog });

const draft = (n: number, more: Partial<Draft> = {}): Draft => ({
  lane: 'L1',
  kind: 'event',
  scenario: 'vehicle-gate',
  device: `gate-${n % 3}`,
  name: 'passage',
  data: { n },
  ...more,
});

/** All pages of a query, the long way. */
async function paged(journal: Pick<Journal, 'search'>, query: RecordQuery): Promise<JournalRecord[]> {
  const found: JournalRecord[] = [];
  for (let from = query; ; ) {
    const { items, next } = await journal.search(from);
    found.push(...items);
    const place = next === undefined ? undefined : parsePosition(next);
    if (!place) return found;
    from = { ...query, [query.order === 'desc' ? 'before' : 'after']: place };
  }
}

function fits(record: JournalRecord, query: RecordQuery): boolean {
  const position = positionNumber(record.epoch, record.seq);
  const { after, before } = query;
  return (
    (after === undefined || position > positionNumber(after.epoch, after.seq)) &&
    (before === undefined || position < positionNumber(before.epoch, before.seq)) &&
    (query.lane === undefined || query.lane.includes(record.lane)) &&
    (query.kind === undefined || query.kind.includes(record.kind)) &&
    (query.scenario === undefined || query.scenario === record.scenario) &&
    (query.device === undefined || query.device === record.device) &&
    (query.name === undefined || query.name === record.name) &&
    record.received >= (query.from ?? 0) &&
    record.received <= (query.to ?? Number.MAX_SAFE_INTEGER) &&
    (query.text === undefined ||
      (record.kind !== 'telemetry' && hasText(JSON.stringify(record.data), folded(query.text))))
  );
}

describe('T2 a clock that was set back', () => {
  const DAY = 86_400_000;
  /** Days of receipt: forward, two back, forward over the first stretch, far back. */
  const days = [0, 1, 2, 3, 1, 2, 3, 4, 5, -9, -8, 4, 5, 6];

  test.each([false, true])('hides no record from a search by time (index: %s)', async (indexed) => {
    await using journal = await open();
    const start = clock.now();
    const per = indexed ? 3000 : 40;
    for (const day of days) {
      clock.step(start + day * DAY - clock.now());
      await journal.append(...Array.from({ length: per }, (_, n) => draft(n, { data: { day, n } })));
    }
    if (indexed) await journal.indexed();
    for (const [from, to] of [
      [1, 1],
      [2, 3],
      [-9, -9],
      [-8, 0],
      [4, 9],
      [7, 9],
    ] as const) {
      const query = { from: start + from * DAY, to: start + to * DAY, device: 'gate-0', limit: 500 };
      const wanted = days
        .filter((day) => day >= from && day <= to)
        .flatMap((day) => Array(Math.ceil(per / 3)).fill(day));
      for (const order of ['asc', 'desc'] as const) {
        const found = (await paged(journal, { ...query, order })).map(({ data }) => (data as { day: number }).day);
        expect(found).toEqual(order === 'asc' ? wanted : wanted.toReversed());
      }
    }
  });

  test('hides no record from a look-up by its id', async () => {
    const written: JournalRecord[] = [];
    {
      await using journal = await open();
      for (const step of [0, 5, -3, -20, 40, -1].map((days) => days * DAY)) {
        clock.step(step);
        written.push(...(await journal.append(...Array.from({ length: 2500 }, (_, n) => draft(n)))));
      }
      await journal.indexed();
    }
    await using journal = await open();
    for (const record of written.filter((_, n) => n % 97 === 0)) expect(journal.find(record.id)).toEqual(record);
    const [first] = written;
    expect(journal.find(`${first?.id.slice(0, -4)}0000`)).toBeUndefined();
  });
});

describe('fifty thousand records', () => {
  const COUNT = 50_000;
  const kinds: readonly Kind[] = ['telemetry', 'telemetry', 'event', 'telemetry', 'state', 'command'];
  const names = ['pm25', 'pm10', 'passage', 'plate.read'];
  /** Each of these becomes thousands of records, with some that are rare. */
  const made = (n: number): Draft => {
    const kind = n % 9001 === 0 ? 'alarm' : (kinds[n % kinds.length] ?? 'event');
    const lane: Lane = kind === 'alarm' ? 'L0' : kind === 'telemetry' ? 'L3' : n % 5 === 0 ? 'L2' : 'L1';
    return {
      lane,
      kind,
      scenario: n % 4 === 0 ? 'smoke-alarm' : 'vehicle-gate',
      device: n % 7919 === 0 ? 'rare' : `device-${n % 211}`,
      name: names[n % names.length] ?? '',
      data:
        kind === 'alarm'
          ? { note: `${'lang '.repeat(2000)}Nadel` }
          : kind === 'telemetry'
            ? n
            : { plate: `粤B${(n * 7907) % 100_000}`, who: n % 499 === 0 ? '欧阳修' : 'X' },
    };
  };
  const base = Date.UTC(2026, 10, 1);
  let folder: string;
  let journal: Journal;
  let all: JournalRecord[];
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'gh-search-'));
    const moved = manualClock(base);
    journal = await Journal.open({ directory: folder, clock: moved, log: silentLog });
    for (let n = 0; n < COUNT; n += 500) {
      moved.step(60_000);
      await journal.append(...Array.from({ length: 500 }, (_, one) => made(n + one)));
    }
    all = [];
    for (let after = { epoch: 0, seq: 0 }; all.length < COUNT + 1; ) {
      const { items } = journal.read({ after, limit: 500 });
      all.push(...items);
      after = items.at(-1) ?? after;
    }
  }, 60_000);
  afterAll(async () => {
    await journal[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  });

  const time = { from: base + 20 * 60_000, to: base + 41 * 60_000 };
  const queries: [string, RecordQuery][] = [
    ['a rare device', { device: 'rare' }],
    ['a device and a point', { device: 'device-8', name: 'pm25' }],
    ['no such device', { device: 'nobody' }],
    ['a name of telemetry', { name: 'pm10', kind: ['telemetry'], ...time }],
    ['a rare kind', { kind: ['alarm'] }],
    ['two kinds', { kind: ['alarm', 'command'], scenario: 'smoke-alarm' }],
    ['all kinds but one', { kind: kinds.concat('alarm', 'event'), device: 'device-17' }],
    ['no kind', { kind: [] }],
    ['a lane', { lane: ['L0'] }],
    ['lanes', { lane: ['L0', 'L2'], device: 'device-100' }],
    ['a scenario', { scenario: 'smoke-alarm', ...time, kind: ['command'] }],
    ['a time', { ...time }],
    ['a plate', { text: 'B12345' }],
    ['part of a plate', { text: '7907' }],
    ['a name', { text: '欧阳' }],
    ['one character', { text: '修', device: 'device-9' }],
    ['a text in records too long for the index', { text: 'nadel' }],
    ['lower case', { text: '粤b9' }],
    ['a text nobody has', { text: '粤A' }],
    ['text, device and time', { text: '粤B1', device: 'device-2', ...time }],
    ['between two places', { after: { epoch: 1, seq: 8190 }, before: { epoch: 1, seq: 8195 } }],
    [
      'a device between two places',
      { device: 'device-5', after: { epoch: 1, seq: 9000 }, before: { epoch: 1, seq: 40_000 } },
    ],
  ];

  describe.each(['before the index is made', 'with the index'])('%s', (state) => {
    beforeAll(async () => {
      const db = new Database(join(folder, 'gatehouse.db'), { readonly: true });
      if (state === 'with the index') await journal.indexed();
      const blocks = db.prepare<[], { n: number }>('SELECT count(*) AS n FROM search_block WHERE grams > 0').get()?.n;
      if (state === 'with the index') expect(blocks).toBe(Math.floor(COUNT / BLOCK));
      db.close();
    }, 30_000);

    test.each(queries)('%s: every page is full, right and complete, both ways', async (_name, query) => {
      const wanted = all.filter((record) => fits(record, query)).map(({ seq }) => seq);
      for (const order of ['asc', 'desc'] as const) {
        const found = (await paged(journal, { ...query, order, limit: 499 })).map(({ seq }) => seq);
        expect(found).toEqual(order === 'asc' ? wanted : wanted.toReversed());
        const { items } = journal.read({ ...query, order, limit: 20 });
        expect(items.map(({ seq }) => seq)).toEqual(found.slice(0, 20));
      }
    });
  });

  test('a page asked for again is the same page', async () => {
    const query: RecordQuery = { scenario: 'smoke-alarm', kind: ['event'], limit: 50, after: { epoch: 1, seq: 999 } };
    const before = await journal.search({ ...query, before: { epoch: 1, seq: 30_000 } });
    await journal.append(...Array.from({ length: 100 }, (_, n) => made(n)));
    const { head: _, ...again } = await journal.search({ ...query, before: { epoch: 1, seq: 30_000 } });
    expect(before).toMatchObject(again);
  });

  test('whoever gives up is told so', async () => {
    const reason = new Error('gone');
    await expect(journal.search({ device: 'nobody' }, AbortSignal.abort(reason))).rejects.toBe(reason);
  });
});

test('pages are complete while others write', async () => {
  await using journal = await Journal.open({ directory, clock: systemClock, log: silentLog });
  let writing = true;
  const written: number[] = [];
  const writer = (async () => {
    for (let n = 0; writing; n++) {
      const records = await journal.append(...Array.from({ length: 50 }, (_, one) => draft(n * 50 + one)));
      written.push(...records.filter(({ device }) => device === 'gate-1').map(({ seq }) => seq));
    }
  })();
  const seen: number[] = [];
  let after = { epoch: 1, seq: 0 };
  const one = async () => {
    const { items, head, next } = await journal.search({ device: 'gate-1', after, limit: 200 });
    seen.push(...items.map(({ seq }) => seq));
    after = (next === undefined ? parsePosition(head) : parsePosition(next)) ?? after;
    await new Promise((resolve) => setImmediate(resolve));
    return next !== undefined;
  };
  while (seen.length < 20_000) await one();
  writing = false;
  await writer;
  while (await one()) {
    // to the end
  }
  expect(seen).toEqual(written);
}, 30_000);

describe('records that are removed', () => {
  const positions = (journal: Journal, sql: string) => journal.db.prepare<[], { n: number }>(sql).get()?.n;

  test('are found no more, nor is anything left of them in the index', async () => {
    await using journal = await open();
    for (let n = 0; n < 4; n++) {
      await journal.append(
        ...Array.from({ length: 5000 }, (_, one) => draft(one, { kind: one % 2 ? 'event' : 'state' })),
      );
    }
    await journal.indexed();
    const query: RecordQuery = { device: 'gate-0', limit: 500 };
    const before = await paged(journal, query);
    const [first, last] = [positionNumber(1, 1), positionNumber(1, 10_000)];
    // What is gone is not found, even before the index knows.
    const away = `DELETE FROM record WHERE pos BETWEEN ? AND ? AND (kind = 4 OR pos <= ${positionNumber(1, BLOCK)})`;
    await journal.commit({ writes: [{ sql: away, params: [first, last] }] });
    const left = before.filter(({ seq, kind }) => seq > 10_000 || (seq > BLOCK && kind !== 'state'));
    expect(left.length).toBeLessThan(before.length);
    expect(await paged(journal, query)).toEqual(left);
    const blocks = 'SELECT count(*) AS n FROM search_block';
    expect(positions(journal, blocks)).toBe(2);
    await journal.commit({ writes: [markRemoved(first, last)] });
    await journal.indexed();
    expect(await paged(journal, query)).toEqual(left);
    expect(
      positions(journal, `SELECT count(*) AS n FROM search_term WHERE block = ${blockOf(last)} AND term = 'k:4'`),
    ).toBe(1);
    expect(
      positions(
        journal,
        `SELECT length(places) AS n FROM search_term WHERE block = ${blockOf(last)} AND term = 'd:gate-0'`,
      ),
    ).toBeLessThan(BLOCK / 4);
  });

  test('whole blocks of them leave nothing at all', async () => {
    await using journal = await open();
    for (let n = 0; n < 5; n++) await journal.append(...Array.from({ length: 4000 }, (_, one) => draft(one)));
    await journal.indexed();
    expect(positions(journal, 'SELECT count(*) AS n FROM search_block')).toBe(2);
    const [first, last] = [positionNumber(1, 0), positionNumber(1, 2 * BLOCK - 1)];
    const away = 'DELETE FROM record WHERE pos BETWEEN ? AND ?';
    await journal.commit({ writes: [{ sql: away, params: [first, last] }, markRemoved(first, last)] });
    await journal.indexed();
    for (const table of ['search_block', 'search_term', 'search_gram']) {
      expect(positions(journal, `SELECT count(*) AS n FROM ${table}`)).toBe(0);
    }
    expect(await paged(journal, { device: 'gate-0', limit: 500 })).toHaveLength(
      journal.db.prepare(`SELECT 1 FROM record WHERE device = 'gate-0'`).all().length,
    );
  });
});
