// @ts-check
// The booth screens are built where they run; a build that matches its sources is kept.
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { runQuietly } from './children.mjs';
import { Stop, say, step } from './console.mjs';
import { ROOT } from './install.mjs';
import { whileLocked } from './lock.mjs';
import { words } from './words.mjs';

const BOOTH = join(ROOT, 'runtime/booth');
const DIST = join(BOOTH, 'dist');
const STAMP = '.stamp';
/** What ends up in the screens: their own sources, the contracts' words and types, the packages. */
const SOURCES = [BOOTH, join(ROOT, 'runtime/contracts')];

/**
 * Builds `runtime/booth/dist` unless it is there and matches the sources.
 * @param {import('./install.mjs').Ground} ground
 * @throws {Stop} If the build fails; its output has been printed.
 */
export async function buildBooth({ node, env }) {
  if (!existsSync(join(BOOTH, 'vite.config.ts'))) {
    say(words.noBooth());
    return;
  }
  if (isBuilt()) {
    return;
  }
  const lock = join(ROOT, 'node_modules/.gatehouse-building');
  await whileLocked(
    lock,
    () => say(words.otherInstall()),
    async () => {
      if (!isBuilt()) {
        await step(words.buildBooth(), () => build(node, env));
      }
    },
  );
}

/**
 * @param {string} node
 * @param {NodeJS.ProcessEnv} env
 */
async function build(node, env) {
  const digest = sourcesDigest();
  // Built aside and moved in one go: a gateway already running, or a build cut short, never shows half a screen.
  const aside = join(ROOT, `node_modules/.gatehouse-booth-${process.pid}`);
  const vite = ['node_modules/vite/bin/vite.js', 'build', '--config', 'runtime/booth/vite.config.ts'];
  try {
    const { code, lines } = await runQuietly(node, [...vite, '--outDir', aside, '--emptyOutDir'], { cwd: ROOT, env });
    if (code !== 0) {
      process.stderr.write(`${lines.slice(-40).join('\n')}\n`);
      throw new Stop(words.boothFailed());
    }
    writeFileSync(join(aside, STAMP), digest);
    rmSync(DIST, { recursive: true, force: true });
    renameSync(aside, DIST);
  } finally {
    rmSync(aside, { recursive: true, force: true });
  }
}

function isBuilt() {
  const stamp = join(DIST, STAMP);
  return existsSync(stamp) && readFileSync(stamp, 'utf8') === sourcesDigest();
}

function sourcesDigest() {
  const hash = createHash('sha256').update(readFileSync(join(ROOT, 'package-lock.json')));
  for (const file of SOURCES.flatMap(filesUnder).sort()) {
    hash.update(relative(ROOT, file)).update('\0').update(readFileSync(file)).update('\0');
  }
  return hash.digest('hex');
}

/**
 * @param {string} folder
 * @returns {string[]}
 */
function filesUnder(folder) {
  if (!existsSync(folder)) {
    return [];
  }
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) {
      return path === DIST || entry.name === 'node_modules' ? [] : filesUnder(path);
    }
    return entry.isFile() && !entry.name.includes('.test.') ? [path] : [];
  });
}
