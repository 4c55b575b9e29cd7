/** What the core and the demo compound say to each other over `<data>/demo.sock`: one JSON object per line. */
import { createHash } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Plates {
  readonly known: readonly string[];
  readonly unknown: readonly string[];
}

export interface DemoStart {
  /** Wanted ports by device; 0 or taken: another one. */
  readonly ports: Readonly<Record<string, number>>;
  /** Push addresses by device, with their keys. */
  readonly push: Readonly<Record<string, string>>;
  /** Where the smoke detector logs in. */
  readonly mqtt: { readonly host: string; readonly port: number; readonly username: string; readonly password: string };
  readonly plates: Plates;
}

export const demoActions = [
  'arrival',
  'forced-arm',
  'smoke',
  'intrusion',
  'noise',
  'fire',
  'one-detector',
  'two-detectors',
  'ebike-in-elevator',
  'ebike-leaves',
  'entrapment',
  'charger-overheat',
  'charger-welded',
  'site-key',
  'gas',
  'gas-valve-stuck',
  'clear',
  'self-test',
  'stats',
] as const;
export type DemoAction = (typeof demoActions)[number];

export interface LaneStats {
  readonly arrived: number;
  readonly passed: number;
  readonly turnedBack: number;
  readonly barrier: string;
  readonly occupied: boolean;
}

export interface DemoStats {
  /** How often each relay of each barrier board was ordered to close. */
  readonly pulses: Readonly<Record<string, readonly number[]>>;
  readonly lanes: Readonly<Record<string, LaneStats>>;
}

/** `start` also carries how cars come: ms between them, 0 none, absent every 6 to 10 s. */
export type ToCompound =
  | ({ readonly id: number; readonly do: 'start'; readonly carsMs?: number } & DemoStart)
  | { readonly id: number; readonly do: DemoAction | 'stop'; readonly args?: Readonly<Record<string, unknown>> };

export type FromCompound =
  | { readonly id: number; readonly result: Record<string, unknown> }
  | { readonly id: number; readonly error: string };

/** A unix socket's path has 108 bytes at most; this leaves room for the terminator. */
const LONGEST_PATH = 100;

/** In the data directory, or, if that path is too long, in a folder of this user under the system's temporary one. */
export function socketPathOf(dataDir: string): string {
  const path = join(dataDir, 'demo.sock');
  if (Buffer.byteLength(path) <= LONGEST_PATH) return path;
  const hash = createHash('sha256').update(dataDir).digest('hex').slice(0, 16);
  return join(tmpdir(), `gatehouse-${process.getuid?.() ?? 0}-${hash}`, 'demo.sock');
}

/** Splits a stream into lines; a line longer than `max` characters is dropped. */
export function lines(handle: (line: string) => void, max = 65_536): (chunk: string) => void {
  let rest = '';
  return (chunk) => {
    const parts = (rest + chunk).split('\n');
    rest = parts.pop() ?? '';
    if (rest.length > max) rest = '';
    for (const line of parts) if (line !== '' && line.length <= max) handle(line);
  };
}
