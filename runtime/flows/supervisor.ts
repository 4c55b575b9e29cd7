/**
 * The core's side of the flow process: starts it, listens for its heart, ends it when it hangs or grows, starts it again
 * with back-off, turns off the tab that ended it too often, and holds all flows (not the process) only after a crash loop
 * of which nobody can be named (reliability.md V2-V4).
 */
import type { ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Clock, every } from '../clock.ts';
import type { Status } from '../contracts/api.ts';
import { reasonOf } from '../errors.ts';
import type { Log } from '../log.ts';
import { countStrikes, culpritOf } from './blame.ts';
import { relayOutput } from './child-log.ts';
import { type CrumbFile, type Owner, openCrumbs } from './crumb.ts';
import { type EditorPermissions, signEditorToken } from './editor-token.ts';
import { launch } from './launch.ts';
import { BEAT_EVERY_MS, type FromChild, type IdleReason, RSS_LIMIT, readFromChild, type ToChild } from './messages.ts';
import { countRestarts, type RestartLimits, restartLimits } from './restarts.ts';
import { keptSecret } from './secret.ts';

const SILENT_MS = 3000;
const STARTING_MS = 60_000;
const RSS_FOR_MS = 30_000;
/** So large it is ended at once: a slow leak may have its half minute, a flow that takes all there is may not. */
const RSS_MOST = 1.5 * RSS_LIMIT;
/**
 * Messages handed to the nodes of one tab, a second: five hops for each of 2,000 readings, all there are on a large site,
 * are half of it. Fewer are a loop of messages too if the process does nothing else any more: a function node that may be
 * interrupted starts a thread for each message, and a busy machine does a few hundred of those a second.
 */
const FLOOD_PER_SECOND = 20_000;
const FLOOD_WHEN_BUSY = 400;
const BUSY = 0.9;
const FLOOD_FOR_MS = 6000;
const SAFE_RETRY_MS = 600_000;
const STOP_MS = 5000;
const EDITOR_WITHIN_MS = 10_000;
const LOOK_EVERY_MS = 250;
/** Messages per look; a healthy child sends one in two looks, and a few at each deploy. */
const NOISE = 200;
/** `sun_path` of Linux holds 107 bytes. */
const LONGEST_SOCKET_PATH = 100;

export type FlowsReason =
  | IdleReason
  | 'exit'
  | 'silent'
  | 'memory'
  | 'flood'
  | 'hammer'
  | 'noise'
  | 'start'
  | 'crash-loop'
  | 'stopped';

type OffFlows = NonNullable<Status['flows']['off']>;

/** The deploy history, as far as the supervisor needs it: the right files in place, and a tab turned off. */
export interface FlowBook {
  off(): OffFlows;
  /** Before each start. @returns undefined when the flows can run, else why nothing does */
  prepare(): Promise<string | undefined>;
  /** @returns the tabs that are off now and were not before */
  turnOff(culprit: {
    readonly why: string;
    readonly tab?: string;
    readonly node?: string;
    readonly types?: readonly string[];
    readonly detail?: string;
  }): Promise<OffFlows>;
}

export interface FlowsChange {
  readonly status: Status['flows'];
  /** Why flows do not run; absent while they do. */
  readonly reason?: FlowsReason;
  /** For people: exit code, missing node types, the name of the broken file. */
  readonly detail?: string;
  /** The alarm `flowsDown` should stand: flows need a person. A single crash that heals itself does not. */
  readonly alarm: boolean;
}

export interface FlowsOptions {
  /** `<data>/flows`, made if missing. */
  readonly directory: string;
  readonly book: FlowBook;
  /** `<data>/secrets`: holds the key of the flows' credentials, made once. */
  readonly secrets: string;
  /** Unix socket of the gateway's API and the token of the flow actor. */
  readonly socket: string;
  readonly token: string;
  readonly log: Log;
  readonly clock: Clock;
  readonly language?: 'zh-CN' | 'en-US';
  /** Seconds a function node may run; must stay below the three seconds of silence that end the process. */
  readonly functionTimeout?: number;
  readonly restarts?: RestartLimits;
  /** Silence that ends the process; three seconds. */
  readonly silentMs?: number;
  readonly useSetpriv?: boolean;
  onChange?(change: FlowsChange): void;
}

