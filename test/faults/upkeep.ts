/** The gateway's own upkeep of its disk space over a trial's journal, with a cap so small that records have to go. */
import { systemClock } from '../../runtime/clock.ts';
import type { Journal } from '../../runtime/journal/journal.ts';
import { silentLog } from '../../runtime/log.ts';
import { settingsFrom } from '../../runtime/storage/settings.ts';
import { type Storage, watchSpace } from '../../runtime/storage/space.ts';

const PARTITION = { totalBytes: 2 ** 40, freeBytes: 2 ** 39 };
const BALLAST_BYTES = 4096;

export const keepBelow = (journal: Journal, directory: string, capBytes: number): Storage =>
  watchSpace({
    journal,
    directory,
    clock: systemClock,
    log: silentLog,
    settings: () => ({ ...settingsFrom(), capBytes }),
    targets: () => [],
    clockQuality: () => 'synced',
    report: async () => {},
    partition: () => PARTITION,
    ballastBytes: BALLAST_BYTES,
  });
