// @ts-check
import { join } from 'node:path';
import { buildBooth } from './booth.mjs';
import { endChildrenOnSignal, runVisibly } from './children.mjs';
import { complain, Stop } from './console.mjs';
import { install, ROOT } from './install.mjs';
import { codeOf } from './lock.mjs';
import { supervise } from './supervise.mjs';
import { provideSystemPackages } from './system-packages.mjs';
import { words } from './words.mjs';

/** @type {Record<string, (args: string[]) => Promise<number>>} Each answers with an exit code. */
const verbs = {
  async start(args) {
    const ground = await prepared(buildBooth);
    // What is stripped and compiled once is kept, and glibc's arenas (one per thread) do not hoard what was freed.
    const lean = {
      MALLOC_ARENA_MAX: '2',
      NODE_COMPILE_CACHE: join(ROOT, 'node_modules/.cache/gatehouse'),
      ...ground.env,
    };
    return supervise(ground.node, join(ROOT, 'runtime/main.ts'), ['--console', ...args], lean);
  },
  /** Only what a first start installs and builds: for machines where systemd starts the gateway. */
  async install() {
    await prepared(buildBooth);
    return 0;
  },
  /** Only the watching, over any program: what systemd would do with it. */
  async supervise([main, ...args]) {
    return main ? supervise(process.execPath, main, args, process.env) : misused();
  },
  async test(args) {
    const { node, env } = await prepared(async (ready) => {
      await provideSystemPackages();
      await buildBooth(ready);
    });
    return underSignals(() => runVisibly(node, ['node_modules/vitest/vitest.mjs', 'run', ...args], { cwd: ROOT, env }));
  },
  async bench(args) {
    const { node, env } = await prepared(async () => undefined);
    const bench = ['--disable-warning=ExperimentalWarning', 'test/bench/run.ts', ...args];
    return underSignals(() => runVisibly(node, bench, { cwd: ROOT, env }));
  },
  async gatehouse(args) {
    const { node, env } = await prepared(async () => undefined);
    const command = ['--disable-warning=ExperimentalWarning', join(ROOT, 'runtime/gatehouse.ts'), ...args];
    return underSignals(() => runVisibly(node, command, { cwd: process.env.INIT_CWD ?? process.cwd(), env }));
  },
  async faults(args) {
    const { node, env } = await prepared(provideSystemPackages);
    const faults = ['--disable-warning=ExperimentalWarning', 'test/faults/run.ts', ...args];
    return underSignals(() => runVisibly(node, faults, { cwd: ROOT, env }));
  },
};

/**
 * @param {string[]} argv
 */
export async function run([verb = '', ...args]) {
  try {
    process.exitCode = await (Object.hasOwn(verbs, verb) ? verbs[verb]?.(args) : misused());
  } catch (error) {
    complain(explained(error));
    process.exitCode = 1;
  }
}

/** @param {(ground: import('./install.mjs').Ground) => Promise<void>} more What this verb needs beyond the packages. */
function prepared(more) {
  return underSignals(async () => {
    const ground = await install();
    await more(ground);
    return ground;
  });
}

/**
 * @template T
 * @param {() => Promise<T>} work
 */
async function underSignals(work) {
  const off = endChildrenOnSignal();
  try {
    return await work();
  } finally {
    off();
  }
}

function misused() {
  complain(words.usage());
  return 64;
}

/**
 * @param {unknown} error
 * @returns {import('./words.mjs').Words}
 */
function explained(error) {
  if (error instanceof Stop) {
    return error.text;
  }
  const path = error instanceof Error && 'path' in error ? String(error.path) : ROOT;
  const code = codeOf(error) ?? '';
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return words.diskFull(path, '0 GB');
  }
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') {
    return words.notWritable(path, code);
  }
  throw error;
}
