/**
 * One command from accepted to its end (reliability.md C2-C7): executing is durable before the first byte leaves, nothing
 * starts after the deadline, success is read back, and the one final state is there two seconds after the deadline, whatever
 * the driver does.
 */
import type { CommandTurn } from '../../drivers/driver.ts';
import { type Clock, delay } from '../clock.ts';
import type { CommandView } from '../contracts/api.ts';
import type { CommandKind, Proof } from '../contracts/contract.ts';
import { type ErrorCode, GatehouseError, reasonOf } from '../errors.ts';
import type { Journal, Unit } from '../journal/journal.ts';
import type { Log } from '../log.ts';
import type { Outputs, Who } from './dispatcher.ts';
import { codeOf, failureState } from './facts.ts';
import type { Lease, Leases } from './leases.ts';
import { type createProver, orAborted, unmet } from './proof.ts';
import type { Recorder } from './recorder.ts';

/** The last look at the device, and the end of waiting for it; the rest of the two seconds is for the disk (C5). */
const LAST_LOOK_MS = 1500;
const GIVEN_UP_MS = 1700;
const AGAIN_MS = 1000;
const MOST_TIMES = 30;

/** What is asked of one output, once it is allowed. */
export interface Order {
  readonly kind: CommandKind;
  readonly scenario: string;
  readonly output: string;
  readonly who: Who;
  /** Held now, and let go first. */
  readonly overrides?: Lease;
}
export interface Running {
  readonly id: string;
  readonly priority: number;
  readonly abort: AbortController;
}
export interface Execution {
  readonly view: CommandView;
  readonly order: Order;
  readonly running: Running;
  /** Monotonic. */
  readonly deadline: number;
  readonly recorder: Recorder;
}
type End = Pick<CommandView, 'state' | 'code' | 'detail' | 'proven'>;

/** How far one command has come. */
interface Steps {
  readonly signal: AbortSignal;
  /** Recorded as executing, and still in time. @throws GatehouseError `command.expired`, or why it was aborted */
  record(): Promise<void>;
  wasRecorded(): boolean;
  /** The same right before its own first byte. */
  begin(): Promise<void>;
  wasSent(): boolean;
}

export interface ExecutorParts {
  readonly outputs: Outputs;
  readonly clock: Clock;
  readonly log: Log;
  readonly journal: Journal;
  readonly leases: Leases;
  readonly prover: ReturnType<typeof createProver>;
  readonly stopped: AbortSignal;
  /** Records a change of the command, and more with it. @returns the view as it was told */
  change(next: CommandView, recorder: Recorder, also?: Unit): Promise<CommandView>;
}

