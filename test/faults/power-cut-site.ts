/** The plug is pulled on a whole gateway at work: everything it keeps on the disk, not only its journal. */
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { endCompound } from '../compound.ts';
import { type Gateway, startGateway } from '../site.ts';
import { type Image, imageAt, readTrace, type Step, someLuck, writeImage } from './power.ts';
import { flowsRun, keptWaiting } from './processes.ts';
import { traced } from './shim.ts';
import { Broken, hold, pick, type Trial } from './trial.ts';
import { createWitness, type Witness } from './witness.ts';

const SIZES = {
  slice: { cuts: 1, workMs: 2000 },
  normal: { cuts: 24, workMs: 8000 },
  long: { cuts: 200, workMs: 20_000 },
};
const READY_MS = 10_000;

/** A gateway of which every change on the disk is known, from its first start to its end. */
async function recorded(random: () => number, workMs: number): Promise<{ witness: Witness; steps: Step[] }> {
  const folder = mkdtempSync(join(tmpdir(), 'gh-cut-site-'));
  await using stack = new AsyncDisposableStack();
  stack.defer(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
  const data = mkdtempSync(join(folder, 'data-'));
  const trace = join(folder, 'trace');
  // An answer that has come belongs to what the trace holds by then, at the latest.
  const witness = createWitness(random, () => statSync(trace).size);
  stack.defer(() => endCompound(data));
  const gateway = stack.use(await startGateway({ data, cars: 800, env: traced(data, trace) }));
  await witness.introduce(gateway);
  const rest = witness.work(gateway);
  await sleep(workMs);
  await gateway.kill('SIGKILL');
  await rest();
  return { witness, steps: readTrace(trace) };
}

/** A whole start on what is left. @returns ms until it was ready */
async function startOn(image: Image, check: (gateway: Gateway, data: string) => Promise<void>): Promise<number> {
  const data = mkdtempSync(join(tmpdir(), 'gh-cut-left-'));
  await using stack = new AsyncDisposableStack();
  stack.defer(() => rmSync(data, { recursive: true, force: true, maxRetries: 5 }));
  stack.defer(() => endCompound(data));
  writeImage(image, data);
  const began = performance.now();
  const gateway = await startGateway({ data }).catch((error: unknown) => {
    throw new Broken('R8', `the gateway does not start: ${String(error)}`);
  });
  stack.use(gateway);
  const ready = performance.now() - began;
  const waited = keptWaiting(gateway.pid);
  hold('R8', ready - waited <= READY_MS, `ready only after ${Math.round(ready)} ms (${Math.round(waited)} ms waiting)`);
  await check(gateway, data);
  return ready;
}

export const powerCutSite: Trial = {
  id: 'power-cut-site',
  promises: ['R1', 'R2', 'R5', 'R8'],
  about: 'everything a whole gateway has not flushed is lost: it starts again, and has what it acknowledged',
  async run({ random, size, say }) {
    const { cuts, workMs } = SIZES[size];
    const { witness, steps } = await recorded(random, workMs);
    const starts: number[] = [];
    for (let n = 0; n < cuts; n++) {
      // The first start has many files to write, each once; the rest is work.
      const early = n % 3 === 2;
      const cut = early ? pick(random, Math.ceil(steps.length / 4)) : pick(random, steps.length + 1);
      const luck = someLuck(random);
      const where = `cut before step ${cut} of ${steps.length} (${steps[cut]?.what ?? 'end'} ${steps[cut]?.path ?? ''}), luck ${luck}`;
      try {
        const ready = await startOn(imageAt(new Map(), steps, cut, luck, random), async (gateway, data) => {
          witness.check(join(data, 'gatehouse.db'), steps[cut - 1]?.end ?? 0);
          const { status } = await gateway.api('/devices', { as: 'demo-admin' });
          hold('R8', status === 200, `the administrator is answered ${status}`);
          if (n % 4 === 0) await flowsRun(gateway);
        });
        starts.push(ready);
      } catch (error) {
        throw error instanceof Broken ? new Broken(error.promise, `${error.detail} [${where}]`) : error;
      }
    }
    const { pushes, samples } = witness.counts();
    const slowest = Math.round(Math.max(...starts));
    say(
      `${cuts} cuts in ${steps.length} changes of the disk; ${pushes} pushes, ${samples} samples; ready in ${slowest} ms at most`,
    );
  },
};
