/** The flow process's own place in the journal, kept in its folder so that a restart goes on where it was. */
import { readFileSync } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

const WRITE_EVERY_MS = 200;
/**
 * A record counts as handled this long after it was handed to the nodes: what they start at once (ask, command) has
 * reached the gateway by then. A crash before repeats it, and keys made from record and node keep that harmless.
 */
const HANDLED_AFTER_MS = 2000;

export interface PositionFile {
  /** As it was at the last write; undefined on the first start. */
  readonly kept: string | undefined;
  /** Nothing before this is of interest: written before anything is handed out, so that a crash then loses nothing. */
  begin(position: string): Promise<void>;
  /** Everything up to here has been handed out. */
  reached(position: string): void;
  close(): void;
}

function read(file: string): string | undefined {
  try {
    const { position } = JSON.parse(readFileSync(file, 'utf8')) as { position?: unknown };
    return typeof position === 'string' && /^\d+:\d+$/.test(position) ? position : undefined;
  } catch {
    return undefined; // first start, or cut off by a power failure: begin with what comes next
  }
}

export function openPosition(directory: string, warn: (text: string) => void): PositionFile {
  const file = join(directory, 'position.json');
  /** Newest last; one entry per write interval is enough. */
  const handed: { position: string; at: number }[] = [];
  let written: string | undefined;
  let writing: Promise<void> = Promise.resolve();

  /** One write at a time. A position that cannot be kept is told, and costs a repetition at the next start. */
  function write(position: string): Promise<void> {
    writing = writing.then(async () => {
      try {
        await writeFile(`${file}.new`, `${JSON.stringify({ position })}\n`);
        await rename(`${file}.new`, file);
        written = position;
      } catch (error) {
        warn(`position.json: ${error instanceof Error ? error.message : String(error)}`);
      }
    });
    return writing;
  }

  const timer = setInterval(() => {
    const now = performance.now();
    let ripe: string | undefined;
    while (handed[0] && now - handed[0].at >= HANDLED_AFTER_MS) ripe = handed.shift()?.position;
    if (ripe !== undefined && ripe !== written) void write(ripe);
  }, WRITE_EVERY_MS);
  timer.unref();

  return {
    kept: read(file),
    begin(position) {
      handed.length = 0; // of another journal
      return write(position);
    },
    reached(position) {
      const now = performance.now();
      const last = handed.at(-1);
      // Joining an entry moves its time forward, so nothing counts as handled too early.
      if (last && handed.length > 1 && now - (handed.at(-2)?.at ?? 0) < WRITE_EVERY_MS) {
        last.position = position;
        last.at = now;
      } else handed.push({ position, at: now });
    },
    close: () => clearInterval(timer),
  };
}