export function createExecutor({ outputs, clock, log, journal, leases, prover, stopped, change }: ExecutorParts) {
  const expired = (detail: string) => new GatehouseError('command.expired', detail);

  const proves = (device: string, proof: Proof, signal: AbortSignal, deadline: number) =>
    prover.becomes(device, proof, Math.min(clock.mono() + proof.withinMs, deadline + LAST_LOOK_MS), signal);

  /** Lets go what is held, within the turn of the command that needs the output: fire beats every hold. */
  async function override(held: Lease, who: Who, { record, wasRecorded, signal }: Steps): Promise<void> {
    try {
      await orAborted(outputs.command(held.device, held.release, {}, { begin: record, signal }), signal);
    } catch (error) {
      if (!wasRecorded()) throw error; // nothing of this command goes out any more
      log.warn({ command: held.command, reason: reasonOf(error) }, 'a hold in the way could not be let go first');
      leases.letGo(held, 'overridden'); // again, once the output is free
      return;
    }
    if (leases.on(held.output)?.command !== held.command) return;
    const ended = journal.commit(leases.ending(held, who.actor, 'overridden')).then(() => leases.ended(held));
    // Not waited for: the byte is out, and what is not recorded is only let go once more.
    ended.catch((error: unknown) =>
      log.error({ err: error, command: held.command }, 'the end of a hold is not recorded'),
    );
  }

  /** Carries it out and looks what became of it. */
  async function outcome({ view, order: { kind, who, overrides }, deadline }: Execution, steps: Steps): Promise<End> {
    const { signal } = steps;
    const turn: CommandTurn = { begin: steps.begin, signal };
    try {
      if (kind.acts === 'setting') {
        await turn.begin();
        await outputs.setting(view.device, view.command, view.input, view.actor);
        return { state: 'succeeded', proven: true };
      }
      if (overrides) await override(overrides, who, steps);
      await orAborted(outputs.command(view.device, view.command, view.input, turn), signal);
    } catch (error) {
      const code: ErrorCode = codeOf(error);
      // Sent and not answered: only the device itself can say what happened.
      const unclear = steps.wasSent() && code !== 'driver.refused';
      const proven = unclear && kind.proof && (await proves(view.device, kind.proof, signal, deadline));
      if (proven) return { state: 'succeeded', proven };
      return { state: failureState(code, unclear), code, detail: reasonOf(error) };
    }
    if (!kind.proof) return { state: 'succeeded', proven: false };
    const proven = await proves(view.device, kind.proof, signal, deadline);
    return proven ? { state: 'succeeded', proven } : unproven(signal, kind.proof, proven);
  }

  /** An end the disk does not take is tried again until it does: a command without an end would stay open for ever (C5). */
  async function surely(record: () => Promise<unknown>): Promise<void> {
    for (let tries = 0; ; tries++) {
      try {
        await record();
        return;
      } catch (error) {
        if (stopped.aborted || codeOf(error) === 'journal.closed') throw error;
        log.error({ reason: reasonOf(error) }, 'the end of a command could not be recorded yet');
        await delay(clock, AGAIN_MS * Math.min(tries + 1, MOST_TIMES), stopped).catch(() => undefined);
      }
    }
  }

  return {
    async run(execution: Execution): Promise<void> {
      const { order, running, deadline, recorder } = execution;
      const { kind, output, who } = order;
      const { signal } = running.abort;
      let { view } = execution;
      let lease: Lease | undefined;
      let recorded = false;
      let sent = false;
      const isLate = () => clock.mono() >= deadline;

      async function executing(): Promise<void> {
        if (!kind.lease) {
          view = await change({ ...view, state: 'executing' }, recorder);
          return;
        }
        const { longestMs, release } = kind.lease;
        const until = clock.now() + longestMs;
        const expires = clock.mono() + longestMs;
        const { id: command, device, command: name } = view;
        const { scenario } = order;
        const taking: Lease = { command, device, scenario, output, name, release, ...who, longestMs, until };
        view = await change({ ...view, state: 'executing', lease: { until } }, recorder, leases.taking(taking));
        lease = taking;
        leases.taken(taking, expires);
      }
      const record = async () => {
        signal.throwIfAborted();
        if (isLate()) throw expired('The deadline passed before it could be sent');
        if (recorded) return; // what was held is let go; the same turn goes on
        await executing();
        // The commit itself may have waited for a slow disk: never start late.
        if (isLate()) throw expired('The deadline passed while it was being recorded');
        signal.throwIfAborted();
        recorded = true;
      };
      const begin = async () => {
        await record();
        sent = true;
      };
      const notBegun = clock.after(deadline - clock.mono(), () => {
        if (!sent) running.abort.abort(expired('The deadline passed before it could be sent'));
      });
      const unanswered = clock.after(deadline + GIVEN_UP_MS - clock.mono(), () =>
        running.abort.abort(new GatehouseError('driver.timeout', `${view.device} did not answer`)),
      );
      try {
        const steps = { signal, record, begin, wasRecorded: () => recorded, wasSent: () => sent };
        const end = await outcome({ ...execution, view }, steps);
        await recorder.commit(); // what was never accepted has no outcome
        const released = end.state === 'succeeded' ? leases.on(output) : undefined;
        const letsGo = released?.release === view.command ? released : undefined;
        await surely(() =>
          change({ ...view, ...end }, recorder, letsGo && leases.ending(letsGo, who.actor, 'released')),
        );
        if (letsGo) leases.ended(letsGo);
        if (lease && end.state !== 'succeeded') leases.letGo(lease, 'not-proven');
      } finally {
        notBegun();
        unanswered();
      }
    },
  };
}

function unproven(signal: AbortSignal, proof: Proof, proven: boolean | undefined): End {
  if (signal.aborted) return { state: 'unknown', code: codeOf(signal.reason), detail: reasonOf(signal.reason) };
  if (proven === undefined)
    return { state: 'unknown', code: 'driver.timeout', detail: 'The device could not be read back' };
  return { state: 'failed', code: 'command.unproven', detail: unmet(proof) };
}
