/**
 * One way from an intent to an outcome, whoever sends it (reliability.md C1-C7): accepted is durable, executing is durable
 * before the first byte leaves, success is read back, and after a crash nothing is ever sent again by itself.
 */
import type { CommandTurn, Reading } from '../../drivers/driver.ts';
import { type Clock, delay } from '../clock.ts';
import type { CommandInput, CommandView } from '../contracts/api.ts';
import type { CommandKind, Proof, Scalar, Sender } from '../contracts/contract.ts';
import { scenarioOf } from '../contracts/index.ts';
import { type Draft, finalStates, type JournalRecord } from '../contracts/record.ts';
import { type ErrorCode, GatehouseError, reasonOf } from '../errors.ts';
import type { Journal, Lookup, Unit } from '../journal/journal.ts';
import { uuidv7 } from '../journal/uuid.ts';
import type { Log } from '../log.ts';
import { codeOf, digestOf, failureState, recordOf } from './facts.ts';
import { checkAlarms, checkIntent, MAX_DEADLINE_MS, priorityOf, type Situation, type Target } from './intent.ts';
import { type Lease, Leases, leaseSchema } from './leases.ts';
import { createProver, orAborted, unmet } from './proof.ts';
import { createRate } from './rate.ts';

export const schema = `
CREATE TABLE IF NOT EXISTS command (
  id TEXT PRIMARY KEY,
  actor TEXT NOT NULL,
  key TEXT NOT NULL,
  digest TEXT NOT NULL,
  final INTEGER NOT NULL,
  created INTEGER NOT NULL,
  view TEXT NOT NULL,
  UNIQUE (actor, key)
) WITHOUT ROWID, STRICT;
CREATE INDEX IF NOT EXISTS command_running ON command (created) WHERE final = 0;
CREATE INDEX IF NOT EXISTS command_created ON command (created);
${leaseSchema}`;
const INSERT = 'INSERT INTO command VALUES (?, ?, ?, ?, ?, ?, ?)';
const UPDATE = 'UPDATE command SET final = ?, view = ? WHERE id = ? AND final = 0';
const FORGET = 'DELETE FROM command WHERE created < ? AND final = 1';
const ANNOTATE = "UPDATE command SET view = json_set(view, '$.reason', ?) WHERE id = ?";

/** Keys are remembered this long (C1). */
const KEEP_MS = 7 * 24 * 3600_000;
/** The final state comes at most two seconds after the deadline (C5): the last look at the device, the end of waiting for it. */
const LAST_LOOK_MS = 1500;
const GIVEN_UP_MS = 1700;
/** A graceful stop waits so long for the outcomes of what is running (V8). */
const STOPPING_MS = 2000;
/** Beside the one who holds. */
const MAY_RENEW: readonly Sender[] = ['shift-leader', 'admin', 'linkage'];
const LEASE: Who = { actor: 'system:lease', sender: 'system' };

export interface Who {
  /** `user:…`, `flow:…`, `platform:…`, `linkage:…` */
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

interface Running {
  readonly id: string;
  readonly priority: number;
  readonly abort: AbortController;
}

/** What is asked of one output, once it is allowed. */
interface Order {
  readonly kind: CommandKind;
  readonly output: string;
  readonly who: Who;
  /** Held now, and let go first. */
  readonly overrides?: Lease;
}

export interface DispatcherParts {
  readonly journal: Journal;
  readonly outputs: Outputs;
  readonly clock: Clock;
  readonly log: Log;
  /** What a lease held is not let go: somebody must look. Without detail: it is over. */
  readonly heldTrouble?: (lease: Lease, detail: string | undefined) => void;
}

type Commit = (unit?: Unit) => Promise<void>;
const nextTurn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

export class Dispatcher {
  readonly #journal: Journal;
  readonly #outputs: Outputs;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #rate: ReturnType<typeof createRate>;
  readonly #prover: ReturnType<typeof createProver>;
  /** Not final yet, and final ones somebody still waits for. */
  readonly #live = new Map<string, { view: CommandView; reason?: string; readonly settled: Promise<CommandView> }>();
  readonly #byKey = new Map<string, Promise<CommandView>>();
  readonly #running = new Map<string, Running>();
  readonly #leases: Leases;
  /** Not final when this life began. What is accepted before {@link recover} has come to it is not one of them. */
  readonly #left: readonly CommandView[];
  readonly #unfollow: () => void;
  readonly #byId: Lookup<[string], { view: string }>;
  readonly #byActorAndKey: Lookup<[string, string], { digest: string; id: string }>;

