/** Bounds on what comes in over HTTP (reliability.md section 8, input limits). */
import type { Clock } from '../clock.ts';
import { GatehouseError } from '../errors.ts';

export interface Limits {
  readonly bodyBytes: number;
  readonly pictureBytes: number;
  readonly headerBytes: number;
  readonly urlBytes: number;
  readonly jsonDepth: number;
  readonly jsonKeys: number;
  readonly jsonItems: number;
  readonly headersTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly keepAliveMs: number;
  readonly closeGraceMs: number;
  readonly sockets: number;
  /** Per address; loopback, where everything on the box meets, is only bound by `sockets`. */
  readonly socketsPerAddress: number;
  readonly requestsPerSecond: number;
  /** Commands, alarms, events and the like of all flows together; following records is not among them. */
  readonly flowRequestsPerSecond: number;
  readonly flowReadsPerSecond: number;
  readonly flowBodyBytes: number;
  readonly anonymousPerSecond: number;
  /** Files of the booth, the editor and the docs: a page loads hundreds of them at once. */
  readonly filesPerSecond: number;
  readonly pushesPerSecond: number;
  readonly streamsPerUser: number;
  /** Of the flow process as a whole. */
  readonly flowStreams: number;
  readonly streams: number;
  readonly streamUnsentBytes: number;
}

export const defaultLimits: Limits = {
  bodyBytes: 256 * 1024,
  pictureBytes: 2 * 1024 * 1024,
  headerBytes: 16 * 1024,
  urlBytes: 2048,
  jsonDepth: 20,
  jsonKeys: 200,
  jsonItems: 1000,
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 30_000,
  keepAliveMs: 10_000,
  closeGraceMs: 5000,
  sockets: 200,
  socketsPerAddress: 20,
  requestsPerSecond: 50,
  flowRequestsPerSecond: 100,
  flowReadsPerSecond: 300,
  flowBodyBytes: 64 * 1024,
  anonymousPerSecond: 10,
  filesPerSecond: 500,
  pushesPerSecond: 20,
  streamsPerUser: 4,
  flowStreams: 16,
  streams: 50,
  streamUnsentBytes: 256 * 1024,
};

export interface Buckets {
  /** Takes one token. @returns 0, or after how many ms to come again. */
  take(key: string): number;
}

const MAX_BUCKETS = 5000;

/** Token buckets, one per key; each holds one second's worth and refills on the monotonic clock. */
export function createBuckets(clock: Clock, perSecond: number): Buckets {
  const buckets = new Map<string, { tokens: number; at: number }>();
  const filled = ({ tokens, at }: { tokens: number; at: number }, now: number) =>
    Math.min(perSecond, tokens + ((now - at) / 1000) * perSecond);
  return {
    take(key) {
      const now = clock.mono();
      if (buckets.size >= MAX_BUCKETS) {
        // A full bucket says nothing that a missing one does not.
        for (const [name, bucket] of buckets) if (filled(bucket, now) >= perSecond) buckets.delete(name);
      }
      const bucket = buckets.get(key) ?? { tokens: perSecond, at: now };
      const tokens = filled(bucket, now);
      buckets.set(key, { tokens: tokens >= 1 ? tokens - 1 : tokens, at: now });
      return tokens >= 1 ? 0 : Math.ceil(((1 - tokens) / perSecond) * 1000);
    },
  };
}

/** C0 and C1 controls but tab and line ends: nothing a person typed. */
const CONTROLS = /(?![\t\n\r])\p{Cc}/u;

/**
 * Parses a JSON body within bounds: depth before parsing, so that a hostile nest costs nothing; then keys, items, control
 * characters. Text is brought to NFC, so that equal-looking names are equal.
 * @throws GatehouseError `http.invalid`
 */
export function parseJson(text: string, limits: Limits): unknown {
  checkDepth(text, limits.jsonDepth);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new GatehouseError('http.invalid', `body: not JSON: ${error instanceof Error ? error.message : ''}`);
  }
  return clean(value, 'body', limits);
}

function checkDepth(text: string, most: number): void {
  let depth = 0;
  let inString = false;
  for (let i = 0; i < text.length; i++) {
    const char = text.charCodeAt(i);
    if (inString) {
      if (char === 0x5c) i++;
      else if (char === 0x22) inString = false;
    } else if (char === 0x22) inString = true;
    else if (char === 0x5b || char === 0x7b) {
      if (++depth > most) throw new GatehouseError('http.invalid', `body: nested deeper than ${most} levels`);
    } else if (char === 0x5d || char === 0x7d) depth--;
  }
}

function clean(value: unknown, path: string, limits: Limits): unknown {
  if (typeof value === 'string') {
    if (CONTROLS.test(value)) throw new GatehouseError('http.invalid', `${path}: holds control characters`);
    return value.normalize('NFC');
  }
  if (Array.isArray(value)) {
    if (value.length > limits.jsonItems) {
      throw new GatehouseError('http.invalid', `${path}: more than ${limits.jsonItems} items`);
    }
    return value.map((item, index) => clean(item, `${path}.${index}`, limits));
  }
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value);
  if (entries.length > limits.jsonKeys) {
    throw new GatehouseError('http.invalid', `${path}: more than ${limits.jsonKeys} keys`);
  }
  for (const [key] of entries) {
    if (key === '__proto__' || key === 'constructor' || key === 'prototype' || CONTROLS.test(key)) {
      throw new GatehouseError('http.invalid', `${path}: a key that is not allowed`);
    }
  }
  return Object.fromEntries(entries.map(([key, item]) => [key, clean(item, `${path}.${key}`, limits)]));
}
