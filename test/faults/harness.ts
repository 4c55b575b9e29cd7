/** Does the harness itself notice? Bugs are planted in a copy of the gateway; each must be found by the trial meant for it. */
import { execFile, spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Mutant, mutants } from './mutants.ts';
import { hold, pick, type Trial } from './trial.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const COPIED = ['runtime', 'drivers', 'firmware-profiles', 'flows', 'nodes', 'test', 'package.json'];
const LEFT_OUT = ['node_modules', 'dist'];
/** A trial of a few seconds may by chance not touch the bug; a whole one does more than these together. */
const ATTEMPTS = 3;
const TRIAL_MS = 240_000;
/** In `npm test`, where seconds count; the others follow in `npm run faults`. */
const IN_SLICE = 2;

interface Reported {
  readonly failure?: string;
  readonly promise?: string;
}

/** @param whole with flows that run: they may read no package that lies outside of the copy */
function copyOfGateway(whole: boolean): Disposable & { readonly path: string } {
  const path = mkdtempSync(join(tmpdir(), 'gh-mutant-'));
  const filter = (source: string) => !LEFT_OUT.includes(basename(source));
  for (const part of COPIED) cpSync(join(ROOT, part), join(path, part), { recursive: true, filter });
  const packages = [join(ROOT, 'node_modules'), join(path, 'node_modules')] as const;
  const linked = whole && spawnSync('cp', ['-al', ...packages]).status === 0;
  if (!linked) {
    rmSync(packages[1], { recursive: true, force: true });
    symlinkSync(...packages);
  }
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true, maxRetries: 5 }) };
}

/** @returns what takes the bug out again. @throws when the text it replaces is not there exactly once */
function plant(tree: string, { id, edits }: Mutant): () => void {
  const originals = new Map<string, string>();
  for (const { file, from, to } of edits) {
    const path = join(tree, file);
    const text = readFileSync(path, 'utf8');
    if (!originals.has(path)) originals.set(path, text);
    const parts = text.split(from);
    if (parts.length !== 2) {
      throw new Error(`${id}: ${JSON.stringify(from)} stands ${parts.length - 1} times in ${file}, not once`);
    }
    writeFileSync(path, parts.join(to));
  }
  return () => {
    for (const [path, text] of originals) writeFileSync(path, text);
  };
}

/** One slice of a trial in that tree, in a process of its own. */
function runTrial(tree: string, trial: string, seed: number): Promise<Reported> {
  const report = join(tree, 'report.json');
  rmSync(report, { force: true });
  const args = ['test/faults/run.ts', '--slice', '--only', trial, '--seed', String(seed), '--report', report];
  return new Promise((resolve, reject) => {
    execFile(
      process.execPath,
      ['--disable-warning=ExperimentalWarning', ...args],
      { cwd: tree, timeout: TRIAL_MS, killSignal: 'SIGKILL' },
      (_error, stdout, stderr) => {
        try {
          const [only] = JSON.parse(readFileSync(report, 'utf8')) as Reported[];
          resolve(only ?? {});
        } catch {
          reject(new Error(`${trial} did not come to its end in ${tree}:\n${stdout}${stderr}`));
        }
      },
    );
  });
}

async function findsBug(tree: string, mutant: Mutant, random: () => number): Promise<string | undefined> {
  const undo = plant(tree, mutant);
  try {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const { promise, failure } = await runTrial(tree, mutant.trial, pick(random, 2 ** 31));
      if (failure === undefined) continue;
      const meant = promise !== undefined && mutant.promises.includes(promise);
      if (!meant) throw new Error(`${mutant.id}: ${mutant.trial} failed, but not as it should: ${failure}`);
      return failure;
    }
    return undefined;
  } finally {
    undo();
  }
}

export const harness: Trial = {
  id: 'harness',
  promises: ['R1', 'R2', 'R3', 'R4', 'R5'],
  about: 'planted bugs: each is found by the trial meant for it',
  async run({ random, size, say }) {
    using tree = copyOfGateway(size !== 'slice');
    for (const mutant of size === 'slice' ? mutants.slice(0, IN_SLICE) : mutants) {
      const found = await findsBug(tree.path, mutant, random);
      hold(
        mutant.promises[0] ?? '',
        found !== undefined,
        `${mutant.id} (${mutant.about}) was not found by ${mutant.trial}`,
      );
      say(`${mutant.id}: found by ${mutant.trial}: ${found.split('\n')[0]}`);
    }
  },
};
