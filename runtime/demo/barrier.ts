/**
 * A barrier 道闸 behind a relay board, as a mechanism: an arm that takes its time, limit switches, a ground loop that
 * keeps it up, a controller that closes by itself. Relay 0 opens, relay 1 closes, relay 2 holds open.
 */
import { RelayBoard } from '../../drivers/modbus/simulator.ts';
import type { Clock } from '../clock.ts';

const TRAVEL_MS = 1500;
/** A shorter contact is bounce or noise to the controller. */
const PULSE_MS = 200;
const CLOSE_AFTER_CAR_MS = 2000;
/** Opened for nobody: closes again. */
const CLOSE_UNUSED_MS = 20_000;
const FORCED_TO = 0.4;
const FORCED_MS = 8000;
const RELAYS = 8;

const OPEN = 0;
const CLOSE = 1;
const HOLD = 2;

export class Barrier {
  readonly board: RelayBoard;
  readonly #clock: Clock;
  /** Position 0 (closed) to 1 (open) at the monotonic time `#since`, moving to `#target`. */
  #position = 0;
  #since: number;
  #target = 0;
  #occupied = false;
  #held = false;
  #forced = false;
  #forceWhenClosed = false;
  #cancelArrival = (): void => {};
  #cancelClose = (): void => {};
  #cancelForced = (): void => {};
  readonly #listeners = new Set<() => void>();

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#since = clock.mono();
    const inputs = { get: (address: number) => this.#input(address), set: () => undefined };
    this.board = new RelayBoard(RELAYS, inputs, clock);
    this.board.onRelay = (relay, closed) => this.#relay(relay, closed);
  }

  get state(): 'open' | 'closed' | 'between' {
    const position = this.#now();
    return position >= 1 ? 'open' : position <= 0 ? 'closed' : 'between';
  }

  get occupied(): boolean {
    return this.#occupied;
  }

  get held(): boolean {
    return this.#held;
  }

  /** Called whenever the arm arrives or the loop changes. @returns how to stop listening. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** A car is on the loop, or has left it. */
  occupy(occupied: boolean): void {
    if (this.#occupied === occupied) return;
    this.#occupied = occupied;
    this.#cancelClose();
    if (occupied && this.#target === 0 && this.#now() > 0) this.#move(1); // never on a roof
    if (!occupied && !this.#held && this.#target === 1) this.#closeIn(CLOSE_AFTER_CAR_MS);
    this.#tell();
  }

  /** Somebody lifts the arm by hand, as soon as it is closed. It falls back after a while. */
  force(): void {
    if (this.#forced) return;
    this.#forceWhenClosed = this.state !== 'closed';
    if (this.#forceWhenClosed) return;
    this.#forced = true;
    this.#position = FORCED_TO;
    this.#target = FORCED_TO;
    this.#since = this.#clock.mono();
    this.#cancelForced();
    this.#cancelForced = this.#clock.after(FORCED_MS, () => this.release());
  }

  /** The arm is let go. */
  release(): void {
    this.#forceWhenClosed = false;
    if (!this.#forced) return;
    this.#move(0);
  }

  stop(): void {
    this.#cancelArrival();
    this.#cancelClose();
    this.#cancelForced();
  }

  #input(address: number): boolean | undefined {
    switch (address) {
      case 0:
        return this.state === 'open';
      case 1:
        return this.state === 'closed';
      case 2:
        return this.#occupied;
      default:
        return address < RELAYS ? false : undefined;
    }
  }

  #now(): number {
    const step = (this.#clock.mono() - this.#since) / TRAVEL_MS;
    return this.#target >= this.#position
      ? Math.min(this.#target, this.#position + step)
      : Math.max(this.#target, this.#position - step);
  }

  #move(target: 0 | 1): void {
    this.#cancelForced();
    this.#forced = false;
    this.#position = this.#now();
    this.#target = target;
    this.#since = this.#clock.mono();
    this.#cancelArrival();
    this.#cancelArrival = this.#clock.after(Math.abs(target - this.#position) * TRAVEL_MS, () => this.#arrive());
  }

  /** A timer may ring a hair before the arm is there by the clock: it is there when it rings. */
  #arrive(): void {
    this.#position = this.#target;
    this.#tell();
    if (this.#forceWhenClosed && this.#position === 0) this.force();
  }

  #relay(relay: number, closed: boolean): void {
    if (closed) {
      this.#clock.after(PULSE_MS, () => {
        if (this.board.tables.coils?.get(relay)) this.#order(relay);
      });
    } else if (relay === HOLD && this.#held) {
      this.#held = false;
      if (!this.#occupied) this.#closeIn(CLOSE_AFTER_CAR_MS);
    }
  }

  #order(relay: number): void {
    if (relay === OPEN || relay === HOLD) {
      this.#held ||= relay === HOLD;
      this.#cancelClose();
      this.#move(1);
      if (!this.#held && !this.#occupied) this.#closeIn(CLOSE_UNUSED_MS);
    } else if (relay === CLOSE && !this.#occupied && !this.#held) {
      this.#cancelClose();
      this.#move(0);
    }
  }

  #closeIn(ms: number): void {
    this.#cancelClose();
    this.#cancelClose = this.#clock.after(ms, () => this.#move(0));
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }
}
