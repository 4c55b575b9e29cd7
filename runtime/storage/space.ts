/**
 * Watches how full the disk is and keeps the journal below its cap (reliability.md B1-B4): every five seconds, and
 * sooner when much comes in. One pass at a time; every step of it is short.
 */
import { statfsSync } from 'node:fs';
import { join } from 'node:path';
import { type Clock, every } from '../clock.ts';
import type { PointHistory, StorageView } from '../contracts/api.ts';
import { type JournalRecord, type Lane, lanes } from '../contracts/record.ts';
import { GatehouseError } from '../errors.ts';
import type { Journal, Write } from '../journal/journal.ts';
import { positionNumber } from '../journal/schema.ts';
import type { Log } from '../log.ts';
import { BALLAST_BYTES, dropBallast, hasBallast } from './ballast.ts';
import type { Outage } from './forecast.ts';
import {
  type AlarmLevel,
  alarmAt,
  DISK_MARGIN_BYTES,
  dueAt,
  fillOf,
  KEPT_ROLLUP_HOURS,
  leastRows,
  type Measured,
  refusedAt,
  roomBytes,
  type Step,
  THIN_TO,
} from './levels.ts';
import { measuredFrom, rowBytesOf } from './measure.ts';
import { type Measurement, mixChanged, watchRates } from './rates.ts';
import { ENOUGH_ROWS, usualPacking } from './rehearsal.ts';
import { createRemoval, markWrite } from './removal.ts';
import { type Aged, createRetention } from './retention.ts';
import { type HistoryQuery, mergeWrites, pruneWrite, readHistory } from './rollup.ts';
import { STRETCH_ROWS, type Stored } from './scan.ts';
import { startScanner } from './scanner.ts';
import { BATCH_ROWS, type Class, classes, type Reason } from './schema.ts';
import type { StorageSettings } from './settings.ts';

/** Where records go, and which lanes it takes. */
export interface Target {
  readonly id: string;
  readonly lanes: readonly Lane[];
}
export interface StorageAlarm {
  readonly kind: 'storageFull' | 'walLarge';
  /** 0: over. 1 to 3: 80, 90, 95 % full. */
  readonly level: AlarmLevel;
  readonly data: { readonly fill?: number; readonly bytes: number };
}
export interface Partition {
  readonly totalBytes: number;
  readonly freeBytes: number;
}
export interface StorageParts {
  readonly journal: Journal;
  readonly directory: string;
  readonly clock: Clock;
  readonly log: Log;
  settings(): StorageSettings;
  targets(): readonly Target[];
  clockQuality(): JournalRecord['clock'];
  report(alarm: StorageAlarm): Promise<unknown>;
  /** Of the data directory. */
  readonly partition?: () => Partition;
  readonly ballastBytes?: number;
  /** Between two looks; default: five seconds. */
  readonly lookMs?: number;
  /** What other parts keep about removed records. */
  readonly alsoRemove?: (first: number, last: number) => readonly Write[];
  readonly aged?: readonly Aged[];
}

type LaneView = StorageView['lanes'][number];
type TargetView = StorageView['targets'][number];

export interface Storage extends AsyncDisposable {
  view(): StorageView;
  /** The disk is full: makes the room that can be made at once (B2). */
  onFull(): void;
  history(query: HistoryQuery): Promise<PointHistory>;
  /** Carries out what is due now; resolves when nothing more is. */
  look(): Promise<void>;
}

const LOOK_MS = 5000;
const SURVEY_MS = 60_000;
const DIGEST_MS = 900_000;
/** Uncounted rows that make a digest worth its while, and how many chunks of them one pass takes in quiet times. */
const DIGEST_ROWS = 4096;
const QUIET_CHUNKS = 8;
const WAL_ALARM_BYTES = 64 << 20;
/** Looks are sooner when so large a part of the room has come in. */
const EARLY_PART = 0.004;
const RECLAIM_PAGES = 128;
const RECLAIM_LEAST_BYTES = 16 << 20;
const HOUR_MS = 3_600_000;

