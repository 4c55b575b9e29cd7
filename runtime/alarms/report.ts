/** Alarm statistics on a thread of their own: half a year of them costs the gates nothing. */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { AlarmStatistics } from '../contracts/alarm-statistics.ts';
import type { AlarmView } from '../contracts/api.ts';
import { GatehouseError } from '../errors.ts';
import type { Journal } from '../journal/journal.ts';
import { positionNumber } from '../journal/schema.ts';
import type { StatisticsQuery } from './statistics.ts';
import type { StatisticsWorkerData } from './statistics-worker.ts';

/** Each is a thread. */
const MOST_AT_ONCE = 2;
const LIMITS = { maxYoungGenerationSizeMb: 8, maxOldGenerationSizeMb: 128 };

export interface AlarmReports {
  /**
   * @param known alarms that may not have changed in the stretch: those open now, and those that changed after it
   * @throws GatehouseError `record.exports` when too many run
   */
  make(query: StatisticsQuery, known: readonly AlarmView[]): Promise<AlarmStatistics>;
}

export function createAlarmReports(journal: Pick<Journal, 'file' | 'gateway' | 'head'>): AlarmReports {
  let running = 0;
  return {
    async make(query, known) {
      if (running >= MOST_AT_ONCE) throw new GatehouseError('record.exports', `${running} reports are being made`);
      const { epoch, seq } = journal.head();
      const { file, gateway } = journal;
      const workerData: StatisticsWorkerData = { file, gateway, head: positionNumber(epoch, seq), query, known };
      running++;
      try {
        const worker = new Worker(new URL('./statistics-worker.ts', import.meta.url), {
          workerData,
          resourceLimits: LIMITS,
        });
        const [statistics] = (await once(worker, 'message')) as [AlarmStatistics];
        await worker.terminate();
        return statistics;
      } finally {
        running--;
      }
    },
  };
}
