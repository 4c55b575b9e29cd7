/** The command line: `run` takes what gateways send, `report` proves how far it is complete. */
import { parseArgs } from 'node:util';
import { startMqttSource } from './mqtt-source.ts';
import { startNatsSource } from './nats-source.ts';
import { report } from './report.ts';
import { reportText } from './report-text.ts';
import type { Say } from './store.ts';
import { openDatabase } from './tables.ts';
import { words } from './words.ts';
import { startWorker } from './worker.ts';

/** 0: everything is complete; 1: something is missing or contradicts itself; 2: could not be found out. */
const EXIT = { complete: 0, incomplete: 1, failed: 2 } as const;

const text = { type: 'string' } as const;
const flag = { type: 'boolean' } as const;

/** One line of JSON per event, for whatever collects a platform's logs. */
const say: Say = (event, detail) => {
  process.stderr.write(`${JSON.stringify({ at: new Date().toISOString(), event, ...detail })}\n`);
};

function read() {
  return parseArgs({
    allowPositionals: true,
    options: {
      database: text,
      mqtt: text,
      'mqtt-version': text,
      nats: text,
      name: text,
      site: text,
      share: text,
      gateway: text,
      uplink: text,
      'ack-wait': text,
      'hole-grace': text,
      'to-end': flag,
      json: flag,
    },
  });
}
type Flags = ReturnType<typeof read>['values'];

async function run(flags: Flags): Promise<void> {
  const database = await openDatabase(flags.database);
  const name = flags.name ?? 'gatehouse-platform';
  const grace = flags['hole-grace'];
  const worker = await startWorker({
    database,
    say,
    ...(grace === undefined ? {} : { holeGraceMs: Number(grace) * 1000 }),
    source: (take) =>
      flags.nats === undefined
        ? startMqttSource({
            address: flags.mqtt ?? '',
            clientId: name,
            version: flags['mqtt-version'] === '5' ? 5 : 4,
            ...(flags.site === undefined ? {} : { site: flags.site }),
            ...(flags.share === undefined ? {} : { share: flags.share }),
            say,
            take,
          })
        : startNatsSource({
            address: flags.nats,
            group: name,
            ...(flags['ack-wait'] === undefined ? {} : { ackWaitMs: Number(flags['ack-wait']) * 1000 }),
            say,
            take,
          }),
  });
  const stopped = Promise.withResolvers<void>();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stopped.resolve());
  await stopped.promise;
  await worker.stop();
  await database.end();
}

async function show(flags: Flags): Promise<number> {
  const database = await openDatabase(flags.database);
  try {
    const result = await report(database, {
      uplink: flags.uplink ?? 'main',
      ...(flags.gateway === undefined ? {} : { gateway: flags.gateway }),
      ...(flags['to-end'] ? { toEnd: true } : {}),
    });
    const language = /^en/.test(process.env.LC_ALL || process.env.LANG || '') ? 'en' : 'zh';
    process.stdout.write(`${flags.json ? JSON.stringify(result) : reportText(result, language)}\n`);
    return result.complete ? EXIT.complete : EXIT.incomplete;
  } finally {
    await database.end();
  }
}

function misused(): number {
  process.stderr.write(`${words.usage.zh}\n${words.usage.en}\n`);
  return EXIT.failed;
}

async function main(): Promise<number> {
  let given: ReturnType<typeof read>;
  try {
    given = read();
  } catch {
    return misused();
  }
  const { positionals, values } = given;
  const [verb] = positionals;
  const sources = [values.mqtt, values.nats].filter((one) => one !== undefined);
  const odd = ([values['ack-wait'], values['hole-grace']] as const).some((one) => !/^\d{1,5}$/.test(one ?? '0'));
  if (odd || !['4', '5'].includes(values['mqtt-version'] ?? '4')) return misused();
  if (positionals.length !== 1 || (verb === 'run' ? sources.length !== 1 : verb !== 'report')) return misused();
  try {
    if (verb === 'report') return await show(values);
    await run(values);
    return EXIT.complete;
  } catch (error) {
    say('failed', { reason: error instanceof Error ? error.message : String(error) });
    return EXIT.failed;
  }
}

process.exitCode = await main();
