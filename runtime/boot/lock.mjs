// @ts-check
import { existsSync, mkdirSync, renameSync, rmSync, statSync, utimesSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';

const TOUCH_MS = 2_000;
/** A holder touches its lock every 2 s; one that has not for this long was killed or its machine lost power. */
const STALE_MS = 15_000;

/**
 * Does a piece of work while holding a lock directory, so that two commands started at once do not trip each other.
 * @template T
 * @param {string} lock Path of the directory; its parent exists.
 * @param {() => void} onWait Called once if somebody else holds it.
 * @param {() => Promise<T>} work
 * @returns {Promise<T>}
 */
export async function whileLocked(lock, onWait, work) {
  if (!take(lock)) {
    onWait();
    do {
      breakIfStale(lock);
      await pause(300);
    } while (!take(lock));
  }
  const release = () => rmSync(lock, { recursive: true, force: true });
  process.once('exit', release);
  const touch = setInterval(() => {
    if (existsSync(lock)) {
      utimesSync(lock, new Date(), new Date());
    }
  }, TOUCH_MS);
  try {
    return await work();
  } finally {
    clearInterval(touch);
    process.off('exit', release);
    release();
  }
}

/** @param {string} lock */
function take(lock) {
  try {
    mkdirSync(lock);
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') {
      return false;
    }
    throw error;
  }
}

/** @param {string} lock */
function breakIfStale(lock) {
  if (!isStale(lock)) {
    return;
  }
  // Renaming lets only one of several waiters win; if a new holder slipped in meanwhile, it gets its lock back.
  const aside = `${lock}.${process.pid}`;
  try {
    renameSync(lock, aside);
    if (!isStale(aside)) {
      renameSync(aside, lock);
    }
  } catch (error) {
    if (codeOf(error) !== 'ENOENT' && codeOf(error) !== 'ENOTEMPTY') {
      throw error;
    }
  }
  rmSync(aside, { recursive: true, force: true });
}

/** @param {string} path */
function isStale(path) {
  const found = statSync(path, { throwIfNoEntry: false });
  return found !== undefined && Date.now() - found.mtimeMs > STALE_MS;
}

/**
 * @param {unknown} error
 * @returns {string | undefined} `ENOENT` and the like.
 */
export function codeOf(error) {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined;
}
