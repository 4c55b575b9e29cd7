/** The consumer against a real PostgreSQL: what is kept, what is told apart, and what the report proves. */
import type pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Postgres, startPostgres } from '../../test/postgres.ts';
import type { JournalRecord } from '../contracts/record.ts';
import { createHoleFiller } from './holes.ts';
import type { Delivery } from './message.ts';
import { type LifeReport, type ReportOptions, report } from './report.ts';
import { reportText } from './report-text.ts';
import { createStore, type Store } from './store.ts';
import { openDatabase } from './tables.ts';
import { batch, delivery, link, record } from './testing/gateway.ts';

let postgres: Postgres;
let database: pg.Pool;
let store: Store;
let said: { event: string; detail: object }[];
const stopping = new AbortController();

beforeAll(async () => {
  postgres = await startPostgres();
});
afterAll(() => postgres[Symbol.asyncDispose]());
beforeEach(async () => {
  database = await openDatabase(await postgres.database());
  said = [];
  store = createStore(database, (event, detail) => said.push({ event, detail }), stopping.signal);
});
afterEach(() => database.end());

const show = (more: Partial<ReportOptions> = {}) => report(database, { uplink: 'main', ...more });
async function life(epoch = 1): Promise<LifeReport> {
  const found = (await show()).lives.find((one) => one.epoch === epoch);
  if (!found) throw new Error(`no epoch ${epoch} in the report`);
  return found;
}
async function heldSeqs(epoch = 1): Promise<number[]> {
  const { rows } = await database.query<{ seq: number }>(
    'SELECT seq::int AS seq FROM gatehouse.record WHERE epoch = $1 ORDER BY seq',
    [epoch],
  );
  return rows.map(({ seq }) => seq);
}
const gap = (seq: number, data: object): JournalRecord =>
  record(seq, 'L0', { kind: 'gap', scenario: 'gateway', device: '', name: 'buffer.gap', data });
/** 1 to 6: bulk has 1, 3, 5, urgent has 2, 4, 6. */
const bulk = [link('bulk', 0, 3, record(1), record(3)), link('bulk', 3, 6, record(5))] as const;
const urgent = [link('urgent', 0, 4, record(2, 'L1'), record(4, 'L0')), link('urgent', 4, 6, record(6, 'L1'))] as const;
const status = (more: object = {}) =>
  delivery('status', {
    gateway: 'gh-1',
    state: 'online',
    epoch: 1,
    head: 6,
    filter: { lanes: ['L0', 'L1', 'L2', 'L3'] },
    ...more,
  });

describe('R3 everything once', () => {
  test('both chains without a hole: complete through the lesser of the two', async () => {
    await store.take([...bulk, urgent[0]]);
    expect(await life()).toMatchObject({ through: 4, held: 4, unexplained: 0, holes: [], complete: true });
    await store.take([urgent[1]]);
    expect(await life()).toMatchObject({ through: 6, held: 6, duplicates: 0, complete: true });
    expect(await heldSeqs()).toEqual([1, 2, 3, 4, 5, 6]);
  });

  test('what came is kept word for word, and the columns beside it are for searching', async () => {
    const [odd] = [record(1, 'L1', { data: { text: 'a\0b \ud800 粤B12345', big: 1e21 }, device: 'x\0y', cause: 'c' })];
    await store.take([link('urgent', 0, 1, odd)]);
    const { rows } = await database.query('SELECT record::text AS json, lane, device, at FROM gatehouse.record');
    expect(rows).toEqual([{ json: JSON.stringify(odd), lane: 'L1', device: 'x\uFFFDy', at: new Date(odd.at) }]);
  });

  const orders: [string, Delivery[]][] = [
    ['backwards', [...urgent, ...bulk].reverse()],
    ['everything twice', [...bulk, ...urgent, ...bulk, ...urgent]],
    ['cut otherwise the second time', [...bulk, ...urgent, link('bulk', 0, 6, record(1), record(3), record(5))]],
  ];
  test.each(orders)('in any order and any number of times: %s', async (_how, deliveries) => {
    for (const one of deliveries) await store.take([one]);
    const one = await life();
    expect(one).toMatchObject({ through: 6, held: 6, unexplained: 0, holes: [], complete: true });
    expect(await heldSeqs()).toEqual([1, 2, 3, 4, 5, 6]);
    const told = deliveries.length === 4 ? 0 : deliveries.length === 8 ? 6 : 3;
    expect(one.duplicates).toBe(told);
  });

  test('the same in one transaction, and by several workers at once', async () => {
    const all = [...bulk, ...urgent];
    await Promise.all(Array.from({ length: 4 }, (_none, index) => store.take(index % 2 ? all : [...all].reverse())));
    expect(await life()).toMatchObject({ through: 6, held: 6, duplicates: 18, complete: true });
  });

  test('a database killed in the middle: nothing is acknowledged before it is committed, and it goes on', async () => {
    await store.take([bulk[0]]);
    await postgres.kill();
    let taken = false;
    const taking = store.take([bulk[1], ...urgent]).then(() => {
      taken = true;
    });
    await expect.poll(() => said.some(({ event }) => event === 'database')).toBe(true);
    expect(taken).toBe(false);
    await postgres.start();
    await taking;
    expect(await life()).toMatchObject({ through: 6, held: 6, complete: true });
  });
});