export interface Flows extends AsyncDisposable {
  state(): Status['flows'];
  /** Process id of the living child. */
  pid(): number | undefined;
  /** Lets the editor listen until then (ms UTC), also across restarts of the child. Resolves when it does. */
  openEditor(until: number): Promise<void>;
  closeEditor(): Promise<void>;
  /** Other files have been put in place: runs them. */
  reload(): void;
  /** A tab asks the gateway for more than it can be given, and goes on. */
  accuse(tab: string): void;
  /** Unix socket of the editor; nothing listens there outside of maintenance. */
  readonly editorUpstream: string;
  /** A pass of one minute for one request. */
  editorToken(user: string, permissions: EditorPermissions): string;
  stop(): Promise<void>;
}

type Idle = Pick<Extract<FromChild, { running: false }>, 'reason' | 'detail' | 'types'>;

interface Life {
  readonly child: ChildProcess;
  readonly since: number;
  lastBeat: number;
  heard: boolean;
  /** Messages since the last look. */
  words: number;
  heavySince: number | undefined;
  heaviest: string | undefined;
  floodSince: number | undefined;
  /** The tab that was caught flooding or hammering. */
  caught: Owner | undefined;
  /** What was wrong with the flow file: the empty one in its place is not "running". */
  broken: string | undefined;
  readonly crumbs: CrumbFile;
  ended: FlowsReason | undefined;
  readonly exited: Promise<void>;
}

/** Where the editor listens; a data directory too deep for a socket name gets a private folder elsewhere. */
function editorPath(directory: string): { path: string; remove: () => void } {
  const path = join(directory, 'editor.sock');
  if (Buffer.byteLength(path) <= LONGEST_SOCKET_PATH) return { path, remove: () => rmSync(path, { force: true }) };
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-editor-'));
  return { path: join(folder, 'editor.sock'), remove: () => rmSync(folder, { recursive: true, force: true }) };
}

