/** One archive, made on a thread of its own: the copy is checked, packed and sealed away from everything that has a deadline. */
import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { setPriority } from 'node:os';
import { parentPort, Worker, workerData } from 'node:worker_threads';
import { GatehouseError, reasonOf } from '../errors.ts';
import { copyConfig, factsOf, faultOf } from '../journal/copies.ts';
import { writeArchive } from './archive.ts';
import { DATABASE, filesOf } from './contents.ts';
import { KEY_BYTES, type Recovery, wrapForBox, wrapForRecovery } from './keys.ts';
import { type Header, newNonce } from './seal.ts';

export interface Job {
  readonly directory: string;
  /** The archive's file, free. */
  readonly out: string;
  /** A plain copy of the database: there already (`full`), or made here (`config`). Removed in any case. */
  readonly copy: string;
  readonly about: Pick<Header, 'version' | 'gateway' | 'head' | 'created' | 'kind' | 'origin'>;
  readonly box: Uint8Array;
  readonly recovery?: Recovery;
}

/** Below everything else on this machine; on Linux it counts for the calling thread alone. */
const NICE = 15;

/** Runs on the worker's side. @throws Error if the copy is damaged */
export function doJob({ directory, out, copy, about, box, recovery }: Job): void {
  try {
    if (about.kind === 'config') copyConfig(`${directory}/${DATABASE}`, copy);
    const fault = faultOf(copy);
    if (fault !== undefined) throw new Error(`the copy of the database is damaged: ${fault}`);
    const dataKey = randomBytes(KEY_BYTES);
    const wraps = [wrapForBox(dataKey, box), ...(recovery ? [wrapForRecovery(dataKey, recovery)] : [])];
    const { version, gateway, head, created, kind } = about;
    const facts = { format: 1 as const, version, gateway, head, created, kind, ...factsOf(copy) };
    const entries = [...filesOf(directory), { name: DATABASE, content: copy }];
    writeArchive(out, { format: 1, ...about, nonce: newNonce(), wraps }, dataKey, facts, entries);
  } finally {
    for (const suffix of ['', '-wal', '-shm', '-journal']) rmSync(copy + suffix, { force: true });
  }
}

/** @throws GatehouseError `journal.write` with what went wrong; nothing is left of the archive then */
export function runJob(job: Job, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (reason: string) => reject(new GatehouseError('journal.write', `No backup could be made: ${reason}`));
    const worker = new Worker(new URL('./job.ts', import.meta.url), { workerData: job });
    const stop = () => void worker.terminate();
    signal.addEventListener('abort', stop, { once: true });
    worker.once('message', (message: { failed?: string }) => {
      if (message.failed === undefined) resolve();
      else fail(message.failed);
    });
    worker.once('error', (error) => fail(error.message));
    worker.once('exit', () => {
      signal.removeEventListener('abort', stop);
      fail('its thread ended');
    });
  });
}

if (parentPort && (workerData as Partial<Job> | undefined)?.about) {
  try {
    setPriority(NICE);
    doJob(workerData as Job);
    parentPort.postMessage({});
  } catch (error) {
    parentPort.postMessage({ failed: reasonOf(error) });
  }
}