  constructor(parts: DispatcherParts) {
    this.#journal = parts.journal;
    this.#outputs = parts.outputs;
    this.#clock = parts.clock;
    this.#log = parts.log;
    this.#rate = createRate(parts.clock);
    this.#prover = createProver(parts);
    const { db } = parts.journal;
    this.#byId = db.prepare('SELECT view FROM command WHERE id = ?');
    this.#byActorAndKey = db.prepare('SELECT digest, id FROM command WHERE actor = ? AND key = ?');
    this.#leases = new Leases({
      ...parts,
      release: (lease) => this.#release(lease),
      forbidden: (lease) => this.#isForbidden(lease),
      trouble: (lease, detail) => parts.heldTrouble?.(lease, detail),
    });
    this.#unfollow = parts.journal.onCommit((records) => this.#giveBack(records));
    const left = db.prepare<[], { view: string }>('SELECT view FROM command WHERE final = 0').all();
    this.#left = left.map(({ view }) => JSON.parse(view) as CommandView);
  }

  /**
   * Accepts a command. Resolves once `accepted` is durable; the same key with the same body answers with the first one.
   * @throws GatehouseError `device.*`, `command.*`; a refusal is recorded too
   */
  async send(input: CommandInput, who: Who, key: string): Promise<CommandView> {
    const digest = digestOf(input);
    const known = this.#lookUp(who.actor, key);
    if (known) {
      if (known.digest !== digest)
        throw new GatehouseError('command.conflict', `Key ${key} was used for another command`);
      return known.view;
    }
    const mapKey = `${who.actor}\n${key}`;
    const inFlight = this.#byKey.get(mapKey);
    if (inFlight) {
      await inFlight.catch(() => undefined);
      return this.send(input, who, key);
    }
    const accepting = this.#accept(input, who, key, digest);
    this.#byKey.set(mapKey, accepting);
    try {
      return await accepting;
    } finally {
      this.#byKey.delete(mapKey);
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
    const row = this.#byId.get(id);
    if (!row) throw new GatehouseError('command.not_found', `No command ${id}`);
    return JSON.parse(row.view) as CommandView;
  }

  /** Adds the reason a guard chose afterwards. */
  async annotate(id: string, { reason, note }: { reason: string; note?: string }, who: Who): Promise<CommandView> {
    const text = note === undefined ? reason : `${reason}: ${note}`;
    const view: CommandView = { ...this.get(id), reason: text };
    const live = this.#live.get(id);
    if (live) live.reason = text;
    const record: Draft = {
      ...recordOf(view, scenarioOfView(this.#outputs, view)),
      kind: 'state', // beside the command, for everybody who may see it
      name: 'command.reason',
      data: { command: id, reason, ...(note === undefined ? {} : { note }) },
      cause: id,
      actor: who.actor,
    };
    await this.#journal.commit({ records: [record], writes: [{ sql: ANNOTATE, params: [text, id] }] });
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
    await this.#journal.commit({ writes: [{ sql: FORGET, params: [this.#clock.now() - KEEP_MS] }] });
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
    for (const running of this.#running.values())
      running.abort.abort(new GatehouseError('driver.closed', 'The gateway is stopping'));
    await this.#leases.stop();
    const ends = [...this.#live.values()].map(({ settled }) => settled);
    if (ends.length > 0) await Promise.race([Promise.allSettled(ends), delay(this.#clock, STOPPING_MS)]);
  }

  async #renew(id: string, who: Who): Promise<void> {
    const lease = this.#leases.renewable(id);
    if (who.actor !== lease.actor && !MAY_RENEW.includes(who.sender))
      throw new GatehouseError('command.forbidden', `${id} is held by ${lease.actor}; ${who.sender} may not renew it`);
    const target = this.#outputs.target(lease.device);
    const kind = scenarioOf(target.scenario)?.commands[lease.name];
    if (!kind) throw new GatehouseError('command.unsupported', `${target.id} has no command "${lease.name}"`);
    checkAlarms(kind, target, this.#situationOf(target));
    const other = this.#running.get(lease.output);
    if (other) throw busy(other, lease.output);
    const running: Running = { id, priority: priorityOf(lease.sender), abort: new AbortController() };
    this.#running.set(lease.output, running);
    const { signal } = running.abort;
    const giveUp = this.#clock.after(kind.deadlineMs, () =>
      running.abort.abort(new GatehouseError('driver.timeout', `${target.id} did not answer in ${kind.deadlineMs} ms`)),
    );
    const begin = async () => {
      signal.throwIfAborted();
      const expires = this.#clock.mono() + lease.longestMs;
      const longer: Lease = { ...lease, until: this.#clock.now() + lease.longestMs };
      this.#leases.renewable(id);
      await this.#journal.commit(this.#leases.renewing(longer, who.actor));
      this.#leases.renewed(longer, expires);
      signal.throwIfAborted();
    };
    const { input } = this.get(id);
    try {
      await orAborted(this.#outputs.command(target.id, lease.name, input, { begin, signal }), signal);
    } finally {
      giveUp();
      this.#free(lease.output, running);
    }
  }

  async #release({ device, release, command }: Lease): Promise<CommandView> {
    const input: CommandInput = { device, command: release, cause: command };
    const { id } = await this.send(input, LEASE, `${command}/${uuidv7(this.#clock.now())}`);
    return this.settled(id);
  }

  #isForbidden({ device, name }: Lease): boolean {
    try {
      const target = this.#outputs.target(device);
      const kind = scenarioOf(target.scenario)?.commands[name];
      if (kind) checkAlarms(kind, target, this.#situationOf(target));
      return false;
    } catch (error) {
      return error instanceof GatehouseError && error.code === 'command.interlock';
    }
  }

  #situationOf({ id }: Target): Situation {
    return {
      latest: (point) => this.#outputs.latest(id, point),
      alarmed: (scenario, alarm) => this.#outputs.alarmed(id, scenario, alarm),
    };
  }

  async #closeOpen(view: CommandView): Promise<void> {
    const settled = this.#close(view)
      .catch((error: unknown) =>
        this.#log.error({ err: error, command: view.id }, 'the end of a command could not be recorded'),
      )
      .then(() => {
        const last = this.get(view.id);
        this.#live.delete(view.id);
        return last;
      });
    this.#live.set(view.id, { view, settled });
    await settled;
  }

  async #close(view: CommandView): Promise<void> {
    if (view.state === 'accepted') {
      await this.#commit({
        ...view,
        state: 'expired',
        code: 'command.expired',
        detail: 'The gateway restarted before it was sent',
      });
      return;
    }
    const proof = kindOf(this.#outputs, view)?.proof;
    const proven = proof !== undefined && (await this.#prover.is(view.device, proof));
    const detail = 'The gateway restarted while it was executing';
    await this.#commit(
      proven
        ? { ...view, state: 'succeeded', proven: true, detail }
        : { ...view, state: 'unknown', code: 'driver.closed', detail },
    );
  }

  #lookUp(actor: string, key: string): { digest: string; view: CommandView } | undefined {
    const row = this.#byActorAndKey.get(actor, key);
    return row && { digest: row.digest, view: this.get(row.id) };
  }

  async #accept(input: CommandInput, who: Who, key: string, digest: string): Promise<CommandView> {
    const began = this.#clock.mono();
    let order: Order;
    let superseded: Draft | undefined;
    const id = uuidv7(this.#clock.now());
    try {
      order = this.#orderOf(input, who);
      const { kind, output } = order;
      const target = { id: input.device };
      superseded = this.#makeWay(id, order, input);
      const waitMs = kind.perMinute === undefined ? 0 : this.#rate.take(output, id, kind.perMinute);
      if (waitMs > 0) {
        throw new GatehouseError(
          'command.rate',
          `More than ${kind.perMinute} a minute on ${target.id}; again in ${Math.ceil(waitMs / 1000)} s`,
          {
            detail: { retryAfterMs: waitMs },
          },
        );
      }
    } catch (error) {
      await this.#recordRefusal(input, who, error);
      throw error;
    }
    const { kind, output } = order;
    const deadlineMs = Math.min(input.deadlineMs ?? kind.deadlineMs, MAX_DEADLINE_MS);
    const now = this.#clock.now();
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
    const running: Running = { id, priority: priorityOf(who.sender), abort: new AbortController() };
    this.#running.set(output, running);
    let settle: (view: CommandView) => void = () => {};
    const settled = new Promise<CommandView>((resolve) => (settle = resolve));
    this.#live.set(id, { view, settled });
    const accept = this.#acceptance({
      records: [...(superseded ? [superseded] : []), recordOf(view, scenarioOfView(this.#outputs, view))],
      writes: [{ sql: INSERT, params: [id, who.actor, key, digest, 0, now, JSON.stringify(view)] }],
    });
    const run = this.#run(view, order, running, began + deadlineMs, accept);
    run.catch(() => undefined); // it is listened to below, once the command is accepted
    await nextTurn(); // an output that is free has begun by then
    try {
      await accept();
    } catch (error) {
      this.#live.delete(id);
      this.#free(output, running);
      throw error;
    }
    run
      .catch((error: unknown) =>
        this.#log.error({ err: error, command: id }, 'the outcome of a command could not be recorded'),
      )
      .finally(() => {
        this.#free(output, running);
        const last = this.get(id);
        this.#live.delete(id);
        settle(last);
      });
    return view;
  }

  /**
   * Commits `accepted` when first called, together with what comes next if that is known by then: an output that is free
   * begins in the same transaction, which is one flush of the disk instead of two on the way to the gate.
   */
  #acceptance(accepted: Unit): Commit {
    let durable: Promise<unknown> | undefined;
    return async (next) => {
      if (durable) {
        await durable;
        if (next) await this.#journal.commit(next);
        return;
      }
      durable = this.#journal.commit({
        records: [...(accepted.records ?? []), ...(next?.records ?? [])],
        writes: [...(accepted.writes ?? []), ...(next?.writes ?? [])],
      });
      await durable;
    };
  }

  /** @throws GatehouseError why it is not allowed here and now */
  #orderOf(input: CommandInput, who: Who): Order {
    const target = this.#outputs.target(input.device);
    const kind = checkIntent(input, target, who.sender, this.#situationOf(target));
    const output = `${target.id}/${kind.output ?? ''}`;
    const held = this.#leases.on(output);
    if (!held || input.command === held.release) return { kind, output, who };
    if (priorityOf(who.sender) < priorityOf(held.sender)) {
      throw new GatehouseError('command.held', `${target.id} is held by ${held.actor}, command ${held.command}`, {
        detail: { command: held.command, until: held.until },
      });
    }
    return input.command === held.name ? { kind, output, who } : { kind, output, who, overrides: held };
  }

  /**
   * C7: one command in flight per output; a higher priority takes it over.
   * @returns the audit record that names both. @throws GatehouseError `command.busy`
   */
  #makeWay(id: string, { output, who }: Order, input: CommandInput): Draft | undefined {
    const other = this.#running.get(output);
    if (!other) return undefined;
    if (priorityOf(who.sender) <= other.priority) throw busy(other, output);
    other.abort.abort(new GatehouseError('command.superseded', `Taken over by ${who.actor} with command ${id}`));
    return {
      lane: 'L0',
      kind: 'audit',
      scenario: 'gateway',
      device: input.device,
      name: 'command.superseded',
      data: { device: input.device, command: input.command, by: id, superseded: other.id },
      actor: who.actor,
      cause: other.id,
    };
  }

  #free(output: string, running: Running): void {
    if (this.#running.get(output) === running) this.#running.delete(output);
  }

  async #run(
    accepted: CommandView,
    { kind, output, who, overrides }: Order,
    running: Running,
    deadline: number,
    accept: Commit,
  ): Promise<void> {
    let view = accepted;
    let lease: Lease | undefined;
    let sent = false;
    const { signal } = running.abort;
    const isLate = () => this.#clock.mono() >= deadline;
    const expired = (detail: string) => new GatehouseError('command.expired', detail);
    const begin = async () => {
      signal.throwIfAborted();
      if (sent) return; // the second order of this command: what was held is let go
      if (isLate()) throw expired('The deadline passed before it could be sent');
      const until = this.#clock.now() + (kind.lease?.longestMs ?? 0);
      const taking: Lease | undefined = kind.lease && {
        ...{ command: view.id, device: view.device, scenario: scenarioOfView(this.#outputs, view), output },
        ...{ name: view.command, release: kind.lease.release, longestMs: kind.lease.longestMs, until },
        ...{ actor: who.actor, sender: who.sender },
      };
      const expires = this.#clock.mono() + (kind.lease?.longestMs ?? 0);
      const next: CommandView = { ...view, state: 'executing', ...(taking ? { lease: { until } } : {}) };
      view = await this.#commit(next, accept, taking && this.#leases.taking(taking));
      lease = taking;
      if (lease) this.#leases.taken(lease, expires);
      // The commit itself may have waited for a slow disk: never start late.
      if (isLate()) throw expired('The deadline passed while it was being recorded');
      signal.throwIfAborted();
      sent = true;
    };
    const notBegun = this.#clock.after(deadline - this.#clock.mono(), () => {
      if (!sent) running.abort.abort(expired('The deadline passed before it could be sent'));
    });
    const unanswered = this.#clock.after(deadline + GIVEN_UP_MS - this.#clock.mono(), () =>
      running.abort.abort(new GatehouseError('driver.timeout', `${view.device} did not answer`)),
    );
    try {
      if (overrides) await this.#override(overrides, who, { begin, signal });
      const end = await this.#outcome(view, kind, { begin, signal }, deadline, () => sent);
      await accept(); // what was never accepted has no outcome
      const released = this.#leases.on(output);
      const ending =
        end.state === 'succeeded' && released?.release === view.command
          ? this.#leases.ending(released, who.actor, 'released')
          : undefined;
      await this.#commit({ ...view, ...end }, undefined, ending);
      if (ending && released) this.#leases.ended(released);
      if (lease && end.state !== 'succeeded') this.#leases.letGo(lease, 'not-proven');
    } finally {
      notBegun();
      unanswered();
    }
  }

  /** Lets go what is held, within the turn of the command that needs the output: fire beats every hold. */
  async #override(held: Lease, who: Who, turn: CommandTurn): Promise<void> {
    try {
      await orAborted(this.#outputs.command(held.device, held.release, {}, turn), turn.signal);
      await this.#journal.commit(this.#leases.ending(held, who.actor, 'overridden'));
      this.#leases.ended(held);
    } catch (error) {
      this.#log.warn({ err: error, command: held.command }, 'a hold in the way could not be let go first');
      this.#leases.letGo(held, 'overridden'); // again, once the output is free
    }
  }

  /** Carries it out and looks what became of it. */
  async #outcome(
    view: CommandView,
    kind: CommandKind,
    turn: CommandTurn,
    deadline: number,
    wasSent: () => boolean,
  ): Promise<Pick<CommandView, 'state' | 'code' | 'detail' | 'proven'>> {
    const { signal } = turn;
    try {
      if (kind.acts === 'setting') {
        await turn.begin();
        await this.#outputs.setting(view.device, view.command, view.input, view.actor);
        return { state: 'succeeded', proven: true };
      }
      await orAborted(this.#outputs.command(view.device, view.command, view.input, turn), signal);
    } catch (error) {
      const code: ErrorCode = error instanceof GatehouseError ? error.code : 'http.internal';
      // Sent and not answered: only the device itself can say what happened.
      const unclear = wasSent() && code !== 'driver.refused';
      const proven = unclear && kind.proof && (await this.#proves(view.device, kind.proof, signal, deadline));
      if (proven) return { state: 'succeeded', proven };
      return { state: failureState(code, unclear), code, detail: reasonOf(error) };
    }
    if (!kind.proof) return { state: 'succeeded', proven: false };
    const proven = await this.#proves(view.device, kind.proof, signal, deadline);
    return proven ? { state: 'succeeded', proven } : this.#unproven(signal, kind.proof, proven);
  }

  #unproven(
    signal: AbortSignal,
    proof: Proof,
    proven: boolean | undefined,
  ): Pick<CommandView, 'state' | 'code' | 'detail'> {
    if (signal.aborted) return { state: 'unknown', code: codeOf(signal.reason), detail: reasonOf(signal.reason) };
    if (proven === undefined)
      return { state: 'unknown', code: 'driver.timeout', detail: 'The device could not be read back' };
    return {
      state: 'failed',
      code: 'command.unproven',
      detail: unmet(proof),
    };
  }

  #proves(device: string, proof: Proof, signal: AbortSignal, deadline: number) {
    const until = Math.min(this.#clock.mono() + proof.withinMs, deadline + LAST_LOOK_MS);
    return this.#prover.becomes(device, proof, until, signal);
  }

  async #commit(
    next: CommandView,
    commit: Commit = async (unit = {}) => void (await this.#journal.commit(unit)),
    also: Unit = {},
  ): Promise<CommandView> {
    const view = { ...next, updatedAt: this.#clock.now() };
    const live = this.#live.get(view.id);
    const told = live?.reason === undefined ? view : { ...view, reason: live.reason };
    const unit: Unit = {
      records: [recordOf(told, scenarioOfView(this.#outputs, told)), ...(also.records ?? [])],
      writes: [
        {
          sql: UPDATE,
          params: [finalStates.includes(told.state) ? 1 : 0, JSON.stringify(told), told.id],
        },
        ...(also.writes ?? []),
      ],
    };
    await commit(unit);
    if (live) live.view = told;
    return told;
  }

  async #recordRefusal(input: CommandInput, who: Who, error: unknown): Promise<void> {
    await this.#journal.append({
      lane: 'L0',
      kind: 'audit',
      scenario: 'gateway',
      device: input.device,
      name: 'command.refused',
      data: { device: input.device, command: input.command, code: codeOf(error), detail: reasonOf(error) },
      actor: who.actor,
      ...(input.cause === undefined ? {} : { cause: input.cause }),
    });
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
}

const busy = (other: Running, output: string): GatehouseError =>
  new GatehouseError('command.busy', `Command ${other.id} is still running on ${output.split('/')[0]}`, {
    detail: { command: other.id },
  });

function kindOf(outputs: Outputs, view: CommandView): CommandKind | undefined {
  return scenarioOf(scenarioOfView(outputs, view))?.commands[view.command];
}

function scenarioOfView(outputs: Outputs, view: CommandView): string {
  try {
    return outputs.target(view.device).scenario;
  } catch {
    return 'gateway'; // the device was deleted while its command was running; the record must be written all the same
  }
}