describe('what is missing', () => {
  test('a batch that did not come is a hole, by name, until it comes', async () => {
    await store.take([status(), bulk[1], ...urgent]);
    expect(await life()).toMatchObject({
      ...{ through: 0, end: 6, behind: 6, complete: false },
      holes: [{ chain: 'bulk', after: 0, through: 3 }],
    });
    expect(reportText(await show(), 'en')).toContain('hole: gh-1 1 bulk (0, 3]');
    await store.take([bulk[0]]);
    expect(await life()).toMatchObject({ through: 6, behind: 0, holes: [], complete: true });
  });

  test('a chain of which nothing came at all is missing too, unless the gateway does not send it', async () => {
    await store.take([...bulk, status()]);
    expect(await life()).toMatchObject({ through: 0, behind: 6 });
    expect((await show({ toEnd: true })).complete).toBe(false);
    await store.take([status({ filter: { lanes: ['L2', 'L3'] } })]);
    expect(await life()).toMatchObject({ through: 6, behind: 0, complete: true });
  });

  test('a record left out of a batch that claims to be whole is counted as unexplained', async () => {
    await store.take([status(), ...urgent, link('bulk', 0, 6, record(1), record(5))]);
    expect(await life()).toMatchObject({ through: 6, held: 5, unexplained: 1, holes: [], complete: false });
    // One that is not sent everything cannot know.
    await store.take([status({ filter: { lanes: ['L0', 'L1', 'L2', 'L3'], scenarios: ['vehicle-gate'] } })]);
    expect(await life()).toMatchObject({ unexplained: 1, complete: true });
  });

  test('a hole is asked for by its chain, once by all workers, and closed by the answer', async () => {
    await store.take([bulk[1], ...urgent]);
    const asked: { topic: string; body: { id: string; after: number; through: number } }[] = [];
    let now = 0;
    const options = {
      ...{ database, now: () => now, graceMs: 1000, patienceMs: 60_000 },
      down: async (topic: string, body: object) =>
        void asked.push({ topic, body: body as { id: string; after: number; through: number } }),
    };
    const workers = [createHoleFiller(options), createHoleFiller(options)];
    const look = async () => {
      for (const worker of workers) await worker();
    };
    await look();
    expect(asked).toEqual([]); // it may be on its way
    now = 1000;
    await look();
    await look();
    expect(asked).toEqual([
      {
        topic: 'gatehouse/v1/site/gh-1/down/replay',
        body: { id: expect.stringMatching(/^bulk\.1\.0\.3\./), epoch: 1, after: 0, through: 3, lanes: ['L2', 'L3'] },
      },
    ]);
    expect((await life()).holes).toEqual([{ chain: 'bulk', after: 0, through: 3, request: 'asked' }]);
    const replay = asked[0]?.body.id;
    const answer = (after: number, through: number, ...records: JournalRecord[]) =>
      delivery('up/reply', { ...batch({ after, through, records }), replay });
    // Of a replay somebody else asked for nobody knows which lanes it has.
    await store.take([
      delivery('up/reply', { ...batch({ after: 0, through: 3, records: [record(1)] }), replay: 'other' }),
    ]);
    expect((await life()).holes).toHaveLength(1);
    await store.take([answer(0, 1, record(1)), answer(1, 3, record(3))]);
    await store.take([delivery('up/reply', { gateway: 'gh-1', replay, state: 'done', epoch: 1, through: 3 })]);
    expect(await life()).toMatchObject({ through: 6, held: 6, holes: [], duplicates: 1, complete: true });
  });

  test('a gateway that refuses is not asked for the same again at once, and the report says why', async () => {
    await store.take([bulk[1], ...urgent]);
    const ids: string[] = [];
    const options = {
      ...{ database, now: () => performance.now(), graceMs: 0, patienceMs: 60_000 },
      down: async (_topic: string, body: object) => void ids.push('id' in body ? String(body.id) : ''),
    };
    const look = createHoleFiller(options);
    expect(await look()).toBe(1);
    const refusal = {
      gateway: 'gh-1',
      replay: ids[0],
      state: 'refused',
      code: 'uplink.range',
      detail: 'kept from 4 on',
    };
    await store.take([delivery('up/reply', refusal)]);
    expect(await look()).toBe(0);
    expect((await life()).holes).toEqual([
      { chain: 'bulk', after: 0, through: 3, request: 'refused', detail: 'uplink.range: kept from 4 on' },
    ]);
  });

  test('an end that does not come is asked for after long patience', async () => {
    await store.take([status({ head: 9 }), ...bulk, ...urgent]);
    let now = 0;
    const asked: object[] = [];
    const down = async (_topic: string, body: object) => void asked.push(body);
    const look = createHoleFiller({ database, down, now: () => now, graceMs: 10, patienceMs: 1000 });
    await look();
    now = 999;
    await look();
    expect(asked).toEqual([]);
    now = 1000;
    await look();
    expect(asked).toMatchObject([
      { after: 6, through: 9, lanes: ['L0', 'L1'] },
      { after: 6, through: 9, lanes: ['L2', 'L3'] },
    ]);
  });
});

