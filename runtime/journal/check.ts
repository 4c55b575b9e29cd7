/**
 * The long look at a database too large for the start (R8): read in whole on a thread of its own, a minute into the life of
 * the gateway. What it finds is left for the next start, which puts the file aside.
 */
import { statSync } from 'node:fs';
import { setPriority } from 'node:os';
import { parentPort, Worker, workerData } from 'node:worker_threads';
import { reasonOf } from '../errors.ts';
import { writeDurably } from './identity.ts';
import { damageMark, databaseOf, QUICK_CHECK_BYTES, soundness } from './inspect.ts';

const NICE = 15;

/**
 * @param least files up to this size were looked at by the start
 * @returns what is wrong, after it was written down for the next start; undefined if nothing is, or it was not looked at
 * @throws Error if the file could not be looked at, which says nothing about it
 */
export async function checkAside(
  directory: string,
  signal: AbortSignal,
  least = QUICK_CHECK_BYTES,
): Promise<string | undefined> {
  const file = databaseOf(directory);
  if (statSync(file).size <= least) return undefined;
  const fault = await look(file, signal);
  if (fault !== undefined) writeDurably(damageMark(directory), fault);
  return fault;
}

function look(file: string, signal: AbortSignal): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL('./check.ts', import.meta.url), { workerData: { check: file } });
    const stop = () => void worker.terminate();
    signal.addEventListener('abort', stop, { once: true });
    worker.once('message', (message: { fault?: string; failed?: string }) => {
      if (message.failed === undefined) resolve(message.fault);
      else reject(new Error(message.failed));
    });
    worker.once('error', reject);
    worker.once('exit', () => {
      signal.removeEventListener('abort', stop);
      reject(new Error('its thread ended'));
    });
  });
}

const asked = (workerData as { check?: string } | null)?.check;
if (parentPort && asked !== undefined) {
  try {
    setPriority(NICE);
    parentPort.postMessage({ fault: soundness(asked) });
  } catch (error) {
    parentPort.postMessage({ failed: reasonOf(error) });
  }
}
