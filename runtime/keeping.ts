/** How much is kept for how long: the records by the storage part, pictures beside them. Both ask the site. */
import { statfsSync } from 'node:fs';
import { join } from 'node:path';
import { type Alarms, agedAlarms } from './alarms/alarms.ts';
import { systemClock } from './clock.ts';
import type { Config } from './config.ts';
import type { JournalRecord } from './contracts/record.ts';
import { hashesIn, keepEvidence } from './devices/evidence-keeping.ts';
import type { Inventory } from './devices/inventory.ts';
import type { Journal } from './journal/journal.ts';
import { markRemoved } from './journal/postings.ts';
import type { Log } from './log.ts';
import { reportTo } from './storage/alarms.ts';
import { settingsFrom } from './storage/settings.ts';
import { type Storage, watchSpace } from './storage/space.ts';
import { sentLanes } from './uplink/sender.ts';
import { FIXED_UPLINK } from './uplink/uplinks.ts';

export interface KeepingParts {
  readonly config: Config;
  readonly inventory: Inventory;
  readonly journal: Journal;
  readonly alarms: Alarms;
  readonly log: Log;
  clockQuality(): JournalRecord['clock'];
}

/** Of the data partition, where the site says nothing. */
const PICTURE_PART = 0.2;

export function keepWithinSpace({ config, inventory, journal, alarms, log, clockQuality }: KeepingParts): Storage {
  return watchSpace({
    journal,
    directory: config.dataDir,
    clock: systemClock,
    log: log.child({ part: 'storage' }),
    settings: () => settingsFrom(inventory.site().storage),
    targets: () => [
      ...(inventory.site().uplinks ?? []).map(({ id, filter }) => ({ id, lanes: filter?.lanes ?? sentLanes })),
      ...(config.uplink === undefined ? [] : [{ id: FIXED_UPLINK, lanes: sentLanes }]),
    ],
    clockQuality,
    report: reportTo(alarms),
    alsoRemove: (first, last) => [markRemoved(first, last)],
    aged: [agedAlarms(journal)],
  });
}

/** Pictures stay as long as facts; what an open alarm or its cause shows stays in any case. */
export function keepPictures({ config, inventory, journal, alarms, log, clockQuality }: KeepingParts) {
  const shown = () => alarms.open().flatMap((one) => [one, one.cause && journal.find(one.cause)?.data]);
  return keepEvidence({
    directory: join(config.dataDir, 'evidence'),
    clock: systemClock,
    log: log.child({ part: 'evidence' }),
    settings() {
      const { factDays, pictureBytes } = settingsFrom(inventory.site().storage);
      const { blocks, bsize } = statfsSync(config.dataDir);
      return { days: factDays, bytes: pictureBytes ?? blocks * bsize * PICTURE_PART };
    },
    clockQuality,
    inUse: () => new Set(shown().flatMap(hashesIn)),
    record: (draft) => journal.append(draft),
  });
}
