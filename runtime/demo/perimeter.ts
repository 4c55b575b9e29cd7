/** A perimeter zone on a digital input board: input 0 alarm, 1 tamper, 2 armed; relay 0 arms. */
import { SimulatedSlave, table } from '../../drivers/modbus/simulator.ts';
import type { Clock } from '../clock.ts';

const INTRUSION_MS = 15_000;

export class Perimeter {
  readonly slave: SimulatedSlave;
  readonly #clock: Clock;
  readonly #relays = table(0, [true]);
  #alarm = false;
  #cancel = (): void => {};

  constructor(clock: Clock) {
    this.#clock = clock;
    const input = (address: number) => [this.#alarm, false, this.#relays.get(0) === true, false][address];
    this.slave = new SimulatedSlave({ coils: this.#relays, discreteInputs: { get: input, set: () => undefined } });
  }

  /** Somebody climbs the wall. */
  intrude(): void {
    this.#alarm = true;
    this.#cancel();
    this.#cancel = this.#clock.after(INTRUSION_MS, () => this.clear());
  }

  clear(): void {
    this.#cancel();
    this.#alarm = false;
  }
}
