/**
 * A cluster above: a real NATS JetStream cluster of three nodes takes what gateways send, workers of the reference consumer
 * share it and write it to PostgreSQL, and in the middle something dies. What counts is what the database holds in the end.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { hash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type pg from 'pg';
import { systemClock } from '../../runtime/clock.ts';
import type { Draft, Lane } from '../../runtime/contracts/record.ts';
import { Journal } from '../../runtime/journal/journal.ts';
import { silentLog } from '../../runtime/log.ts';
import { type LifeReport, report } from '../../runtime/platform/report.ts';
import { openDatabase } from '../../runtime/platform/tables.ts';
import { startUplink } from '../../runtime/uplink/mqtt.ts';
import { type Cluster, type Node, startCluster } from '../cluster.ts';
import { startPostgres } from '../postgres.ts';
import { type SimulatedGateway, simulateGateway } from '../simulated-gateway.ts';
import { hold, pick, seeded, type Trial } from './trial.ts';

const PLATFORM = fileURLToPath(new URL('../../runtime/platform/main.ts', import.meta.url));
const SITE = 'site';

interface Above extends AsyncDisposable {
  readonly cluster: Cluster;
  readonly database: pg.Pool;
  /** Processes of the consumer, all of one group. */
  readonly workers: readonly ChildProcess[];
}

/** The cluster, a database and workers between them, ready before the first gateway comes. */
async function startAbove(count: number): Promise<Above> {
  await using stack = new AsyncDisposableStack();
  const [postgres, cluster] = await Promise.all([
    startPostgres().then((one) => stack.use(one)),
    startCluster().then((one) => stack.use(one)),
  ]);
  const address = await postgres.database();
  const database = stack.adopt(await openDatabase(address), (pool) => pool.end());
  const workers: ChildProcess[] = [];
  stack.defer(async () => {
    await Promise.all(workers.map((worker) => endOf(worker)));
  });
  for (let index = 0; index < count; index++) {
    const args = [PLATFORM, 'run', '--nats', cluster.natsUrl, '--database', address, '--ack-wait', '3'];
    const worker = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', ...args], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    workers.push(worker);
  }
  await Promise.all(workers.map(listening));
  const kept = stack.move();
  return { cluster, database, workers, [Symbol.asyncDispose]: () => kept.disposeAsync() };
}

/** Resolves when a worker has its place in the group. What it says is read to the end, or it would die of a full pipe. */
function listening(worker: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    let told = '';
    worker.stderr?.on('data', (chunk) => {
      told = (told + String(chunk)).slice(-10_000);
      if (told.includes('"listening"')) resolve();
    });
    worker.once('exit', () => reject(new Error(`the consumer did not begin: ${told}`)));
  });
}

async function endOf(worker: ChildProcess, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
  if (worker.exitCode !== null || worker.signalCode !== null) return;
  const gone = once(worker, 'exit');
  worker.kill(signal);
  await gone;
}

/** There is no event for what other processes write into a database. @throws after `withinMs` without progress */
async function until(check: () => Promise<{ done: boolean; progress: number }>, withinMs: number): Promise<void> {
  let best = Number.NEGATIVE_INFINITY;
  for (let deadline = performance.now() + withinMs; ; await sleep(50)) {
    const { done, progress } = await check();
    if (done) return;
    if (progress > best) {
      best = progress;
      deadline = performance.now() + withinMs;
    }
    if (performance.now() > deadline) throw new Error(`stands still at ${best}`);
  }
}

const heldBy = async (database: pg.Pool): Promise<number> => {
  const { rows } = await database.query<{ count: number }>('SELECT count(*)::int AS count FROM gatehouse.record');
  return rows[0]?.count ?? 0;
};

function holdComplete({ gateway, ...life }: LifeReport, end: number, held: number): void {
  hold('R3', life.complete, () => `the report of ${gateway} speaks against it: ${JSON.stringify(life)}`);
  hold('R3', life.through === end && life.held === held, () => `${gateway}: ${life.held} held through ${life.through}`);
}

const STANDSTILL_MS = 60_000;
/** A gateway writes while it sends: the node dies in the middle of both. */
const PORTIONS = 100;
const PORTION_MS = 20;

