/** A real child process under test: its lines as they come, and its certain end. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';

const PATIENCE_MS = 25_000;

export interface Launched extends AsyncDisposable {
  readonly child: ChildProcess;
  readonly pid: number;
  /** Everything printed so far, both streams, with the monotonic time of each line. */
  readonly lines: readonly { readonly at: number; readonly text: string }[];
  /** The first line, from the given index on, that matches; rejects if the process ends or is silent about it for 25 s. */
  line(pattern: RegExp, from?: number): Promise<RegExpExecArray>;
  /** Exit code, or the signal's name. */
  readonly ended: Promise<number | string>;
  text(): string;
}

/** Starts `command`; disposing kills it (by its pid) if it still runs. */
export function launch(
  command: string,
  args: readonly string[],
  options: { readonly cwd?: string; readonly env?: NodeJS.ProcessEnv } = {},
): Launched {
  const child = spawn(command, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
  const lines: { at: number; text: string }[] = [];
  const waiting = new Set<() => void>();
  let over = false;
  for (const stream of [child.stdout, child.stderr]) {
    let rest = '';
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      const parts = (rest + chunk).split('\n');
      rest = parts.pop() ?? '';
      lines.push(...parts.map((text) => ({ at: performance.now(), text })));
      for (const look of waiting) look();
    });
  }
  const text = () => lines.map((line) => line.text).join('\n');
  const ended = new Promise<number | string>((resolve) => {
    child.once('close', (code, signal) => {
      over = true;
      for (const look of waiting) look();
      resolve(code ?? signal ?? 'unknown');
    });
  });
  return {
    child,
    pid: child.pid ?? 0,
    lines,
    ended,
    text,
    line(pattern, from = 0) {
      return new Promise((resolve, reject) => {
        const finish = (settle: () => void) => {
          clearTimeout(timer);
          waiting.delete(look);
          settle();
        };
        const fail = (why: string) => finish(() => reject(new Error(`${why}: no line ${pattern} in\n${text()}`)));
        const look = () => {
          for (const { text: line } of lines.slice(from)) {
            const found = pattern.exec(line);
            if (found) return finish(() => resolve(found));
          }
          if (over) fail('the process ended');
        };
        const timer = setTimeout(() => fail('timed out'), PATIENCE_MS);
        waiting.add(look);
        look();
      });
    },
    async [Symbol.asyncDispose]() {
      if (!over) child.kill('SIGKILL');
      await ended;
    },
  };
}

/** Resolves when no process has this pid any more; rejects after `withinMs`. */
export async function gone(pid: number, withinMs: number): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (isAlive(pid)) {
    if (performance.now() > deadline) throw new Error(`process ${pid} is still there after ${withinMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    // A container's first process may leave the dead unburied.
    return !existsSync(`/proc/${pid}/stat`) || !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}
