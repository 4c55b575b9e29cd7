/** Who sits here: session, lock, idle time, and the line that lives as long as somebody is logged in. */
import { signal } from '@preact/signals';
import type { Session } from '../contracts/api.ts';
import { seedSounds, tickSounds } from './alarm-sounds.ts';
import { call, get, Refusal } from './api.ts';
import { announce, announceOpen, clearIncidents, settleIncidents } from './incident-area.ts';
import { go, nextPath, route } from './route.ts';
import { loadPeople, loadSnapshot, session } from './store.ts';
import { follow } from './stream.ts';
import { forget, remember, remembered } from './words/memory.ts';

export type Entry = 'checking' | 'out' | 'loading' | 'in' | 'failed';

export const entry = signal<Entry>('checking');
/** Why the snapshot could not be read, and since when (ms, this panel's clock). */
export const failure = signal<{ readonly text: string; readonly since: number } | undefined>(undefined);
export const locked = signal(false);
/** What waits for a PIN: run once the panel is unlocked. */
export const pending = signal<{ readonly run: () => void } | undefined>(undefined);

const IDLE_MS = 15 * 60_000;
const RETRY_MS = 3000;
let touchedAt = 0;
let stop: (() => void) | undefined;

/** At page load: goes on with the session of the cookie, or asks for log-in. */
export async function enter(): Promise<void> {
  try {
    session.value = await get<Session>('/sessions/current');
  } catch (error) {
    if (error instanceof Refusal) return loggedOut();
    return failed(error, enter);
  }
  locked.value = remembered('locked') === 'yes';
  // The editor sends people here who may not open it: they see the log-in, so that somebody else can.
  if (route.peek() === 'login' && nextPath(location.search) === undefined) go('live');
  await load();
}

/** @throws {Refusal} when name or secret is wrong, or the name is locked. */
export async function logIn(name: string, secret: { pin: string } | { password: string }): Promise<void> {
  const was = session.peek()?.name;
  session.value = await call<Session>('POST', '/sessions', { name, ...secret });
  unlocked();
  // Somebody else may do other things: what the gateway offers is read again.
  if (entry.peek() !== 'in' || was !== name) await load();
}

/**
 * The person on duty is back at a locked panel: the same session goes on.
 * @throws {Refusal} as {@link logIn}
 */
export async function unlock(pin: string): Promise<void> {
  session.value = await call<Session>('PUT', '/sessions/current', { pin });
  unlocked();
}

export async function logOut(): Promise<void> {
  try {
    await call('DELETE', '/sessions/current');
  } finally {
    loggedOut();
  }
}

async function load(): Promise<void> {
  if (entry.peek() !== 'in') entry.value = 'loading';
  try {
    await Promise.all([loadSnapshot(), loadPeople()]);
  } catch (error) {
    if (error instanceof Refusal && error.status === 401) return loggedOut();
    return failed(error, load);
  }
  failure.value = undefined;
  entry.value = 'in';
  touchedAt = performance.now();
  seedSounds();
  stop?.();
  stop = follow({ onAlarms: announce, onLoggedOut: loggedOut, onTick: tick });
  announceOpen();
}

function failed(error: unknown, again: () => Promise<void>): void {
  failure.value ??= { text: error instanceof Error ? error.message : String(error), since: Date.now() };
  entry.value = 'failed';
  setTimeout(() => void again(), RETRY_MS);
}

function loggedOut(): void {
  stop?.();
  stop = undefined;
  clearIncidents();
  unlocked();
  session.value = undefined;
  entry.value = 'out';
  if (route.peek() !== 'login' && route.peek() !== 'setup') go('login');
}

function tick(): void {
  tickSounds();
  settleIncidents();
  if (!locked.peek() && performance.now() - touchedAt > IDLE_MS) lock();
}

export function lock(): void {
  locked.value = true;
  remember('locked', 'yes');
}

function unlocked(): void {
  locked.value = false;
  forget('locked');
  touchedAt = performance.now();
  const waiting = pending.peek();
  pending.value = undefined;
  waiting?.run();
}

/** Runs `act` now, or after somebody has entered a PIN on a locked panel. */
export function guarded(act: () => void): void {
  if (locked.peek()) pending.value = { run: act };
  else act();
}

/** The PIN pad was closed without a PIN: nothing happens. */
export function abandon(): void {
  pending.value = undefined;
}

export function watchTouch(): void {
  const touch = () => {
    if (!locked.peek()) touchedAt = performance.now();
  };
  window.addEventListener('pointerdown', touch, { capture: true, passive: true });
  window.addEventListener('keydown', touch, { capture: true, passive: true });
}
