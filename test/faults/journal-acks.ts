/** What was acknowledged, and whether a journal opened afterwards still has all of it. */
import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '../../runtime/clock.ts';
import type { Lane } from '../../runtime/contracts/record.ts';
import { Journal } from '../../runtime/journal/journal.ts';
import { epochOf, positionNumber, seqOf } from '../../runtime/journal/schema.ts';
import { silentLog } from '../../runtime/log.ts';
import { schema as storageSchema } from '../../runtime/storage/schema.ts';
import { hold } from './trial.ts';
import { keepBelow } from './upkeep.ts';

export interface AckedRecord {
  readonly epoch: number;
  readonly seq: number;
  readonly id: string;
  readonly lane: string;
  readonly digest: string;
}
export interface Ack {
  readonly records: readonly AckedRecord[];
  readonly unit?: string;
  /** The unit also wrote a row of `trial_unit`. */
  readonly table?: boolean;
  /** A cursor was saved at this position number. */
  readonly cursor?: number;
}

/** Of a unit with a table write: its name and how many records it has. */
const unitSchema = 'CREATE TABLE IF NOT EXISTS trial_unit (unit TEXT PRIMARY KEY, parts INTEGER NOT NULL) STRICT';

export const trialSchema = [unitSchema, storageSchema];

/** What each record of a unit says of it. */
export interface UnitPart {
  readonly unit: string;
  readonly part: number;
  readonly lanes: readonly Lane[];
  readonly table: boolean;
}

export const digestOf = (data: unknown): string =>
  createHash('sha1').update(JSON.stringify(data)).digest('hex').slice(0, 12);

const READY_MS = 10_000;
/** A cap under which nothing has to go. */
const PLENTY = 2 ** 36;
/** A position of the journal as the person who reads a failure knows it. */
const named = (pos: number) => `${epochOf(pos)}:${seqOf(pos)}`;

interface Stored {
  readonly pos: number;
  readonly id: string;
  readonly kind: number;
  readonly name: string;
  readonly data: string;
}

export interface Opened {
  readonly epoch: number;
  readonly openMs: number;
  readonly records: number;
  readonly gaps: number;
  /** What it acknowledged to us in this life. */
  readonly acks: readonly Ack[];
}

/**
 * Opens the journal in `directory` as a start would, holds it to everything acknowledged before, writes a little, closes.
 * @param lost the database file is known to be gone: its records cannot be there, but their numbers must not come again
 * @throws Broken
 */
export async function checkJournal(directory: string, acks: readonly Ack[], lost = false): Promise<Opened> {
  const began = performance.now();
  const journal = await Journal.open({ directory, clock: systemClock, log: silentLog, schema: trialSchema });
  const openMs = performance.now() - began;
  try {
    hold('R8', openMs <= READY_MS, () => `opened only after ${Math.round(openMs)} ms`);
    const acked = acks.flatMap(({ records }) => records);
    const highest = acked.reduce((most, { epoch }) => Math.max(most, epoch), 0);
    hold('R4', journal.epoch >= highest + (lost ? 1 : 0), () => `epoch ${journal.epoch} after epoch ${highest}`);
    const stored = readAll(journal);
    const gaps = gapsOf(stored);
    if (!lost) {
      for (const record of acked) checkRecord(stored, gaps, record);
      checkUnits(journal, stored, gaps, acks);
      checkCursor(journal, acks);
    }
    const removing = isRemoving(journal);
    checkHoles([...stored.values()], removing ? 'begun' : 'done');
    if (removing) {
      await using upkeep = keepBelow(journal, directory, PLENTY);
      await upkeep.look();
      hold('R5', !isRemoving(journal), 'a removal that was interrupted is not finished by the next start');
      checkHoles([...readAll(journal).values()], 'done');
    }
    const taken = new Map(acked.map(({ epoch, seq, id }) => [positionNumber(epoch, seq), id]));
    const made: Ack[] = [];
    for (let n = 0; n < 3; n++) {
      const [record] = await journal.append({
        lane: 'L1',
        kind: 'event',
        scenario: 'trial',
        device: '',
        name: 'after',
        data: { n, began },
      });
      if (!record) throw new Error('nothing was appended');
      const { epoch, seq, id, lane, data } = record;
      hold('R4', !taken.has(positionNumber(epoch, seq)), `${epoch}:${seq} was given again`);
      made.push({ records: [{ epoch, seq, id, lane, digest: digestOf(data) }] });
    }
    return { epoch: journal.epoch, openMs, records: stored.size, gaps: gaps.length, acks: made };
  } finally {
    await journal[Symbol.asyncDispose]();
    await sleep(0);
  }
}

const readAll = (journal: Journal): Map<number, Stored> =>
  new Map(
    journal.db
      .prepare<[], Stored>('SELECT pos, id, kind, name, data FROM record')
      .all()
      .map((row) => [row.pos, row]),
  );

