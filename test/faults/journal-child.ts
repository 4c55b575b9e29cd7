/**
 * Writes into a journal in every way there is, and notes each acknowledgement on the traced disk in the order in which it
 * came. Arguments: directory, seed, rounds.
 */
import { openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '../../runtime/clock.ts';
import type { Draft } from '../../runtime/contracts/record.ts';
import { openCursor } from '../../runtime/journal/cursors.ts';
import { Journal } from '../../runtime/journal/journal.ts';
import { positionNumber } from '../../runtime/journal/schema.ts';
import { silentLog } from '../../runtime/log.ts';
import { type Ack, digestOf, unitSchema } from './journal-acks.ts';
import { pick, seeded } from './trial.ts';

const [directory = '', seed = '', rounds = ''] = process.argv.slice(2);
const random = seeded(Number(seed));
const file = openSync(join(directory, 'acks'), 'a');
const acknowledge = (ack: Ack) => void writeSync(file, `${JSON.stringify(ack)}\n`);

const journal = await Journal.open({ directory, clock: systemClock, log: silentLog, schema: [unitSchema] });
const cursor = openCursor(journal, 'trial', {}, { epoch: 0, seq: 0 });

function draft(unit: string, part: number, of: number, table: boolean): Draft {
  const lane = (['L0', 'L1', 'L2', 'L3'] as const)[pick(random, 4)] ?? 'L3';
  const pad = 'x'.repeat(pick(random, 10) === 0 ? pick(random, 9000) : pick(random, 400));
  return {
    lane,
    kind: lane === 'L3' ? 'telemetry' : 'event',
    scenario: 'trial',
    device: `device-${pick(random, 20)}`,
    name: 'trial',
    data: { unit, part, of, table, pad },
  };
}

/** One unit of one to five records, now and then with a row of a table beside them. */
async function write(unit: string): Promise<void> {
  const of = 1 + pick(random, 5);
  const table = pick(random, 3) === 0;
  const drafts = Array.from({ length: of }, (_, part) => draft(unit, part, of, table));
  const writes = table ? [{ sql: 'INSERT INTO trial_unit VALUES (?, ?)', params: [unit, of] }] : [];
  const records = await journal.commit({ records: drafts, writes });
  acknowledge({
    unit,
    ...(table ? { table } : {}),
    records: records.map(({ epoch, seq, id, data }) => ({ epoch, seq, id, digest: digestOf(data) })),
  });
}

async function advance(): Promise<void> {
  const { through } = cursor.read(1 + pick(random, 400));
  await cursor.advance(through);
  acknowledge({ cursor: positionNumber(through.epoch, through.seq), records: [] });
}

for (let round = 0; round < Number(rounds); round++) {
  const work = Array.from({ length: 1 + pick(random, 25) }, (_, n) => write(`${seed}-${round}-${n}`));
  if (pick(random, 4) === 0) work.push(advance());
  await Promise.all(work);
  // Now and then idle for long enough that the writer tidies up.
  if (pick(random, 12) === 0) await new Promise((resolve) => setTimeout(resolve, 80));
}
if (pick(random, 2) === 0) await journal[Symbol.asyncDispose]();
process.exit(0);
