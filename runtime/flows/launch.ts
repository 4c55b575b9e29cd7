/** How the flow process is started: with what it may do, and so that it cannot outlive the core (reliability.md N9). */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
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

/** The best `setpriv` call that works here, or undefined (another system, or a container without it). */
function findSetpriv(): readonly string[] | undefined {
  if (process.platform !== 'linux') return undefined;
  const works = (options: readonly string[]) =>
    spawnSync('setpriv', [...options, 'true'], { stdio: 'ignore', timeout: 5000 }).status === 0;
  return SETPRIV_TRIES.find(works);
}

export interface Launch {
  /** Only this folder can be written. */
  readonly directory: string;
  /** For tests of the way without setpriv. */
  readonly useSetpriv?: boolean;
}

let setpriv: { readonly options: readonly string[] | undefined } | undefined;

/** Starts the flow process; what it prints comes by its pipes, everything else by IPC. */
export function launch({ directory, useSetpriv = true }: Launch): ChildProcess {
  setpriv ??= { options: findSetpriv() };
  const guarded = useSetpriv ? setpriv.options : undefined;
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
  const [command, ...args] = guarded ? ['setpriv', ...guarded, process.execPath, ...node] : [process.execPath, ...node];
  return spawn(command as string, args, {
    cwd: directory,
    // Nothing of our environment: it may hold tokens, proxies and the paths of others.
    env: {
      PATH: '/usr/bin:/bin',
      HOME: directory,
      NODE_ENV: 'production',
      MALLOC_ARENA_MAX: '2',
      ...(process.env.TZ ? { TZ: process.env.TZ } : {}),
    },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
}