async function servingNode({ nodes }: Cluster, clientId: string): Promise<Node> {
  for (const node of nodes) if ((await node.mqttClients()).includes(clientId)) return node;
  throw new Error(`no node serves ${clientId}`);
}

const mixture = ['L3', 'L1', 'L3', 'L2', 'L3', 'L0'] as const;
const draft = (index: number, lane: Lane = mixture[index] ?? 'L3'): Draft => ({
  lane,
  kind: lane === 'L3' ? 'telemetry' : lane === 'L2' ? 'state' : lane === 'L1' ? 'event' : 'audit',
  scenario: 'vehicle-gate',
  device: 'gate-east-in',
  name: lane === 'L1' ? 'passage' : 'something',
  data: lane === 'L3' ? index * 1.5 : { plate: '粤B12345', index },
});

export const clusterNode: Trial = {
  id: 'cluster-node',
  promises: ['R2', 'R3'],
  about: 'the node of a NATS cluster that serves the gateway is killed while records flow; the database has all, once',
  async run({ size, random, say }) {
    const total = size === 'slice' ? 4000 : 100_000;
    await using above = await startAbove(2);
    const directory = mkdtempSync(join(tmpdir(), 'gh-faults-cluster-'));
    await using cleaning = new AsyncDisposableStack();
    cleaning.defer(() => rmSync(directory, { recursive: true, force: true }));
    const journal = cleaning.use(await Journal.open({ directory, clock: systemClock, log: silentLog }));
    const uplink = startUplink({
      id: 'main',
      url: above.cluster.mqttUrl,
      site: SITE,
      gateway: journal.gateway,
      version: '0.0.0',
      journal,
      clock: systemClock,
      log: silentLog,
      report: () => {},
    });
    cleaning.defer(() => uplink.stop());
    const append = async (count: number) => {
      const portion = count / PORTIONS;
      for (let done = 0; done < count; done += portion) {
        await journal.append(...Array.from({ length: portion }, () => draft(pick(random, mixture.length))));
        await sleep(PORTION_MS);
      }
    };
    await until(async () => ({ done: uplink.status().state === 'online', progress: 0 }), STANDSTILL_MS);
    const began = performance.now();
    const appending = append(total);
    // In the middle: some of it is there, some on its way, some not yet sent or not yet written.
    const some = total * (0.1 + random() * 0.5);
    await until(async () => {
      const progress = await heldBy(above.database);
      return { done: progress >= some, progress };
    }, STANDSTILL_MS);
    const node = await servingNode(above.cluster, `gh-${journal.gateway}-main`);
    await node.kill();
    const killedAt = performance.now();
    say(`${node.name} killed with ${await heldBy(above.database)} of ${total} records in the database`);
    await appending;
    // A chain tells how far it is when it has something to tell: both get a last record.
    await journal.append(draft(0, 'L2'), draft(0, 'L0'));
    await until(async () => {
      const progress = await heldBy(above.database);
      return { done: progress >= journal.head().seq, progress };
    }, STANDSTILL_MS);
    const seconds = (performance.now() - began) / 1000;
    const head = journal.head().seq;
    say(
      `${head} records in ${seconds.toFixed(1)} s, ${((performance.now() - killedAt) / 1000).toFixed(1)} s after the kill`,
    );

    await holdSame(above.database, journal);
    const { lives } = await report(above.database, { uplink: 'main' });
    hold('R3', lives.length === 1, `${lives.length} lives of one gateway`);
    for (const life of lives) {
      holdComplete(life, life.through, life.through);
      hold('R3', life.through >= head - 1, `complete through ${life.through} of ${head}`);
      say(`report: complete through ${life.through}, ${life.duplicates} duplicates told apart`);
      await holdMissed(above.database, 1 + pick(random, life.through));
    }
  },
};

/** Every record of the journal is in the database word for word, and nothing else is. */
async function holdSame(database: pg.Pool, journal: Journal): Promise<void> {
  const page = 5000;
  for (let from = 0; ; from += page) {
    const { rows } = await database.query<{ seq: number; json: string }>(
      `SELECT seq::int AS seq, record::text AS json FROM gatehouse.record
       WHERE gateway = $1 AND epoch = 1 AND seq > $2 AND seq <= $3 ORDER BY seq`,
      [journal.gateway, from, from + page],
    );
    let place = 0;
    for (let after = from; after < from + page; ) {
      const { items } = journal.read({ after: { epoch: 1, seq: after }, limit: 500 });
      if (items.length === 0) break;
      for (const record of items.filter(({ seq }) => seq <= from + page)) {
        const row = rows[place++];
        hold(
          'R3',
          row?.json === JSON.stringify(record),
          () => `record ${record.seq} came as ${row?.json ?? 'nothing'}`,
        );
      }
      after = items.at(-1)?.seq ?? after;
    }
    hold('R3', place === rows.length, `the database has records the journal has not, beyond ${from}`);
    if (from + page >= journal.head().seq) return;
  }
}