describe('R5 gap records are checked against what is missing', () => {
  const removed = { lane: 'L3', epoch: 1, from: 2, to: 5, count: 3, reason: 'space', undelivered: { main: 3 } };

  test.each([
    ['exactly what is missing', removed, { removed: 3, unexplained: 0, complete: true }],
    ['less than is missing', { ...removed, undelivered: { main: 2 } }, { removed: 2, unexplained: 1, complete: false }],
    [
      'what another platform missed',
      { ...removed, undelivered: { other: 3 } },
      { removed: 0, unexplained: 3, complete: false },
    ],
    ['another stretch', { ...removed, from: 6, to: 8 }, { removed: 0, unexplained: 3, complete: false }],
  ])('%s', async (_what, data, expected) => {
    // 3, 4 and 5 of L3 were removed before they were sent; 2 and 6 to 8 of L1 are held.
    const passages = [2, 6, 7, 8].map((seq) => record(seq, 'L1'));
    await store.take([
      status({ head: 9 }),
      link('bulk', 0, 9, record(1)),
      link('urgent', 0, 9, ...passages, gap(9, data)),
    ]);
    expect(await life()).toMatchObject({ through: 9, held: 6, gaps: 1, holes: [], ...expected });
  });

  test('gaps of two lanes across each other are settled together', async () => {
    const first = gap(8, { ...removed, from: 2, to: 5, count: 2, undelivered: { main: 2 } });
    const second = gap(9, { ...removed, lane: 'L2', from: 3, to: 6, count: 2, undelivered: { main: 2 } });
    await store.take([
      status(),
      link('bulk', 0, 9, record(1), record(6)),
      link('urgent', 0, 9, record(7, 'L1'), first, second),
    ]);
    expect(await life()).toMatchObject({ held: 5, removed: 4, unexplained: 0, gaps: 2, complete: true });
  });

  test.each([
    ['more than its stretch holds', { ...removed, count: 5 }],
    ['a stretch that runs backwards', { ...removed, from: 5, to: 2 }],
    ['more undelivered than gone', { ...removed, undelivered: { main: 4 } }],
    ['nothing at all', { lane: 'L3' }],
  ])('one that cannot be true is named: %s', async (_what, data) => {
    await store.take([link('bulk', 0, 2), link('urgent', 0, 2, record(1, 'L1'), gap(2, data))]);
    expect(await life()).toMatchObject({ falseGaps: ['1:2'], complete: false });
    expect(reportText(await show(), 'en')).toContain('gap record that cannot be true: gh-1 1:2');
  });

  test('what was sent, lost on the way and then removed is told by the answer to a replay', async () => {
    const data = { ...removed, from: 1, to: 3, count: 3, undelivered: {} };
    await store.take([link('bulk', 3, 6, record(5)), link('urgent', 0, 6, record(4, 'L1'), gap(6, data))]);
    expect(await life()).toMatchObject({ through: 0, holes: [{ chain: 'bulk', after: 0, through: 3 }] });
    const answer = { ...batch({ after: 0, through: 3 }), replay: 'bulk.1.0.3.aa', gaps: [gap(6, data)] };
    await store.take([delivery('up/reply', answer)]);
    expect(await life()).toMatchObject({ through: 6, held: 3, removed: 3, unexplained: 0, complete: true });
  });
});

