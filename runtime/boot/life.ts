/** Tells whoever watches this process that it lives: systemd, or the supervisor of `npm start`. Both kill a silent one. */
import { execFile } from 'node:child_process';

const EVERY_MS = 5_000;

export interface LifeOptions {
  /** Looked at every 5 s; no sign of life is given unless it answers true. A loop that hangs gives none either. */
  readonly healthy: () => Promise<boolean>;
  /** The supervisor of `npm start` died without a word; nobody else will end this process. */
  readonly onOrphaned: () => void;
}

export interface Life {
  /** The gateway serves; systemd counts it as started from here. */
  ready(): void;
  /** No more signs: the gateway is stopping, which has a time limit of its own. */
  stop(): void;
}

/**
 * Gives signs of life until stopped; without a watcher it does nothing.
 *
 * Node has no datagram sockets in the Unix domain, so systemd is told by its own `systemd-notify` (the unit has
 * `NotifyAccess=all` for that): a short process every 5 s, against a WatchdogSec of 30.
 */
export function showLife({ healthy, onOrphaned }: LifeOptions): Life {
  const sign = async () => {
    // A check that fails to run is an unhealthy gateway, whatever the reason.
    if (await healthy().catch(() => false)) {
      if (process.connected) {
        process.send?.('alive');
      }
      notify('WATCHDOG=1');
    }
  };
  const timer = setInterval(() => void sign(), EVERY_MS).unref();
  if (process.connected) {
    process.once('disconnect', onOrphaned);
  }
  return {
    ready: () => notify('READY=1'),
    stop() {
      clearInterval(timer);
      process.off('disconnect', onOrphaned);
      notify('STOPPING=1');
    },
  };
}

function notify(state: string): void {
  if (process.env.NOTIFY_SOCKET) {
    // A failed call needs no answer here: systemd itself acts on the sign it misses.
    execFile('systemd-notify', [state], () => undefined);
  }
}
