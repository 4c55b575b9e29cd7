/**
 * One elevator car 电梯轿厢 with two boards: the dry contacts of its controller (relay 0 recalls it), and the e-bike guard
 * in the car (camera contact, door-hold relay, voice module).
 */
import { RelayBoard, SimulatedSlave, table } from '../../drivers/modbus/simulator.ts';
import type { Clock } from '../clock.ts';

const GROUND = 1;
const UPSTAIRS = 5;
const RELAYS = 8;
/** The door closes so long after the last reason to stay open. */
const DOOR_MS = 6000;
const FLOOR_MS = 1500;

export class Elevator {
  readonly controller: SimulatedSlave;
  readonly guard: RelayBoard;
  readonly #clock: Clock;
  #floor = GROUND;
  #moving = false;
  #stuck = false;
  #ebike = false;
  #doorOpen = false;
  #cancel = (): void => {};

  constructor(clock: Clock) {
    this.#clock = clock;
    const recall = table(0, [false]);
    const contacts = () => [
      this.#doorOpen,
      this.#atFloor,
      this.#moving,
      this.#stuck,
      recall.get(0) === true,
      this.#stuck,
    ];
    this.controller = new SimulatedSlave({
      coils: recall,
      discreteInputs: { get: (address) => contacts()[address], set: () => undefined },
      inputRegisters: { get: (address) => (address === 0 ? this.#floor : undefined), set: () => undefined },
    });
    this.controller.onWrite = () => {
      if (recall.get(0) === true && !this.#stuck) this.#arrive(GROUND);
    };
    const seen = () => [this.#ebike, this.#held, this.#atFloor];
    this.guard = new RelayBoard(
      RELAYS,
      { get: (address) => seen()[address], set: () => undefined },
      clock,
      table(0, [0]),
    );
    this.guard.onRelay = () => this.#settle();
  }

  /** Somebody wheels one in at the ground floor. Nobody holds the door: it closes, and the car goes up with it. */
  ebikeEnters(): void {
    this.#ebike = true;
    this.#arrive(GROUND);
  }

  ebikeLeaves(): void {
    this.#ebike = false;
    this.#settle();
  }

  /** The car stops between floors, with people in it. */
  trap(): void {
    this.#cancel();
    this.#stuck = true;
    this.#moving = false;
    this.#doorOpen = false;
  }

  clear(): void {
    this.#cancel();
    this.#stuck = false;
    this.#moving = false;
    this.#ebike = false;
    this.#doorOpen = false;
    this.#floor = GROUND;
  }

  get #held(): boolean {
    return this.guard.tables.coils?.get(0) === true;
  }

  get #atFloor(): boolean {
    return !this.#moving && !this.#stuck;
  }

  #arrive(floor: number): void {
    this.#floor = floor;
    this.#moving = false;
    this.#doorOpen = true;
    this.#settle();
  }

  #settle(): void {
    this.#cancel();
    if (this.#doorOpen && !this.#held) this.#cancel = this.#clock.after(DOOR_MS, () => this.#close());
  }

  #close(): void {
    this.#doorOpen = false;
    if (!this.#ebike || this.#floor === UPSTAIRS) return;
    this.#moving = true;
    this.#cancel = this.#clock.after((UPSTAIRS - GROUND) * FLOOR_MS, () => this.#arrive(UPSTAIRS));
  }
}
