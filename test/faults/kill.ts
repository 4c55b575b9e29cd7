/** SIGKILL at any moment: the core, the flow process or both, again and again, while a compound is at work. */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import Database from 'better-sqlite3';
import type { Status } from '../../runtime/contracts/api.ts';
import { type Lane, lanes } from '../../runtime/contracts/record.ts';
import { epochOf, positionNumber, seqOf } from '../../runtime/journal/schema.ts';
import { compoundStats } from '../compound.ts';
import { isAlive } from '../launch.ts';
import { type Gateway, type GatewayOptions, startGateway } from '../site.ts';
import { startLine, startMosquitto } from '../uplink-peers.ts';
import { type Receiver, startReceiver, type Track } from '../uplink-receiver.ts';
import { flowProcess, keptWaiting } from './processes.ts';
import { hold, pick, type Trial } from './trial.ts';
import { commandTally, createWitness } from './witness.ts';

const KILLS = { slice: 4, normal: 200, long: 1000 };
const READY_MS = 10_000;
const SETTLED_MS = 90_000;
const CARS_MS = 600;
/** Of the flow process alone now and then: after five ends in a minute it is started without its flows. */
const targets = ['core', 'flows', 'both', 'core', 'core'] as const;
const ONLINE_MS = 5000;
/** An uplink saves its place five times a second. */
const SAVED_MS = 200;
const LAST_WORDS = 2000;
const URGENT: readonly Lane[] = ['L0', 'L1'];
const BULK: readonly Lane[] = ['L2', 'L3'];

const journalOf = ({ data }: Gateway) => join(data, 'gatehouse.db');

function signal(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // it went by itself a moment ago
  }
}

const heardFrom = ({ urgent, bulk }: Receiver): number => urgent.batches + bulk.batches;

/** @returns whether it came true in time */
async function comes(withinMs: number, look: () => boolean): Promise<boolean> {
  for (const end = performance.now() + withinMs; performance.now() < end; await sleep(20)) if (look()) return true;
  return false;
}

/** @throws Broken when the journal of a track's lanes is not exactly what arrived */
function checkArrived(file: string, of: readonly Lane[], track: Track, name: string): void {
  hold('U1', track.holes.length === 0, () => `${name}: the platform never got ${JSON.stringify(track.holes[0])}`);
  const db = new Database(file, { readonly: true });
  try {
    const wanted = db
      .prepare<[number], { pos: number; id: string; lane: number }>(
        'SELECT pos, id, lane FROM record WHERE pos <= ? ORDER BY pos',
      )
      .all(positionNumber(track.epoch, track.through))
      .filter(({ lane }) => of.includes(lanes[lane] ?? 'L4'));
    const got = new Map(track.records.map((record) => [positionNumber(record.epoch, record.seq), record.id]));
    for (const { pos, id } of wanted) {
      const place = `${name} ${epochOf(pos)}:${seqOf(pos)}`;
      hold('U1', got.has(pos), `${place} was acknowledged upstream as passed and never arrived`);
      hold('R3', got.get(pos) === id, `${place} arrived as another record`);
    }
    const more = track.records.length - wanted.length;
    hold('R3', more === 0, () => `${name}: ${more} more arrived than the journal has`);
  } finally {
    db.close();
  }
}

const until = async (what: string, promise: string, look: () => boolean | Promise<boolean>): Promise<void> => {
  for (const end = performance.now() + SETTLED_MS; !(await look()); await sleep(100))
    hold(promise, performance.now() < end, what);
};

/** The number of the newest record of these lanes. */
function newest(file: string, of: readonly Lane[]): number {
  const db = new Database(file, { readonly: true });
  try {
    const numbers = of.map((lane) => lanes.indexOf(lane)).join(', ');
    const sql = `SELECT max(pos) AS pos FROM record WHERE lane IN (${numbers})`;
    return db.prepare<[], { pos: number | null }>(sql).get()?.pos ?? 0;
  } finally {
    db.close();
  }
}

/** Everything there is now comes to its end, and arrives. */
async function settle(gateway: Gateway, receiver: Receiver): Promise<void> {
  const file = journalOf(gateway);
  await until('some command never came to its end', 'C5', () => commandTally(file).open === 0);
  const goals = [
    { track: receiver.urgent, pos: newest(file, URGENT) },
    { track: receiver.bulk, pos: newest(file, BULK) },
  ];
  const arrived = () => goals.every(({ track, pos }) => positionNumber(track.epoch, track.through) >= pos);
  await until('the platform never got the rest', 'R2', arrived);
}

