/**
 * One way from an intent to an outcome, whoever sends it (reliability.md C1-C9): who may send what here and now, one
 * command in flight per output, what is held, and the end that every command has. What happens between accepted and the
 * end is in execution.ts.
 */
import type { CommandTurn, Reading } from '../../drivers/driver.ts';
import { type Clock, delay, every } from '../clock.ts';
import type { CommandInput, CommandView } from '../contracts/api.ts';
import type { Scalar, Sender } from '../contracts/contract.ts';
import { scenarioOf } from '../contracts/index.ts';
import type { Draft, JournalRecord } from '../contracts/record.ts';
import type { Words } from '../contracts/words.ts';
import { GatehouseError, reasonOf } from '../errors.ts';
import type { Journal, Unit } from '../journal/journal.ts';
import { uuidv7 } from '../journal/uuid.ts';
import type { Log } from '../log.ts';
import { createExecutor, type Order, type Running } from './execution.ts';
import { codeOf, digestOf, recordOf } from './facts.ts';
import {
  checkIntent,
  checkSituation,
  isFailSafe,
  isUnlimited,
  isUrgent,
  MAX_DEADLINE_MS,
  priorityOf,
  type Situation,
  type Target,
} from './intent.ts';
import { type Lease, Leases, leaseSchema } from './leases.ts';
import { createProver, orAborted } from './proof.ts';
import { createRate } from './rate.ts';
import { createFailSafeRecorder, createRecorder, type Recorder } from './recorder.ts';
import { type CommandQuery, commandTable, createStore, type Store } from './store.ts';

export const schema = `${commandTable}${leaseSchema}`;

/** Old keys are forgotten this often. */
const FORGET_EVERY_MS = 3600_000;
const CLOSE_AGAIN_MS = 1000;
/** A graceful stop waits so long for the outcomes of what is running (V8). */
const STOPPING_MS = 2000;
/** Beside the one who holds. */
const MAY_RENEW: readonly Sender[] = ['shift-leader', 'admin', 'linkage'];
const LEASE: Who = { actor: 'system:lease', sender: 'system' };

export interface Who {
  /** `user:…`, `flow:…`, `platform:…`, `linkage:…`, `booth:…` */
  readonly actor: string;
  readonly sender: Sender;
}

/** What the dispatcher needs of the devices. */
export interface Outputs {
  /** @throws GatehouseError `device.not_found` */
  target(device: string): Target;
  latest(device: string, point: string): Scalar | undefined;
  /** An alarm of this kind stands in the zone of the device. */
  alarmed(device: string, scenario: string, alarm: string): boolean;
  /** A safety linkage at work here forbids the command; in these words. */
  forbidden(device: string, command: string, sender: Sender): Words | undefined;
  /** @throws GatehouseError `command.offline` when there is no link now */
  command(
    device: string,
    command: string,
    input: Readonly<Record<string, unknown>>,
    turn: CommandTurn,
  ): Promise<Record<string, unknown>>;
  read(device: string, points: readonly string[], signal: AbortSignal): Promise<Reading[]>;
  /** For commands that act on settings: the write that changes them. */
  setting(device: string, command: string, input: Readonly<Record<string, unknown>>, actor: string): Promise<void>;
}

export interface DispatcherParts {
  readonly journal: Journal;
  readonly outputs: Outputs;
  readonly clock: Clock;
  readonly log: Log;
  /** What a lease held is not let go: somebody must look. Without detail: it is over. */
  readonly heldTrouble?: (lease: Lease, detail: string | undefined) => void;
  /** The wall clock can be believed: without it nothing is forgotten by age (T5). */
  readonly clockTrusted?: () => boolean;
}

export interface SendOptions {
  /** Committed together with `accepted`. */
  readonly also?: Unit;
  /** What is left of the deadline when it was under way; what repeats must equal is the deadline as it was given. */
  readonly leftMs?: number;
}

