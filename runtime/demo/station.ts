/** An environment station whose values move as air does: with the hour, and a little all the time. */
import { SimulatedSlave } from '../../drivers/modbus/simulator.ts';
import type { Clock } from '../clock.ts';

const HOUR_MS = 3_600_000;
const FIRST_REGISTER = 500;
/** Loud enough and long enough for the limit of the contract: above 70 dB for 10 s. */
const NOISE_DB = 82;
const NOISE_MS = 40_000;

export class Station {
  readonly slave: SimulatedSlave;
  readonly #clock: Clock;
  #noisyUntil = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock) {
    this.#clock = clock;
    const register = (address: number) => this.#registers()[address - FIRST_REGISTER];
    this.slave = new SimulatedSlave({ holdingRegisters: { get: register, set: () => undefined } });
  }

  /** Somebody sings. */
  noise(): void {
    this.#noisyUntil = this.#clock.mono() + NOISE_MS;
  }

  quiet(): void {
    this.#noisyUntil = Number.NEGATIVE_INFINITY;
  }

  /** Humidity, temperature, noise in tenths; PM2.5, PM10. */
  #registers(): number[] {
    const now = this.#clock.now();
    const wave = (seconds: number): number => Math.sin((now / 1000 / seconds) * 2 * Math.PI);
    const day = Math.sin(((now / HOUR_MS + 8 - 9) / 24) * 2 * Math.PI); // warmest at 15:00 in China
    const temperature = 22 + 5 * day + 0.3 * wave(211) + 0.1 * wave(47);
    const humidity = 64 - 12 * day + 1.5 * wave(173) + 0.4 * wave(39);
    const pm25 = 36 + 9 * wave(5400) + 3 * wave(307);
    const noisy = this.#clock.mono() < this.#noisyUntil;
    const noise = (noisy ? NOISE_DB : 51 + 4 * day) + 2 * wave(23) + 1.5 * wave(7);
    return [humidity * 10, temperature * 10, noise * 10, pm25, pm25 * 1.6].map((value) => Math.round(value) & 0xffff);
  }
}
