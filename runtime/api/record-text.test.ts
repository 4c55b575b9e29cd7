import { Compile } from 'typebox/compile';
import { expect, test } from 'vitest';
import { recordsPage } from '../contracts/api.ts';
import type { JournalRecord } from '../contracts/record.ts';
import { maskRecord } from './masking.ts';
import { pageText, recordText } from './record-text.ts';

const passage = (seq: number): JournalRecord => ({
  gateway: 'gh-1',
  epoch: 1,
  seq,
  id: `id-${seq}`,
  at: 1,
  received: 2,
  clock: 'synced',
  lane: 'L1',
  kind: 'event',
  scenario: 'vehicle-gate',
  device: 'gate-east-in',
  name: 'passage',
  data: { direction: 'in', plate: `粤B1234${seq}` },
  quality: 'good',
});

test.each(['none', 'live', 'all'] as const)('a page is the JSON of its records under mask "%s"', (mask) => {
  const page = { items: [passage(1), passage(2)], next: '1:2', head: '1:9' };
  for (const _twice of [1, 2]) {
    const sent: unknown = JSON.parse(pageText(page, mask).toString());
    expect(sent).toEqual({ ...page, items: page.items.map((record) => maskRecord(record, mask)) });
    expect(Compile(recordsPage).Check(sent)).toBe(true);
  }
});

test('an empty page, and one record alone', () => {
  expect(pageText({ items: [], head: '1:0' }, 'none').toString()).toBe('{"items":[],"head":"1:0"}');
  expect(JSON.parse(pageText({ items: [passage(1)], head: '1:1' }, 'none').toString())).toMatchObject({ head: '1:1' });
});

test('what one may see is not sent to another', () => {
  const record = passage(5);
  expect(recordText(record, 'none').toString()).toContain('粤B12345');
  expect(recordText(record, 'all').toString()).not.toContain('粤B12345');
  expect(recordText(record, 'none').toString()).toContain('粤B12345');
});
