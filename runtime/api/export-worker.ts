/** The thread of one export: reads, masks and writes out the records, a piece whenever the last one was taken. */
import { setPriority } from 'node:os';
import { parentPort, workerData } from 'node:worker_threads';
import type { RecordQuery } from '../journal/journal.ts';
import { epochOf, seqOf } from '../journal/schema.ts';
import { openThreadReader } from '../journal/thread-reader.ts';
import { type ExportFormat, exportLine } from './export-text.ts';
import { maskRecord } from './masking.ts';
import type { Mask } from './rights.ts';

export interface ExportWorkerData {
  readonly file: string;
  readonly gateway: string;
  readonly query: RecordQuery;
  /** Where the export ends, see `positionNumber`. */
  readonly head: number;
  readonly format: ExportFormat;
  readonly mask: Mask;
}
/** UTF-8; `last` says that nothing follows. */
export interface ExportPiece {
  readonly text: Uint8Array;
  readonly last: boolean;
}

/** A piece is a few hundred KB at most, and its state of the journal is held for no longer than this. */
const RECORDS = 500;
const SLICE_MS = 500;
/** An export may take its time; what happens at the gates may not wait for it. */
const NICE = 5;

function runExport(port: NonNullable<typeof parentPort>, data: ExportWorkerData): void {
  setPriority(0, NICE); // of this thread only
  const { head, format, mask } = data;
  const reader = openThreadReader(data.file, data.gateway);
  let { query } = data;
  port.on('message', () => {
    const { records, through, done } = reader.page({ query, head, limit: RECORDS, within: SLICE_MS });
    const lines = records.map((record) => exportLine(maskRecord(record, mask), format));
    query = { ...query, after: { epoch: epochOf(through), seq: seqOf(through) } };
    const text = new TextEncoder().encode(lines.join(''));
    const last = through >= head || (done && records.length < RECORDS);
    port.postMessage({ text, last } satisfies ExportPiece, [text.buffer]);
    if (last) reader.close();
  });
}

if (parentPort) runExport(parentPort, workerData as ExportWorkerData);
