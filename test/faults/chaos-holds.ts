/** What the oracle holds every hold to: what somebody holds is let go when nobody holds it any more (reliability.md F1-F3). */
import { scenarioOf } from '../../runtime/contracts/index.ts';
import { clearFrom, type Evidence } from './chaos-log.ts';
import { hold } from './trial.ts';

/** From the end of a lease to the device, on a busy machine. */
const PLAIN_MS = 3000;
/** A release that failed is tried again after 30 s at most, and a device that was disturbed is not back at once. */
const RETRY_MS = 36_000;

/** A point that is true while a command of this name holds the device. */
export interface Hold {
  readonly device: string;
  readonly scenario: string;
  readonly point: string;
  readonly command: string;
}

export const holdsOf = ({ gates, boards }: Evidence['layout']): Hold[] => [
  ...gates.map(({ id }) => ({ device: id, scenario: 'vehicle-gate', point: 'locked', command: 'lockClosed' })),
  ...boards.flatMap(({ id, profile }) => {
    if (profile === 'generic/relay-door')
      return [{ device: id, scenario: 'pedestrian-gate', point: 'held', command: 'lock' }];
    if (profile === 'generic/relay-ebike-guard')
      return [{ device: id, scenario: 'ebike-elevator-alarm', point: 'held', command: 'hold' }];
    return [];
  }),
];

/** @returns how often something was held. @throws Broken for a hold that outlasts whoever held it */
export function checkHolds(evidence: Evidence, restarts: readonly number[]): number {
  const { log, records, whenOf } = evidence;
  let count = 0;
  for (const { device, scenario, point, command } of holdsOf(evidence.layout)) {
    const lease = scenarioOf(scenario)?.commands[command]?.lease;
    const own = records.filter((record) => record.device === device && record.kind === 'state');
    const renewed = own
      .filter(({ name }) => name === 'lease.held' || name === 'lease.renewed')
      .map((record) => whenOf(record));
    const truths = log.truths.filter((truth) => truth.device === device && truth.point === point);
    for (const [index, { at, value }] of truths.entries()) {
      if (value !== true || !lease) continue;
      count++;
      const end = truths[index + 1]?.at;
      hold('V8', end !== undefined, `${device} is still held (${command}) after the gateway has stopped`);
      const last = Math.max(at, ...renewed.filter((one) => one <= end));
      // Whoever held it does not survive a restart.
      const due = Math.min(last + lease.longestMs, ...restarts.filter((ready) => ready > last));
      const latest = clearFrom(evidence, due, device, PLAIN_MS) ?? Number.POSITIVE_INFINITY;
      const late = end - (latest === due + PLAIN_MS ? latest : latest + RETRY_MS);
      hold('F1', late <= 0, () => `${device} was held (${command}) ${Math.round(late)} ms longer than anybody held it`);
    }
  }
  return count;
}
