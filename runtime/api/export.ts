/** Records as a file, made on a thread of its own as fast as the file is taken. */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { GatehouseError } from '../errors.ts';
import type { RecordQuery } from '../journal/journal.ts';
import { positionNumber } from '../journal/schema.ts';
import { type ExportFormat, exportHead } from './export-text.ts';
import type { ExportPiece, ExportWorkerData } from './export-worker.ts';
import type { JournalPort } from './parts.ts';
import type { Mask } from './rights.ts';

/** Each is a thread. */
const MOST_AT_ONCE = 3;
const LIMITS = { maxYoungGenerationSizeMb: 8, maxOldGenerationSizeMb: 128 };

export interface Exports {
  /** @throws GatehouseError `record.exports` when too many run */
  check(): void;
  /** The pieces of the file; the journal as it is now, without what comes while it runs. */
  text(query: RecordQuery, format: ExportFormat, mask: Mask): AsyncGenerator<string | Uint8Array>;
}

export function createExports(journal: Pick<JournalPort, 'file' | 'gateway' | 'head'>): Exports {
  let running = 0;

  function check(): void {
    if (running >= MOST_AT_ONCE) throw new GatehouseError('record.exports', `${running} exports are running`);
  }

  async function* text(query: RecordQuery, format: ExportFormat, mask: Mask): AsyncGenerator<string | Uint8Array> {
    check();
    const { epoch, seq } = journal.head();
    const { file, gateway } = journal;
    const workerData: ExportWorkerData = { file, gateway, query, head: positionNumber(epoch, seq), format, mask };
    running++;
    const worker = new Worker(new URL('./export-worker.ts', import.meta.url), {
      workerData,
      resourceLimits: LIMITS,
    });
    try {
      const head = exportHead(format);
      if (head !== '') yield head;
      for (let last = false; !last; ) {
        const answer = once(worker, 'message') as Promise<[ExportPiece]>;
        worker.postMessage('next');
        const [piece] = await answer;
        if (piece.text.length > 0) yield piece.text;
        ({ last } = piece);
      }
    } finally {
      running--;
      await worker.terminate();
    }
  }

  return { check, text };
}

/** Name and time of the export are in the file's name (ux.md 9.6). */
export const exportName = (user: string, now: number, format: ExportFormat): string =>
  `gatehouse-records-${new Date(now).toISOString().slice(0, 19).replaceAll(/[:T]/g, '-')}-${user}.${format}`;
