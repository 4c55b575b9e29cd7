/** The status under a node (ux.md 11.3): worst thing first, never green after a failed operation, at most twice a second. */
import type { FailureCode } from './failures.ts';
import type { Connection } from './follow.ts';
import type { FlowNode, NodeStatus, Red } from './red.ts';

/** Everything the light tells; what is absent is well. */
export interface Condition {
  readonly unconfigured?: boolean | undefined;
  readonly running?: number | undefined;
  /** Last operation failed; stays until the next success. */
  readonly failed?: FailureCode | undefined;
  /** The picked device has no link, since then (ms UTC). */
  readonly offlineSince?: number | undefined;
  readonly connection?: Connection | undefined;
  /** Records too old to act on that were held back, and the age of the last one in ms. */
  readonly skipped?: number | undefined;
  readonly skippedAge?: number | undefined;
  /** What a schedule does next, ms UTC. */
  readonly nextAt?: number | undefined;
  /** Last good exchange, ms UTC. */
  readonly goodAt?: number | undefined;
}

type Words = (key: string, values?: Readonly<Record<string, unknown>>) => string;

/** 45s, 12m, 3h, 2d */
export function durationText(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3600) return `${Math.round(seconds / 60)}m`;
  if (seconds < 86_400) return `${Math.round(seconds / 3600)}h`;
  return `${Math.round(seconds / 86_400)}d`;
}

/** Making one costs more than a message does on its way through a node. */
const clockFaces = new Map<string | undefined, Intl.DateTimeFormat>();

function timeText(at: number, timeZone: string | undefined): string {
  const known = clockFaces.get(timeZone);
  const face = known ?? new Intl.DateTimeFormat('en-GB', { timeZone, timeStyle: 'medium' });
  if (!known) clockFaces.set(timeZone, face);
  return face.format(at);
}

const DAY_MS = 86_400_000;

/** `18:05`, or `05-01 18:05` for what is a day and more away. */
function nextText(at: number, now: number, timeZone: string | undefined): string {
  const time = timeText(at, timeZone).slice(0, 5);
  if (at - now < DAY_MS) return time;
  const date = new Intl.DateTimeFormat('en-CA', { timeZone, dateStyle: 'short' }).format(at);
  return `${date.slice(-5)} ${time}`;
}

export function lightOf(condition: Condition, now: number, words: Words, timeZone?: string): NodeStatus {
  const { connection, failed, offlineSince, goodAt, skipped = 0 } = condition;
  if (condition.unconfigured) return { fill: 'grey', shape: 'ring', text: words('status.unconfigured') };
  if ((condition.running ?? 0) > 0) return { fill: 'blue', shape: 'dot', text: words('status.running') };
  if (failed) return { fill: 'red', shape: 'dot', text: words('status.failed', { why: words(`short.${failed}`) }) };
  if (offlineSince !== undefined) {
    return { fill: 'red', shape: 'ring', text: words('status.offline', { time: durationText(now - offlineSince) }) };
  }
  if (connection && !connection.online) {
    return { fill: 'yellow', shape: 'ring', text: words('status.connecting', { attempt: connection.attempt + 1 }) };
  }
  if (skipped > 0) {
    const values = { count: skipped, time: durationText(condition.skippedAge ?? 0) };
    return { fill: 'yellow', shape: 'dot', text: words('status.stale', values) };
  }
  if (condition.nextAt !== undefined) {
    const time = nextText(condition.nextAt, now, timeZone);
    return { fill: 'green', shape: 'dot', text: words('status.next', { time }) };
  }
  const text = words('status.online', { time: goodAt === undefined ? '' : timeText(goodAt, timeZone) }).trim();
  return { fill: 'green', shape: 'dot', text };
}

const SHOW_EVERY_MS = 500;
/** "离线 12m" must not stand still. */
const AGE_EVERY_MS = 30_000;

export interface Light {
  set(change: Condition): void;
  /** What it shows is decided by this; read back by the node. */
  condition(): Condition;
  close(): void;
}

export function createLight(red: Red, node: FlowNode, timeZone: () => string | undefined): Light {
  let condition: Condition = {};
  let shown = '';
  let last = Number.NEGATIVE_INFINITY;
  let cancel: (() => void) | undefined;
  const show = () => {
    cancel = undefined;
    const light = lightOf(condition, Date.now(), (key, values) => red._(key, values), timeZone());
    const text = JSON.stringify(light);
    if (text === shown) return;
    shown = text;
    last = performance.now();
    node.status(light);
  };
  const soon = () => {
    if (cancel) return;
    const wait = last + SHOW_EVERY_MS - performance.now();
    if (wait > 0) {
      const timer = setTimeout(show, wait);
      cancel = () => clearTimeout(timer);
    } else {
      // Behind what the message sets going: the gate comes first.
      const turn = setImmediate(show);
      cancel = () => clearImmediate(turn);
    }
  };
  const ageing = setInterval(() => condition.offlineSince !== undefined && soon(), AGE_EVERY_MS);
  ageing.unref();
  return {
    set(change) {
      condition = { ...condition, ...change };
      soon();
    },
    condition: () => condition,
    close() {
      cancel?.();
      clearInterval(ageing);
    },
  };
}