const classOf: Readonly<Record<'thin' | 'L1' | 'L2' | 'L3' | 'L4', Class>> = {
  thin: 'L3',
  L1: 'L1',
  L2: 'L2',
  L3: 'L3',
  L4: 'L4',
};
const classesOf = (lane: Lane): readonly Class[] => (lane === 'L0' ? ['L0', 'proof'] : [lane]);
const noStored: Record<Class, Stored> = {
  L0: { rows: 0, bytes: 0 },
  L1: { rows: 0, bytes: 0 },
  L2: { rows: 0, bytes: 0 },
  L3: { rows: 0, bytes: 0 },
  L4: { rows: 0, bytes: 0 },
  proof: { rows: 0, bytes: 0 },
};

const partitionOf = (directory: string): Partition => {
  const { blocks, bavail, bsize } = statfsSync(directory);
  return { totalBytes: blocks * bsize, freeBytes: bavail * bsize };
};

/** @throws GatehouseError `journal.*` if what a crash interrupted cannot be finished */
export function watchSpace(parts: StorageParts): Storage {
  const { journal, directory, clock, log } = parts;
  const partition = parts.partition ?? (() => partitionOf(directory));
  const ballastBytes = parts.ballastBytes ?? BALLAST_BYTES;
  const ballast = join(directory, 'ballast');
  const scanner = startScanner({ file: join(directory, 'gatehouse.db'), thinTo: THIN_TO }, log);
  const removal = createRemoval({ journal, scanner, ...(parts.alsoRemove ? { alsoRemove: parts.alsoRemove } : {}) });
  const rates = watchRates(journal, clock);
  const marks = journal.db.prepare<[string], { value: number }>('SELECT value FROM storage_mark WHERE name = ?');
  const cursorOf = journal.db.prepare<[string], { pos: number }>('SELECT pos FROM cursor WHERE name = ?');
  const drops = journal.db.prepare<[], { class: number; reason: Reason; target: string; rows: number }>(
    'SELECT class, reason, target, rows FROM storage_drop',
  );
  const oldestHour = journal.db.prepare<[], { hour: number }>('SELECT hour FROM rollup ORDER BY hour LIMIT 1');

  let digested = marks.get('digested')?.value ?? 0;
  let thinned = marks.get('thinned')?.value ?? 0;
  let digestedAt = clock.mono();
  let surveyedAt = Number.NEGATIVE_INFINITY;
  let stored = noStored;
  let outage: Outage = {};
  let packing = usualPacking;
  /** What it was found with. */
  let rehearsed: { readonly rows: number; readonly head: number; readonly rates: Measurement['day'] } | undefined;
  let measurement: Measurement = rates.now();
  let backlog: TargetView[] = [];
  let refused: ReadonlySet<Lane> = new Set();
  let alarm: AlarmLevel = 0;
  /** The disk was full and the ballast had to go: that is the worst there is, until it lies there again. */
  let spent = false;
  let walAlarm = false;
  let running = new Set<Step['what']>();
  let limit = 0;
  let partNow = partition();
  let arrived = 0;
  let stopping = false;

  const head = () => positionNumber(journal.head().epoch, journal.head().seq);
  const capBytes = () => Math.floor(parts.settings().capBytes ?? partNow.totalBytes / 2);

  function measure(): Measured & { walBytes: number } {
    const { usedBytes, freeBytes, walBytes } = journal.space();
    partNow = partition();
    return { usedBytes, freeBytes, walBytes, capBytes: capBytes(), diskFreeBytes: partNow.freeBytes };
  }

  /** Where each target that takes a class has got to. */
  function cursorsFor(of: Class): Record<string, number> {
    const lane = of === 'proof' ? 'L0' : of;
    const name = lane === 'L0' || lane === 'L1' ? 'urgent' : 'bulk';
    const takers = parts.targets().filter((target) => target.lanes.includes(lane));
    return Object.fromEntries(takers.map(({ id }) => [id, cursorOf.get(`uplink:${id}:${name}`)?.pos ?? 0]));
  }

  async function tell(told: StorageAlarm): Promise<void> {
    try {
      await parts.report(told);
    } catch (error) {
      log.warn({ err: error, alarm: told.kind }, 'a storage alarm could not be recorded');
    }
  }

  /** What follows from the fill at once: alarms first, as a refused lane could not carry them. */
  async function judge(): Promise<number> {
    const measured = measure();
    const fill = fillOf(measured);
    const level = spent ? 3 : alarmAt(fill, alarm);
    if (level !== alarm) {
      alarm = level;
      await tell({ kind: 'storageFull', level, data: { fill, bytes: measured.usedBytes } });
    }
    const large = measured.walBytes > WAL_ALARM_BYTES;
    if (large !== walAlarm) {
      walAlarm = large;
      await tell({ kind: 'walLarge', level: large ? 1 : 0, data: { bytes: measured.walBytes } });
    }
    refused = refusedAt(fill, refused);
    journal.refuse(refused);
    return fill;
  }

  /** Counts and rolls up what has come since. @param chunks at most */
  async function digest(chunks: number): Promise<void> {
    for (let chunk = 0; chunk < chunks && !stopping && digested < head(); chunk++) {
      const found = await scanner.ask('digest', digested, head());
      if (!found) return;
      const counts = found.counts.map((count) => ({
        sql: `INSERT INTO storage_block VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
          rows = rows + excluded.rows, bytes = bytes + excluded.bytes,
          since = ifnull(min(since, excluded.since), ifnull(since, excluded.since)),
          until = ifnull(max(until, excluded.until), ifnull(until, excluded.until))`,
        params: [count[0], found.block, count[1], count[2], count[3], count[4]],
      }));
      const mark = markWrite('digested', found.through);
      await journal.commit({ writes: [...counts, ...mergeWrites(found.rollups), mark] });
      digested = found.through;
    }
    digestedAt = clock.mono();
  }

  const digestIsDue = () => {
    const behind = head() - digested;
    return behind >= DIGEST_ROWS || (behind > 0 && clock.mono() - digestedAt >= DIGEST_MS);
  };

  /** Removes one stretch for the first step that finds enough. @returns false if nothing could be removed */
  async function removeSome(due: readonly Step[], measured: Measured): Promise<boolean> {
    const room = roomBytes(measured);
    for (const { what, until } of due) {
      const excess = measured.usedBytes - until * room;
      if (what === 'rollup') {
        const oldest = oldestHour.get()?.hour;
        const { usually, atLeast } = KEPT_ROLLUP_HOURS;
        const kept = due.some((step) => step.what === 'L2') ? atLeast : usually;
        const before = Math.floor(clock.now() / HOUR_MS) - kept;
        if (oldest === undefined || oldest >= before) continue;
        await journal.commit({ writes: [pruneWrite(before, BATCH_ROWS)] });
        return true;
      }
      const of = classOf[what];
      const after = what === 'thin' ? thinned : 0;
      const least = leastRows(room);
      const { rows: there } = await scanner.ask('after', of, after, digested, digested);
      if (there < least) continue;
      const wanted = Math.ceil(excess / rowBytesOf(of, stored[of]));
      const { stretch, examined } = await scanner.ask('plan', {
        of,
        reason: what === 'thin' ? 'thinned' : 'space',
        after,
        through: digested,
        rows: Math.min(STRETCH_ROWS, Math.max(least, wanted)),
        cursors: cursorsFor(of),
      });
      const done = what === 'thin' ? [markWrite('thinned', examined)] : [];
      if (stretch) await removal.remove(stretch, done);
      else if (done.length > 0) await journal.commit({ writes: done });
      if (what === 'thin') thinned = examined;
      if (stretch || examined > after) return true;
    }
    return false;
  }

  async function makeRoom(): Promise<void> {
    let idle = 0;
    while (!stopping) {
      const fill = await judge();
      const due = dueAt(fill, running);
      running = new Set(due.map(({ what }) => what));
      if (due.length === 0) return;
      if (digested < head()) await unlessFull(() => digest(Number.POSITIVE_INFINITY));
      idle = (await removeSome(due, measure())) ? 0 : idle + 1;
      if (idle > 0) return;
    }
  }

  /** Pages freed inside the file go back to the file system once they are many; in pieces, while nothing waits. */
  async function reclaim(): Promise<void> {
    const most = Math.max(RECLAIM_LEAST_BYTES, capBytes() / 10);
    if (journal.space().freeBytes <= most) return;
    while (!stopping && journal.pending === 0 && journal.space().freeBytes > most / 2) {
      if ((await journal.chore('reclaim', RECLAIM_PAGES)) === 0) return;
    }
  }

  async function keepBallast(): Promise<void> {
    if (hasBallast(ballast, ballastBytes)) {
      spent = false;
      return;
    }
    const { usedBytes, freeBytes, diskFreeBytes, capBytes: cap } = measure();
    const after = { usedBytes, freeBytes, capBytes: cap, diskFreeBytes: diskFreeBytes - ballastBytes };
    if (diskFreeBytes < ballastBytes + DISK_MARGIN_BYTES || fillOf(after) >= 0.95) return;
    await scanner.ask('ballast', ballast, ballastBytes);
    await setLimit();
  }

  /** The writer's own bound (B1); beyond it only while the ballast is gone. */
  async function setLimit(): Promise<void> {
    const wanted = capBytes() + (hasBallast(ballast, ballastBytes) ? 0 : ballastBytes);
    if (wanted === limit) return;
    limit = wanted;
    await journal.chore('limit', wanted);
    await unlessFull(() => journal.commit({ writes: [markWrite('cap', capBytes())] }));
  }

  /** What removal would give back, again when other records come in, or many more than there were. */
  async function weigh(day: Measurement['day']): Promise<void> {
    const few = rehearsed && rehearsed.rows < ENOUGH_ROWS && head() - rehearsed.head > rehearsed.rows;
    if (rehearsed && !few && !mixChanged(rehearsed.rates, day)) return;
    const last = head();
    const found = await scanner.ask('rehearsal', thinned + 1, last);
    if (!found) return;
    packing = found.packing;
    rehearsed = { rows: found.rows, head: last, rates: day };
  }

  async function survey(): Promise<void> {
    const starting = surveyedAt === Number.NEGATIVE_INFINITY;
    surveyedAt = clock.mono();
    stored = await scanner.ask('stored');
    measurement = rates.now();
    // A start and a filling disk have better things to do.
    if (!starting && running.size === 0) await weigh(measurement.day);
    const cursors = (['L0', 'L3'] as const).flatMap((of) => Object.values(cursorsFor(of)));
    const delivered = cursors.length === 0 ? 0 : Math.min(...cursors);
    const measured = measure();
    outage = await scanner.ask(
      'forecast',
      measuredFrom({
        roomBytes: roomBytes(measured),
        usedBytes: measured.usedBytes,
        rates: measurement.day,
        stored,
        parts: await scanner.ask('parts', thinned, delivered, clock.now()),
        packing,
        figures: await scanner.ask('figures'),
        settings: parts.settings(),
        clockTrusted: parts.clockQuality() === 'synced',
        alone: cursors.length === 0,
      }),
    );
  }

  async function lookAtTargets(): Promise<void> {
    const rows = drops.all();
    const found: TargetView[] = [];
    for (const lane of lanes) {
      for (const { id } of parts.targets().filter((target) => target.lanes.includes(lane))) {
        let count = 0;
        let oldestAt: number | undefined;
        for (const of of classesOf(lane)) {
          const one = await scanner.ask('after', of, cursorsFor(of)[id] ?? 0, digested, head());
          count += one.rows;
          if (one.oldestAt !== undefined) oldestAt = Math.min(oldestAt ?? one.oldestAt, one.oldestAt);
        }
        const dropped = rows
          .filter((row) => row.target === id && classesOf(lane).includes(classes[row.class] ?? 'L4'))
          .reduce((sum, row) => sum + row.rows, 0);
        found.push({ id, lane, backlog: count, ...(oldestAt === undefined ? {} : { oldestAt }), dropped });
      }
    }
    backlog = found;
  }

  const retention = createRetention({
    journal,
    scanner,
    removal,
    clock,
    settings: parts.settings,
    clockQuality: parts.clockQuality,
    cursorsFor,
    digested: () => digested,
    stopping: () => stopping,
    aged: parts.aged ?? [],
  });

  /** On a full disk what is only convenient waits; what makes room goes on. */
  async function unlessFull(action: () => Promise<unknown>): Promise<void> {
    try {
      await action();
    } catch (error) {
      if (!(error instanceof GatehouseError && error.code === 'journal.full')) throw error;
    }
  }

  async function pass(): Promise<void> {
    arrived = 0;
    await removal.resume();
    await setLimit();
    await makeRoom();
    if (digestIsDue()) await unlessFull(() => digest(QUIET_CHUNKS));
    await unlessFull(() => rates.save());
    if (clock.mono() - surveyedAt >= SURVEY_MS) await survey();
    if (retention.isDue()) await unlessFull(retain);
    await lookAtTargets();
    await keepBallast();
    await reclaim();
  }
  async function retain(): Promise<void> {
    await digest(Number.POSITIVE_INFINITY);
    await retention.run();
  }

  let turn: Promise<void> | undefined;
  let again = false;
  /** One pass at a time; whoever asks meanwhile gets the next one. */
  function look(): Promise<void> {
    if (stopping) return Promise.resolve();
    if (turn) {
      again = true;
      return turn;
    }
    turn = (async () => {
      do {
        again = false;
        await pass();
      } while (again && !stopping);
    })().finally(() => {
      turn = undefined;
    });
    return turn;
  }
  const failed = (error: unknown): void => {
    if (stopping || (error instanceof GatehouseError && error.code === 'journal.closed')) return;
    log.error({ err: error }, 'the disk space could not be looked after');
  };
  const lookSafely = () => {
    look().catch(failed);
  };
  const stopLooking = every(clock, parts.lookMs ?? LOOK_MS, lookSafely);
  const unfollow = journal.onCommit((records) => {
    arrived += records.length;
    if (arrived * rowBytesOf('L3', stored.L3) > EARLY_PART * capBytes()) {
      arrived = 0;
      judge().catch(failed); // at once, as a pass may be busy with a long removal
      lookSafely();
    }
  });
  lookSafely();

  return {
    view() {
      const measured = measure();
      const dropped = drops.all().filter(({ target }) => target === '');
      return {
        usedBytes: measured.usedBytes,
        freeBytes: measured.freeBytes,
        walBytes: measured.walBytes,
        capBytes: measured.capBytes,
        roomBytes: roomBytes(measured),
        partition: { ...partNow },
        fill: fillOf(measured),
        removing: [...running],
        ballast: hasBallast(ballast, ballastBytes),
        lanes: lanes.map((lane) => laneView(lane, { stored, measurement, refused, outage, dropped })),
        targets: backlog,
        retention: retention.view(),
      };
    },
    onFull() {
      if (!dropBallast(ballast)) return;
      spent = true;
      void setLimit().catch(() => {}); // the next pass sets it again
      lookSafely();
    },
    history: (query) => readHistory(journal, (...asked) => scanner.ask('hours', ...asked), query),
    look,
    async [Symbol.asyncDispose]() {
      stopLooking();
      unfollow();
      rates.stop();
      stopping = true;
      await turn?.catch(() => {}); // told already
      await rates.save(true).catch(() => {}); // the journal may be full or closed: the rate of a minute
      await scanner[Symbol.asyncDispose]();
    },
  };
}

