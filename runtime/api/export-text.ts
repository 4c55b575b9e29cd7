/** One record as a line of an export: CSV for people with a spreadsheet, NDJSON for programs. */
import { formatPosition, type JournalRecord } from '../contracts/record.ts';

export type ExportFormat = 'csv' | 'ndjson';

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

/** What an export begins with. */
export const exportHead = (format: ExportFormat): string => (format === 'csv' ? `${BOM}${columns.join(',')}\r\n` : '');

export const exportLine = (record: JournalRecord, format: ExportFormat): string =>
  format === 'csv' ? csvRow(record) : `${JSON.stringify(record)}\n`;

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
