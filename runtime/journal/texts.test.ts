import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '../clock.ts';
import { type Draft, type JournalRecord, lanes } from '../contracts/record.ts';
import { silentLog } from '../log.ts';
import { Journal } from './journal.ts';
import { positionNumber } from './schema.ts';
import { openTexts, type TextReader } from './texts.ts';

let directory: string;
let journal: Journal;
let texts: TextReader;
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'gh-texts-'));
  journal = await Journal.open({ directory, clock: systemClock, log: silentLog });
  texts = openTexts(journal.db.name, journal.gateway);
});
afterEach(async () => {
  texts.close();
  await journal[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true, force: true });
});

const ALL = { epoch: 1, after: 0, through: 10_000, lanes, limit: 1000, freshAfter: 0 };
const draft = (more: Partial<Draft> = {}): Draft => ({
  lane: 'L1',
  kind: 'event',
  scenario: 'vehicle-gate',
  device: 'gate-east-in',
  name: 'passage',
  data: { plate: '粤B12345' },
  ...more,
});
const stored = (): JournalRecord[] => journal.read({ after: { epoch: 0, seq: 0 }, limit: 500 }).items;
const joined = (records: readonly JournalRecord[]) => records.map((record) => JSON.stringify(record)).join(',');

const controls = Array.from({ length: 0x20 }, (_, code) => String.fromCharCode(code)).join('');
const odd = [
  '',
  '"',
  '\\',
  '\\"',
  "it's",
  controls,
  'nul\u0000inside',
  '\u007f\u0080\u009f',
  '\u2028 and \u2029',
  '门岗 🚗 e\u0301',
  '</script>',
  '\ufeff\uffff\ufffd',
  '%s ?1 :a || x',
];

describe('texts out of the database', () => {
  test.each(odd)('are byte for byte what JSON.stringify makes of the record: %j', async (text) => {
    await journal.append(
      draft({ scenario: text, device: text, name: text, cause: text, actor: text, data: { [text]: text, n: [text] } }),
      draft({ data: text }),
    );
    const records = stored();
    expect(texts.read(ALL).text?.toString()).toBe(joined(records));
    expect(JSON.parse(`[${texts.read(ALL).text}]`)).toEqual(records);
  });

  test.each([
    [null],
    [true],
    [0],
    [-0],
    [1e21],
    [5e-324],
    [0.1 + 0.2],
    [2 ** 53],
    [[]],
    [{}],
    [{ 2: 'b', 1: 'a', x: { y: [[null]] } }],
    [{ ['__proto__']: 1, constructor: 2 }],
    ['\ud800 alone'],
    [`long ${'x'.repeat(200_000)}`],
  ])('keep every value: %j', async (data) => {
    await journal.append(draft({ data }));
    expect(texts.read(ALL).text?.toString()).toBe(joined(stored()));
  });

  test('keep every lane, kind, quality and time', async () => {
    const kinds = ['telemetry', 'event', 'alarm', 'command', 'state', 'audit', 'gap', 'epoch'] as const;
    const qualities = ['good', 'stale', 'bad'] as const;
    for (const lane of lanes) {
      await journal.append(
        ...kinds.map((kind, n) => draft({ lane, kind, at: n - 5, quality: qualities[n % 3] ?? 'good' })),
      );
    }
    expect(texts.read(ALL).text?.toString()).toBe(joined(stored()));
  });
});

test('a filter, a limit and a stretch give the records they name, in order, and where they end', async () => {
  await journal.append(
    ...Array.from({ length: 50 }, (_, n) =>
      draft({ lane: n % 2 ? 'L1' : 'L2', kind: n % 3 ? 'event' : 'state', scenario: `s${n % 5}`, data: n }),
    ),
  );
  const query = { ...ALL, lanes: ['L1'] as const, kinds: ['event'] as const, scenarios: ['s1', 's2'], limit: 4 };
  const wanted = stored().filter(
    ({ lane, kind, scenario }) => lane === 'L1' && kind === 'event' && ['s1', 's2'].includes(scenario),
  );
  const freshAfter = positionNumber(1, wanted[1]?.seq ?? 0);
  expect(wanted.length).toBeGreaterThan(5);
  const first = texts.read({ ...query, freshAfter });
  expect(first.text?.toString()).toBe(joined(wanted.slice(0, 4)));
  expect(first).toMatchObject({ count: 4, fresh: 2, last: wanted[3]?.seq, oldest: wanted[0]?.received });
  const rest = texts.read({ ...query, after: first.last, limit: 100 });
  expect(rest.text?.toString()).toBe(joined(wanted.slice(4)));
  const [after, through] = [wanted[1]?.seq ?? 0, wanted[3]?.seq ?? 0];
  expect(texts.read({ ...query, after, through, limit: 100 }).text?.toString()).toBe(joined(wanted.slice(2, 4)));
  expect(texts.read({ ...query, epoch: 2 })).toEqual({
    text: undefined,
    count: 0,
    fresh: 0,
    last: 0,
    oldest: undefined,
  });
});

test('gap records are found by the places they are about', async () => {
  const gap = (lane: string, from: number, to: number, epoch = 1) =>
    draft({ lane: 'L0', kind: 'gap', device: '', name: 'buffer.gap', data: { lane, epoch, from, to, count: 1 } });
  await journal.append(gap('L3', 10, 20), gap('L1', 15, 30), gap('L3', 40, 50), gap('L3', 10, 20, 2), draft());
  const found = (after: number, through: number, ...wanted: (typeof lanes)[number][]) => {
    const text = texts.gaps({ epoch: 1, after, through, lanes: wanted });
    return (JSON.parse(`[${text ?? ''}]`) as { data: { from: number } }[]).map(({ data }) => data.from);
  };
  expect(found(0, 100, 'L1', 'L3')).toEqual([10, 15, 40]);
  expect(found(0, 100, 'L3')).toEqual([10, 40]);
  expect(found(20, 39, 'L3')).toEqual([]);
  expect(found(19, 40, 'L3')).toEqual([10, 40]);
  expect(found(0, 9, 'L1', 'L3')).toEqual([]);
});
