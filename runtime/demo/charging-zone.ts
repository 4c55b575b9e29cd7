/** A charging zone 充电区 with its meter, its contactor and the key switch at the cabinet. */
import { SimulatedSlave, table } from '../../drivers/modbus/simulator.ts';

const AMPERES = 12.5;
const COOL = 31;
const HOT = 96;

export class ChargingZone {
  readonly slave: SimulatedSlave;
  readonly #trip = table(0, [false]);
  #temperature = COOL;
  #key = false;
  /** The contacts of the contactor are welded: current flows whatever is ordered. */
  #welded = false;

  constructor() {
    const inputs = () => [this.#trip.get(0) === true, this.#key, false];
    const registers = () => [
      this.#trip.get(0) === true && !this.#welded ? 0 : AMPERES * 100,
      Math.round(this.#temperature * 10),
    ];
    this.slave = new SimulatedSlave({
      coils: this.#trip,
      discreteInputs: { get: (address) => inputs()[address], set: () => undefined },
      inputRegisters: { get: (address) => registers()[address], set: () => undefined },
    });
  }

  overheat(welded: boolean): void {
    this.#welded = welded;
    this.#temperature = HOT;
  }

  /** Somebody stands at the cabinet. */
  turnKey(turned: boolean): void {
    this.#key = turned;
  }

  /** Cools down; nothing is made live by that. */
  clear(): void {
    this.#temperature = COOL;
    this.#welded = false;
    this.#key = false;
  }
}
