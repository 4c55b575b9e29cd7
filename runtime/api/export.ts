/** Records as a file: CSV for people with a spreadsheet, NDJSON for programs; read page by page, as fast as it is taken. */
import { formatPosition, type JournalRecord } from '../contracts/record.ts';
import type { RecordQuery } from '../journal/journal.ts';
import { maskRecord } from './masking.ts';
import type { JournalPort } from './parts.ts';
import type { Mask } from './rights.ts';

export type ExportFormat = 'csv' | 'ndjson';

const PAGE = 500;
/** Excel takes a file for UTF-8 only with it. */
const BOM = '\uFEFF';
const columns = [
  'position',
  'id',
  'at',
  'received',
  'clock',
  'lane',
  'kind',
  'scenario',
  'device',
  'name',
  'data',
  'quality',
  'cause',
  'actor',
] as const;

/** One yield per page, so that neither the loop nor the memory notices a long export. */
export async function* exportText(from: {
  journal: Pick<JournalPort, 'read' | 'head'>;
  query: RecordQuery;
  format: ExportFormat;
  mask: Mask;
}): AsyncGenerator<string> {
  const { journal, query, format, mask } = from;
  const text = format === 'csv' ? csvRow : (record: JournalRecord) => `${JSON.stringify(record)}\n`;
  if (format === 'csv') yield `${BOM}${columns.join(',')}\r\n`;
  const end = journal.head(); // what comes while it runs belongs to the next export
  let after = query.after;
  for (;;) {
    const page = journal.read({ ...query, limit: PAGE, ...(after ? { after } : {}) });
    const items = page.items.filter(({ epoch, seq }) => epoch < end.epoch || seq <= end.seq);
    if (items.length > 0) yield items.map((record) => text(maskRecord(record, mask))).join('');
    const last = page.items.at(-1);
    if (page.next === undefined || items.length < page.items.length || !last) return;
    after = { epoch: last.epoch, seq: last.seq };
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
}

function csvRow(record: JournalRecord): string {
  const row = {
    ...record,
    position: formatPosition(record),
    at: new Date(record.at).toISOString(),
    received: new Date(record.received).toISOString(),
    data: typeof record.data === 'string' ? record.data : JSON.stringify(record.data),
  };
  return `${columns.map((column) => csvField(String(row[column] ?? ''))).join(',')}\r\n`;
}

/** A spreadsheet runs what begins like a formula (reliability.md N4): such text gets a quote in front. */
export function csvField(text: string): string {
  const guarded = /^[=+\-@\t\r]/.test(text) && !/^-?\d+(\.\d+)?$/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(guarded) ? `"${guarded.replaceAll('"', '""')}"` : guarded;
}

/** Name and time of the export are in the file's name (ux.md 9.6). */
export const exportName = (user: string, now: number, format: ExportFormat): string =>
  `gatehouse-records-${new Date(now).toISOString().slice(0, 19).replaceAll(/[:T]/g, '-')}-${user}.${format}`;