/** A proof that cannot fail proves nothing: with one record taken away, the report must miss exactly that. */
async function holdMissed(database: pg.Pool, seq: number): Promise<void> {
  await database.query('DELETE FROM gatehouse.record WHERE seq = $1', [seq]);
  const { complete, lives } = await report(database, { uplink: 'main' });
  hold('R3', !complete && lives[0]?.unexplained === 1, `record ${seq} was taken away and nobody missed it`);
}

export const clusterThousand: Trial = {
  id: 'cluster-thousand',
  promises: ['R3', 'R6'],
  about: 'a thousand gateways into one cluster, three consumers share them and one is killed; each gateway is complete',
  async run({ size, random, say }) {
    const gateways = size === 'slice' ? 30 : 1000;
    const records = size === 'slice' ? 100 : 200;
    await using above = await startAbove(3);
    const urls = above.cluster.nodes.map(({ mqttPort }) => ({ host: '127.0.0.1', port: mqttPort, tls: false }));
    await using stack = new AsyncDisposableStack();
    const simulated: SimulatedGateway[] = [];
    const began = performance.now();
    for (let index = 0; index < gateways; index++) {
      const options = {
        site: SITE,
        gateway: `gh-${index}`,
        records,
        servers: urls,
        first: index % 3,
        random: seeded(pick(random, 2 ** 32)),
      };
      simulated.push(stack.use(await simulateGateway(options)));
    }
    say(`${gateways} gateways connected in ${((performance.now() - began) / 1000).toFixed(1)} s`);
    const sending = Promise.all(simulated.map((gateway) => gateway.send()));
    const total = gateways * records;
    const some = total * (0.1 + random() * 0.4);
    await until(async () => {
      const progress = await heldBy(above.database);
      return { done: progress >= some, progress };
    }, STANDSTILL_MS);
    const victim = above.workers[pick(random, above.workers.length)];
    if (victim) await endOf(victim, 'SIGKILL');
    say(
      `one of ${above.workers.length} consumers killed with ${await heldBy(above.database)} of ${total} records taken`,
    );
    const resent = (await sending).reduce((sum, count) => sum + count, 0);
    await until(async () => {
      const progress = await heldBy(above.database);
      return { done: progress >= total, progress };
    }, STANDSTILL_MS);
    say(
      `${total} records in ${((performance.now() - began) / 1000).toFixed(1)} s, ${resent} batches sent again on purpose`,
    );

    // What was handed to the dead one comes again to the others, after everything else.
    await until(async () => {
      const { complete, lives } = await report(above.database, { uplink: 'main', toEnd: true });
      return { done: complete && lives.length === gateways, progress: lives.filter((life) => life.complete).length };
    }, STANDSTILL_MS);
    const { lives } = await report(above.database, { uplink: 'main', toEnd: true });
    for (const life of lives) holdComplete(life, records, records);
    const { rows } = await above.database.query<{ gateway: string; digest: string }>(
      `SELECT gateway, encode(sha256(convert_to(string_agg(record::text, E'\\n' ORDER BY seq), 'UTF8')), 'hex') AS digest
       FROM gatehouse.record GROUP BY gateway`,
    );
    const digests = new Map(rows.map(({ gateway, digest }) => [gateway, digest]));
    hold('R3', digests.size === gateways, `${digests.size} of ${gateways} gateways are in the database`);
    for (const { gateway, texts } of simulated) {
      const exact = digests.get(gateway) === hash('sha256', texts().join('\n'));
      hold('R3', exact, `the records of ${gateway} are not what it sent`);
    }
    const again = lives.reduce((sum, { duplicates }) => sum + duplicates, 0);
    say(`report: ${lives.length} gateways complete through ${records}, ${again} duplicates told apart`);
  },
};
