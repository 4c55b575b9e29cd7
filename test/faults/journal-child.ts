/**
 * Writes into a journal in every way there is, and notes each acknowledgement on the traced disk in the order in which it
 * came. Arguments: directory, seed, rounds, bytes the database may grow to (0: as many as it likes).
 */
import { openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '../../runtime/clock.ts';
import { type Draft, type Lane, lanes } from '../../runtime/contracts/record.ts';
import { GatehouseError } from '../../runtime/errors.ts';
import { openCursor } from '../../runtime/journal/cursors.ts';
import { Journal } from '../../runtime/journal/journal.ts';
import { positionNumber } from '../../runtime/journal/schema.ts';
import { silentLog } from '../../runtime/log.ts';
import { type Ack, digestOf, trialSchema, type UnitPart } from './journal-acks.ts';
import { pick, seeded } from './trial.ts';
import { keepBelow } from './upkeep.ts';

const [directory = '', seed = '', rounds = '', cap = ''] = process.argv.slice(2);
const random = seeded(Number(seed));
const file = openSync(join(directory, 'acks'), 'a');
const acknowledge = (ack: Ack) => void writeSync(file, `${JSON.stringify(ack)}\n`);

const journal = await Journal.open({ directory, clock: systemClock, log: silentLog, schema: trialSchema });
const upkeep = Number(cap) > 0 ? keepBelow(journal, directory, Number(cap)) : undefined;
const cursor = openCursor(journal, 'trial', {}, { epoch: 0, seq: 0 });

/** Few of L0: they never go. */
const someLane = (): Lane => (pick(random, 20) === 0 ? 'L0' : (lanes[1 + pick(random, 3)] ?? 'L3'));

function draft(part: UnitPart): Draft {
  const lane = part.lanes[part.part] ?? 'L3';
  const pad = 'x'.repeat(pick(random, 10) === 0 ? pick(random, 9000) : pick(random, 400));
  return {
    lane,
    kind: lane === 'L3' ? 'telemetry' : 'event',
    scenario: 'trial',
    device: `device-${pick(random, 20)}`,
    name: 'trial',
    data: { ...part, pad },
  };
}

/** One unit of one to five records, now and then with a row of a table beside them. */
async function write(unit: string): Promise<void> {
  const unitLanes = Array.from({ length: 1 + pick(random, 5) }, someLane);
  const table = pick(random, 3) === 0;
  const drafts = unitLanes.map((_, part) => draft({ unit, part, lanes: unitLanes, table }));
  const writes = table ? [{ sql: 'INSERT INTO trial_unit VALUES (?, ?)', params: [unit, drafts.length] }] : [];
  const records = await journal.commit({ records: drafts, writes }).catch(unlessFull);
  if (!records) return;
  acknowledge({
    unit,
    ...(table ? { table } : {}),
    records: records.map(({ epoch, seq, id, lane, data }) => ({ epoch, seq, id, lane, digest: digestOf(data) })),
  });
}

/** With a cap there may be no room for a moment: that is refused, and not acknowledged. */
function unlessFull(error: unknown): undefined {
  if (!upkeep || !(error instanceof GatehouseError) || error.code !== 'journal.full') throw error;
  refusals++;
}

async function advance(): Promise<void> {
  const { through } = cursor.read(1 + pick(random, 400));
  const saved = await cursor.advance(through).then(() => true, unlessFull);
  if (!saved) return;
  acknowledge({ cursor: positionNumber(through.epoch, through.seq), records: [] });
}

let refusals = 0;
for (let round = 0; round < Number(rounds); round++) {
  const work = Array.from({ length: 1 + pick(random, 25) }, (_, n) => write(`${seed}-${round}-${n}`));
  if (pick(random, 4) === 0) work.push(advance());
  await Promise.all(work);
  if (refusals > 0) await upkeep?.look();
  refusals = 0;
  // Now and then idle for long enough that the writer tidies up.
  if (pick(random, 12) === 0) await new Promise((resolve) => setTimeout(resolve, 80));
}
if (pick(random, 2) === 0) {
  await upkeep?.[Symbol.asyncDispose]();
  await journal[Symbol.asyncDispose]();
}
process.exit(0);
