// @ts-check
// Does for `npm start` what systemd and Docker do elsewhere: brings the gateway back whatever ended it.
import { setTimeout as pause } from 'node:timers/promises';
import { ended, exitCodeOf, onSignals, spawnBound } from './children.mjs';
import { say } from './console.mjs';
import { words } from './words.mjs';

/**
 * Ends that starting again cannot mend; the gateway itself has said what to do. Asked to stop, usage (sysexits EX_USAGE),
 * a port is taken (EX_UNAVAILABLE), configuration (EX_CONFIG).
 */
const FINAL = new Set([0, 64, 69, 78]);
/** A small young generation: the core makes much that dies at once, and 50 MB less stays resident. */
const CORE_FLAGS = ['--disable-warning=ExperimentalWarning', '--max-semi-space-size=8'];
const FIRST_DELAY_S = 1;
const LONGEST_DELAY_S = 30;
/** A life this long counts as a good start: the next failure is a new one. */
const SETTLED_MS = 60_000;
/** The gateway promises to be down in 10 s. */
const STOP_MS = 11_000;
/** A terminal's Ctrl-C reaches us twice at once (from the terminal and from npm); later than this it was meant. */
const ECHO_MS = 1_000;
const PARENT_POLL_MS = 1_000;
/** A gateway that has given signs of life (life.ts, every 5 s) and then none for this long hangs. As WatchdogSec. */
const SILENCE_MS = 30_000;

/**
 * Runs the gateway until it ends for good or we are told to stop.
 * @param {string} node
 * @param {string} main
 * @param {string[]} args
 * @param {NodeJS.ProcessEnv} env
 * @returns {Promise<number>} Exit code: the gateway's own; 128 + n if it had to be killed.
 */
export async function supervise(node, main, args, env) {
  const stop = new AbortController();
  /** @type {import('node:child_process').ChildProcess | undefined} */
  let child;
  let stoppedAt = 0;
  /** @param {NodeJS.Signals} signal */
  const passOn = (signal) => {
    if (!stop.signal.aborted) {
      stoppedAt = performance.now();
      stop.abort();
      child?.kill(signal);
      setTimeout(() => killGroup(child), STOP_MS).unref();
    } else if (performance.now() - stoppedAt > ECHO_MS) {
      killGroup(child);
    }
  };
  const offSignals = onSignals(passOn);
  const offParent = onParentGone(() => passOn('SIGTERM'));
  try {
    for (let delay = 0; ; ) {
      const started = performance.now();
      // In a group of its own, so that a terminal's Ctrl-C comes through us once. The IPC channel tells it by closing
      // that we are gone, where the kernel cannot.
      child = spawnBound(node, [...CORE_FLAGS, main, ...args], {
        env,
        detached: true,
        stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      });
      const offSilence = onSilence(child, () => killGroup(child));
      const { code, signal } = await ended(child);
      offSilence();
      killLeftovers(child);
      if (stop.signal.aborted || (code !== null && FINAL.has(code))) {
        return code ?? exitCodeOf(signal);
      }
      delay = nextDelay(delay, performance.now() - started);
      say(words.coreEnded(signal ?? `exit ${code}`, delay));
      await pause(delay * 1000, undefined, { signal: stop.signal }).catch(() => undefined);
      if (stop.signal.aborted) {
        return 0;
      }
    }
  } finally {
    offSignals();
    offParent();
  }
}

/**
 * @param {number} previous Seconds waited before the life that just ended, 0 for the first.
 * @param {number} livedMs How long that life was.
 * @returns {number} Seconds to wait now: 1, 2, 4 … 30.
 */
export function nextDelay(previous, livedMs) {
  return previous === 0 || livedMs >= SETTLED_MS ? FIRST_DELAY_S : Math.min(previous * 2, LONGEST_DELAY_S);
}

/**
 * @param {import('node:child_process').ChildProcess} child
 * @param {() => void} handler
 * @returns {() => void}
 */
function onSilence(child, handler) {
  /** @type {NodeJS.Timeout | undefined} */
  let timer;
  child.on('message', () => {
    timer ??= setTimeout(handler, SILENCE_MS);
    timer.refresh();
  });
  return () => clearTimeout(timer);
}

/** @param {import('node:child_process').ChildProcess | undefined} child */
function killGroup(child) {
  if (child && child.exitCode === null && child.signalCode === null) {
    say(words.coreKilled());
    killLeftovers(child);
  }
}

/**
 * Whatever the gateway started shares its group; a flow process left behind would hold the ports of the next life.
 * @param {import('node:child_process').ChildProcess} child
 */
function killLeftovers({ pid }) {
  if (pid === undefined) {
    return;
  }
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // Nobody left in the group: the usual case.
  }
}

/**
 * npm killed outright cannot tell us, and a gateway without its `npm start` would hold the ports unseen.
 * @param {() => void} handler
 * @returns {() => void}
 */
function onParentGone(handler) {
  const parent = process.ppid;
  const underNpm = process.env.npm_lifecycle_event !== undefined;
  const poll = setInterval(() => {
    if (underNpm && process.ppid !== parent) {
      clearInterval(poll);
      handler();
    }
  }, PARENT_POLL_MS);
  return () => clearInterval(poll);
}
