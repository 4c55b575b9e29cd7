/** `npm run faults [-- --seed <n>] [--only <trial or promise>] [--slice | --long] [--minutes <n>] [--report <file>]` */
import { writeFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { parseArgs } from 'node:util';
import { trials } from './index.ts';
import { Broken, exitCodeOf, type Outcome, perform, type Size, type Trial } from './trial.ts';

const USAGE = 64;
const SEEDS = 2 ** 31;

const ids = trials.map(({ id }) => id).join(' | ');

function misused(why: string): never {
  console.error(
    `${why}\nusage: npm run faults -- [--seed <n>] [--only <${ids} | promise id>] [--slice | --long] [--minutes <n>]`,
  );
  process.exit(USAGE);
}

function readArguments() {
  try {
    const { values } = parseArgs({
      options: {
        seed: { type: 'string' },
        only: { type: 'string' },
        slice: { type: 'boolean', default: false },
        long: { type: 'boolean', default: false },
        minutes: { type: 'string' },
        report: { type: 'string' },
      },
    });
    return values;
  } catch (error) {
    return misused(error instanceof Error ? error.message : String(error));
  }
}

const values = readArguments();
const size: Size = values.long ? 'long' : values.slice ? 'slice' : 'normal';
const fits = ({ id, promises }: Trial) =>
  values.only === undefined || id === values.only || promises.includes(values.only);
const chosen = trials.filter(fits);
const given = values.seed === undefined ? undefined : Number(values.seed);
if (chosen.length === 0) misused(`no trial and no promise is called ${values.only}`);
if (given !== undefined && !(Number.isInteger(given) && given >= 0 && given < SEEDS)) misused('--seed takes a number');
const minutes = values.minutes === undefined ? undefined : Number(values.minutes);
if (minutes !== undefined && !(minutes > 0)) misused('--minutes takes a number');

const gigabytes = Math.round(totalmem() / 2 ** 30);
console.log(
  `${cpus().length} × ${cpus()[0]?.model ?? 'unknown processor'}, ${gigabytes} GiB, ${process.platform} ${release()}, Node ${process.version}`,
);

const outcomes: Outcome[] = [];
for (const trial of chosen) {
  const seed = given ?? Math.floor(Math.random() * SEEDS);
  const more = `${size === 'normal' ? '' : ` --${size}`}${minutes === undefined ? '' : ` --minutes ${minutes}`}`;
  console.log(`\n${trial.id}: ${trial.about} (${trial.promises.join(' ')})`);
  console.log(`  seed ${seed}; again: npm run faults -- --only ${trial.id} --seed ${seed}${more}`);
  const outcome = await perform(trial, seed, size, (text) => console.log(`  ${text}`), minutes);
  const { failure } = outcome;
  if (failure instanceof Broken) console.log(`  ✗ ${failure.message}`);
  else if (failure) console.log(`  ✗ not carried out: ${failure.stack ?? failure.message}`);
  else console.log('  ✓ held');
  outcomes.push(outcome);
}

console.log('');
for (const { trial, seed, seconds, failure } of outcomes) {
  const verdict =
    failure === undefined ? '✓' : failure instanceof Broken ? `✗ ${failure.promise}` : '✗ not carried out';
  const time = `${seconds.toFixed(1)} s`;
  console.log(`${trial.id.padEnd(14)} ${verdict.padEnd(18)} ${time.padStart(9)}  seed ${seed}`);
}
if (values.report !== undefined) {
  const report = outcomes.map(({ trial, seed, seconds, failure }) => ({
    trial: trial.id,
    seed,
    seconds,
    ...(failure === undefined ? {} : { failure: failure.message }),
    ...(failure instanceof Broken ? { promise: failure.promise } : {}),
  }));
  writeFileSync(values.report, `${JSON.stringify(report, null, 2)}\n`);
}
// Whatever a broken trial left open must not keep the run alive.
process.exit(exitCodeOf(outcomes));
