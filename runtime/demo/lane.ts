/** A lane with a plate camera, a barrier and cars that come one after the other. */
import type { SimulatedCamera } from '../../drivers/vzenith/simulator.ts';
import { type Clock, delay } from '../clock.ts';
import type { Barrier } from './barrier.ts';
import { pictureOf } from './pictures.ts';

export interface Car {
  /** Absent: the camera cannot read it. */
  readonly plate?: string;
}

export interface LaneCounts {
  arrived: number;
  passed: number;
  turnedBack: number;
}

/** The driver loses patience. */
const WAIT_MS = 40_000;
const ROLL_MS = 700;
const ON_LOOP_MS = 1600;
/** Cars behind the one at the barrier; who comes later drives on. */
const MAX_QUEUE = 5;
const NEW_ENERGY_LENGTH = 8;
const BLUE = 1;
const GREEN = 5;
const TURNED_BACK = 66;

export class Lane {
  readonly counts: LaneCounts = { arrived: 0, passed: 0, turnedBack: 0 };
  readonly camera: SimulatedCamera;
  readonly barrier: Barrier;
  readonly #clock: Clock;
  readonly #queue: Car[] = [];
  readonly #stopping = new AbortController();
  #current: Car | undefined;

  constructor(camera: SimulatedCamera, barrier: Barrier, clock: Clock) {
    this.camera = camera;
    this.barrier = barrier;
    this.#clock = clock;
  }

  get busy(): boolean {
    return this.#current !== undefined || this.#queue.length > 0;
  }

  /** @returns false if the lane is full. @param passed called once the car is through. */
  arrive(car: Car): boolean {
    if (this.#queue.length >= MAX_QUEUE) return false;
    this.#queue.push(car);
    if (!this.#current) void this.#serve();
    return true;
  }

  stop(): void {
    this.#stopping.abort();
    this.camera.stop();
    this.barrier.stop();
  }

  async #serve(): Promise<void> {
    try {
      for (let car = this.#queue.shift(); car; car = this.#queue.shift()) {
        this.#current = car;
        await this.#drive(car);
      }
    } catch (error) {
      if (!this.#stopping.signal.aborted) throw error;
    } finally {
      this.#current = undefined;
    }
  }

  async #drive(car: Car): Promise<void> {
    const { signal } = this.#stopping;
    // Keeps its distance: a second car under one opening would be tailgating.
    await this.#until(() => this.barrier.state === 'closed' || this.barrier.held);
    this.counts.arrived++;
    this.#see(car);
    const until = this.#clock.mono() + WAIT_MS;
    for (;;) {
      const open = await this.#until(() => this.barrier.state === 'open', until - this.#clock.mono());
      if (!open) {
        this.counts.turnedBack++;
        this.#see(car, TURNED_BACK);
        return;
      }
      await delay(this.#clock, ROLL_MS, signal);
      if (this.barrier.state === 'open') break;
    }
    this.barrier.occupy(true);
    await delay(this.#clock, ON_LOOP_MS, signal);
    this.barrier.occupy(false);
    this.counts.passed++;
  }

  #see({ plate }: Car, trigger?: number): void {
    this.camera.see({
      ...(plate === undefined ? {} : { plate, colour: plate.length >= NEW_ENERGY_LENGTH ? GREEN : BLUE }),
      ...(trigger === undefined ? {} : { trigger }),
      picture: pictureOf(plate),
    });
  }

  /** Resolves true when it is so, false after `ms`. */
  #until(isSo: () => boolean, ms = Number.POSITIVE_INFINITY): Promise<boolean> {
    return new Promise((resolve, reject) => {
      const { signal } = this.#stopping;
      const end = () => {
        stopListening();
        cancel();
        signal.removeEventListener('abort', aborted);
      };
      const look = () => {
        if (!isSo()) return;
        end();
        resolve(true);
      };
      const aborted = () => {
        end();
        reject(signal.reason as Error);
      };
      const stopListening = this.barrier.onChange(look);
      const cancel = Number.isFinite(ms)
        ? this.#clock.after(Math.max(0, ms), () => {
            end();
            resolve(false);
          })
        : () => {};
      signal.addEventListener('abort', aborted, { once: true });
      look();
    });
  }
}
