/** One device on a line: what is read when, and whether it is worth asking it now. No I/O. */
import type { Clock } from '../../runtime/clock.ts';
import type { AttachedDevice, Reading } from '../driver.ts';
import { type Block, type PlannedPoint, planPoint, planReads, splitBlock } from './planner.ts';
import { type Address, DEFAULT_EVERY_MS, DEFAULT_RTU_GAP_MS, DEFAULT_TIMEOUT_MS, type Point } from './schema.ts';

/** Points that are read at the same pace. */
export interface Group {
  readonly everyMs: number;
  blocks: Block[];
  /** Monotonic ms. */
  dueAt: number;
  /** Block that comes next; not 0: the round has begun. */
  next: number;
}

export interface SlaveEvents {
  readings(readings: readonly Reading[]): void;
  online(): void;
  offline(reason: string): void;
}

/** Failures in a row before a device is only probed. */
const FAILURES_BEFORE_PROBING = 5;
/**
 * A silent device costs everybody on its line one timeout per probe. So sensors are probed after 5 s, 10 s, … 5 min.
 * A device that takes commands (a gate), or has the line to itself, is probed every 2 s: somebody waits for it, and
 * with a probe's short timeout (below) that costs a shared line a few per cent. When a line comes back after it was
 * down, every device on it is asked at once.
 */
const PROBE_FIRST_MS = 5000;
const PROBE_MAX_MS = 300_000;
const PROBE_URGENT_MS = 2000;
/** A probe waits four times as long as the device's slowest recent answer, but at least this. */
const PROBE_TIMEOUT_MIN_MS = 100;
const SLOWEST_DECAY = 0.98;

export class Slave {
  readonly id: string;
  readonly unit: number;
  readonly timeoutMs: number;
  readonly gapMs: number;
  readonly device: AttachedDevice;
  readonly groups: Group[];
  readonly #points: ReadonlyMap<string, PlannedPoint>;
  readonly #rtu: boolean;
  readonly #takesCommands: boolean;
  readonly #clock: Clock;
  readonly #events: SlaveEvents;
  #failures = 0;
  #lastAnswerAt: number;
  #slowestMs: number | undefined;
  #state: 'unknown' | 'online' | 'offline' = 'unknown';
  #cancelOffline: (() => void) | undefined;
  #lastError = '';
  /** Not polled before this, monotonic ms. */
  #notBefore = Number.NEGATIVE_INFINITY;
  /** A late answer may still come until this, monotonic ms: RTU has nothing to tell it from the next one. */
  #quietUntil = Number.NEGATIVE_INFINITY;

