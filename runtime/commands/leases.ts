/**
 * What commands hold, and letting it go (reliability.md F1-F3). A lease is durable in the transaction that records
 * `executing`, that is before the first byte: whatever becomes of the gateway, it knows what may be held.
 *
 * C4 forbids sending a physical action again by itself. Letting go is the one thing that is sent by itself all the same:
 * it brings the device back to its own automatic and undoes what a person once ordered for half a minute, so sending it
 * twice or late does no harm, while not sending it keeps an elevator standing.
 */
import { type Clock, delay } from '../clock.ts';
import type { CommandView } from '../contracts/api.ts';
import type { Sender } from '../contracts/contract.ts';
import type { Draft, JournalRecord } from '../contracts/record.ts';
import { GatehouseError, reasonOf } from '../errors.ts';
import type { Journal, Unit, Write } from '../journal/journal.ts';
import type { Log } from '../log.ts';

export const leaseSchema = `
CREATE TABLE IF NOT EXISTS lease (
  output TEXT PRIMARY KEY,
  command TEXT NOT NULL,
  view TEXT NOT NULL
) WITHOUT ROWID, STRICT;
`;
const TAKE = 'INSERT OR REPLACE INTO lease VALUES (?, ?, ?)';
const MOVE = 'UPDATE lease SET view = ? WHERE output = ? AND command = ?';
const END = 'DELETE FROM lease WHERE output = ? AND command = ?';
const SHOW = "UPDATE command SET view = json_set(view, '$.lease', json(?)) WHERE id = ?";

const RETRY_MS = [1000, 2000, 4000, 8000, 16_000, 30_000] as const;
/** Stopping waits so long for what is held to be let go; what is not is let go at the next start (V8). */
const STOPPING_MS = 3000;

export interface Lease {
  readonly command: string;
  readonly device: string;
  readonly scenario: string;
  readonly output: string;
  /** Name of the command that holds. */
  readonly name: string;
  readonly release: string;
  readonly actor: string;
  readonly sender: Sender;
  readonly longestMs: number;
  /** Wall clock, to be shown; what counts is the monotonic one. */
  readonly until: number;
}
/** Why it was let go. */
export type Ending =
  | 'released'
  | 'replaced'
  | 'overridden'
  | 'expired'
  | 'not-proven'
  | 'link'
  | 'alarm'
  | 'stop'
  | 'restart'
  | 'device-gone';

interface Held {
  readonly lease: Lease;
  cancel: () => void;
  /** Set once it is being let go: it cannot be renewed any more. */
  ending?: Ending;
  attempt?: Promise<void>;
  /** Cuts the pause between two attempts short. */
  wake: () => void;
  troubled: boolean;
}

export interface LeaseParts {
  readonly journal: Journal;
  readonly clock: Clock;
  readonly log: Log;
  /** Sends the release. @throws GatehouseError when it is not even accepted */
  release(lease: Lease): Promise<CommandView>;
  /** An alarm stands that forbids what is held. */
  forbidden(lease: Lease): boolean;
  /** What should be let go is not: somebody must look. Told again when it is over. */
  trouble(lease: Lease, detail: string | undefined): void;
}

export class Leases {
  readonly #parts: LeaseParts;
  readonly #held = new Map<string, Held>();
  /** Held when this life began. */
  readonly #left: readonly Lease[];
  readonly #unfollow: () => void;
  readonly #stopped = new AbortController();

