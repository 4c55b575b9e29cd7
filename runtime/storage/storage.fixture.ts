/** For tests and trials: a journal with the storage part on a clock that is moved by hand, and what must be true of it. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ManualClock, manualClock } from '../../test/manual-clock.ts';
import type { Draft, JournalRecord, Lane } from '../contracts/record.ts';
import { Journal } from '../journal/journal.ts';
import { silentLog } from '../log.ts';
import { schema } from './schema.ts';
import { type StorageSettings, settingsFrom } from './settings.ts';
import { type Storage, type StorageAlarm, type StorageParts, watchSpace } from './space.ts';

const GB = 2 ** 30;

export interface TestStore extends AsyncDisposable {
  readonly directory: string;
  readonly clock: ManualClock;
  readonly journal: Journal;
  readonly storage: Storage;
  readonly alarms: StorageAlarm[];
  /** What the parts ask for; tests change it. */
  readonly world: {
    settings: Partial<StorageSettings>;
    quality: JournalRecord['clock'];
    targets: { id: string; lanes: readonly Lane[] }[];
    diskFreeBytes: number;
  };
}

export interface TestStoreOptions extends Partial<Pick<StorageParts, 'ballastBytes' | 'alsoRemove'>> {
  readonly directory?: string;
  readonly capBytes?: number;
  readonly clock?: ManualClock;
}

export async function openTestStore(options: TestStoreOptions = {}): Promise<TestStore> {
  const directory = options.directory ?? mkdtempSync(join(tmpdir(), 'gh-storage-'));
  const clock = options.clock ?? manualClock();
  const alarms: StorageAlarm[] = [];
  const world: TestStore['world'] = {
    settings: options.capBytes === undefined ? {} : { capBytes: options.capBytes },
    quality: 'synced',
    targets: [],
    diskFreeBytes: 100 * GB,
  };
  let storage: Storage | undefined;
  const journal = await Journal.open({
    directory,
    clock,
    log: silentLog,
    schema: [schema],
    clockQuality: () => world.quality,
    onFull: () => storage?.onFull(),
  });
  storage = watchSpace({
    journal,
    directory,
    clock,
    log: silentLog,
    settings: () => settingsFrom(world.settings),
    targets: () => world.targets,
    clockQuality: () => world.quality,
    async report(alarm) {
      alarms.push(alarm);
    },
    partition: () => ({ totalBytes: 200 * GB, freeBytes: world.diskFreeBytes }),
    ballastBytes: options.ballastBytes ?? 1 << 16,
    ...(options.alsoRemove ? { alsoRemove: options.alsoRemove } : {}),
  });
  return {
    ...{ directory, clock, journal, storage, alarms, world },
    async [Symbol.asyncDispose]() {
      await storage[Symbol.asyncDispose]();
      await journal[Symbol.asyncDispose]();
      if (options.directory === undefined) rmSync(directory, { recursive: true, force: true });
    },
  };
}

const kindOf = { L0: 'alarm', L1: 'event', L2: 'state', L3: 'telemetry', L4: 'event' } as const;

/** A record of a lane, about the size of a real one. */
export const draftOf = (lane: Lane, n: number): Draft => ({
  lane,
  kind: kindOf[lane],
  scenario: 'environment-monitoring',
  device: `device-${n % 500}`,
  name: lane === 'L3' ? 'pm25' : 'link',
  data:
    lane === 'L3'
      ? ((n * 7919) % 1000) / 10
      : lane === 'L2'
        ? { state: n % 2 ? 'online' : 'offline' }
        : { plate: `粤B${n}`, direction: 'in', lane: 'east-in' },
  actor: `device:device-${n % 500}`,
});

/** The mix of a compound: 92 % readings, 6 % states, 1.5 % passages, 0.5 % what is urgent. */
export function laneOfMix(share: number): Lane {
  if (share < 0.92) return 'L3';
  if (share < 0.98) return 'L2';
  return share < 0.995 ? 'L1' : 'L0';
}