describe('R4 the same key never has two contents', () => {
  test('the second content is kept aside and told loudly, the first stays', async () => {
    await store.take([...bulk, ...urgent]);
    const forged = link('bulk', 0, 3, record(1, 'L3', { data: 666 }), record(3));
    await store.take([forged]);
    await store.take([forged]);
    const conflict = { event: 'conflict', detail: { gateway: 'gh-1', epoch: 1, seq: 1 } };
    expect(said).toEqual([conflict, conflict]);
    expect(await life()).toMatchObject({ held: 6, conflicts: [1], complete: false });
    const { rows } = await database.query(`SELECT record ->> 'data' AS data FROM gatehouse.record WHERE seq = 1`);
    expect(rows).toEqual([{ data: '1' }]);
    const { rows: aside } = await database.query(
      `SELECT record ->> 'data' AS data, times::int FROM gatehouse.conflict`,
    );
    expect(aside).toEqual([{ data: '666', times: 2 }]);
    expect(reportText(await show(), 'en')).toContain('same key, other content: gh-1 1 1');
  });

  test('two contents in one transaction: the first that came stays', async () => {
    await store.take([bulk[0], link('bulk', 0, 3, record(1, 'L3', { data: 666 }), record(3))]);
    expect(await life()).toMatchObject({ conflicts: [1] });
    const { rows } = await database.query(`SELECT record ->> 'data' AS data FROM gatehouse.record WHERE seq = 1`);
    expect(rows).toEqual([{ data: '1' }]);
  });

  test('a record that came without its data is completed by the full one, and not taken apart again', async () => {
    const short = link('bulk', 0, 1, record(1, 'L3', { data: { omittedBytes: 9 }, quality: 'bad' }));
    const full = link('bulk', 0, 1, record(1));
    for (const one of [short, full, short, full]) await store.take([one]);
    const { rows } = await database.query(`SELECT record ->> 'data' AS data FROM gatehouse.record`);
    expect(rows).toEqual([{ data: '1' }]);
    expect(await life()).toMatchObject({ conflicts: [], duplicates: 3 });
    expect(said).toEqual([]);
  });

  test('a new epoch is another life: the same numbers again are no contradiction, and the old one ends where it says', async () => {
    const reborn = (lastKnown: object) =>
      record(1, 'L0', {
        epoch: 2,
        kind: 'epoch',
        scenario: 'gateway',
        device: '',
        name: 'journal.epoch',
        data: { reason: 'restored', lastKnown },
      });
    await store.take([...bulk, ...urgent, status()]);
    await store.take([status({ epoch: 2, head: 2 }), link('urgent', 0, 2, reborn({ epoch: 1, seq: 6 }))]);
    await store.take([link('bulk', 0, 2, record(2, 'L3', { epoch: 2 }))]);
    expect(said).toEqual([]);
    const whole = await show();
    expect(whole.lives).toMatchObject([
      { epoch: 1, through: 6, end: 6, behind: 0, complete: true },
      { epoch: 2, through: 2, end: 2, behind: 0, complete: true },
    ]);
    // A status of the life before, delivered late, changes nothing.
    await store.take([status({ head: 9 })]);
    expect((await show()).lives).toEqual(whole.lives);
  });

  test('a life that ended further than what came of it is not complete, though nothing more will come by itself', async () => {
    const reborn = record(1, 'L0', {
      epoch: 2,
      kind: 'epoch',
      name: 'journal.epoch',
      data: { lastKnown: { epoch: 1, seq: 8 } },
    });
    await store.take([
      ...bulk,
      ...urgent,
      link('urgent', 0, 1, reborn),
      delivery('up/bulk', batch({ epoch: 2, after: 0, through: 1 })),
    ]);
    expect(await life()).toMatchObject({ through: 6, end: 8, behind: 2, complete: false });
    const asked: object[] = [];
    let now = 0;
    const down = async (_topic: string, body: object) => void asked.push(body);
    const look = createHoleFiller({ database, down, now: () => now, graceMs: 10, patienceMs: 1000 });
    await look();
    now = 1000;
    expect(await look()).toBe(2);
    expect(asked).toMatchObject([
      { epoch: 1, after: 6, through: 8 },
      { epoch: 1, after: 6, through: 8 },
    ]);
  });
});

