/** A gas alarm 燃气报警器 that closes its own valve, as it must. Opened again by hand. */
import { SimulatedSlave } from '../../drivers/modbus/simulator.ts';
import type { Clock } from '../clock.ts';

const CLEAN = 4;
const LEAK = 268;
const CLOSES_MS = 2000;

export class GasAlarm {
  readonly slave: SimulatedSlave;
  readonly #clock: Clock;
  #gas = CLEAN;
  #closed = false;
  #cancel = (): void => {};

  constructor(clock: Clock) {
    this.#clock = clock;
    this.slave = new SimulatedSlave({
      discreteInputs: { get: (address) => (address === 0 ? this.#closed : undefined), set: () => undefined },
      inputRegisters: { get: (address) => (address === 0 ? this.#gas : undefined), set: () => undefined },
    });
  }

  leak(valveSticks: boolean): void {
    this.#gas = LEAK;
    this.#cancel();
    if (valveSticks) return;
    this.#cancel = this.#clock.after(CLOSES_MS, () => {
      this.#closed = true;
    });
  }

  clear(): void {
    this.#cancel();
    this.#gas = CLEAN;
    this.#closed = false;
  }
}
