/**
 * What the runtime and a driver say to each other. A driver knows bytes and one conversation per line; it knows no
 * scenario and no policy. Everything that crosses here can be structured-cloned.
 */
import type { TSchema } from 'typebox';
import type { Clock } from '../runtime/clock.ts';
import type { Log } from '../runtime/log.ts';

export type Scalar = string | number | boolean;

/** One value of one point, decoded by the profile and not yet checked against the contract. */
export interface Reading {
  readonly point: string;
  readonly value: Scalar;
  /** `bad`: the device answered, but with its "invalid" sentinel or an impossible pattern. */
  readonly quality?: 'good' | 'bad';
  /** Device time, ms UTC, when the device gives one. */
  readonly at?: number;
}

/** Something that happened once, as a device tells it. */
export interface DeviceEvent {
  /** Event of the contract. */
  readonly name: string;
  readonly data: Record<string, unknown>;
  readonly at?: number;
  /** The same key from the same device within ten minutes is the same event, sent again. */
  readonly key?: string;
  /** Pictures that belong to it, in order; the host files them and puts the SHA-256 of the first into `data.picture`. */
  readonly pictures?: readonly Uint8Array[];
}

/** A firmware profile: data only. `points` and `commands` are what the driver's schemas say. */
export interface Profile {
  /** `<make>/<model>`, the file's path below firmware-profiles/. */
  readonly id: string;
  /** `<scenario>@<version>` */
  readonly scenario: string;
  readonly role: string;
  readonly driver: string;
  readonly title: { readonly zh: string; readonly en: string };
  /** Manual, standard or capture it was made from. */
  readonly source: string;
  /** Silence after which the device counts as offline, ms. */
  readonly offlineAfterMs: number;
  readonly points: Readonly<Record<string, ProfilePoint>>;
  readonly commands?: Readonly<Record<string, unknown>>;
  readonly frames: readonly ProfileFrame[];
}

/** What every driver's point has in common; the rest is the driver's. */
export interface ProfilePoint {
  /** Polling interval, ms (polled drivers). */
  readonly everyMs?: number;
  /** A smaller change is not recorded. */
  readonly deadband?: number;
}

/** A frame and what it means; the profile's own test. `receive` is hex for binary protocols, text for the others. */
export interface ProfileFrame {
  readonly name: string;
  readonly origin: 'recorded' | 'standard-example' | 'synthesised';
  readonly request?: string;
  readonly receive: string;
  readonly topic?: string;
  readonly expect: {
    readonly readings?: Readonly<Record<string, Scalar>>;
    readonly events?: readonly { readonly name: string; readonly data: Record<string, unknown> }[];
    readonly error?: string;
  };
}

export interface AttachedDevice {
  readonly id: string;
  /** Fits the driver's `address` schema. */
  readonly address: Readonly<Record<string, unknown>>;
  readonly profile: Profile;
}

/** Where a driver puts what it learns. Calls return at once. */
export interface Sink {
  readings(device: string, readings: readonly Reading[]): void;
  online(device: string): void;
  /** @param reason for a person: what was tried and what happened, e.g. `timeout after 1000 ms, 3 tries`. */
  offline(device: string, reason: string): void;
}

export interface DriverContext {
  readonly sink: Sink;
  readonly log: Log;
  readonly clock: Clock;
}

export interface CommandTurn {
  /**
   * Called when the line is ours, right before the first byte leaves. Resolves once `executing` is durable; rejects when
   * the deadline has passed, and then nothing may be sent.
   */
  begin(): Promise<void>;
  readonly signal: AbortSignal;
}

/** One line or connection with all devices on it; one request in flight. */
export interface Link {
  attach(device: AttachedDevice): void;
  detach(device: string): void;
  /**
   * Carries out one command of the device's profile.
   * @returns what the device confirmed, for the record. A pure protocol echo has been compared field by field.
   * @throws GatehouseError `driver.*`; `driver.timeout` means: sent, and nobody knows.
   */
  command(
    device: string,
    command: string,
    input: Readonly<Record<string, unknown>>,
    turn: CommandTurn,
  ): Promise<Record<string, unknown>>;
  /** Reads these points now, from the device. @throws GatehouseError `driver.*` */
  read(device: string, points: readonly string[], signal: AbortSignal): Promise<Reading[]>;
  close(): Promise<void>;
}

/** A protocol where the gateway asks (Modbus, meters): the host opens one link per line. */
export interface LinkDriver {
  readonly kind: 'link';
  readonly protocol: string;
  readonly address: TSchema;
  readonly point: TSchema;
  readonly command: TSchema;
  /** Devices whose line is equal share one link, e.g. `tcp:10.0.0.5:502` or `serial:/dev/ttyS1`. */
  lineOf(address: Readonly<Record<string, unknown>>): string;
  /** Equal for two devices that would answer the same request: refused by the inventory. */
  identityOf(address: Readonly<Record<string, unknown>>): string;
  open(address: Readonly<Record<string, unknown>>, context: DriverContext): Link;
  /** Decodes a profile frame without any I/O, for the profile's test. @throws GatehouseError */
  decode(profile: Profile, frame: ProfileFrame): Reading[];
}

/** What one pushed message meant. `answer` goes back only after everything in it is committed. */
export interface Message {
  readonly readings: readonly Reading[];
  readonly events: readonly DeviceEvent[];
  readonly answer?: { readonly contentType: string; readonly body: string };
}

/** A protocol where the device speaks first, over HTTP push or the device broker. Pure: bytes in, meaning out. */
export interface MessageDriver {
  readonly kind: 'message';
  readonly protocol: string;
  /** How messages arrive. */
  readonly via: 'http' | 'mqtt';
  readonly address: TSchema;
  readonly point: TSchema;
  /** @throws GatehouseError `push.unreadable` or `driver.frame`; the host answers and counts, nothing stops. */
  decode(
    profile: Profile,
    message: { readonly body: Uint8Array; readonly contentType?: string; readonly topic?: string },
  ): Message;
  /** The answer to something unreadable; must never let anybody in. */
  refusal(): { readonly contentType: string; readonly body: string } | undefined;
}

export type Driver = LinkDriver | MessageDriver;