describe('poison', () => {
  test('is put aside, told, and holds up nothing behind it', async () => {
    const torn: Delivery = {
      topic: 'gatehouse/v1/site/gh-1/up/bulk',
      payload: Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0]),
    };
    const stray: Delivery = { topic: 'elsewhere', payload: Buffer.from('?') };
    await store.take([bulk[0], torn, bulk[1], stray, ...urgent]);
    await store.take([torn]);
    expect(said.map(({ event }) => event)).toEqual(['poison', 'poison', 'poison']);
    const whole = await show();
    expect(whole).toMatchObject({
      strayPoison: 1,
      complete: false,
      lives: [{ through: 6, held: 6, poison: 1, complete: false }],
    });
    const { rows } = await database.query('SELECT times::int, payload FROM gatehouse.poison WHERE gateway IS NOT NULL');
    expect(rows).toEqual([{ times: 2, payload: torn.payload }]);
  });

  test('what the database refuses is found among the others, and only that is put aside', async () => {
    const never = link('bulk', 6, 7, record(7, 'L3', { at: 8.64e18 }));
    const messages = await store.take([...bulk, never, ...urgent]);
    expect(messages.map(({ type }) => type)).toEqual(['batch', 'batch', 'poison', 'batch', 'batch']);
    expect(await life()).toMatchObject({ through: 6, held: 6, poison: 1, complete: false });
    const { rows } = await database.query('SELECT reason FROM gatehouse.poison');
    expect(rows).toEqual([{ reason: expect.stringContaining('the database refuses it') }]);
  });
});

test('the report in Chinese and English, and of a platform that has heard nothing yet', async () => {
  expect(reportText(await show(), 'en')).toBe('no gateway has been heard of yet');
  await store.take([...bulk, ...urgent, status()]);
  expect(reportText(await show(), 'zh')).toMatch(/^网关.*\n *gh-1 +1 +6 +0 +6 +0 +0 +0 +完整$/);
  expect(reportText(await show(), 'en')).toMatch(/gh-1 +1 +6 +0 +6 +0 +0 +0 +complete$/);
});
