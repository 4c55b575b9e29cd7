/**
 * Records as the bytes that go out. The newest are asked for again and again, by every screen and platform: their bytes
 * are made once per kind of mask and live as long as the journal keeps the record in memory.
 */
import type { RecordsPage } from '../contracts/api.ts';
import type { JournalRecord } from '../contracts/record.ts';
import { maskRecord } from './masking.ts';
import type { Mask } from './rights.ts';

const made: Record<Mask, WeakMap<JournalRecord, Buffer>> = {
  none: new WeakMap(),
  live: new WeakMap(),
  all: new WeakMap(),
};
const COMMA = Buffer.from(',');
const BEGIN = Buffer.from('{"items":[');

export function recordText(record: JournalRecord, mask: Mask): Buffer {
  const known = made[mask].get(record);
  if (known) return known;
  const text = Buffer.from(JSON.stringify(maskRecord(record, mask)));
  made[mask].set(record, text);
  return text;
}

/** The page as JSON. */
export function pageText({ items, ...rest }: RecordsPage, mask: Mask): Buffer {
  const parts: Buffer[] = [BEGIN];
  for (const record of items) {
    if (parts.length > 1) parts.push(COMMA);
    parts.push(recordText(record, mask));
  }
  parts.push(Buffer.from(`],${JSON.stringify(rest).slice(1)}`));
  return Buffer.concat(parts);
}
