/** The thread of one report: reads the alarm records of its stretch page by page and counts them. */
import { setPriority } from 'node:os';
import { parentPort, workerData } from 'node:worker_threads';
import type { AlarmView } from '../contracts/api.ts';
import type { RecordQuery } from '../journal/journal.ts';
import { epochOf, seqOf } from '../journal/schema.ts';
import { openThreadReader } from '../journal/thread-reader.ts';
import { createTally, type StatisticsQuery } from './statistics.ts';

export interface StatisticsWorkerData {
  readonly file: string;
  readonly gateway: string;
  /** Where the journal ended when it was asked, see `positionNumber`. */
  readonly head: number;
  readonly query: StatisticsQuery;
  readonly known: readonly AlarmView[];
}

/** Held for no longer than one page, so that checkpoints go on. */
const RECORDS = 500;
const SLICE_MS = 500;
/** A report may take its time; what happens at the gates may not wait for it. */
const NICE = 5;

function count({ file, gateway, head, query, known }: StatisticsWorkerData) {
  const tally = createTally(query);
  const reader = openThreadReader(file, gateway);
  try {
    let page: RecordQuery = { kind: ['alarm'], from: query.from, to: query.to };
    for (;;) {
      const { records, through, done } = reader.page({ query: page, head, limit: RECORDS, within: SLICE_MS });
      for (const record of records) tally.add(record);
      if (through >= head || (done && records.length < RECORDS)) return tally.result(known);
      page = { ...page, after: { epoch: epochOf(through), seq: seqOf(through) } };
    }
  } finally {
    reader.close();
  }
}

if (parentPort) {
  setPriority(0, NICE); // of this thread only
  parentPort.postMessage(count(workerData as StatisticsWorkerData));
}
