/** How the flow process is started: with what it may do, and so that it cannot outlive the core (reliability.md N9). */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { setPriority } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const entry = fileURLToPath(new URL('child.ts', import.meta.url));

/** Code, and nothing else of the checkout: the data directory may lie inside it. */
const READABLE = ['package.json', 'runtime/flows', 'runtime/contracts', 'nodes', 'flows', 'node_modules'];

/** Ways to tie the child to our life and take its rights, best first. Emptying the capabilities needs root itself. */
const SETPRIV_TRIES: readonly (readonly string[])[] = [
  ['--pdeathsig', 'KILL', '--no-new-privs', '--bounding-set=-all'],
  ['--pdeathsig', 'KILL', '--no-new-privs'],
];

/**
 * Private memory, which the kernel refuses beyond: a buffer of 2 GB fails in the flow that wants it, instead of making the
 * kernel choose what to kill. Node itself and a full heap take half of it.
 */
const DATA_BYTES = 1536 * 2 ** 20;

const works = (command: string, options: readonly string[]): boolean =>
  process.platform === 'linux' &&
  spawnSync(command, [...options, 'true'], { stdio: 'ignore', timeout: 5000 }).status === 0;

/** The best of these calls that works here, or nothing (another system, or a container without it). */
function best(command: string, tries: readonly (readonly string[])[]): readonly string[] | undefined {
  const options = tries.find((one) => works(command, one));
  return options && [command, ...options];
}

/** Of two processes that want the same core or the last page, a gate's comes before a flow's. */
function stepBack(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    setPriority(pid, NICE);
    writeFileSync(`/proc/${pid}/oom_score_adj`, OOM_SCORE);
  } catch {
    // gone already, or a system without it
  }
}

export interface Launch {
  /** Only this folder can be written. */
  readonly directory: string;
  /** For tests of the way without setpriv. */
  readonly useSetpriv?: boolean;
  /** Open file for {@link CRUMB_FD}. */
  readonly crumbs: number;
}

const NICE = 5;
const OOM_SCORE = '900';

let tools: { readonly limit: readonly string[]; readonly guard: readonly string[] | undefined } | undefined;

/** Starts the flow process; what it prints comes by its pipes, everything else by IPC. */
export function launch({ directory, useSetpriv = true, crumbs }: Launch): ChildProcess {
  tools ??= { limit: best('prlimit', [[`--data=${DATA_BYTES}`]]) ?? [], guard: best('setpriv', SETPRIV_TRIES) };
  const guarded = useSetpriv ? tools.guard : undefined;
  const node = [
    '--permission',
    ...READABLE.map((path) => join(root, path))
      .filter(existsSync)
      .map((path) => `--allow-fs-read=${path}`),
    `--allow-fs-read=${directory}`,
    `--allow-fs-write=${directory}`,
    ...(guarded ? [] : ['--allow-worker']),
    '--max-old-space-size=256',
    '--max-semi-space-size=4', // with one arena less: 30 MB less resident, and flows make little
    '--disable-warning=ExperimentalWarning',
    '--disable-warning=SecurityWarning',
    entry,
    ...(guarded ? [] : ['--guard', String(process.pid)]),
  ];
  const [command, ...args] = [...tools.limit, ...(guarded ?? []), process.execPath, ...node];
  const child = spawn(command as string, args, {
    cwd: directory,
    // Nothing of our environment: it may hold tokens, proxies and the paths of others.
    env: {
      PATH: '/usr/bin:/bin',
      HOME: directory,
      NODE_ENV: 'production',
      MALLOC_ARENA_MAX: '2',
      ...(process.env.TZ ? { TZ: process.env.TZ } : {}),
    },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc', crumbs],
  });
  stepBack(child.pid);
  return child;
}
