/** What was acknowledged, and whether a journal opened afterwards still has all of it. */
import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '../../runtime/clock.ts';
import { Journal } from '../../runtime/journal/journal.ts';
import { epochOf, positionNumber, seqOf } from '../../runtime/journal/schema.ts';
import { silentLog } from '../../runtime/log.ts';
import { hold } from './trial.ts';

export interface AckedRecord {
  readonly epoch: number;
  readonly seq: number;
  readonly id: string;
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
export const unitSchema =
  'CREATE TABLE IF NOT EXISTS trial_unit (unit TEXT PRIMARY KEY, parts INTEGER NOT NULL) STRICT';

export const digestOf = (data: unknown): string =>
  createHash('sha1').update(JSON.stringify(data)).digest('hex').slice(0, 12);

const READY_MS = 10_000;
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
  const journal = await Journal.open({ directory, clock: systemClock, log: silentLog, schema: [unitSchema] });
  const openMs = performance.now() - began;
  try {
    hold('R8', openMs <= READY_MS, () => `opened only after ${Math.round(openMs)} ms`);
    const acked = acks.flatMap(({ records }) => records);
    const highest = acked.reduce((most, { epoch }) => Math.max(most, epoch), 0);
    hold('R4', journal.epoch >= highest + (lost ? 1 : 0), () => `epoch ${journal.epoch} after epoch ${highest}`);
    const stored = new Map<number, Stored>();
    for (const row of journal.db.prepare<[], Stored>('SELECT pos, id, kind, name, data FROM record').all())
      stored.set(row.pos, row);
    if (!lost) {
      for (const record of acked) checkRecord(stored, record);
      checkUnits(journal, stored, acks);
      checkCursor(journal, acks);
    }
    checkHoles([...stored.values()], journal.epoch);
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
      const { epoch, seq, id, data } = record;
      hold('R4', !taken.has(positionNumber(epoch, seq)), `${epoch}:${seq} was given again`);
      made.push({ records: [{ epoch, seq, id, digest: digestOf(data) }] });
    }
    return { epoch: journal.epoch, openMs, records: stored.size, acks: made };
  } finally {
    await journal[Symbol.asyncDispose]();
    await sleep(0);
  }
}

function checkRecord(stored: ReadonlyMap<number, Stored>, { epoch, seq, id, digest }: AckedRecord): void {
  const row = stored.get(positionNumber(epoch, seq));
  hold('R2', row !== undefined, `${epoch}:${seq} was acknowledged and is gone`);
  const same = row.id === id && digestOf(JSON.parse(row.data)) === digest;
  hold('R3', same, `${epoch}:${seq} was acknowledged with another content`);
}

/** A unit is there as a whole or not at all, and if it was acknowledged it is there. */
function checkUnits(journal: Journal, stored: ReadonlyMap<number, Stored>, acks: readonly Ack[]): void {
  const rows = new Map(
    journal.db
      .prepare<[], { unit: string; parts: number }>('SELECT unit, parts FROM trial_unit')
      .all()
      .map(({ unit, parts }) => [unit, parts]),
  );
  const found = new Map<string, { parts: number; of: number; table: boolean }>();
  for (const { name, data } of stored.values()) {
    if (name !== 'trial') continue;
    const { unit, of, table } = JSON.parse(data) as { unit: string; of: number; table: boolean };
    found.set(unit, { parts: (found.get(unit)?.parts ?? 0) + 1, of, table });
  }
  for (const [unit, { parts, of, table }] of found) {
    hold('R1', parts === of, `unit ${unit} is torn: ${parts} of ${of} records`);
    hold('R1', !table || rows.get(unit) === of, `unit ${unit} has its records without its table row`);
  }
  for (const unit of rows.keys()) hold('R1', found.has(unit), `unit ${unit} has its table row without its records`);
  for (const { unit } of acks) hold('R2', unit === undefined || found.has(unit), `unit ${unit} is gone`);
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
  readonly epoch: number;
  readonly from: number;
  readonly to: number;
  readonly count: number;
}

/** Every number from 1 to the head of each epoch is there, or a gap record names it. */
export function checkHoles(rows: readonly Pick<Stored, 'pos' | 'name' | 'data'>[], epoch: number): void {
  const gaps = rows.filter(({ name }) => name === 'buffer.gap').map(({ data }) => JSON.parse(data) as Gap);
  const places = rows.map(({ pos }) => pos).sort((a, b) => a - b);
  let missing = 0;
  for (let index = 0, last = 0; index < places.length; index++) {
    const pos = places[index] ?? 0;
    if (epochOf(pos) !== epochOf(last)) last = positionNumber(epochOf(pos), 0);
    for (let seq = seqOf(last) + 1; seq < seqOf(pos); seq++) {
      missing++;
      const told = gaps.some((gap) => gap.epoch === epochOf(pos) && gap.from <= seq && seq <= gap.to);
      hold('R5', told, `${epochOf(pos)}:${seq} is missing and no gap record names it`);
    }
    last = pos;
  }
  const counted = gaps.reduce((sum, { count }) => sum + count, 0);
  hold('R5', missing <= counted, `${missing} records are missing, gap records up to epoch ${epoch} count ${counted}`);
}