const isRemoving = (journal: Journal): boolean => journal.db.prepare('SELECT 1 FROM removal').get() !== undefined;

const gapsOf = (stored: ReadonlyMap<number, Stored>): Gap[] =>
  [...stored.values()].filter(({ name }) => name === GAP).map(({ data }) => JSON.parse(data) as Gap);

const isTold = (gaps: readonly Gap[], pos: number, lane: string | undefined): boolean =>
  gaps.some(
    (gap) =>
      gap.epoch === epochOf(pos) &&
      gap.from <= seqOf(pos) &&
      seqOf(pos) <= gap.to &&
      (lane === undefined || gap.lane === lane),
  );

function checkRecord(
  stored: ReadonlyMap<number, Stored>,
  gaps: readonly Gap[],
  { epoch, seq, id, lane, digest }: AckedRecord,
): void {
  const pos = positionNumber(epoch, seq);
  const row = stored.get(pos);
  if (!row && isTold(gaps, pos, lane)) return;
  hold('R2', row !== undefined, `${epoch}:${seq} was acknowledged and is gone`);
  const same = row.id === id && digestOf(JSON.parse(row.data)) === digest;
  hold('R3', same, `${epoch}:${seq} was acknowledged with another content`);
}

/** A unit is there as a whole or not at all, but for what a gap record names; if it was acknowledged it is there. */
function checkUnits(
  journal: Journal,
  stored: ReadonlyMap<number, Stored>,
  gaps: readonly Gap[],
  acks: readonly Ack[],
): void {
  const rows = new Map(
    journal.db
      .prepare<[], { unit: string; parts: number }>('SELECT unit, parts FROM trial_unit')
      .all()
      .map(({ unit, parts }) => [unit, parts]),
  );
  const found = new Set<string>();
  for (const { pos, name, data } of stored.values()) {
    if (name !== 'trial') continue;
    const { unit, part, lanes, table } = JSON.parse(data) as UnitPart;
    if (found.has(unit)) continue;
    found.add(unit);
    for (const [index, lane] of lanes.entries()) {
      const there = stored.has(pos + index - part) || isTold(gaps, pos + index - part, lane);
      hold('R1', there, `unit ${unit} is torn: part ${index + 1} of ${lanes.length} is missing`);
    }
    hold('R1', !table || rows.get(unit) === lanes.length, `unit ${unit} has its records without its table row`);
  }
  const whole = gaps.length === 0; // a unit of which nothing is left may have been removed
  for (const unit of rows.keys())
    hold('R1', !whole || found.has(unit), `unit ${unit} has its table row without its records`);
  for (const { unit, table } of acks)
    hold('R2', unit === undefined || !table || rows.has(unit), `the table row of unit ${unit} is gone`);
}

function checkCursor(journal: Journal, acks: readonly Ack[]): void {
  const saved = acks.reduce((most, { cursor = 0 }) => Math.max(most, cursor), 0);
  const row = journal.db.prepare<[], { pos: number }>("SELECT pos FROM cursor WHERE name = 'trial'").get();
  const pos = row?.pos ?? 0;
  hold('R2', pos >= saved, `the cursor was saved at ${named(saved)} and is at ${named(pos)}`);
  const head = journal.head();
  hold('R6', pos <= positionNumber(head.epoch, head.seq), `the cursor is at ${named(pos)}, beyond the journal's head`);
}

interface Gap {
  readonly lane: string;
  readonly epoch: number;
  readonly from: number;
  readonly to: number;
  readonly count: number;
}
const GAP = 'buffer.gap';

/**
 * Every number from 1 to the head of each epoch is there, or a gap record names it; and gap records count exactly what is
 * gone, or, of a removal that has only begun, what will be.
 */
export function checkHoles(rows: readonly Pick<Stored, 'pos' | 'name' | 'data'>[], removal: 'begun' | 'done'): void {
  const gaps = rows.filter(({ name }) => name === GAP).map(({ data }) => JSON.parse(data) as Gap);
  const places = rows.map(({ pos }) => pos).sort((a, b) => a - b);
  let missing = 0;
  let last = 0;
  for (const pos of places) {
    if (epochOf(pos) !== epochOf(last)) last = positionNumber(epochOf(pos), 0);
    for (let gone = last + 1; gone < pos; gone++) {
      missing++;
      hold('R5', isTold(gaps, gone, undefined), () => `${named(gone)} is missing and no gap record names it`);
    }
    last = pos;
  }
  const counted = gaps.reduce((sum, { count }) => sum + count, 0);
  const exact = removal === 'done' ? missing === counted : missing <= counted;
  hold('R5', exact, `${missing} records are missing, gap records count ${counted}`);
}
