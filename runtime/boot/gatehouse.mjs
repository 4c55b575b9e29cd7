#!/usr/bin/env node
// @ts-check
// `npm run gatehouse -- …` under a name of its own, for a path or a cron table. In the syntax of Node 12 like run.mjs.
import { nodeTooOld } from './node-version.mjs';

const old = nodeTooOld(process.versions.node);
if (old) {
  console.error(`\n✗ ${old.zh}\n\n✗ ${old.en}\n`);
  process.exit(1);
}
void import('./verbs.mjs').then(({ run }) => run(['gatehouse'].concat(process.argv.slice(2))));
