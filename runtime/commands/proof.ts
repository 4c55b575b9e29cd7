/** What proves a command: the state of the device, read back from the device itself (reliability.md C6). */
import { type Clock, delay } from '../clock.ts';
import type { CommandKind, Scalar } from '../contracts/contract.ts';
import type { Log } from '../log.ts';
import type { Outputs } from './dispatcher.ts';

/** How often the proving point is read while the device moves. */
const POLL_MS = 100;

type CommandProof = NonNullable<CommandKind['proof']>;

export function createProver({ outputs, clock, log }: { outputs: Pick<Outputs, 'read'>; clock: Clock; log: Log }) {
  async function read(device: string, point: string, signal: AbortSignal): Promise<Scalar | undefined> {
    try {
      const readings = await outputs.read(device, [point], signal);
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
    async becomes(
      device: string,
      { point, equals }: CommandProof,
      until: number,
      signal: AbortSignal,
    ): Promise<boolean | undefined> {
      let readable = false;
      while (!signal.aborted && clock.mono() < until) {
        const seen = await read(device, point, signal);
        if (seen === equals) return true;
        readable = seen !== undefined;
        await pause(signal);
      }
      return readable ? false : undefined;
    },
    /** The first answer decides: nothing was sent just now that could still be moving. Not so, or no answer: false. */
    async is(device: string, { point, equals, withinMs }: CommandProof): Promise<boolean> {
      const until = clock.mono() + withinMs;
      const { signal } = new AbortController();
      while (clock.mono() < until) {
        const seen = await read(device, point, signal);
        if (seen !== undefined) return seen === equals;
        await pause(signal);
      }
      return false;
    },
  };
}