  constructor(device: AttachedDevice, address: Address, clock: Clock, events: SlaveEvents) {
    this.id = device.id;
    this.device = device;
    this.unit = address.unit ?? 1;
    this.timeoutMs = address.timeoutMs ?? DEFAULT_TIMEOUT_MS;
    this.#rtu = address.transport === 'rtu-tcp' || address.transport === 'serial';
    this.gapMs = address.gapMs ?? (this.#rtu ? DEFAULT_RTU_GAP_MS : 0);
    this.#takesCommands = Object.keys(device.profile.commands ?? {}).length > 0;
    this.#clock = clock;
    this.#events = events;
    this.#lastAnswerAt = clock.mono();
    // The loader has checked every point of the profile against the driver's schema.
    const points = Object.entries(device.profile.points) as [string, Point][];
    this.#points = new Map(points.map(([name, point]) => [name, planPoint(name, point)]));
    this.groups = [...Map.groupBy(points, ([, point]) => point.everyMs ?? DEFAULT_EVERY_MS)].map(
      ([everyMs, members]) => ({
        everyMs,
        blocks: planReads(members.flatMap(([name]) => this.#points.get(name) ?? [])),
        dueAt: clock.mono(),
        next: 0,
      }),
    );
    this.#awaitAnswer();
  }

  /** @returns undefined if the profile has no such point. */
  blocksFor(names: readonly string[]): Block[] | undefined {
    const points = names.map((name) => this.#points.get(name));
    return points.every((point) => point !== undefined) ? planReads(points) : undefined;
  }

  get isOffline(): boolean {
    return this.#state === 'offline';
  }

  /** When this group may be polled, monotonic ms. */
  dueAt(group: Group): number {
    return Math.max(group.dueAt, this.#notBefore, this.#quietUntil);
  }

  /** How long a question must wait for a late answer to pass, ms. */
  get quietMs(): number {
    return Math.max(0, this.#quietUntil - this.#clock.mono());
  }

  get pollTimeoutMs(): number {
    if (this.#failures < FAILURES_BEFORE_PROBING || this.#slowestMs === undefined) return this.timeoutMs;
    return Math.min(this.timeoutMs, Math.max(PROBE_TIMEOUT_MIN_MS, Math.ceil(this.#slowestMs * 4)));
  }

  /** The device said something, be it an exception. @param tookMs from request to answer. */
  answered(tookMs: number): void {
    this.#slowestMs = Math.max(tookMs, (this.#slowestMs ?? 0) * SLOWEST_DECAY);
    this.#lastAnswerAt = this.#clock.mono();
    this.#failures = 0;
    this.#notBefore = Number.NEGATIVE_INFINITY;
    this.#quietUntil = Number.NEGATIVE_INFINITY;
    if (this.#cancelOffline) {
      this.#cancelOffline();
      this.#cancelOffline = undefined;
    }
    if (this.#state !== 'online') {
      this.#state = 'online';
      this.#events.online();
    }
  }

  /** No answer, or none that can be read. @param alone no other device shares the line. */
  failed(reason: string, alone: boolean): void {
    const now = this.#clock.mono();
    this.#failures++;
    this.#lastError = reason;
    if (this.#rtu) this.#quietUntil = now + this.timeoutMs;
    for (const group of this.groups) group.next = 0;
    if (this.#failures >= FAILURES_BEFORE_PROBING) {
      const doubled = PROBE_FIRST_MS * 2 ** Math.min(this.#failures - FAILURES_BEFORE_PROBING, 10);
      this.#notBefore = now + (alone || this.#takesCommands ? PROBE_URGENT_MS : Math.min(doubled, PROBE_MAX_MS));
    }
    this.#awaitAnswer();
  }

  lineUp(): void {
    this.#failures = 0;
    this.#notBefore = Number.NEGATIVE_INFINITY;
    this.#quietUntil = Number.NEGATIVE_INFINITY;
    for (const group of this.groups) group.dueAt = this.#clock.mono();
  }

  lineDown(reason: string): void {
    this.#goOffline(reason);
  }

  /** The next block of the group, and the group's next time. */
  takeBlock(group: Group): Block | undefined {
    if (group.next === 0) group.dueAt = Math.max(group.dueAt + group.everyMs, this.#clock.mono());
    const block = group.blocks[group.next];
    group.next = group.next + 1 < group.blocks.length ? group.next + 1 : 0;
    return block;
  }

  /** The device refuses the joined request: from now on it is asked point by point. @returns false: it is one point. */
  split(group: Group, block: Block): boolean {
    if (block.points.length < 2) return false;
    group.blocks = group.blocks.flatMap((other) => (other === block ? splitBlock(block) : [other]));
    group.next = 0;
    return true;
  }

  deliver(readings: readonly Reading[]): void {
    if (readings.length > 0) this.#events.readings(readings);
  }

  stop(): void {
    this.#cancelOffline?.();
  }

  #awaitAnswer(): void {
    if (this.#state === 'offline' || this.#cancelOffline) return;
    const left = this.#lastAnswerAt + this.device.profile.offlineAfterMs - this.#clock.mono();
    this.#cancelOffline = this.#clock.after(Math.max(0, left), () => {
      this.#cancelOffline = undefined;
      this.#goOffline(`${this.#lastError || 'no answer'}, ${this.#failures} tries`);
    });
  }

  #goOffline(reason: string): void {
    this.#cancelOffline?.();
    this.#cancelOffline = undefined;
    if (this.#state === 'offline') return;
    this.#state = 'offline';
    this.#events.offline(reason);
  }
}
