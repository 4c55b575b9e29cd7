/**
 * A plate camera: pushes what Vzenith firmware pushes and keeps sending a result until it is answered with 200, one at
 * a time, oldest first. For tests and the demo compound.
 */
import { type Clock, delay, every, systemClock } from '../../runtime/clock.ts';

export interface SimulatedRead {
  /** Absent: the camera saw a car and no plate. */
  readonly plate?: string;
  /** As `colorType`: 0 unknown, 1 blue, 2 yellow, 3 white, 4 black, 5 green, 6 yellow-green. */
  readonly colour?: number;
  /** As `triggerType`; default 8, the virtual loop. */
  readonly trigger?: number;
  readonly confidence?: number;
  readonly picture?: Uint8Array;
}

export interface CameraOptions {
  readonly serial: string;
  readonly clock?: Clock;
  /** 0: no heartbeat. Default 10 s. */
  readonly heartbeatMs?: number;
  /** Pause before a result is sent again, ms. */
  readonly retryMs?: number;
}

const REQUEST_TIMEOUT_MS = 5000;
/** What a camera keeps while nobody answers; the oldest goes first. */
const MAX_WAITING = 100;

export class SimulatedCamera {
  readonly #options: Required<CameraOptions>;
  readonly #waiting: object[] = [];
  readonly #stopping = new AbortController();
  readonly #stopHeartbeat: () => void;
  #url: string | undefined;
  #sending = false;
  #lastId = 0;
  /** Answers to results, newest last. */
  readonly answers: { readonly status: number; readonly body: string }[] = [];
  onAnswer: () => void = () => {};
  posts = 0;

  constructor(options: CameraOptions) {
    this.#options = { clock: systemClock, heartbeatMs: 10_000, retryMs: 2000, ...options };
    const { clock, heartbeatMs } = this.#options;
    this.#stopHeartbeat = heartbeatMs > 0 ? every(clock, heartbeatMs, () => void this.heartbeat()) : () => {};
  }

  /** Where results go from now on. */
  pushTo(url: string): void {
    this.#url = url;
    void this.heartbeat();
    void this.#send();
  }

  /** A car was seen. @returns the message as it will be sent. */
  see(read: SimulatedRead): object {
    const message = this.message(read);
    this.#waiting.push(message);
    if (this.#waiting.length > MAX_WAITING) this.#waiting.shift();
    void this.#send();
    return message;
  }

  /** The message for a read, as recent firmware words it. */
  message({ plate, colour, trigger, confidence, picture }: SimulatedRead): object {
    const now = this.#options.clock.now();
    const image = picture === undefined ? '' : Buffer.from(picture).toString('base64');
    const rect = { left: 1002, top: 565, right: 1263, bottom: 674 };
    return {
      AlarmInfoPlate: {
        channel: 0,
        deviceName: 'IVS',
        ipaddr: '127.0.0.1',
        result: {
          PlateResult: {
            bright: 0,
            carBright: 0,
            carColor: 255,
            colorType: plate === undefined ? 0 : (colour ?? 1),
            colorValue: 0,
            confidence: plate === undefined ? 0 : (confidence ?? 97),
            direction: 0,
            gioouts: [{ ctrltype: 0, ionum: '0' }],
            imageFile: image,
            imageFileLen: picture?.length ?? 0,
            imageFragmentFile: '',
            imageFragmentFileLen: 0,
            imagePath: `%2Fmnt%2Fmmc%2F${now}.jpg`,
            is_fake_plate: 0,
            isoffline: 0,
            license: plate ?? '_无_',
            location: { RECT: rect },
            plateid: ++this.#lastId,
            timeStamp: { Timeval: { sec: Math.floor(now / 1000), usec: (now % 1000) * 1000 } },
            timeUsed: 0,
            triggerType: trigger ?? 8,
            type: plate === undefined ? 0 : 1,
          },
        },
        rule_id: 1,
        serialno: this.#options.serial,
        user_data: '',
      },
    };
  }

  async heartbeat(): Promise<void> {
    const body = {
      heartbeat: { countid: 1, timeStamp: { Timeval: { sec: Math.floor(this.#options.clock.now() / 1000) } } },
    };
    await this.#post({ ...body, serialno: this.#options.serial });
  }

  stop(): void {
    this.#stopHeartbeat();
    this.#stopping.abort();
  }

  async #send(): Promise<void> {
    if (this.#sending || this.#url === undefined) return;
    this.#sending = true;
    const { signal } = this.#stopping;
    for (let next = this.#waiting[0]; next && !signal.aborted; next = this.#waiting[0]) {
      const answer = await this.#post(next);
      if (answer) {
        this.answers.push(answer);
        this.onAnswer();
      }
      if (answer?.status === 200) this.#waiting.splice(this.#waiting.indexOf(next), 1);
      else await delay(this.#options.clock, this.#options.retryMs, signal).catch(() => undefined);
    }
    this.#sending = false;
  }

  /** @returns undefined if nobody answered. */
  async #post(message: object): Promise<{ status: number; body: string } | undefined> {
    if (this.#url === undefined) return undefined;
    this.posts++;
    try {
      const response = await fetch(this.#url, {
        method: 'POST',
        headers: { 'content-type': 'application/Json' },
        body: JSON.stringify(message),
        signal: AbortSignal.any([this.#stopping.signal, AbortSignal.timeout(REQUEST_TIMEOUT_MS)]),
      });
      return { status: response.status, body: await response.text() };
    } catch {
      return undefined;
    }
  }
}
