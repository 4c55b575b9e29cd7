/** What happened outside the gateway, told by those it happened to, on the one monotonic clock that a machine's processes share. */
import type { Behaviour } from '../../drivers/modbus/simulator.ts';
import type { JournalRecord } from '../../runtime/contracts/record.ts';

/** Milliseconds since the machine started: the same in every process, and nobody sets it. */
export const mono = (): number => Number(process.hrtime.bigint()) / 1e6;

/** A device carried out an order. */
export interface Done {
  readonly at: number;
  readonly device: string;
  /** Function, address and, for a coil, its value: `5:512=5` is a pulse of half a second, `5:2:0` a coil that opens. */
  readonly output: string;
}

/** What a point of a device truly was, from then on. */
export interface Truth {
  readonly at: number;
  readonly device: string;
  readonly point: string;
  readonly value: string | number | boolean;
}

/** A condition at a device that is an alarm by the contract. */
export interface Occurrence {
  readonly device: string;
  readonly alarm: string;
  /** Nobody could know of it, and of its end, before these. */
  readonly on: number;
  off: number;
  /** The gateway has acknowledged a message that says so: from then on it has to be an alarm. */
  acked?: number;
}

/** A message that the gateway has acknowledged. */
export interface Sample {
  readonly device: string;
  /** By the clock of the device, ms UTC. */
  readonly at: number;
  readonly value: number;
}

export interface DeviceLog {
  readonly done: Done[];
  readonly truths: Truth[];
  readonly occurrences: Occurrence[];
  readonly samples: Sample[];
  /** Plates a camera has sent, and those answered with 200, as often as it happened. */
  readonly seen: string[];
  readonly answered: string[];
  /** The devices' process itself came so late to what was due: what it says of that moment may be as late. */
  readonly lags: { readonly at: number; readonly ms: number }[];
  passed: number;
}

/** One way of asking for a command: the same key again is another try. */
export interface Ask {
  readonly actor: string;
  readonly key: string;
  readonly device: string;
  readonly command: string;
  readonly deadlineMs?: number;
  readonly tries: Try[];
}
export interface Try {
  readonly sentAt: number;
  answeredAt?: number;
  /** 0: nobody answered. */
  status: number;
  /** Of the command that is told. */
  id?: string;
  state?: string;
  code?: string;
}

/** Something that was wrong, with one device or, without one, with the gateway. */
export interface Disturbance {
  readonly kind: string;
  readonly device?: string;
  readonly from: number;
  to: number;
}

/** Everything that was seen from outside. */
export interface Evidence {
  readonly records: readonly JournalRecord[];
  /** When that was by the monotonic clock: the wall clock of the gateway is set while it works. */
  readonly whenOf: (record: JournalRecord) => number;
  readonly asks: readonly Ask[];
  readonly log: DeviceLog;
  readonly disturbances: readonly Disturbance[];
  readonly layout: Layout;
  /** From then on nothing was waited for any more. */
  readonly quietAt: number;
  /** The devices were looked at until then. */
  readonly endedAt: number;
}

/** What was wrong with the gateway, or with that device, at some time between. */
export const disturbed = (
  { disturbances }: Pick<Evidence, 'disturbances'>,
  from: number,
  to: number,
  device?: string,
): boolean =>
  disturbances.some((one) => one.from <= to && one.to >= from && (one.device === undefined || one.device === device));

/** A line that was cut is tried again after two seconds at most, a silent device is probed as often. */
export const AFTERWARDS_MS = 6000;

/** The end of the first so many milliseconds in which nothing was wrong, nor had just been. */
export function clearFrom(
  { disturbances }: Pick<Evidence, 'disturbances'>,
  from: number,
  device: string,
  ms: number,
): number | undefined {
  let at = from;
  const own = disturbances
    .filter((one) => one.device === undefined || one.device === device)
    .map((one) => ({ from: one.from, to: one.to + AFTERWARDS_MS }))
    .sort((a, b) => a.from - b.from);
  for (const one of own) {
    if (one.to <= at) continue;
    if (one.from >= at + ms) break;
    at = one.to;
  }
  return Number.isFinite(at) ? at + ms : undefined;
}

export interface Layout {
  readonly gates: readonly { readonly id: string; readonly camera: string; readonly way: 'in' | 'out' }[];
  readonly zones: readonly string[];
  readonly smokes: readonly string[];
  readonly boards: readonly { readonly id: string; readonly profile: string; readonly zone: string }[];
  /** Environment stations by the line they share. */
  readonly lines: readonly (readonly string[])[];
  /** Between cars, of all lanes together. */
  readonly carsMs: number;
  readonly plates: readonly string[];
  /** A detector says something this often, and a value of a station changes this often. */
  readonly sampleMs: number;
  readonly changeMs: number;
}

/** Where the devices find the gateway. */
export interface Addresses {
  readonly push: Readonly<Record<string, string>>;
  readonly mqtt: Readonly<Record<string, string>>;
}

export type Wire = 'up' | 'cut' | 'deaf';

/** What the trial asks of the devices' process. */
export type ToDevices =
  | { readonly do: 'build'; readonly layout: Layout }
  | { readonly do: 'meet'; readonly addresses: Addresses }
  /** Something happens at a device, for so long. */
  | { readonly do: 'happen'; readonly device: string; readonly what: string; readonly ms: number }
  /** How a device behaves from now on; without anything it is sound. */
  | { readonly do: 'behave'; readonly device: string; readonly behaviour: Behaviour }
  /** `cut`: connections are reset and refused; `deaf`: nothing arrives any more, and nobody says so. */
  | { readonly do: 'wire'; readonly device: string; readonly wire: Wire }
  /** No more cars. */
  | { readonly do: 'rest' }
  | { readonly do: 'log' };

export interface FromDevices {
  readonly id: number;
  readonly result?: unknown;
  readonly error?: string;
}