export const kill: Trial = {
  id: 'kill',
  promises: ['R1', 'R2', 'R3', 'R5', 'R8', 'C3', 'C4', 'U1'],
  about: 'kill -9 of core, flow process and both under load, acknowledgements lost on the way',
  async run({ random, size, say }) {
    await using stack = new AsyncDisposableStack();
    const broker = stack.use(await startMosquitto());
    const line = stack.use(await startLine(broker.port));
    const options: GatewayOptions = { cars: CARS_MS, env: { GATEHOUSE_UPLINK: `mqtt://127.0.0.1:${line.port}` } };
    const witness = createWitness(random);
    const first = stack.use(await startGateway(options));
    let gateway = first;
    stack.defer(async () => {
      if (gateway !== first) await gateway[Symbol.asyncDispose]();
    });
    const { gateway: name } = await gateway.json<Status>('/status');
    const receiver = stack.use(await startReceiver(broker.port, name, 5, 'demo'));
    await witness.introduce(gateway);
    const started: number[] = [];
    const killed = { core: 0, flows: 0, both: 0 };
    let frozen = 0;
    for (let count = 0; count < KILLS[size]; ) {
      const rest = witness.work(gateway);
      const heard = heardFrom(receiver);
      // Short lives more often than long ones: what is new in a life happens early.
      await sleep(random() < 0.4 ? pick(random, 700) : 400 + pick(random, 2500));
      hold('R2', isAlive(gateway.pid), () => `the core ended by itself:\n${gateway.text().slice(-LAST_WORDS)}`);
      const target = targets[count % targets.length] ?? 'core';
      const flows = target === 'core' ? undefined : await flowProcess(gateway.pid);
      if (flows !== undefined) signal(flows);
      count++;
      killed[flows === undefined ? 'core' : target]++;
      if (target === 'flows' && flows !== undefined) {
        await sleep(pick(random, 800));
        hold(
          'R9',
          isAlive(gateway.pid),
          () => `the core went with its flow process:\n${gateway.text().slice(-LAST_WORDS)}`,
        );
        await rest();
        continue;
      }
      // Now and then the last that was sent up is lost on the line, unacknowledged.
      if (count % 2 === 0 && (await comes(ONLINE_MS, () => heardFrom(receiver) > heard))) {
        const { samples } = witness.counts();
        line.frozen = true;
        await comes(ONLINE_MS, () => witness.counts().samples > samples + 5);
        await sleep(SAVED_MS + pick(random, 300));
      }
      await gateway.kill('SIGKILL');
      await rest();
      if (line.frozen) {
        frozen++;
        line.frozen = false;
        line.cut();
      }
      witness.check(journalOf(gateway));
      const began = performance.now();
      gateway = await startGateway({ ...options, data: first.data });
      const ready = performance.now() - began;
      const waited = keptWaiting(gateway.pid);
      started.push(ready);
      hold(
        'R8',
        ready - waited <= READY_MS,
        `ready only after ${Math.round(ready)} ms, ${Math.round(waited)} ms of them waiting for a processor`,
      );
      if (count % 50 === 0) say(`${count} kills so far`);
    }
    await settle(gateway, receiver);
    witness.check(journalOf(gateway));
    const { executed } = commandTally(journalOf(gateway));
    const { pulses } = await compoundStats(first.data);
    for (const [gate, [times = 0]] of Object.entries(pulses)) {
      const most = executed.get(gate) ?? 0;
      hold('C4', times <= most, `${gate} was opened ${times} times for ${most} commands that began`);
    }
    checkArrived(journalOf(gateway), URGENT, receiver.urgent, 'urgent');
    checkArrived(journalOf(gateway), BULK, receiver.bulk, 'bulk');
    const { pushes, samples, commands } = witness.counts();
    hold('R2', pushes > 0 && samples > 0, 'nothing was acknowledged at all');
    say(`killed: core ${killed.core}, flow process ${killed.flows}, both ${killed.both}; line lost with it ${frozen}`);
    say(
      `acknowledged: ${pushes} pushes, ${samples} samples, ${commands} commands; upstream ${receiver.urgent.records.length + receiver.bulk.records.length} records, sent again ${receiver.urgent.again + receiver.bulk.again} batches`,
    );
    const sorted = started.toSorted((a, b) => a - b);
    say(
      `ready after ${Math.round(sorted[Math.floor(sorted.length / 2)] ?? 0)} ms (median), ${Math.round(sorted.at(-1) ?? 0)} ms at most`,
    );
  },
};
