/** The bench's side of the telemetry beside: starts the worker, counts, and demands every acknowledgement at the end. */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { FromLoad, Load, Sent, ToLoad } from './telemetry-load.ts';

export interface RunningLoad {
  count(): Promise<Sent>;
  /** Microseconds of processor time it has used itself. */
  processorUs(): Promise<number>;
  /** @throws when a message was never acknowledged */
  stop(): Promise<Sent>;
}

/** Resolves once every device is logged in and the first messages are on their way. */
export async function startLoad(load: Load): Promise<RunningLoad> {
  const worker = new Worker(new URL('./telemetry-load.ts', import.meta.url), { workerData: load });
  const heard = async (): Promise<FromLoad> => ((await once(worker, 'message')) as [FromLoad])[0];
  const tell = (message: ToLoad) => worker.postMessage(message);
  const ask = async (message: ToLoad): Promise<Sent> => {
    const answer = heard();
    tell(message);
    return (await answer) as Sent;
  };
  await heard();
  tell('start');
  return {
    count: () => ask('count'),
    async processorUs() {
      const { user, system } = await worker.cpuUsage();
      return user + system;
    },
    async stop() {
      const last = await ask('stop');
      if (last.acked < last.sent)
        throw new Error(`${last.sent - last.acked} of ${last.sent} messages not acknowledged`);
      return last;
    },
  };
}