interface LaneFacts {
  readonly stored: Readonly<Record<Class, Stored>>;
  readonly measurement: Measurement;
  readonly refused: ReadonlySet<Lane>;
  readonly outage: Outage;
  readonly dropped: readonly { readonly class: number; readonly reason: Reason; readonly rows: number }[];
}

function laneView(lane: Lane, { stored, measurement, refused, outage, dropped }: LaneFacts): LaneView {
  const of = classesOf(lane);
  const sum = (value: (one: Class) => number) => of.reduce((total, one) => total + value(one), 0);
  const rows = sum((one) => stored[one].rows);
  const bytes = Math.round(sum((one) => stored[one].rows * rowBytesOf(one, stored[one])));
  const droppedFor = (reason: Reason) =>
    dropped
      .filter((row) => row.reason === reason && of.includes(classes[row.class] ?? 'L4'))
      .reduce((total, row) => total + row.rows, 0);
  const hours = lane === 'L1' || lane === 'L2' || lane === 'L3' ? outage[lane] : undefined;
  return {
    lane,
    rows,
    bytes,
    bytesPerRecord: rows > 0 ? Math.round(bytes / rows) : 0,
    perDay: Math.round(sum((one) => measurement.day[one]) * 24),
    refused: refused.has(lane),
    dropped: { thinned: droppedFor('thinned'), space: droppedFor('space'), retention: droppedFor('retention') },
    ...(hours === undefined ? {} : { outageSeconds: Math.round(hours * 3600) }),
  };
}