/** What one sender asks in one breath. */
interface Asking {
  readonly input: CommandInput;
  readonly who: Who;
  readonly key: string;
  readonly digest: string;
  readonly also: Unit;
  readonly leftMs: number | undefined;
}
interface Live {
  view: CommandView;
  reason?: string;
  readonly settled: Promise<CommandView>;
}

const nextTurn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

export class Dispatcher {
  readonly #parts: DispatcherParts;
  readonly #rate: ReturnType<typeof createRate>;
  readonly #prover: ReturnType<typeof createProver>;
  readonly #executor: ReturnType<typeof createExecutor>;
  readonly #store: Store;
  readonly #leases: Leases;
  /** Not final yet, and final ones somebody still waits for. */
  readonly #live = new Map<string, Live>();
  /** Of what is not yet found in the database. */
  readonly #byKey = new Map<string, { readonly digest: string; readonly accepting: Promise<CommandView> }>();
  readonly #running = new Map<string, Running>();
  /** Not final when this life began. What is accepted before {@link recover} has come to it is not one of them. */
  readonly #left: readonly CommandView[];
  readonly #stopped = new AbortController();
  readonly #unfollow: () => void;
  readonly #stopForgetting: () => void;

  constructor(parts: DispatcherParts) {
    this.#parts = parts;
    const { journal, clock, log } = parts;
    this.#rate = createRate(clock);
    this.#prover = createProver(parts);
    this.#store = createStore(journal.db);
    this.#left = this.#store.unfinished();
    this.#leases = new Leases({
      ...parts,
      release: (lease) => this.#release(lease),
      forbidden: (lease) => this.#isForbidden(lease),
      trouble: (lease, detail) => parts.heldTrouble?.(lease, detail),
    });
    this.#executor = createExecutor({
      ...parts,
      leases: this.#leases,
      prover: this.#prover,
      stopped: this.#stopped.signal,
      change: (next, recorder, also) => this.#change(next, recorder, also),
    });
    this.#unfollow = journal.onCommit((records) => this.#giveBack(records));
    this.#stopForgetting = every(clock, FORGET_EVERY_MS, () => {
      this.#forget().catch((error: unknown) => log.warn({ err: error }, 'old commands could not be forgotten'));
    });
  }

  /**
   * Accepts a command. Resolves once `accepted` is durable; the same key with the same body answers with the first one.
   * @throws GatehouseError `device.*`, `command.*`; a refusal is recorded too
   */
  async send(
    input: CommandInput,
    who: Who,
    key: string,
    { also = {}, leftMs }: SendOptions = {},
  ): Promise<CommandView> {
    const digest = digestOf(input);
    const mapKey = `${who.actor}\n${key}`;
    const inFlight = this.#byKey.get(mapKey);
    const stored = inFlight ? undefined : this.#store.find(who.actor, key);
    const known = inFlight?.digest ?? stored?.digest;
    if (known !== undefined && known !== digest)
      throw new GatehouseError('command.conflict', `Key ${key} was used for another command`);
    if (stored) return this.get(stored.id);
    if (inFlight) return this.get((await inFlight.accepting).id);
    const { accepting, written } = this.#accept({ input, who, key, digest, also, leftMs });
    this.#byKey.set(mapKey, { digest, accepting });
    void written.then(
      () => this.#byKey.delete(mapKey),
      () => this.#byKey.delete(mapKey),
    );
    return accepting;
  }

  /**
   * The emergency opening (F8): past everything but a safety linkage, and as often as it is pressed. Where the same opening,
   * or what makes safe, is under way already, that is the answer.
   * @throws GatehouseError `device.*`, `command.*`
   */
  async emergencyOpen(input: CommandInput, actor: string, key: string): Promise<CommandView> {
    try {
      return await this.send(input, { actor, sender: 'booth' }, key);
    } catch (error) {
      const busyWith = error instanceof GatehouseError && error.code === 'command.busy' && error.detail?.command;
      const other = busyWith ? this.get(String(busyWith)) : undefined;
      const kind = other && scenarioOf(this.#scenarioOf(other))?.commands[other.command];
      if (!other || !(other.command === input.command || kind?.failSafe)) throw error;
      return other;
    }
  }

  /** Resolves with the final state. @throws GatehouseError `command.not_found` */
  async settled(id: string): Promise<CommandView> {
    return this.#live.get(id)?.settled ?? this.get(id);
  }

  /** @throws GatehouseError `command.not_found` */
  get(id: string): CommandView {
    const live = this.#live.get(id);
    if (live) return live.reason === undefined ? live.view : { ...live.view, reason: live.reason };
    const view = this.#store.get(id);
    if (!view) throw new GatehouseError('command.not_found', `No command ${id}`);
    return view;
  }

  /** Newest first. */
  list(query: CommandQuery): CommandView[] {
    return this.#store.list(query);
  }
  /** Adds the reason a guard chose afterwards. */
  async annotate(id: string, { reason, note }: { reason: string; note?: string }, who: Who): Promise<CommandView> {
    const text = note === undefined ? reason : `${reason}: ${note}`;
    const view: CommandView = { ...this.get(id), reason: text };
    const live = this.#live.get(id);
    if (live) live.reason = text;
    const record: Draft = {
      ...recordOf(view, this.#scenarioOf(view)),
      kind: 'state', // beside the command, for everybody who may see it
      name: 'command.reason',
      data: { command: id, reason, ...(note === undefined ? {} : { note }) },
      cause: id,
      actor: who.actor,
    };
    await this.#parts.journal.commit({ records: [record], writes: [this.#store.annotating(id, text)] });
    return view;
  }

  /**
   * After a start: what was accepted and never begun is expired; what was executing is proved by reading the device, or
   * unknown. Nothing is sent (C4).
   */
  async recover(): Promise<void> {
    const open = this.#left;
    const closing = open.map((view) => this.#closeOpen(view));
    // Reading a device back may take seconds; the gateway is ready meanwhile.
    await Promise.all(closing.filter((_, index) => open[index]?.state === 'accepted'));
    this.#leases.recover();
    await this.#forget();
  }

  /** What commands hold now. */
  leases(): readonly Lease[] {
    return this.#leases.list();
  }

  /**
   * Holds on for as long as the contract allows at once. The command is carried out once more, so that a device that lets
   * go by itself holds on too.
   * @throws GatehouseError `command.*`, `driver.*`; a refusal is recorded
   */
  async renew(id: string, who: Who): Promise<CommandView> {
    const { device, command } = this.get(id);
    try {
      await this.#renew(id, who);
    } catch (error) {
      await this.#recordRefusal({ device, command, cause: id }, who, error);
      throw error;
    }
    return this.get(id);
  }

  /** Ends what is running and lets go what is held, before the links to the devices close. */
  async stop(): Promise<void> {
    this.#unfollow();
    this.#stopForgetting();
    for (const running of this.#running.values())
      running.abort.abort(new GatehouseError('driver.closed', 'The gateway is stopping'));
    await this.#leases.stop();
    const ends = [...this.#live.values()].map(({ settled }) => settled);
    if (ends.length > 0) await Promise.race([Promise.allSettled(ends), delay(this.#parts.clock, STOPPING_MS)]);
    this.#stopped.abort();
  }

  async #renew(id: string, who: Who): Promise<void> {
    const lease = this.#leases.renewable(id);
    if (who.actor !== lease.actor && !MAY_RENEW.includes(who.sender))
      throw new GatehouseError('command.forbidden', `${id} is held by ${lease.actor}; ${who.sender} may not renew it`);
    const { clock, journal, outputs } = this.#parts;
    const target = outputs.target(lease.device);
    const kind = scenarioOf(target.scenario)?.commands[lease.name];
    if (!kind) throw new GatehouseError('command.unsupported', `${target.id} has no command "${lease.name}"`);
    checkSituation(kind, lease.name, target, this.#situationOf(target, lease.sender));
    const other = this.#running.get(lease.output);
    if (other) throw busy(other, lease.output);
    const running: Running = { id, priority: priorityOf(lease.sender), abort: new AbortController() };
    this.#running.set(lease.output, running);
    const { signal } = running.abort;
    const giveUp = clock.after(kind.deadlineMs, () =>
      running.abort.abort(new GatehouseError('driver.timeout', `${target.id} did not answer in ${kind.deadlineMs} ms`)),
    );
    const begin = async () => {
      signal.throwIfAborted();
      const expires = clock.mono() + lease.longestMs;
      const longer: Lease = { ...lease, until: clock.now() + lease.longestMs };
      this.#leases.renewable(id);
      await journal.commit(this.#leases.renewing(longer, who.actor));
      this.#leases.renewed(longer, expires);
      signal.throwIfAborted();
    };
    const { input } = this.get(id);
    try {
      await orAborted(outputs.command(target.id, lease.name, input, { begin, signal }), signal);
    } finally {
      giveUp();
      this.#free(lease.output, running);
    }
  }

  async #release({ device, release, command }: Lease): Promise<CommandView> {
    const input: CommandInput = { device, command: release, cause: command };
    const { id } = await this.send(input, LEASE, `${command}/${uuidv7(this.#parts.clock.now())}`);
    return this.settled(id);
  }

  #isForbidden({ device, name, sender }: Lease): boolean {
    try {
      const target = this.#parts.outputs.target(device);
      const kind = scenarioOf(target.scenario)?.commands[name];
      if (kind) checkSituation(kind, name, target, this.#situationOf(target, sender));
      return false;
    } catch (error) {
      return error instanceof GatehouseError && error.code === 'command.interlock';
    }
  }

  #situationOf({ id }: Target, sender: Sender): Situation {
    return {
      latest: (point) => this.#parts.outputs.latest(id, point),
      alarmed: (scenario, alarm) => this.#parts.outputs.alarmed(id, scenario, alarm),
      forbidden: (command) => this.#parts.outputs.forbidden(id, command, sender),
    };
  }

  /** Resolves after the first try; an end that the disk does not take then is tried again until it does (C5). */
  async #closeOpen(view: CommandView): Promise<void> {
    const { clock, log } = this.#parts;
    const { signal } = this.#stopped;
    const attempt = async (): Promise<boolean> => {
      try {
        await this.#close(view);
        return true;
      } catch (error) {
        log.error({ err: error, command: view.id }, 'the end of a command could not be recorded yet');
        return codeOf(error) === 'journal.closed';
      }
    };
    const first = attempt();
    const settle = async (): Promise<CommandView> => {
      for (let over = await first; !over && !signal.aborted; over = await attempt())
        await delay(clock, CLOSE_AGAIN_MS, signal).catch(() => undefined);
      const last = this.get(view.id);
      this.#live.delete(view.id);
      return last;
    };
    this.#live.set(view.id, { view, settled: settle() });
    await first;
  }

  async #close(view: CommandView): Promise<void> {
    const recorder = createRecorder(this.#parts.journal, {});
    if (view.state === 'accepted') {
      const detail = 'The gateway restarted before it was sent';
      await this.#change({ ...view, state: 'expired', code: 'command.expired', detail }, recorder);
      return;
    }
    const proof = scenarioOf(this.#scenarioOf(view))?.commands[view.command]?.proof;
    const proven = proof !== undefined && (await this.#prover.is(view.device, proof));
    const detail = 'The gateway restarted while it was executing';
    await this.#change(
      proven
        ? { ...view, state: 'succeeded', proven: true, detail }
        : { ...view, state: 'unknown', code: 'driver.closed', detail },
      recorder,
    );
  }

  /** @returns what is accepted, and when it is durable */
  #accept(asking: Asking): { accepting: Promise<CommandView>; written: Promise<void> } {
    const { promise: written, resolve, reject } = Promise.withResolvers<void>();
    const accepting = this.#begin(asking, resolve);
    accepting.catch(reject);
    return { accepting, written };
  }

  async #begin(asking: Asking, whenWritten: (written: Promise<void>) => void): Promise<CommandView> {
    const { input, who, key, digest, also, leftMs = input.deadlineMs } = asking;
    const { clock, log } = this.#parts;
    const began = clock.mono();
    const now = clock.now();
    const id = uuidv7(now);
    let order: Order;
    let superseded: Draft[];
    try {
      order = this.#orderOf(input, who);
      this.#checkRate(order, id, input.device);
      superseded = this.#makeWay(id, order, input);
    } catch (error) {
      await this.#recordRefusal(input, who, error);
      throw error;
    }
    const { kind, output } = order;
    const view: CommandView = {
      id,
      device: input.device,
      command: input.command,
      input: input.input ?? {},
      state: 'accepted',
      actor: who.actor,
      createdAt: now,
      updatedAt: now,
      ...(input.reason === undefined ? {} : { reason: input.reason }),
      ...(input.cause === undefined ? {} : { cause: input.cause }),
    };
    const running: Running = { id, priority: rankOf(order), abort: new AbortController() };
    this.#running.set(output, running);
    const { promise: settled, resolve: settle } = Promise.withResolvers<CommandView>();
    this.#live.set(id, { view, settled });
    const recorder = this.#recorderOf(order, {
      records: [...superseded, recordOf(view, order.scenario), ...(also.records ?? [])],
      writes: [this.#store.inserting(view, key, digest), ...(also.writes ?? [])],
    });
    whenWritten(recorder.written);
    const deadline = began + Math.min(leftMs ?? kind.deadlineMs, MAX_DEADLINE_MS);
    const run = this.#executor.run({ view, order, running, deadline, recorder });
    run.catch(() => undefined); // it is listened to below, once the command is accepted
    await nextTurn(); // an output that is free has begun by then
    try {
      await recorder.commit();
    } catch (error) {
      this.#live.delete(id);
      this.#free(output, running);
      throw error;
    }
    run
      .catch((error: unknown) =>
        log.error({ err: error, command: id }, 'the outcome of a command could not be recorded'),
      )
      .finally(() => {
        this.#free(output, running);
        settle(this.get(id));
        void recorder.written.then(() => this.#live.delete(id));
      });
    return view;
  }

  /** A linkage that holds, an elevator for an e-bike, waits for its record as everybody does (C3). */
  #recorderOf({ kind, who }: Order, first: Unit): Recorder {
    return isFailSafe(kind, who.sender)
      ? createFailSafeRecorder({ ...this.#parts, stopped: this.#stopped.signal }, first)
      : createRecorder(this.#parts.journal, first);
  }

  /** @throws GatehouseError why it is not allowed here and now */
  #orderOf(input: CommandInput, who: Who): Order {
    const target = this.#parts.outputs.target(input.device);
    const kind = checkIntent(input, target, who.sender, this.#situationOf(target, who.sender));
    const output = `${target.id}/${kind.output ?? ''}`;
    const order: Order = { kind, scenario: target.scenario, output, who };
    const held = this.#leases.on(output);
    if (!held || input.command === held.release) return order;
    if (priorityOf(who.sender) < priorityOf(held.sender)) {
      throw new GatehouseError('command.held', `${target.id} is held by ${held.actor}, command ${held.command}`, {
        detail: { command: held.command, until: held.until },
      });
    }
    return input.command === held.name ? order : { ...order, overrides: held };
  }

  /** C9. What only makes safe is never too often. @throws GatehouseError `command.rate` */
  #checkRate(order: Order, id: string, device: string): void {
    const { kind, output, who } = order;
    const other = this.#running.get(output);
    if (other && rankOf(order) <= other.priority) throw busy(other, output);
    if (kind.perMinute === undefined || isUnlimited(kind, who.sender)) return;
    const waitMs = this.#rate.take(output, id, kind.perMinute);
    if (waitMs === 0) return;
    throw new GatehouseError(
      'command.rate',
      `More than ${kind.perMinute} a minute on ${device}; again in ${Math.ceil(waitMs / 1000)} s`,
      { detail: { retryAfterMs: waitMs } },
    );
  }

  /**
   * C7: one command in flight per output; a higher priority takes it over.
   * @returns the audit record that names both
   */
  #makeWay(id: string, { output, who }: Order, input: CommandInput): Draft[] {
    const other = this.#running.get(output);
    if (!other) return [];
    other.abort.abort(new GatehouseError('command.superseded', `Taken over by ${who.actor} with command ${id}`));
    return [
      {
        lane: 'L0',
        kind: 'audit',
        scenario: 'gateway',
        device: input.device,
        name: 'command.superseded',
        data: { device: input.device, command: input.command, by: id, superseded: other.id },
        actor: who.actor,
        cause: other.id,
      },
    ];
  }

  #free(output: string, running: Running): void {
    if (this.#running.get(output) === running) this.#running.delete(output);
  }

  async #change(next: CommandView, recorder: Recorder, also: Unit = {}): Promise<CommandView> {
    const live = this.#live.get(next.id);
    const view: CommandView = {
      ...next,
      updatedAt: this.#parts.clock.now(),
      ...(live?.reason === undefined ? {} : { reason: live.reason }),
    };
    await recorder.commit({
      records: [recordOf(view, this.#scenarioOf(view)), ...(also.records ?? [])],
      writes: [this.#store.updating(view), ...(also.writes ?? [])],
    });
    if (live) live.view = view;
    return view;
  }

  async #recordRefusal(input: CommandInput, who: Who, error: unknown): Promise<void> {
    const { journal, log } = this.#parts;
    const told = journal.append({
      lane: 'L0',
      kind: 'audit',
      scenario: 'gateway',
      device: input.device,
      name: 'command.refused',
      data: { device: input.device, command: input.command, code: codeOf(error), detail: reasonOf(error) },
      actor: who.actor,
      ...(input.cause === undefined ? {} : { cause: input.cause }),
    });
    // Whoever makes safe does not wait for the disk to hear that it has to try again.
    if (isUrgent(who.sender)) told.catch((later: unknown) => log.error({ err: later }, 'a refusal was not recorded'));
    else await told;
  }

  /** An opening that a vehicle used gives its place in the rate limit back. */
  #giveBack(records: readonly JournalRecord[]): void {
    for (const record of records) {
      if (record.kind !== 'event') continue;
      const commands = Object.values(scenarioOf(record.scenario)?.commands ?? {});
      const { command } = record.data as { command?: string };
      if (command !== undefined && commands.some((kind) => kind.usedBy === record.name)) this.#rate.giveBack(command);
    }
  }

  async #forget(): Promise<void> {
    const { clock, clockTrusted = () => true, journal } = this.#parts;
    if (!clockTrusted()) return;
    for (let write = this.#store.forgetting(clock.now()); write; write = this.#store.forgetting(clock.now()))
      await journal.commit({ writes: [write] });
  }

  #scenarioOf({ device }: CommandView): string {
    try {
      return this.#parts.outputs.target(device).scenario;
    } catch {
      return 'gateway'; // the device was deleted while its command was running; the record must be written all the same
    }
  }
}

/** Of one sender, what makes safe goes before what holds: fire beats every hold (C7). */
const rankOf = ({ kind, who }: Order): number => priorityOf(who.sender) + (kind.failSafe ? 0.5 : 0);

const busy = (other: Running, output: string): GatehouseError =>
  new GatehouseError('command.busy', `Command ${other.id} is still running on ${output.split('/')[0]}`, {
    detail: { command: other.id },
  });
