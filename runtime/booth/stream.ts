/** The live line: opens it, hears the beats, and lets the connection machine decide. Reconnects without a reload. */

import type { AlarmView, Status } from '../contracts/api.ts';
import type { JournalRecord } from '../contracts/record.ts';
import { formatPosition } from '../contracts/record.ts';
import { get, openStream, Refusal } from './api.ts';
import { correctClock, gatewayNow, moveClock } from './clock.ts';
import { play } from './sound.ts';
import { type LinkEvent, startLink, stepLink } from './state/connection.ts';
import { sseReader } from './state/sse.ts';
import { applyRecords, applyStatus, checkInventory, head, link, loadSnapshot, turnDay } from './store.ts';

export interface Listener {
  /** New alarms, on the screen or missed while the line was down. */
  readonly onAlarms: (fresh: readonly AlarmView[]) => void;
  /** The session is over: somebody has to log in. */
  readonly onLoggedOut: () => void;
  readonly onTick: () => void;
}

const TICK_MS = 250;
const STATUS_EVERY_MS = 5000;
const READINGS_WAIT_MS = 60;

/** Starts following after {@link loadSnapshot}; the returned function ends it. */
export function follow(listener: Listener): () => void {
  let line = new AbortController();
  let stopped = false;
  link.value = startLink(performance.now(), gatewayNow());

  const step = (event: LinkEvent) => {
    const was = link.peek();
    if (!was || stopped) return;
    const { link: next, effects } = stepLink(was, event);
    link.value = next;
    for (const effect of effects) {
      if (effect === 'tone') play('lost');
      else if (effect === 'abort') line.abort();
      else void open();
    }
  };

  const open = async () => {
    line.abort();
    line = new AbortController();
    const { signal } = line;
    try {
      await read(await openStream(formatPosition(head()), signal), signal);
    } catch (error) {
      if (error instanceof Refusal && error.status === 401) listener.onLoggedOut();
    }
    if (!signal.aborted) step({ type: 'closed', mono: performance.now() });
  };

  const read = async (body: ReadableStream<Uint8Array>, signal: AbortSignal) => {
    const cut = sseReader();
    const text = new TextDecoder();
    const pieces = body.getReader();
    for (;;) {
      const { done, value } = await pieces.read();
      if (done || signal.aborted) return;
      const events = cut(text.decode(value, { stream: true }));
      const beat = events.findLast((event) => event.event === 'beat');
      if (beat) correctClock((JSON.parse(beat.data) as { now: number }).now);
      if (events.length > 0) step({ type: 'beat', mono: performance.now(), now: gatewayNow() });
      if (events.some((event) => event.event === 'reset')) await loadSnapshot();
      const records = events
        .filter((event) => event.event === 'record')
        .map((event) => JSON.parse(event.data) as JournalRecord);
      take(records);
    }
  };

  // Readings alone can wait a moment and go together: a busy bus must not redraw the screen hundreds of times a second.
  let queued: JournalRecord[] = [];
  let due: ReturnType<typeof setTimeout> | undefined;
  const take = (records: readonly JournalRecord[]) => {
    queued.push(...records);
    if (queued.some((record) => record.kind !== 'telemetry')) apply();
    else if (queued.length > 0) due ??= setTimeout(apply, READINGS_WAIT_MS);
  };
  const apply = () => {
    clearTimeout(due);
    due = undefined;
    const records = queued;
    queued = [];
    const fresh = applyRecords(records);
    if (fresh.length > 0) listener.onAlarms(fresh);
  };

  const tick = () => {
    moveClock();
    turnDay();
    step({ type: 'tick', mono: performance.now() });
    listener.onTick();
  };
  const readStatus = async () => {
    try {
      const now = await get<Status>('/status');
      applyStatus(now);
      checkInventory(now);
    } catch (error) {
      // The stream is what tells a lost line; a missed poll only leaves the chips as they are.
      if (error instanceof Refusal && error.status === 401) listener.onLoggedOut();
    }
  };

  const ticking = setInterval(tick, TICK_MS);
  const polling = setInterval(() => void readStatus(), STATUS_EVERY_MS);
  void open();
  return () => {
    stopped = true;
    clearInterval(ticking);
    clearInterval(polling);
    clearTimeout(due);
    line.abort();
    link.value = undefined;
  };
}