  constructor(parts: LeaseParts) {
    this.#parts = parts;
    const rows = parts.journal.db.prepare<[], { view: string }>('SELECT view FROM lease').all();
    this.#left = rows.map(({ view }) => JSON.parse(view) as Lease);
    for (const lease of this.#left) this.#remember(lease);
    this.#unfollow = parts.journal.onCommit((records) => this.#follow(records));
  }

  list(): Lease[] {
    return [...this.#held.values()].map(({ lease }) => lease);
  }

  on(output: string): Lease | undefined {
    return this.#held.get(output)?.lease;
  }

  /** @returns the lease that can be renewed. @throws GatehouseError `command.lease_over` */
  renewable(command: string): Lease {
    const held = this.#of(command);
    if (!held || held.ending !== undefined)
      throw new GatehouseError('command.lease_over', `What command ${command} held is let go, or about to be`);
    return held.lease;
  }

  /** What is committed together with `executing`. Takes over what was held on the output. */
  taking(lease: Lease): Unit {
    const before = this.#held.get(lease.output)?.lease;
    const replaced = before ? this.#endOf(before, 'replaced') : {};
    return {
      records: [...(replaced.records ?? []), this.#record('lease.held', lease, { until: lease.until })],
      writes: [...(replaced.writes ?? []), { sql: TAKE, params: [lease.output, lease.command, JSON.stringify(lease)] }],
    };
  }

  /** What was committed counts from now on. @param expires monotonic */
  taken(lease: Lease, expires: number): void {
    this.#forget(lease.output);
    const held = this.#remember(lease);
    held.cancel = this.#parts.clock.after(expires - this.#parts.clock.mono(), () => this.letGo(lease, 'expired'));
  }

  /** Committed before the command is carried out once more; then `renewed`. */
  renewing(lease: Lease, actor: string): Unit {
    return {
      records: [this.#record('lease.renewed', lease, { until: lease.until }, actor)],
      writes: [
        { sql: MOVE, params: [JSON.stringify(lease), lease.output, lease.command] },
        { sql: SHOW, params: [JSON.stringify({ until: lease.until }), lease.command] },
      ],
    };
  }

  /** @throws GatehouseError `command.lease_over` when it was to be let go meanwhile */
  renewed(lease: Lease, expires: number): void {
    this.renewable(lease.command);
    this.taken(lease, expires);
  }

  /** What is committed together with the success of the command that let go. */
  ending(lease: Lease, actor: string, otherwise: Ending): Unit {
    return this.#endOf(lease, this.#of(lease.command)?.ending ?? otherwise, actor);
  }

  /** What was committed is over. */
  ended(lease: Lease): void {
    if (this.#held.get(lease.output)?.lease.command === lease.command) this.#forget(lease.output);
  }

  /** Lets go, again and again until it has. Returns at once. */
  letGo(lease: Lease, ending: Ending): void {
    const held = this.#of(lease.command);
    if (!held || held.ending !== undefined) return;
    held.ending = ending;
    held.cancel();
    void this.#loop(held);
  }

  /** After a start: whoever held something is not there to hold it any more. */
  recover(): void {
    for (const lease of this.#left) this.letGo(lease, 'restart');
  }

  async stop(): Promise<void> {
    this.#unfollow();
    const open = [...this.#held.values()];
    for (const held of open) {
      held.ending ??= 'stop';
      held.cancel();
    }
    const { clock } = this.#parts;
    if (open.length > 0)
      await Promise.race([Promise.all(open.map((held) => this.#attempt(held))), delay(clock, STOPPING_MS)]);
    this.#stopped.abort();
  }

  async #loop(held: Held): Promise<void> {
    for (let tries = 0; !this.#stopped.signal.aborted; tries++) {
      await this.#attempt(held);
      if (this.#held.get(held.lease.output) !== held) return;
      const pause = AbortSignal.any([this.#stopped.signal, this.#waker(held)]);
      await delay(this.#parts.clock, RETRY_MS[Math.min(tries, RETRY_MS.length - 1)] ?? 0, pause).catch(() => undefined);
    }
  }

  #waker(held: Held): AbortSignal {
    const waker = new AbortController();
    held.wake = () => waker.abort();
    return waker.signal;
  }

  #attempt(held: Held): Promise<void> {
    held.attempt ??= this.#once(held).finally(() => delete held.attempt);
    return held.attempt;
  }

  async #once(held: Held): Promise<void> {
    const { lease } = held;
    try {
      const { state, code, detail } = await this.#parts.release(lease);
      if (state !== 'succeeded') this.#trouble(held, detail ?? code ?? state);
    } catch (error) {
      const code = error instanceof GatehouseError ? error.code : undefined;
      if (code === 'device.not_found') await this.#gone(lease);
      // Somebody with more right is at this output: not now is no trouble.
      else if (code !== 'command.busy') this.#trouble(held, reasonOf(error));
    }
  }

  async #gone(lease: Lease): Promise<void> {
    try {
      await this.#parts.journal.commit(this.#endOf(lease, 'device-gone'));
      this.ended(lease);
    } catch (error) {
      this.#parts.log.error({ err: error, command: lease.command }, 'the end of a hold could not be recorded');
    }
  }

  #trouble(held: Held, detail: string): void {
    if (held.troubled) return;
    held.troubled = true;
    this.#parts.trouble(held.lease, detail);
  }

  #follow(records: readonly JournalRecord[]): void {
    if (this.#held.size === 0) return;
    for (const record of records) {
      if (record.kind === 'state' && record.name === 'link') this.#linkChanged(record);
      if (record.kind === 'alarm') this.#alarmChanged();
    }
  }

  #linkChanged({ device, data }: JournalRecord): void {
    const isOffline = (data as { state?: string }).state === 'offline';
    for (const held of this.#held.values()) {
      if (held.lease.device !== device) continue;
      if (isOffline) this.letGo(held.lease, 'link');
      else held.wake();
    }
  }

  #alarmChanged(): void {
    for (const { lease } of this.#held.values()) if (this.#parts.forbidden(lease)) this.letGo(lease, 'alarm');
  }

  #of(command: string): Held | undefined {
    return [...this.#held.values()].find(({ lease }) => lease.command === command);
  }

  #remember(lease: Lease): Held {
    const held: Held = { lease, cancel: () => {}, wake: () => {}, troubled: false };
    this.#held.set(lease.output, held);
    return held;
  }

  #forget(output: string): void {
    const held = this.#held.get(output);
    if (!held) return;
    this.#held.delete(output);
    held.cancel();
    held.wake();
    if (held.ending !== undefined) this.#parts.trouble(held.lease, undefined);
  }

  #endOf(lease: Lease, reason: Ending, actor = 'system:lease'): Unit {
    const now = this.#parts.clock.now();
    const shown = { until: lease.until, releasedAt: now };
    const writes: Write[] = [
      { sql: END, params: [lease.output, lease.command] },
      { sql: SHOW, params: [JSON.stringify(shown), lease.command] },
    ];
    return { records: [this.#record('lease.released', lease, { reason }, actor)], writes };
  }

  #record(name: string, lease: Lease, data: { until?: number; reason?: Ending }, actor = lease.actor): Draft {
    const { command, device, scenario } = lease;
    return {
      lane: 'L0',
      kind: 'state',
      scenario,
      device,
      name,
      data: { command, device, ...data },
      actor,
      cause: command,
    };
  }
}
