/** A short slice of every trial of `npm run faults`, each with one fixed seed. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { trials } from './faults/index.ts';
import { Broken, exitCodeOf, hold, perform, type Trial } from './faults/trial.ts';

const SEED = 1;
const SLICE_MS = 180_000;
const run = fileURLToPath(new URL('./faults/run.ts', import.meta.url));

describe('a slice of every trial', () => {
  for (const trial of trials) {
    test(`${trial.promises.join(' ')} ${trial.id}: ${trial.about}`, { timeout: SLICE_MS }, async () => {
      const { failure } = await perform(trial, SEED, 'slice');
      if (failure) throw failure;
    });
  }
});

describe('the harness itself', () => {
  const trial = (work: (random: () => number) => void): Trial => ({
    id: 'x',
    promises: ['R1'],
    about: '',
    run: async ({ random }) => work(random),
  });

  test('tells a broken promise from a trial that could not be carried out', async () => {
    expect(
      (
        await perform(
          trial(() => hold('R1', false, 'gone')),
          1,
          'slice',
        )
      ).failure,
    ).toEqual(new Broken('R1', 'gone'));
    const broken = trial(() => {
      throw new Error('no compiler');
    });
    expect((await perform(broken, 1, 'slice')).failure).not.toBeInstanceOf(Broken);
    expect(
      (
        await perform(
          trial(() => hold('R1', true, '')),
          1,
          'slice',
        )
      ).failure,
    ).toBeUndefined();
  });

  test('does the same for the same seed', async () => {
    const drawn: number[][] = [[], [], []];
    for (const [index, seed] of [5, 5, 6].entries()) {
      const draw = trial((random) => {
        for (let n = 0; n < 20; n++) drawn[index]?.push(random());
      });
      await perform(draw, seed, 'slice');
    }
    expect(drawn[1]).toEqual(drawn[0]);
    expect(drawn[2]).not.toEqual(drawn[0]);
    for (const value of drawn.flat()) expect(value >= 0 && value < 1).toBe(true);
  });

  const faults = (args: string[], env: NodeJS.ProcessEnv = process.env) =>
    new Promise<{ code: number; text: string }>((resolve) => {
      execFile(process.execPath, [run, ...args], { env }, (error, stdout, stderr) =>
        resolve({ code: error ? Number(error.code) : 0, text: stdout + stderr }),
      );
    });

  test('a run is good only if every trial was carried out and held', () => {
    const [good, bad] = [{}, { failure: new Error('x') }];
    expect([[good], [good, good], [good, bad], [bad], []].map(exitCodeOf)).toEqual([0, 0, 1, 1, 1]);
  });

  test('`npm run faults` refuses what it does not know', async () => {
    expect(await faults(['--only', 'no-such-trial'])).toMatchObject({ code: 64, text: expect.stringMatching(/usage/) });
    expect((await faults(['--seed', 'abc'])).code).toBe(64);
  });

  test('without a compiler: the remedy, the seed and how to repeat it, a report, and not held', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'gh-faults-'));
    try {
      const report = join(folder, 'report.json');
      const args = ['--slice', '--only', 'power-cut', '--seed', '11', '--report', report];
      const { code, text } = await faults(args, { ...process.env, PATH: '/nonexistent' });
      expect(text).toContain('apt-get install gcc libc6-dev');
      expect(text).toContain('npm run faults -- --only power-cut --seed 11 --slice');
      expect(code).toBe(1);
      expect(JSON.parse(readFileSync(report, 'utf8'))).toEqual([
        { trial: 'power-cut', seed: 11, seconds: expect.any(Number), failure: expect.stringMatching(/gcc/) },
      ]);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
