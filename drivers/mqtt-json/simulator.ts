/** A battery smoke detector that publishes contract JSON. For tests and the demo compound. */
import { connect, type MqttClient } from 'mqtt';
import { type Clock, every, systemClock } from '../../runtime/clock.ts';

export interface SmokeState {
  readonly smokeDetected: boolean;
  /** %/m */
  readonly smoke: number;
  /** % */
  readonly battery: number;
  readonly tampered: boolean;
}

export interface DetectorOptions {
  readonly device: string;
  readonly host: string;
  readonly port: number;
  readonly username: string;
  readonly password: string;
  readonly clock?: Clock;
  /** How often it says that it is well. Default 30 s. */
  readonly everyMs?: number;
}

const RECONNECT_MS = 1000;
const CONNECT_TIMEOUT_MS = 5000;
/** Above this the detector calls it smoke; below half of it the air is clear again. %/m */
const ALARM_AT = 12;

export class SmokeDetector {
  readonly #options: DetectorOptions;
  #client: MqttClient | undefined;
  #stopReports = (): void => {};
  #state: SmokeState = { smokeDetected: false, smoke: 0.2, battery: 92, tampered: false };

  constructor(options: DetectorOptions) {
    this.#options = options;
  }

  get state(): SmokeState {
    return this.#state;
  }

  /** Connects and keeps connecting; after every connection it reports how it is. */
  start(): void {
    const { device, host, port, username, password, clock = systemClock, everyMs = 30_000 } = this.#options;
    this.#stopReports = every(clock, everyMs, () => void this.report());
    const client = connect(`mqtt://${host}:${port}`, {
      clientId: device,
      username,
      password,
      protocolVersion: 4,
      keepalive: 30,
      reconnectPeriod: RECONNECT_MS,
      connectTimeout: CONNECT_TIMEOUT_MS,
      queueQoSZero: false,
    });
    this.#client = client;
    // The state now is what counts after an interruption, not what it was at the time.
    client.on('connect', () => void this.report());
    client.on('error', () => undefined); // trying again is the answer to every error
  }

  /** Smoke in the chamber, %/m. */
  async smoke(level: number): Promise<void> {
    const { smokeDetected } = this.#state;
    await this.change({ smoke: level, smokeDetected: smokeDetected ? level >= ALARM_AT / 2 : level >= ALARM_AT });
  }

  async change(part: Partial<SmokeState>): Promise<void> {
    this.#state = { ...this.#state, ...part };
    await this.report();
  }

  /** The button was pressed. */
  async selfTest(passed = true): Promise<void> {
    await this.#publish('event', { name: 'self-test', data: { passed }, at: this.#now() });
  }

  async report(): Promise<void> {
    await this.#publish('telemetry', { at: this.#now(), values: this.#state });
  }

  async stop(): Promise<void> {
    this.#stopReports();
    await this.#client?.endAsync(true);
  }

  #now(): number {
    return (this.#options.clock ?? systemClock).now();
  }

  async #publish(channel: 'telemetry' | 'event', message: object): Promise<void> {
    const client = this.#client;
    if (!client?.connected) return; // said again, as it then is, on the next connection
    const topic = `gatehouse/devices/${this.#options.device}/up/${channel}`;
    await client.publishAsync(topic, JSON.stringify(message), { qos: 1 }).catch(() => undefined);
  }
}
