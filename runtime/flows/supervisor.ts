/**
 * The core's side of the flow process: starts it, listens for its heart, ends it when it hangs or grows, starts it again
 * with back-off, and gives up on its flows (not on the process) after a crash loop (reliability.md V2-V4).
 */
import type { ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { constants, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Clock, every } from '../clock.ts';
import type { Status } from '../contracts/api.ts';
import { reasonOf } from '../errors.ts';
import type { Log } from '../log.ts';
import { relayOutput } from './child-log.ts';
import { type EditorPermissions, signEditorToken } from './editor-token.ts';
import { launch } from './launch.ts';
import { type FromChild, type IdleReason, readFromChild, type ToChild } from './messages.ts';
import { countRestarts, type RestartLimits, restartLimits } from './restarts.ts';
import { keptSecret } from './secret.ts';

const SILENT_MS = 3000;
const STARTING_MS = 60_000;
const RSS_LIMIT = 512 * 1024 * 1024;
const RSS_FOR_MS = 30_000;
const SAFE_RETRY_MS = 600_000;
const STOP_MS = 5000;
const EDITOR_WITHIN_MS = 10_000;
const LOOK_EVERY_MS = 250;
/** Messages per look; a healthy child sends one in two looks, and a few at each deploy. */
const NOISE = 200;
/** `sun_path` of Linux holds 107 bytes. */
const LONGEST_SOCKET_PATH = 100;

export type FlowsReason = IdleReason | 'exit' | 'silent' | 'memory' | 'noise' | 'start' | 'crash-loop' | 'stopped';

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
  /** Unix socket of the editor; nothing listens there outside of maintenance. */
  readonly editorUpstream: string;
  /** A pass of one minute for one request. */
  editorToken(user: string, permissions: EditorPermissions): string;
  stop(): Promise<void>;
}

interface Life {
  readonly child: ChildProcess;
  readonly since: number;
  lastBeat: number;
  heard: boolean;
  /** Messages since the last look. */
  words: number;
  heavySince: number | undefined;
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

/** A deployed flow survives a power cut: the child may write, but under `--permission` not flush. */
async function flush(directory: string): Promise<void> {
  for (const name of ['flows.json', 'flows_cred.json', '.']) {
    const file = await open(join(directory, name), constants.O_RDONLY | constants.O_NOFOLLOW).catch(() => undefined);
    if (!file) continue; // no credentials: no file
    await file.sync().finally(() => file.close());
  }
}

/** Starts supervising at once; `onChange` tells what becomes of it. */
export function startFlows(options: FlowsOptions): Flows {
  const { clock, directory, log } = options;
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const editor = editorPath(directory);
  const editorKey = randomBytes(32).toString('hex');
  const limits = options.restarts ?? restartLimits;
  const restarts = countRestarts(limits);
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

  function begin(): void {
    const child = launch({
      directory,
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
      functionTimeout: options.functionTimeout ?? 2,
    });
    if (editorUntil !== undefined) send({ do: 'editor', open: true });
    log.info({ pid: child.pid, safeMode }, 'flows: started');
  }

  function heard(me: Life, message: FromChild): void {
    me.lastBeat = clock.mono();
    me.words += 1;
    switch (message.is) {
      case 'beat':
        if (message.rss <= RSS_LIMIT) me.heavySince = undefined;
        else me.heavySince ??= clock.mono();
        break;
      case 'flows':
        me.heard = true;
        if (message.running) running();
        else idle(message.reason, message.detail);
        break;
      case 'editor':
        for (const waiter of editorWaiters) waiter(message.open, message.error);
        break;
      case 'failed':
        log.error({ reason: message.error }, 'flows: cannot start');
    }
  }

  function running(): void {
    flush(directory).catch((error: unknown) =>
      log.warn({ reason: reasonOf(error) }, 'flows: deployed flow not flushed'),
    );
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

  function idle(why: IdleReason, more: string): void {
    alarm = true;
    cancelCalm();
    log.error({ why, more }, 'flows: not running');
    change('safe', why === 'safe-mode' ? 'crash-loop' : why, more);
    if (why === 'safe-mode') retryLater();
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
    const why = me.ended ?? 'exit';
    const { delayMs, looping } = restarts.exited(clock.mono(), clock.mono() - me.since);
    if (looping && !safeMode) {
      safeMode = true;
      alarm = true;
      log.error('flows: too many exits, starting with the flows held');
    }
    status = { ...status, restarts: status.restarts + 1 };
    log.warn({ why, how, delayMs }, 'flows: ended');
    change('down', looping ? 'crash-loop' : why, how);
    cancelRestart = clock.after(delayMs, () => {
      change('starting', why, how);
      begin();
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
    else if (me.heard && now - me.lastBeat > SILENT_MS) kill(me, 'silent');
    else if (words > NOISE) kill(me, 'noise');
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

  change('starting');
  begin();

  return {
    state: () => status,
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
    stop,
    [Symbol.asyncDispose]: stop,
  };
}
