/** The journal alone on a failing disk: it refuses with a code, outlives its own housekeeping, and opens as it was. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { FromDiskChild, ToDiskChild } from './disk-child.ts';
import { type Ack, checkJournal } from './journal-acks.ts';
import { type Fault, type FaultyDisk, faultyDisk } from './shim.ts';
import { hold, pick, type TrialContext } from './trial.ts';

/** Enough for pages to be moved out of the WAL as soon as the writer is idle. */
const MANY = 1500;
const IDLE_MS = 250;
const ANSWER_MS = 20_000;
/** Operations of a start before the disk fails, at most. */
const START_OPERATIONS = 40;
const REFUSALS = ['journal.full', 'journal.write'];

interface Child extends AsyncDisposable {
  tell(message: ToDiskChild): Promise<FromDiskChild>;
}

/** A process with a journal on this disk; ends without a word when disposed. */
function child(directory: string, disk: FaultyDisk): Child {
  const script = fileURLToPath(new URL('./disk-child.ts', import.meta.url));
  const forked = fork(script, [directory], {
    env: { ...process.env, ...disk.environment },
    execArgv: ['--disable-warning=ExperimentalWarning'],
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  let words = '';
  forked.stderr?.setEncoding('utf8').on('data', (chunk: string) => (words += chunk));
  const ended = once(forked, 'exit');
  return {
    async tell(message) {
      const answer = once(forked, 'message', { signal: AbortSignal.timeout(ANSWER_MS) });
      forked.send(message);
      const first = await Promise.race([answer, ended.then(() => undefined)]);
      answer.catch(() => undefined);
      return first === undefined ? { refused: `the process ended: ${words}` } : (first[0] as FromDiskChild);
    },
    async [Symbol.asyncDispose]() {
      forked.kill('SIGKILL');
      await ended;
    },
  };
}

async function appended(from: Child, count: number, acks: Ack[]): Promise<void> {
  const answer = await from.tell({ do: 'append', count });
  hold('R2', 'acks' in answer, () => `a sound disk was refused: ${JSON.stringify(answer)}`);
  acks.push(...answer.acks);
}

/** The writer tidies up on a disk that has just failed, and goes on when it is sound again. */
async function housekeeping(directory: string, disk: FaultyDisk, fault: Fault, name: string): Promise<void> {
  const acks: Ack[] = [];
  {
    await using process = child(directory, disk);
    const opened = await process.tell({ do: 'open' });
    hold('R8', 'acks' in opened, () => `the journal does not open: ${JSON.stringify(opened)}`);
    await appended(process, MANY, acks);
    disk.set(fault);
    await sleep(IDLE_MS);
    const answer = await process.tell({ do: 'append', count: 3 });
    hold('R1', 'refused' in answer, `disk ${name}: records were accepted`);
    hold('B2', REFUSALS.includes(answer.refused), `disk ${name}: refused with ${answer.refused}`);
    disk.set({});
    await appended(process, 10, acks);
  }
  await checkJournal(directory, acks);
}

/** A start on a failing disk may fail, but finds everything as it was when the disk is sound. */
async function starts(
  directory: string,
  disk: FaultyDisk,
  fault: Fault,
  name: string,
  { random }: TrialContext,
): Promise<void> {
  const acks: Ack[] = [];
  let epoch = 0;
  {
    await using process = child(directory, disk);
    const opened = await process.tell({ do: 'open' });
    hold('R8', 'acks' in opened, () => `the journal does not open: ${JSON.stringify(opened)}`);
    epoch = opened.epoch;
    await appended(process, 100, acks);
  }
  for (const after of [0, pick(random, START_OPERATIONS)]) {
    disk.set({ ...fault, after });
    {
      await using process = child(directory, disk);
      const opened = await process.tell({ do: 'open' });
      const same = 'refused' in opened || opened.epoch === epoch;
      hold('R4', same, () => `disk ${name} after ${after}: a sound journal was begun anew (${JSON.stringify(opened)})`);
    }
    disk.set({});
    const found = await checkJournal(directory, acks);
    hold('R4', found.epoch === epoch, `disk ${name} after ${after}: the next start began epoch ${found.epoch}`);
    acks.push(...found.acks);
  }
}

/** Each on a directory of its own. */
export async function journalOnFailingDisk(
  faults: readonly (Fault & { readonly name: string })[],
  context: TrialContext,
): Promise<void> {
  for (const { name, ...fault } of faults) {
    for (const work of [housekeeping, starts]) {
      const directory = mkdtempSync(join(tmpdir(), 'gh-disk-journal-'));
      try {
        using disk = faultyDisk(directory);
        await work(directory, disk, fault, name, context);
      } finally {
        rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
      }
    }
  }
  context.say(`journal alone, kept tidy and started on ${faults.length} failing disks: as it was`);
}
