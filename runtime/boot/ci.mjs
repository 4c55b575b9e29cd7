// @ts-check
// Runs `npm test` and ends with one line for machines: `N passed, N failed`, from the test runner's own report.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { endChildrenOnSignal, runVisibly } from './children.mjs';
import { tally } from './tally.mjs';

const folder = mkdtempSync(join(tmpdir(), 'gatehouse-ci-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
endChildrenOnSignal();
const report = join(folder, 'report.json');
const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
const code = await runVisibly('npm', ['test', '--', ...reporters, ...process.argv.slice(2)], { cwd: process.cwd() });
const { passed, failed } = tally(read(report), code);
process.stdout.write(`${passed} passed, ${failed} failed\n`);
process.exitCode = failed === 0 ? 0 : code || 1;

/** @param {string} path */
function read(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return ''; // nothing was reported: the run never came to the tests
  }
}
