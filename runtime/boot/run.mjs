// @ts-check
// `npm start`, `npm test`, `npm run bench` and `npm run faults` begin here, on whatever Node the machine has and with nothing installed.
// Plain JavaScript on `node:` modules alone; and here, before the version check, in the syntax of Node 12.
// (A prestart script would not do: npm skips those where ignore-scripts is set.)
import { nodeTooOld } from './node-version.mjs';

const old = nodeTooOld(process.versions.node);
if (old) {
  console.error(`\n✗ ${old.zh}\n\n✗ ${old.en}\n`);
  process.exit(1);
}
void import('./verbs.mjs').then(({ run }) => run(process.argv.slice(2)));
