/**
 * How long pictures and clips stay: as long as the records that name them, in the room they are given, oldest first where
 * that is too small. What an open alarm is about stays whatever happens. Age counts only while the clock is trusted
 * (reliability.md T5), and a run takes at most two days by age.
 */
import type { Dirent } from 'node:fs';
import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type Clock, every } from '../clock.ts';
import type { Draft, JournalRecord } from '../contracts/record.ts';
import type { Log } from '../log.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const MOST_PER_RUN_MS = 2 * DAY_MS;
/** By age once a day; the room is looked at every hour. */
const LOOK_MS = HOUR_MS;
const AGE_EVERY = 24;
/** What is over goes, and so much more of the room that the next hour has some. */
const SPARE = 0.05;
/** Half written when the gateway ended. */
const UNFINISHED = /\.new$/;
const NAME = /^([0-9a-f]{64})\.jpg$/;

export interface Keeping {
  readonly days: number;
  readonly bytes: number;
}
export interface EvidenceKeepingParts {
  /** Of the evidence: one folder per first two digits. */
  readonly directory: string;
  readonly clock: Clock;
  readonly log: Log;
  settings(): Keeping;
  clockQuality(): JournalRecord['clock'];
  /** Hashes that open alarms are about. */
  inUse(): ReadonlySet<string>;
  record(draft: Draft): Promise<unknown>;
}
interface Found {
  readonly path: string;
  readonly hash: string | undefined;
  readonly bytes: number;
  readonly at: number;
}
export interface Removed {
  readonly files: number;
  readonly bytes: number;
  readonly firstAt: number;
  readonly lastAt: number;
}

/** Every hash in what is known of something. */
export const hashesIn = (value: unknown): string[] => JSON.stringify(value ?? null).match(/\b[0-9a-f]{64}\b/g) ?? [];

export function keepEvidence(parts: EvidenceKeepingParts) {
  const { directory, clock, log } = parts;
  let turns = 0;
  let stopped = false;
  let running: Promise<void> | undefined;

  async function* files(): AsyncGenerator<Found> {
    for (const folder of await listOf(directory)) {
      if (!folder.isDirectory()) continue;
      for (const { name } of await listOf(join(directory, folder.name))) {
        const path = join(directory, folder.name, name);
        const found = await stat(path).catch(() => undefined);
        if (stopped) return;
        if (found?.isFile())
          yield { path, hash: NAME.exec(name)?.[1], bytes: found.size, at: Math.floor(found.mtimeMs) };
      }
    }
  }

  /** How much lies there of each hour: millions of files are a few thousand numbers. */
  async function weigh(): Promise<{ total: number; hours: Map<number, number> }> {
    const hours = new Map<number, number>();
    let total = 0;
    for await (const { bytes, at } of files()) {
      total += bytes;
      const hour = Math.floor(at / HOUR_MS);
      hours.set(hour, (hours.get(hour) ?? 0) + bytes);
    }
    return { total, hours };
  }

  async function remove(before: number, reason: 'space' | 'retention'): Promise<number> {
    const inUse = parts.inUse();
    const gone = { files: 0, bytes: 0, firstAt: Number.POSITIVE_INFINITY, lastAt: 0 };
    for await (const { path, hash, bytes, at } of files()) {
      if (at >= before || hash === undefined || inUse.has(hash)) continue;
      await rm(path, { force: true });
      gone.files++;
      gone.bytes += bytes;
      gone.firstAt = Math.min(gone.firstAt, at);
      gone.lastAt = Math.max(gone.lastAt, at);
    }
    if (gone.files > 0) await parts.record(removedRecord(gone, reason));
    return gone.bytes;
  }

  async function pass(): Promise<void> {
    const { days, bytes } = parts.settings();
    const { total, hours } = await weigh();
    const oldest = Math.min(...hours.keys()) * HOUR_MS;
    let left = total;
    if (turns++ % AGE_EVERY === 0 && parts.clockQuality() === 'synced' && hours.size > 0) {
      const before = Math.min(clock.now() - days * DAY_MS, oldest + MOST_PER_RUN_MS);
      left -= await remove(before, 'retention');
      await removeUnfinished();
    }
    const excess = left > bytes ? left - bytes * (1 - SPARE) : 0;
    if (excess > 0) await remove(borderFor(hours, total - left + excess), 'space');
  }

  /** Before it lies so much, in whole hours; what came within the last one stays in any case. */
  function borderFor(hours: ReadonlyMap<number, number>, bytes: number): number {
    let sum = 0;
    let border = Number.NEGATIVE_INFINITY;
    for (const hour of [...hours.keys()].sort((a, b) => a - b)) {
      if (sum >= bytes) break;
      sum += hours.get(hour) ?? 0;
      border = (hour + 1) * HOUR_MS;
    }
    return Math.min(border, clock.now() - HOUR_MS);
  }

  async function removeUnfinished(): Promise<void> {
    for await (const { path, at } of files()) {
      if (UNFINISHED.test(path) && at < clock.now() - HOUR_MS) await rm(path, { force: true });
    }
  }

  function look(): Promise<void> {
    running ??= pass()
      .catch((error: unknown) => log.error({ err: error }, 'the pictures could not be looked after'))
      .finally(() => {
        running = undefined;
      });
    return running;
  }

  const stopLooking = every(clock, LOOK_MS, () => void look());
  return {
    look,
    async stop(): Promise<void> {
      stopped = true;
      stopLooking();
      await running;
    },
  };
}

const removedRecord = (removed: Removed, reason: 'space' | 'retention'): Draft => ({
  lane: 'L2',
  kind: 'state',
  scenario: 'gateway',
  device: '',
  name: 'evidence.removed',
  data: { ...removed, reason },
  actor: 'system:storage',
});

async function listOf(folder: string): Promise<Dirent[]> {
  try {
    return await readdir(folder, { withFileTypes: true });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
