/**
 * Plays records into flows: a flow process of its own (the same permissions as the live one, an empty context, no way to
 * the gateway) against a dry gateway. Ends when the last record is played and the flow has been quiet for a while.
 */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Clock } from '../clock.ts';
import { delay } from '../clock.ts';
import type { JournalRecord } from '../contracts/record.ts';
import type { Act } from '../contracts/replay.ts';
import { GatehouseError } from '../errors.ts';
import { cutLines } from '../flows/child-log.ts';
import { openCrumbs } from '../flows/crumb.ts';
import { launch } from '../flows/launch.ts';
import { readFromChild, type StartMessage } from '../flows/messages.ts';
import { startDryGateway, type World } from './dry-gateway.ts';
import type { FlowEntry } from './isolate.ts';

const START_WITHIN_MS = 60_000;
/** A flow that has nothing to say to the gateway listens to nothing: nobody waits for it longer. */
const LISTEN_WITHIN_MS = 10_000;
/** A pause of the night is not waited for. */
const LONGEST_PAUSE_MS = 60_000;
const MOST_ACTS = 5000;
const MOST_FAILURES = 50;

export interface Failure {
  readonly node: string;
  readonly text: string;
}

export interface Stage extends AsyncDisposable {
  /** Plays them in order; resolves when the flow is quiet. Acts and failures are told as they come. */
  play(records: readonly JournalRecord[], options: PlayOptions): Promise<void>;
}

export interface PlayOptions {
  readonly speed: number | 'step' | 'fast';
  readonly settleMs: number;
  readonly signal: AbortSignal;
  /** For `step`: resolves when the next record is wanted. */
  next?(): Promise<void>;
  played?(index: number): void;
}

export interface StageParts {
  readonly nodes: readonly FlowEntry[];
  readonly world: World;
  readonly clock: Clock;
  onAct(act: Act, flow: string): void;
  onFailure?(failure: Failure): void;
}

/** Node-RED's own lines, as settings.ts writes them: what a node reported as an error. */
function failureOf(line: string): Failure | undefined {
  if (!line.startsWith('{"level":"error"')) return undefined;
  try {
    const { msg, node = '' } = JSON.parse(line) as { msg?: unknown; node?: string };
    return { node, text: String(msg).slice(0, 500) };
  } catch {
    return undefined; // printed by a flow, only looks like one
  }
}

/** @throws GatehouseError `replay.failed` when the flows do not run: what is missing or wrong is in the message */
export async function openStage({ nodes, world, clock, onAct, onFailure }: StageParts): Promise<Stage> {
  const directory = mkdtempSync(join(tmpdir(), 'gatehouse-replay-'));
  chmodSync(directory, 0o700);
  const socket = join(directory, 'gateway.sock');
  writeFileSync(join(directory, 'flows.json'), JSON.stringify(nodes));
  let busyAt = clock.mono();
  let acts = 0;
  let failures = 0;
  const gateway = await startDryGateway({
    socket,
    world,
    now: () => clock.now(),
    onRequest: () => (busyAt = clock.mono()),
    onAct(act, flow) {
      busyAt = clock.mono();
      if (++acts <= MOST_ACTS) onAct(act, flow);
    },
  });
  const crumbs = openCrumbs();
  const child = launch({ directory, crumbs: crumbs.fd });
  const ended = new AbortController();
  child.once('close', (code, how) => {
    ended.abort(new GatehouseError('replay.failed', `The flow process ended (${how ?? `code ${code}`})`));
  });
  child.on('error', (error) => ended.abort(new GatehouseError('replay.failed', error.message)));
  for (const stream of [child.stdout, child.stderr]) {
    const take = cutLines((line) => {
      const failure = failureOf(line);
      if (failure && ++failures <= MOST_FAILURES) onFailure?.(failure);
    });
    stream?.setEncoding('utf8').on('data', take);
  }

  async function close(): Promise<void> {
    const closed = new Promise<void>((resolve) => child.once('close', () => resolve()));
    const gone = child.exitCode !== null || child.signalCode !== null;
    child.kill('SIGKILL');
    if (!gone) await closed;
    crumbs.close();
    await gateway[Symbol.asyncDispose]();
    rmSync(directory, { recursive: true, force: true });
  }

  const begin = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const fail = (why: string) => reject(new GatehouseError('replay.failed', why));
      ended.signal.addEventListener('abort', () => reject(ended.signal.reason), { once: true });
      const cancel = clock.after(START_WITHIN_MS, () => fail('The flow process does not start'));
      child.on('message', (message) => {
        const said = readFromChild(message);
        if (said?.is === 'flows') cancel();
        if (said?.is === 'flows' && said.running) resolve();
        else if (said?.is === 'flows') fail(`${said.reason}: ${said.detail}`);
        else if (said?.is === 'failed') fail(said.error);
      });
      child.send({
        do: 'start',
        directory,
        socket,
        token: gateway.token,
        credentialSecret: gateway.token,
        editorKey: gateway.token,
        editorSocket: join(directory, 'editor.sock'),
        language: 'zh-CN',
        safeMode: false,
        standIns: [],
        functionTimeout: 2,
        replay: true,
      } satisfies StartMessage);
    });

  try {
    await begin();
  } catch (error) {
    await close();
    throw error;
  }

  /** Quiet for `ms`; a flow that goes on for ever is left after ten times as long. */
  async function settle(ms: number, signal: AbortSignal): Promise<void> {
    const until = clock.mono() + ms * 10;
    busyAt = clock.mono();
    for (;;) {
      const wait = busyAt + ms - clock.mono();
      if (wait <= 0 || clock.mono() > until) return;
      await delay(clock, wait, signal);
    }
  }

  return {
    async play(records, { speed, settleMs, signal, next, played }) {
      const both = AbortSignal.any([signal, ended.signal]);
      await Promise.race([gateway.listening, delay(clock, LISTEN_WITHIN_MS, both)]);
      let before: JournalRecord | undefined;
      for (const [index, record] of records.entries()) {
        both.throwIfAborted();
        if (speed === 'step') await next?.();
        else if (typeof speed === 'number' && before) {
          const pause = Math.max(0, record.received - before.received) / speed;
          await delay(clock, Math.min(pause, LONGEST_PAUSE_MS), both);
        }
        both.throwIfAborted();
        gateway.emit(record);
        played?.(index + 1);
        before = record;
      }
      await settle(settleMs, both);
    },
    [Symbol.asyncDispose]: close,
  };
}
