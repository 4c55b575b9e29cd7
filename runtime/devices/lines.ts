/**
 * Lines that several devices share. When a device on one falls silent it is either this device or the whole line, and only
 * the others can tell: its alarm waits a moment for their word, so that a dead bus is one alarm and not thirty.
 */
import type { Clock } from '../clock.ts';

/** The line as the device of its own alarms. @param line as the driver names it, e.g. `tcp:10.0.0.5:502` */
export const lineDevice = (line: string): string =>
  `line-${line
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-|-$/g, '')}`.slice(0, 63);

export interface LineVerdicts {
  /** What is to be told of a device that has fallen silent: its own alarm, that of the line and all on it, or nothing yet. */
  silent(device: string): 'device' | 'line' | 'wait';
  /** It says something. @returns devices of its line whose silence is known to be their own now */
  speaks(device: string): readonly string[];
  /** It is silent no more, or gone from the line. */
  forget(device: string): void;
  close(): void;
}

interface Parts {
  readonly clock: Clock;
  lineOf(device: string): string | undefined;
  members(line: string): Iterable<string>;
  isOffline(device: string): boolean;
  /** Nobody else has said anything for a while, and not all are silent: it is taken for the device's own silence. */
  onOwn(device: string): void;
}

/** So long the others have to say something. */
const VERDICT_MS = 15_000;
const nobody: readonly string[] = [];

export function createLineVerdicts({ clock, members, lineOf, isOffline, onOwn }: Parts): LineVerdicts {
  /** By line: the silent devices without a verdict, and how to stop waiting for it. */
  const waiting = new Map<string, Map<string, () => void>>();

  function forget(device: string): void {
    const line = lineOf(device) ?? '';
    const silent = waiting.get(line);
    silent?.get(device)?.();
    silent?.delete(device);
    if (silent?.size === 0) waiting.delete(line);
  }

  return {
    silent(device) {
      const line = lineOf(device);
      const all = line === undefined ? [] : [...members(line)];
      if (line === undefined || all.length < 2) return 'device';
      if (all.every(isOffline)) {
        for (const one of all) forget(one);
        return 'line';
      }
      forget(device);
      const silent = waiting.get(line) ?? new Map<string, () => void>();
      waiting.set(line, silent);
      silent.set(
        device,
        clock.after(VERDICT_MS, () => {
          forget(device);
          onOwn(device);
        }),
      );
      return 'wait';
    },
    speaks(device) {
      const silent = waiting.get(lineOf(device) ?? '');
      if (!silent) return nobody; // nearly always, and for every reading
      forget(device);
      const own = [...silent.keys()];
      for (const one of own) forget(one);
      return own;
    },
    forget,
    close() {
      for (const silent of waiting.values()) for (const cancel of silent.values()) cancel();
      waiting.clear();
    },
  };
}