/** Starts supervising at once; `onChange` tells what becomes of it. */
export function startFlows(options: FlowsOptions): Flows {
  const { book, clock, directory, log } = options;
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const editor = editorPath(directory);
  const editorKey = randomBytes(32).toString('hex');
  const limits = options.restarts ?? restartLimits;
  const silentMs = options.silentMs ?? SILENT_MS;
  const restarts = countRestarts(limits);
  const strikes = countStrikes(limits);
  /** Types that are missing, of tabs that are off. */
  const standIns = new Set<string>();
  const credentialSecret = keptSecret(options.secrets, 'flow-credentials');

  let status: Status['flows'] = { state: 'starting', since: clock.now(), restarts: 0 };
  let reason: FlowsReason | undefined;
  let detail: string | undefined;
  let alarm = false;
  let life: Life | undefined;
  let safeMode = false;
  let stopping = false;
  let editorUntil: number | undefined;
  let cancelRestart = () => {};
  let cancelRetry = () => {};
  let cancelCalm = () => {};
  let cancelEditor = () => {};
  const editorWaiters = new Set<(open: boolean, error?: string) => void>();

  function change(state: Status['flows']['state'], why?: FlowsReason, more?: string): void {
    const { editorUntil: _old, ...rest } = status;
    const since = state === status.state ? rest.since : clock.now();
    status = { ...rest, state, since, ...(editorUntil === undefined ? {} : { editorUntil }) };
    reason = why;
    detail = more;
    options.onChange?.({
      status,
      alarm,
      ...(reason === undefined ? {} : { reason }),
      ...(detail === undefined ? {} : { detail }),
    });
  }

  const send = (message: ToChild): void => {
    if (life?.child.connected)
      life.child.send(message, (error) => error && log.debug({ reason: error.message }, 'flows: not sent'));
  };

  async function begin(): Promise<void> {
    const broken = await book.prepare();
    if (stopping) return;
    const crumbs = openCrumbs();
    const child = launch({
      directory,
      crumbs: crumbs.fd,
      ...(options.useSetpriv === undefined ? {} : { useSetpriv: options.useSetpriv }),
    });
    const now = clock.mono();
    const { promise: exited, resolve } = Promise.withResolvers<void>();
    const me: Life = {
      child,
      since: now,
      lastBeat: now,
      heard: false,
      words: 0,
      heavySince: undefined,
      heaviest: undefined,
      floodSince: undefined,
      caught: undefined,
      broken,
      crumbs,
      ended: undefined,
      exited,
    };
    life = me;
    relayOutput(child, log, clock);
    child.on('message', (message) => {
      const said = readFromChild(message);
      if (said) heard(me, said);
      else kill(me, 'noise');
    });
    child.on('error', (error) => log.warn({ reason: error.message }, 'flows: child process'));
    child.once('close', (code, signal) => {
      life = undefined;
      resolve();
      gone(me, signal ?? `code ${code}`);
      crumbs.close();
    });
    send({
      do: 'start',
      directory,
      socket: options.socket,
      token: options.token,
      credentialSecret,
      editorKey,
      editorSocket: editor.path,
      language: options.language ?? 'zh-CN',
      safeMode,
      standIns: [...standIns],
      functionTimeout: options.functionTimeout ?? 2,
    });
    if (editorUntil !== undefined) send({ do: 'editor', open: true });
    log.info({ pid: child.pid, safeMode }, 'flows: started');
  }

  function beat(
    me: Life,
    { rss, busy = 0, busiest, heaviest }: Extract<FromChild, { is: 'beat' }>,
    after: number,
  ): void {
    const now = clock.mono();
    me.heavySince = rss <= RSS_LIMIT ? undefined : (me.heavySince ?? now);
    me.heaviest = heaviest && heaviest.bytes > RSS_LIMIT / 4 ? heaviest.scope : undefined;
    // Two beats that come together tell of half a second each.
    const perSecond = ((busiest?.messages ?? 0) * 1000) / Math.max(after, BEAT_EVERY_MS);
    const floods = perSecond > (busy > BUSY ? FLOOD_WHEN_BUSY : FLOOD_PER_SECOND);
    me.floodSince = floods ? (me.floodSince ?? now - after) : undefined;
    me.caught = floods ? busiest : undefined;
    if (rss > RSS_MOST && me.ended === undefined) kill(me, 'memory');
  }

  function heard(me: Life, message: FromChild): void {
    const after = clock.mono() - me.lastBeat;
    me.lastBeat = clock.mono();
    me.words += 1;
    switch (message.is) {
      case 'beat':
        beat(me, message, after);
        break;
      case 'flows':
        me.heard = true;
        if (!message.running) idle(message);
        else if (me.broken === undefined) running();
        else idle({ reason: 'flow-file', detail: me.broken });
        me.broken = undefined;
        break;
      case 'editor':
        for (const waiter of editorWaiters) waiter(message.open, message.error);
        break;
      case 'failed':
        log.error({ reason: message.error }, 'flows: cannot start');
    }
  }

  function running(): void {
    cancelRetry();
    cancelCalm();
    if (safeMode) {
      // Deployed from the editor while the flows were held: a person has dealt with them.
      safeMode = false;
      alarm = false;
    } else if (alarm) {
      cancelCalm = clock.after(limits.forgivenAfterMs, () => {
        alarm = false;
        change('running');
      });
    }
    change('running');
  }

  function idle({ reason: why, detail: more, types = [] }: Idle): void {
    if (types.some((type) => !standIns.has(type))) {
      void goOnWithout(types);
      return;
    }
    alarm = true;
    cancelCalm();
    log.error({ why, more }, 'flows: not running');
    change('safe', why === 'safe-mode' ? 'crash-loop' : why, more);
    if (why === 'safe-mode') retryLater();
  }

  /** Node-RED runs nothing while a type is missing: the tabs that want it are turned off, and the others run. */
  async function goOnWithout(types: readonly string[]): Promise<void> {
    log.error({ types }, 'flows: node types are missing');
    for (const type of types) standIns.add(type);
    await book.turnOff({ why: 'missing-types', types, detail: types.join(', ') });
    await end('missing-types');
  }

  /** Held flows are tried again later, but not under the hands of somebody who is repairing them. */
  function retryLater(): void {
    cancelRetry();
    cancelRetry = clock.after(SAFE_RETRY_MS, () => {
      if (editorUntil !== undefined) return retryLater();
      safeMode = false;
      void end('crash-loop');
    });
  }

  function gone(me: Life, how: string): void {
    cancelCalm();
    cancelRetry();
    if (stopping) return;
    // The engine ends itself when its heap is full.
    const why = me.ended ?? (how === 'SIGABRT' || how === 'SIGTRAP' ? 'memory' : 'exit');
    if (why === 'missing-types') {
      start(why, how);
      return;
    }
    const signs = me.crumbs.read();
    const culprit = culpritOf({
      why,
      signs,
      ...(me.caught ? { caught: me.caught } : {}),
      ...(me.heaviest === undefined ? {} : { heaviest: me.heaviest }),
    });
    const detail = signs.words?.text ?? how;
    const guilty = culprit !== undefined && strikes.struck(culprit.tab, clock.mono());
    const { delayMs, looping } = restarts.exited(clock.mono(), clock.mono() - me.since);
    if (guilty) restarts.forgive();
    else if (looping && !safeMode) {
      safeMode = true;
      alarm = true;
      log.error('flows: too many exits, starting with the flows held');
    }
    status = { ...status, restarts: status.restarts + 1 };
    log.warn({ why, how, delayMs, ...culprit, words: signs.words?.text }, 'flows: ended');
    change('down', looping && !guilty ? 'crash-loop' : why, how);
    const turnedOff = guilty ? book.turnOff({ ...culprit, why, detail }) : undefined;
    cancelRestart = clock.after(delayMs, () => {
      void Promise.resolve(turnedOff).then(() => start(why, how));
    });
  }

  function start(why?: FlowsReason, how?: string): void {
    change('starting', why, how);
    begin().catch((error: unknown) => {
      log.error({ reason: reasonOf(error) }, 'flows: the flow file could not be prepared');
      alarm = true;
      change('down', 'start', reasonOf(error));
      if (!stopping) cancelRestart = clock.after(limits.longestMs, () => start(why, how));
    });
  }

  function kill(me: Life, why: FlowsReason): void {
    me.ended = why;
    log.error({ why, pid: me.child.pid }, 'flows: killed');
    me.child.kill('SIGKILL');
  }

  /** Asks the child to leave, insists after five seconds. */
  async function end(why: FlowsReason): Promise<void> {
    const me = life;
    if (!me) return;
    me.ended = why;
    send({ do: 'stop' });
    const cancel = clock.after(STOP_MS, () => me.child.kill('SIGKILL'));
    await me.exited;
    cancel();
  }

  let lastLook = clock.mono();
  const stopLooking = every(clock, LOOK_EVERY_MS, () => {
    const now = clock.mono();
    const late = now - lastLook - LOOK_EVERY_MS;
    lastLook = now;
    const me = life;
    if (!me || me.ended !== undefined) return;
    const words = me.words;
    me.words = 0;
    // What the child said while this thread was busy is still in the queue: our own delay is not its silence.
    if (late > LOOK_EVERY_MS) me.lastBeat += late;
    if (!me.heard && now - me.since > STARTING_MS) kill(me, 'start');
    else if (me.heard && now - me.lastBeat > silentMs) kill(me, 'silent');
    else if (words > NOISE) kill(me, 'noise');
    else if (me.floodSince !== undefined && now - me.floodSince > FLOOD_FOR_MS) kill(me, 'flood');
    else if (me.heavySince !== undefined && now - me.heavySince > RSS_FOR_MS) kill(me, 'memory');
  });

  /** Resolves once the child says so; a child that is starting opens when it is ready, one that ends opens no more. */
  function switchEditor(open: boolean): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const settle = (act: () => void) => {
      editorWaiters.delete(waiter);
      cancel();
      act();
    };
    const waiter = (isOpen: boolean, error?: string) => {
      if (error !== undefined) settle(() => reject(new Error(error)));
      else if (isOpen === open) settle(resolve);
    };
    const cancel = clock.after(EDITOR_WITHIN_MS, () => settle(resolve)); // it gets the wish at its next start
    editorWaiters.add(waiter);
    send({ do: 'editor', open });
    if (!life && !open) settle(resolve);
    return promise;
  }

  async function closeEditor(): Promise<void> {
    cancelEditor();
    if (editorUntil === undefined) return;
    editorUntil = undefined;
    change(status.state, reason, detail);
    await switchEditor(false);
  }

  async function stop(): Promise<void> {
    stopping = true;
    stopLooking();
    cancelRestart();
    cancelRetry();
    cancelCalm();
    cancelEditor();
    await end('stopped');
    editor.remove();
    alarm = false;
    editorUntil = undefined;
    for (const waiter of editorWaiters) waiter(false);
    if (status.state !== 'off') change('off', 'stopped');
  }

  start();

  return {
    state: () => ({ ...status, ...(book.off().length > 0 ? { off: book.off() } : {}) }),
    pid: () => life?.child.pid,
    editorUpstream: editor.path,
    editorToken: (user, permissions) => signEditorToken(editorKey, user, permissions, clock.now()),
    async openEditor(until) {
      cancelEditor();
      editorUntil = until;
      cancelEditor = clock.after(Math.max(0, until - clock.now()), () => {
        closeEditor().catch((error: unknown) => log.warn({ reason: reasonOf(error) }, 'flows: editor not closed'));
      });
      change(status.state, reason, detail);
      await switchEditor(true);
    },
    closeEditor,
    reload: () => send({ do: 'reload' }),
    accuse(tab) {
      if (!life || life.ended !== undefined) return;
      life.caught = { tab, node: tab };
      kill(life, 'hammer');
    },
    stop,
    [Symbol.asyncDispose]: stop,
  };
}
