/** For tests and trials: a journal with the storage part on a clock that is moved by hand, and what must be true of it. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ManualClock, manualClock } from '../../test/manual-clock.ts';
import { type Draft, type JournalRecord, type Lane, lanes } from '../contracts/record.ts';
import { Journal, type ReadOnlyDatabase } from '../journal/journal.ts';
import { positionNumber, seqOf } from '../journal/schema.ts';
import { silentLog } from '../log.ts';
import { BLOCK, BYTES_SQL, CLASS_SQL, schema } from './schema.ts';
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
    settings: StorageSettings;
    quality: JournalRecord['clock'];
    targets: { id: string; lanes: readonly Lane[] }[];
    diskFreeBytes: number;
  };
}

export interface TestStoreOptions extends Partial<Pick<StorageParts, 'ballastBytes' | 'alsoRemove' | 'lookMs'>> {
  readonly directory?: string;
  readonly capBytes?: number;
  readonly clock?: ManualClock;
  readonly schema?: readonly string[];
  readonly aged?: (journal: Journal) => StorageParts['aged'];
}

export async function openTestStore(options: TestStoreOptions = {}): Promise<TestStore> {
  const directory = options.directory ?? mkdtempSync(join(tmpdir(), 'gh-storage-'));
  const clock = options.clock ?? manualClock();
  const alarms: StorageAlarm[] = [];
  const world: TestStore['world'] = {
    settings: {
      ...settingsFrom(),
      ...(options.capBytes === undefined ? {} : { capBytes: options.capBytes }),
    },
    quality: 'synced',
    targets: [],
    diskFreeBytes: 100 * GB,
  };
  let storage: Storage | undefined;
  const journal = await Journal.open({
    directory,
    clock,
    log: silentLog,
    schema: [schema, ...(options.schema ?? [])],
    clockQuality: () => world.quality,
    onFull: () => storage?.onFull(),
  });
  storage = watchSpace({
    journal,
    directory,
    clock,
    log: silentLog,
    settings: () => world.settings,
    targets: () => world.targets,
    clockQuality: () => world.quality,
    async report(alarm) {
      alarms.push(alarm);
    },
    partition: () => ({ totalBytes: 200 * GB, freeBytes: world.diskFreeBytes }),
    ballastBytes: options.ballastBytes ?? 1 << 16,
    ...(options.alsoRemove ? { alsoRemove: options.alsoRemove } : {}),
    aged: options.aged?.(journal) ?? [],
    ...(options.lookMs === undefined ? {} : { lookMs: options.lookMs }),
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

interface Gap {
  lane: Lane;
  epoch: number;
  from: number;
  to: number;
  count: number;
  reason: string;
}

/**
 * What reliability.md R5 asks of a journal of one epoch, and that what is counted is so.
 * @param laneAt the lane of each sequence number, where it is known
 * @returns one sentence for each thing that is not as it must be
 */
export function faultsOf(db: ReadOnlyDatabase, epoch: number, laneAt?: (seq: number) => Lane | undefined): string[] {
  const faults: string[] = [];
  const first = positionNumber(epoch, 0);
  const head = seqOf(
    db
      .prepare<[number], number>('SELECT max(pos) FROM record WHERE pos < ?')
      .pluck()
      .get(positionNumber(epoch + 1, 0)) ?? first,
  );
  const present = new Uint8Array(head + 1);
  for (const pos of db
    .prepare<[number, number], number>('SELECT pos FROM record WHERE pos BETWEEN ? AND ?')
    .pluck()
    .iterate(first, first + head))
    present[seqOf(pos)] = 1;
  const gaps = db
    .prepare<[], string>("SELECT data FROM record WHERE kind = 6 AND name = 'buffer.gap' ORDER BY pos")
    .pluck()
    .all()
    .map((data) => JSON.parse(data) as Gap)
    .filter((gap) => gap.epoch === epoch);
  /** A bit for every lane a gap record tells of. */
  const covered = new Uint8Array(head + 1);
  for (const { lane, from, to } of gaps) {
    const bit = 1 << lanes.indexOf(lane);
    for (let seq = from; seq <= to; seq++) covered[seq] = (covered[seq] ?? 0) | bit;
  }
  let missing = 0;
  const byLane: Partial<Record<Lane, number>> = {};
  for (let seq = 1; seq <= head; seq++) {
    if (present[seq]) continue;
    missing++;
    const lane = laneAt?.(seq);
    if (lane) byLane[lane] = (byLane[lane] ?? 0) + 1;
    const bits = lane === undefined ? 255 : 1 << lanes.indexOf(lane);
    if (((covered[seq] ?? 0) & bits) === 0) faults.push(`${epoch}:${seq} is missing without a gap record`);
  }
  const told = gaps.reduce((sum, { count }) => sum + count, 0);
  if (told !== missing) faults.push(`${missing} records are missing, the gap records tell of ${told}`);
  for (const [lane, count] of Object.entries(byLane)) {
    const of = gaps.filter((gap) => gap.lane === lane).reduce((sum, gap) => sum + gap.count, 0);
    if (of !== count) faults.push(`${count} records of ${lane} are missing, the gap records tell of ${of}`);
  }
  const digested = db.prepare<[], number>("SELECT value FROM storage_mark WHERE name = 'digested'").pluck().get() ?? 0;
  const counted = 'SELECT class, block, rows, bytes FROM storage_block WHERE rows > 0 ORDER BY class, block';
  const real = `SELECT ${CLASS_SQL} AS class, pos / ${BLOCK} AS block, count(*) AS rows, sum(${BYTES_SQL}) AS bytes
    FROM record WHERE pos <= ? GROUP BY 1, 2 ORDER BY 1, 2`;
  if (JSON.stringify(db.prepare(counted).all()) !== JSON.stringify(db.prepare(real).all(digested)))
    faults.push('the counts of the blocks are not those of the records');
  return faults;
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
