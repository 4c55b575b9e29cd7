/** The scan thread: looks at the records on a connection of its own, so that the main thread never waits for a search. */
import { parentPort, workerData } from 'node:worker_threads';
import Database from 'better-sqlite3';
import { writeBallast } from './ballast.ts';
import { forecast } from './forecast.ts';
import { createHours } from './rollup.ts';
import { createScan } from './scan.ts';

export interface ScanWorkerData {
  readonly file: string;
  readonly thinTo: number;
}
export type ScanAnswer = { readonly turn: number } & ({ readonly result: unknown } | { readonly failed: string });

/** Everything the thread can be asked; arguments and results cross as plain data. */
function createAnswers({ file, thinTo }: ScanWorkerData) {
  const db = new Database(file, { readonly: true });
  return { ...createScan(db, thinTo), hours: createHours(db), ballast: writeBallast, forecast };
}
export type Answers = ReturnType<typeof createAnswers>;
export interface ScanQuestion {
  readonly turn: number;
  readonly ask: keyof Answers;
  readonly args: readonly unknown[];
}

if (parentPort) {
  const port = parentPort;
  const answers = createAnswers(workerData as ScanWorkerData);
  port.on('message', ({ turn, ask, args }: ScanQuestion) => {
    try {
      const answer = answers[ask] as (...given: readonly unknown[]) => unknown;
      port.postMessage({ turn, result: answer(...args) } satisfies ScanAnswer);
    } catch (error) {
      port.postMessage({ turn, failed: (error as Error).message } satisfies ScanAnswer);
    }
  });
}
