/** One output of a running linkage: sent, proved, tried again, held, and in the end let go. */
import type { Clock } from '../clock.ts';
import type { Dispatcher, Outputs, Who } from '../commands/dispatcher.ts';
import type { CommandView } from '../contracts/api.ts';
import type { CommandKind } from '../contracts/contract.ts';
import { scenarioOf } from '../contracts/index.ts';
import type { LinkageOutput } from '../contracts/linkages.ts';
import { GatehouseError, reasonOf } from '../errors.ts';
import type { LinkedDevice } from './places.ts';

/** Tried so often again before somebody is called (F4); after that more slowly, for as long as it lasts. */
const RETRIES = 3;
const RETRY_MS = 1000;
const SLOW_RETRY_MS = 10_000;
/** What is read back may lag behind what was just sent. */
const SETTLE_MS = 10_000;

export interface Outcome {
  readonly device: LinkedDevice;
  readonly rule: LinkageOutput;
  readonly command: string;
  readonly state: CommandView['state'];
  readonly tries: number;
  readonly detail?: string;
}

export interface DriveParts {
  readonly dispatcher: Pick<Dispatcher, 'send' | 'settled' | 'renew'>;
  readonly outputs: Pick<Outputs, 'latest'>;
  readonly clock: Clock;
  /** Something has come of it. `call`: it has been tried often enough for somebody to be called. */
  readonly told: (outcome: Outcome, call: boolean) => void;
}

export interface DriveOrder {
  readonly rule: LinkageOutput;
  readonly device: LinkedDevice;
  /** The record that began it: the cause of all its commands. */
  readonly cause: string;
  /** Begins the keys of its commands; another one after a restart, for what was sent before must not answer again. */
  readonly key: string;
  readonly who: Who;
  /** Done before a restart: what was said once is not said again, what holds is made sure of. */
  readonly resumed?: boolean;
}

export const kindOf = (scenario: string, command: string): CommandKind | undefined =>
  scenarioOf(scenario)?.commands[command];

export class Output {
  readonly order: DriveOrder;
  readonly #parts: DriveParts;
  readonly #kind: CommandKind | undefined;
  #phase: 'acting' | 'ending' | 'ended' = 'acting';
  #busy = false;
  #done = false;
  #tries = 0;
  #sent = 0;
  #lastAt = Number.NEGATIVE_INFINITY;
  #notBefore = Number.NEGATIVE_INFINITY;
  /** The command that holds, while there is one. */
  #lease: string | undefined;

  constructor(order: DriveOrder, parts: DriveParts) {
    this.order = order;
    this.#parts = parts;
    this.#kind = kindOf(order.device.scenario, order.rule.command);
    if (!order.resumed || order.rule.holdsMs !== undefined || this.#kind?.lease) return;
    this.#done = true;
    this.#lastAt = parts.clock.mono();
  }

  get done(): boolean {
    return this.#done;
  }

  /** Does what is due now. */
  drive(): void {
    const { rule } = this.order;
    if (this.#busy || this.#phase !== 'acting' || !this.#isDue() || !this.#isPossible()) return;
    if (this.#lease === undefined) void this.#send(rule.command, rule.input);
    else void this.#renew(this.#lease);
  }

  /** The device is back: it is tried at once. */
  wake(): void {
    this.#notBefore = Number.NEGATIVE_INFINITY;
  }

  /** Sends what ends it, until it has or was tried often enough. @returns true when there is nothing more to do */
  end(): boolean {
    const { rule, device } = this.order;
    if (this.#phase === 'acting') {
      this.#phase = rule.end !== undefined && device.commands.includes(rule.end) ? 'ending' : 'ended';
      this.#tries = 0;
      this.#notBefore = Number.NEGATIVE_INFINITY;
    }
    const isDue = !this.#busy && this.#parts.clock.mono() >= this.#notBefore;
    if (this.#phase === 'ending' && isDue && rule.end !== undefined) void this.#send(rule.end);
    return this.#phase === 'ended' && !this.#busy;
  }

  #isDue(): boolean {
    const now = this.#parts.clock.mono();
    if (now < this.#notBefore) return false;
    if (!this.#done) return true;
    const { everyMs, holdsMs } = this.order.rule;
    const since = now - this.#lastAt;
    if (everyMs !== undefined && since >= everyMs) return true;
    return holdsMs !== undefined && (since >= holdsMs || (since >= SETTLE_MS && this.#isLost()));
  }

  /** It is read back that it does not hold any more. */
  #isLost(): boolean {
    const proof = this.#kind?.proof;
    const seen = proof && this.#parts.outputs.latest(this.order.device.id, proof.point);
    return proof !== undefined && seen !== undefined && 'equals' in proof && seen !== proof.equals;
  }

  /** Between two floors it waits, without a refusal every second. */
  #isPossible(): boolean {
    const { device } = this.order;
    return (this.#kind?.interlocks ?? []).every(
      ({ point, mustBe }) => this.#parts.outputs.latest(device.id, point) === mustBe,
    );
  }

  async #renew(lease: string): Promise<void> {
    this.#busy = true;
    try {
      await this.#parts.dispatcher.renew(lease, this.order.who);
      this.#lastAt = this.#parts.clock.mono();
    } catch {
      this.#lease = undefined; // it is over, or the device did not answer: begun anew, or the lease lets go
      this.#done = false;
    } finally {
      this.#busy = false;
    }
  }

  async #send(command: string, input: Readonly<Record<string, number>> = {}): Promise<void> {
    const { device, cause, key, who } = this.order;
    this.#busy = true;
    this.#lastAt = this.#parts.clock.mono();
    try {
      const order = { device: device.id, command, input, cause };
      const { id } = await this.#parts.dispatcher.send(order, who, `${key}/${device.id}/${command}/${this.#sent++}`);
      const view = await this.#parts.dispatcher.settled(id);
      if (view.state === 'succeeded' && this.#kind?.lease && command === this.order.rule.command) this.#lease = id;
      this.#came(command, view.state, view.detail ?? view.code);
    } catch (error) {
      const isBusy = error instanceof GatehouseError && error.code === 'command.busy'; // somebody else's turn ends soon
      if (isBusy) this.#notBefore = this.#parts.clock.mono() + RETRY_MS;
      else this.#came(command, 'failed', reasonOf(error));
    } finally {
      this.#busy = false;
    }
  }

  #came(command: string, state: CommandView['state'], detail: string | undefined): void {
    const { device, rule } = this.order;
    const succeeded = state === 'succeeded';
    const isNews = !succeeded || !this.#done || command === rule.end;
    if (!succeeded) this.#tries++;
    const call = !succeeded && this.#tries > RETRIES;
    this.#notBefore = succeeded
      ? Number.NEGATIVE_INFINITY
      : this.#parts.clock.mono() + (call ? SLOW_RETRY_MS : RETRY_MS);
    if (command === rule.end) this.#phase = succeeded || call ? 'ended' : 'ending';
    else this.#done = succeeded;
    const outcome = { device, rule, command, state, tries: this.#tries };
    if (isNews) this.#parts.told(detail === undefined ? outcome : { ...outcome, detail }, call);
    if (succeeded) this.#tries = 0;
  }
}
