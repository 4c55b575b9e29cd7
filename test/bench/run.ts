/** `npm run bench [-- --json <file>] [--rounds <n>] [name …]`: every comparison in one run, as ratios. */
import { writeFileSync } from 'node:fs';
import { cpus, loadavg, release, totalmem } from 'node:os';
import { parseArgs } from 'node:util';
import { access } from './access.ts';
import { apiPage } from './api-page.ts';
import { append } from './append.ts';
import { cursors } from './cursors.ts';
import { drain, drainFar, drainUrgent } from './drain.ts';
import { eventToRelay } from './event-to-relay.ts';
import { growth } from './growth.ts';
import { ingest } from './ingest.ts';
import { ingestStock } from './ingest-stock.ts';
import { linkage } from './linkage.ts';
import type { Benchmark, Result } from './measure.ts';
import { memory } from './memory.ts';
import { picker } from './picker.ts';
import { slowDisk } from './slow-disk.ts';
import { soak } from './soak.ts';

const benchmarks: readonly Benchmark[] = [
  append,
  ingest,
  drain,
  drainFar,
  drainUrgent,
  cursors,
  access,
  apiPage,
  eventToRelay,
  linkage,
  picker,
  slowDisk,
  memory,
  growth,
  ingestStock,
  soak,
];

const usual = benchmarks.filter((one) => !one.asked).map(({ name }) => name);
const asked = benchmarks.filter((one) => one.asked).map(({ name }) => name);

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: 'string' },
    rounds: { type: 'string', default: '5' },
    minutes: { type: 'string', default: '60' },
  },
});
const rounds = Number(values.rounds);
const minutes = Number(values.minutes);
const unknown = positionals.filter((name) => !benchmarks.some((one) => one.name === name));
if (unknown.length > 0 || !(rounds >= 1) || !(minutes > 0)) {
  console.error(
    `usage: npm run bench -- [--json <file>] [--rounds <n>] [--minutes <n>] [name …]
Names: ${usual.join(', ')}; without a name all of these, some 25 minutes with five rounds.
Only when named: ${asked.join(', ')}. --minutes is how long the soak takes.`,
  );
  process.exit(64);
}

const machine = {
  cpu: cpus()[0]?.model ?? '',
  cores: cpus().length,
  memoryGiB: Math.round(totalmem() / 2 ** 30),
  os: `${process.platform} ${release()}`,
  node: process.version,
  loadBefore: loadavg()[0],
};
const figure = (value: number) => (value >= 100 ? Math.round(value).toLocaleString('en') : value.toPrecision(3));
const results: Result[] = [];
const wanted = positionals.length === 0 ? usual : positionals;
for (const one of benchmarks.filter(({ name }) => wanted.includes(name))) {
  console.log(`\n${one.name}: ${one.about}`);
  const found = await one.run(rounds, minutes);
  results.push(...found);
  for (const { name, value, unit, min, max, peer, peerValue, ratio, runs } of found) {
    console.log(
      `  ${name.padEnd(52)} ${figure(value).padStart(9)} ${unit} (${figure(min)}-${figure(max)}, ${runs} runs)`,
    );
    console.log(`  ${''.padEnd(52)} ${figure(peerValue).padStart(9)} ${peer}; ratio ${ratio.toFixed(2)}`);
  }
}
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify({ machine, results }, null, 2)}\n`);
