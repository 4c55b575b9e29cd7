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

function timeText(at: number, timeZone: string | undefined): string {
  return new Intl.DateTimeFormat('en-GB', { timeZone, timeStyle: 'medium' }).format(at);
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
  let pending: NodeJS.Timeout | undefined;
  const show = () => {
    pending = undefined;
    const light = lightOf(condition, Date.now(), (key, values) => red._(key, values), timeZone());
    const text = JSON.stringify(light);
    if (text === shown) return;
    shown = text;
    last = performance.now();
    node.status(light);
  };
  const soon = () => {
    if (pending) return;
    const wait = last + SHOW_EVERY_MS - performance.now();
    if (wait <= 0) show();
    else pending = setTimeout(show, wait);
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
      clearTimeout(pending);
      clearInterval(ageing);
    },
  };
}
