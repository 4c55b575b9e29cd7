// @ts-check
// Child processes that never outlive us, however we end.
import { spawn, spawnSync } from 'node:child_process';
import { constants } from 'node:os';

/** @typedef {import('node:child_process').ChildProcess} ChildProcess */

const SIGNALS = /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP']);
const PATIENCE_MS = 5_000;

/** @type {Set<ChildProcess>} */
const running = new Set();

/** @type {boolean | undefined} */
let canBind;

/** util-linux has `setpriv --pdeathsig` since 2.33; other systems go without, and rely on the IPC channel closing. */
function canBindToParent() {
  canBind ??= spawnSync('setpriv', ['--pdeathsig', 'TERM', 'true'], { stdio: 'ignore' }).status === 0;
  return canBind;
}

/**
 * As `spawn`, but the kernel ends the child when this process dies, even by SIGKILL.
 * @param {string} command
 * @param {string[]} args
 * @param {import('node:child_process').SpawnOptions} options
 * @returns {ChildProcess}
 */
export function spawnBound(command, args, options) {
  const child = canBindToParent()
    ? spawn('setpriv', ['--pdeathsig', 'TERM', '--', command, ...args], options)
    : spawn(command, args, options);
  running.add(child);
  child.once('exit', () => running.delete(child));
  child.once('error', () => running.delete(child));
  return child;
}

/**
 * @param {ChildProcess} child
 * @returns {Promise<{ code: number | null, signal: NodeJS.Signals | null }>} A child that could not start ends with 127.
 */
export function ended(child) {
  return new Promise((resolve) => {
    child.once('exit', (code, signal) => resolve({ code, signal }));
    child.once('error', () => resolve({ code: 127, signal: null }));
  });
}

/**
 * Runs a command whose output is read line by line instead of shown.
 * @param {string} command
 * @param {string[]} args
 * @param {{ cwd: string, env?: NodeJS.ProcessEnv, onLine?: (line: string, stop: () => void) => void }} options
 * @returns {Promise<{ code: number, lines: string[] }>} The last 300 lines of both streams.
 */
export async function runQuietly(command, args, { cwd, env, onLine }) {
  const child = spawnBound(command, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
  /** @type {string[]} */
  const lines = [];
  const closed = new Promise((resolve) => child.once('close', resolve));
  const stop = () => void child.kill('SIGTERM');
  for (const stream of [child.stdout, child.stderr]) {
    let rest = '';
    stream?.setEncoding('utf8').on('data', (chunk) => {
      const parts = (rest + chunk).split('\n');
      rest = parts.pop() ?? '';
      for (const line of parts) {
        lines.push(line);
        onLine?.(line, stop);
      }
      lines.splice(0, lines.length - 300);
    });
    stream?.on('end', () => rest && lines.push(rest));
  }
  const { code, signal } = await ended(child);
  if (code !== 127) {
    await closed;
  }
  return { code: code ?? exitCodeOf(signal), lines };
}

/**
 * Runs a command on our own terminal and waits for it.
 * @param {string} command
 * @param {string[]} args
 * @param {{ cwd: string, env?: NodeJS.ProcessEnv }} options
 * @returns {Promise<number>} Its exit code, 128 + n if a signal ended it.
 */
export async function runVisibly(command, args, options) {
  const { code, signal } = await ended(spawnBound(command, args, { ...options, stdio: 'inherit' }));
  return code ?? exitCodeOf(signal);
}

/** @param {NodeJS.Signals | null} signal */
export function exitCodeOf(signal) {
  return signal ? 128 + constants.signals[signal] : 1;
}

/**
 * A signal to us goes to every child; what has not ended 5 s later is killed, and we end too.
 * @returns {() => void} Takes the handlers off again.
 */
export function endChildrenOnSignal() {
  /** @param {NodeJS.Signals} signal */
  const pass = (signal) => {
    for (const child of running) {
      child.kill(signal);
    }
    const deadline = performance.now() + PATIENCE_MS;
    setInterval(() => {
      if (running.size === 0) {
        process.exit(exitCodeOf(signal));
      }
      if (performance.now() > deadline) {
        for (const child of running) {
          child.kill('SIGKILL');
        }
      }
    }, 50);
  };
  return onSignals(pass);
}

/**
 * @param {(signal: NodeJS.Signals) => void} handler
 * @returns {() => void} Takes the handlers off again.
 */
export function onSignals(handler) {
  for (const signal of SIGNALS) {
    process.on(signal, handler);
  }
  return () => {
    for (const signal of SIGNALS) {
      process.off(signal, handler);
    }
  };
}
