/** A fire panel 火灾报警控制器 behind its dry contacts: fire, fault and supervision (closed at rest), two detectors. */
import { SimulatedSlave } from '../../drivers/modbus/simulator.ts';

export class FirePanel {
  readonly slave: SimulatedSlave;
  #fire = false;
  #detectors = 0;

  constructor() {
    const inputs = () => [this.#fire, true, true, this.#detectors > 0, this.#detectors > 1];
    this.slave = new SimulatedSlave({ discreteInputs: { get: (address) => inputs()[address], set: () => undefined } });
  }

  /** A call point is pressed. */
  fire(): void {
    this.#fire = true;
    this.#detectors = 1;
  }

  detect(count: 1 | 2): void {
    this.#detectors = count;
  }

  /** At the panel, on site. */
  reset(): void {
    this.#fire = false;
    this.#detectors = 0;
  }
}
