/** The flow process's output as lines of our log. A flow can print without end, so what is too much is counted only. */
import type { ChildProcess } from 'node:child_process';
import type { Clock } from '../clock.ts';
import type { Log } from '../log.ts';

const LINES_PER_SECOND = 50;
const LONGEST_LINE = 4000;
const levels = ['error', 'warn', 'info', 'debug'] as const;

interface Entry {
  readonly level: (typeof levels)[number];
  readonly msg: string;
  readonly node?: string;
  readonly type?: string;
}

/** Node-RED's own entries are JSON (settings.ts); anything else was printed by a flow or by Node itself. */
function entryOf(line: string): Entry | undefined {
  if (!line.startsWith('{"level"')) return undefined;
  try {
    const entry = JSON.parse(line) as Entry;
    return levels.includes(entry.level) && typeof entry.msg === 'string' ? entry : undefined;
  } catch {
    return undefined; // printed by a flow, only looks like one
  }
}

/** Cuts a stream into lines and long lines short, holding no more than one line of the longest length. */
export function cutLines(onLine: (line: string) => void): (chunk: string) => void {
  let rest = '';
  return (chunk) => {
    let from = 0;
    for (let end = chunk.indexOf('\n'); end >= 0; end = chunk.indexOf('\n', from)) {
      onLine((rest + chunk.slice(from, Math.min(end, from + LONGEST_LINE))).slice(0, LONGEST_LINE));
      rest = '';
      from = end + 1;
    }
    rest = (rest + chunk.slice(from, from + LONGEST_LINE)).slice(0, LONGEST_LINE);
  };
}

export function relayOutput(child: ChildProcess, log: Log, clock: Clock): void {
  let window = clock.mono();
  let lines = 0;
  const admit = (): boolean => {
    const now = clock.mono();
    if (now - window >= 1000) {
      if (lines > LINES_PER_SECOND) log.warn({ dropped: lines - LINES_PER_SECOND }, 'flows: too much output');
      window = now;
      lines = 0;
    }
    lines += 1;
    return lines <= LINES_PER_SECOND;
  };
  for (const [stream, fallback] of [
    [child.stdout, 'info'],
    [child.stderr, 'warn'],
  ] as const) {
    if (!stream) continue;
    const take = cutLines((line) => {
      if (line.trim() === '' || !admit()) return;
      const entry = entryOf(line);
      if (entry) log[entry.level]({ node: entry.node, type: entry.type }, entry.msg);
      else log[fallback]({ output: line }, 'flows: output');
    });
    stream.setEncoding('utf8').on('data', take);
  }
}
