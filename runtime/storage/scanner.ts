/** The main thread's side of the scan thread. */
import { Worker } from 'node:worker_threads';
import { GatehouseError } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Answers, ScanAnswer, ScanQuestion, ScanWorkerData } from './scan-worker.ts';

export interface Scanner extends AsyncDisposable {
  /** Asked in turn; each answer takes well under a second. @throws GatehouseError `journal.write` */
  ask<Name extends keyof Answers>(name: Name, ...args: Parameters<Answers[Name]>): Promise<ReturnType<Answers[Name]>>;
}

export function startScanner(data: ScanWorkerData, log: Log): Scanner {
  let worker: Worker | undefined;
  let turns = 0;
  let closed = false;
  const waiting = new Map<number, { resolve: (result: never) => void; reject: (error: Error) => void }>();
  const fail = (reason: string) => {
    for (const { reject } of waiting.values()) reject(new GatehouseError('journal.write', reason));
    waiting.clear();
  };

  /** A thread that died is started again by the next question: it holds nothing that cannot be found out again. */
  function thread(): Worker {
    if (worker) return worker;
    const made = new Worker(new URL('./scan-worker.ts', import.meta.url), { workerData: data });
    made.on('message', (answer: ScanAnswer) => {
      const asked = waiting.get(answer.turn);
      waiting.delete(answer.turn);
      if ('failed' in answer) asked?.reject(new GatehouseError('journal.write', answer.failed));
      else asked?.resolve(answer.result as never);
    });
    made.on('error', (error) => {
      log.error({ err: error }, 'the scan thread died');
      worker = undefined;
      fail(error.message);
    });
    made.unref();
    worker = made;
    return made;
  }

  return {
    ask(name, ...args) {
      if (closed) return Promise.reject(new GatehouseError('journal.closed', 'The scan thread is closed'));
      const turn = ++turns;
      return new Promise((resolve, reject) => {
        waiting.set(turn, { resolve, reject });
        thread().postMessage({ turn, ask: name, args } satisfies ScanQuestion);
      });
    },
    async [Symbol.asyncDispose]() {
      closed = true;
      fail('the scan thread is closed');
      await worker?.terminate();
    },
  };
}
