/** Cars that come to a lane: a plate pushed as cameras push it, and the moment the relay of the barrier is ordered. */
import { type Agent, request } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { plateOf } from './bench-site.ts';
import type { Lane } from './lanes.ts';

const ANSWER_MS = 5000;

export type Push = (lane: Lane, body: string) => Promise<void>;

export interface Source {
  readonly lanes: readonly Lane[];
  readonly push: Push;
  readonly message: (plate: string) => string;
  /** Plates to choose from. */
  readonly vehicles: number;
}

/** Over a connection per address that stays open, as cameras do. */
export function pushWith(agent: Agent, urlOf: (lane: Lane) => string): Push {
  return (lane, body) =>
    new Promise((resolve, reject) => {
      const call = request(urlOf(lane), {
        method: 'POST',
        agent,
        headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) },
      });
      call.on('error', reject);
      call.on('response', (response) => {
        response.resume();
        response.on('end', () =>
          response.statusCode === 200 ? resolve() : reject(new Error(`push: ${response.statusCode}`)),
        );
      });
      call.end(body);
    });
}

const within = <T>(promise: Promise<T>, what: string): Promise<T> => {
  const timer = new AbortController();
  const late = pause(ANSWER_MS, undefined, { signal: timer.signal }).then(() => {
    throw new Error(`${what}: nothing within ${ANSWER_MS} ms`);
  });
  return Promise.race([promise, late]).finally(() => timer.abort());
};

let cars = 0;

/** One car: ms from the first byte of the push to the order at the relay. */
export async function oneCar({ lanes, push, message, vehicles }: Source): Promise<number> {
  const n = cars++;
  const lane = lanes[n % lanes.length];
  if (!lane) throw new Error('no lane');
  await within(lane.free(), `${lane.gate} is not free`);
  const body = message(plateOf(n % vehicles));
  const opened = lane.opened();
  const began = performance.now();
  const answered = push(lane, body);
  const at = await within(opened, `${lane.gate} stays closed`);
  await answered;
  return at - began;
}

/** Cars at irregular moments, so that they meet polls and timers in every position. @param everyMs on average */
export async function manyCars(source: Source, count: number, everyMs: number): Promise<number[]> {
  const times: number[] = [];
  for (let n = 0; n < count; n++) {
    await pause(everyMs * (0.5 + Math.random()));
    times.push(await oneCar(source));
  }
  return times;
}
