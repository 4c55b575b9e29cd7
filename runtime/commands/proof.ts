/** What proves a command: the state of the device, read back from the device itself (reliability.md C6). */
import { type Clock, delay } from '../clock.ts';
import type { Proof, Scalar } from '../contracts/contract.ts';
import type { Log } from '../log.ts';
import type { Outputs } from './dispatcher.ts';

/** How often the proving point is read while the device moves. */
const POLL_MS = 100;

/** What a driver does not answer must not hold up the outcome, even if the driver takes no notice of the abort. */
export function orAborted<T>(answer: Promise<T>, signal: AbortSignal): Promise<T> {
  answer.catch(() => undefined); // it may come after nobody listens any more
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) return abort();
    signal.addEventListener('abort', abort, { once: true });
    answer.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}

const holds = (proof: Proof, seen: Scalar): boolean =>
  'equals' in proof ? seen === proof.equals : typeof seen === 'number' && seen < proof.below;

/** What should have become of it, for a person. */
export const unmet = (proof: Proof): string =>
  `${proof.point} did not become ${'equals' in proof ? String(proof.equals) : `less than ${proof.below}`}`;

export function createProver({ outputs, clock, log }: { outputs: Pick<Outputs, 'read'>; clock: Clock; log: Log }) {
  async function read(device: string, point: string, signal: AbortSignal): Promise<Scalar | undefined> {
    try {
      const readings = await orAborted(outputs.read(device, [point], signal), signal);
      return readings.find((reading) => reading.point === point && reading.quality !== 'bad')?.value;
    } catch (error) {
      log.debug({ device, point, err: error }, 'read-back failed');
      return undefined;
    }
  }
  const pause = (signal: AbortSignal) => delay(clock, POLL_MS, signal).catch(() => undefined);

  return {
    /**
     * Reads until it is so, or the time is over.
     * @param until on the monotonic clock, ms
     * @returns true: read back and so; false: read back and not so; undefined: could not be read
     */
    async becomes(device: string, proof: Proof, until: number, signal: AbortSignal): Promise<boolean | undefined> {
      let readable = false;
      while (!signal.aborted && clock.mono() < until) {
        const seen = await read(device, proof.point, signal);
        if (seen !== undefined && holds(proof, seen)) return true;
        readable = seen !== undefined;
        await pause(signal);
      }
      return readable ? false : undefined;
    },
    /** The first answer decides: nothing was sent just now that could still be moving. Not so, or no answer: false. */
    async is(device: string, proof: Proof): Promise<boolean> {
      const over = new AbortController();
      const cancel = clock.after(proof.withinMs, () => over.abort());
      try {
        while (!over.signal.aborted) {
          const seen = await read(device, proof.point, over.signal);
          if (seen !== undefined) return holds(proof, seen);
          await pause(over.signal);
        }
        return false;
      } finally {
        cancel();
      }
    },
  };
}
