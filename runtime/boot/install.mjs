// @ts-check
// Puts in place what a fresh clone lacks: a Node the gateway runs on, and its packages.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statfsSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, dirname, join, relative, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runQuietly } from './children.mjs';
import { Stop, say, step } from './console.mjs';
import { whileLocked } from './lock.mjs';
import { atLeast, WANTED } from './node-version.mjs';
import { errorLines, explainNpmFailure, withoutCredentials } from './npm-failure.mjs';
import { words } from './words.mjs';

/** Folder of the clone. */
export const ROOT = resolve(fileURLToPath(new URL('../..', import.meta.url)));
const PACKAGES = join(ROOT, 'node_modules');
const SIDE = join(ROOT, 'runtime/boot/node24');
const STAMP = 'node_modules/.gatehouse-installed';
const ATTEMPTS = 3;
const NEEDED_BYTES = 1_200_000_000;
const NEEDED_CACHE_BYTES = 400_000_000;

/**
 * @typedef {object} Ground
 * @property {string} node Path of a Node the gateway runs on.
 * @property {NodeJS.ProcessEnv} env Environment in which `node` and the packages' commands are found first.
 */

/**
 * Installs what is missing, visibly; on the next run it only compares two stamps.
 * @returns {Promise<Ground>}
 * @throws {Stop} With cause and remedy if something is in the way.
 */
export async function install() {
  const side = sideNode();
  const node = hostNodeWillDo() ? process.execPath : side.binary;
  const nodeReady = () => node === process.execPath || (existsSync(node) && stampIs(SIDE, side.digest));
  const packagesReady = () => stampIs(ROOT, packagesDigest());
  if (!nodeReady() || !packagesReady()) {
    await whileLocked(join(ROOT, '.gatehouse-installing'), announceWait, async () => {
      if (!nodeReady()) {
        await installNode(side);
      }
      if (!packagesReady()) {
        await installPackages(node);
      }
    });
  }
  linkNode(node);
  const path = [join(PACKAGES, '.bin'), dirname(node), process.env.PATH ?? ''].join(delimiter);
  return { node, env: { ...process.env, PATH: path } };
}

function announceWait() {
  say(words.otherInstall());
}

function sideNode() {
  const platform = `${process.platform}-${process.arch}`;
  const name = `node-${platform}`;
  /** @type {{ optionalDependencies: Record<string, string> }} */
  const { optionalDependencies } = JSON.parse(readFileSync(join(SIDE, 'package.json'), 'utf8'));
  return {
    platform,
    version: optionalDependencies[name],
    binary: join(SIDE, 'node_modules', name, 'bin/node'),
    digest: digestOf([join(SIDE, 'package-lock.json')], platform),
  };
}

/**
 * npm puts `node_modules/.bin` first on PATH, so from the second run on `node` is already the one fetched here: that
 * must not count as the host's own, or a removed side folder would go unnoticed.
 */
function hostNodeWillDo() {
  const ours = realpathSync(process.execPath).startsWith(realpathSync(SIDE) + sep);
  return !ours && atLeast(process.versions.node, WANTED);
}

/** @param {ReturnType<typeof sideNode>} side */
async function installNode({ platform, version, binary, digest }) {
  if (!version) {
    throw new Stop(words.noNodeForPlatform(platform));
  }
  await step(words.fetchNode(process.versions.node, version), async (note) => {
    await npmCi(process.execPath, SIDE, binary, note);
    // A C library the binary cannot use shows only when it runs.
    if (spawnSync(binary, ['-p', 'process.versions.node'], { encoding: 'utf8' }).stdout?.trim() !== version) {
      throw new Stop(words.noNodeForPlatform(platform));
    }
    writeStamp(SIDE, digest);
  });
}

/** @param {string} node */
async function installPackages(node) {
  await step(words.installPackages(), async (note) => {
    rmSync(join(ROOT, STAMP), { force: true });
    await npmCi(node, ROOT, join(PACKAGES, '.bin'), note);
    writeStamp(ROOT, packagesDigest());
  });
}

/**
 * No package here needs its install script (the native ones bring binaries for every platform), so none is run.
 * @param {string} node Runs npm: packages choose their binaries by it.
 * @param {string} folder
 * @param {string} proof A file that is there afterwards. What is optional to npm (Node for this platform) it leaves out in peace.
 * @param {import('./console.mjs').Note} note
 */
async function npmCi(node, folder, proof, note) {
  // npm itself gives up on an optional package without a word when its cache is full.
  needSpace(folder, NEEDED_BYTES);
  needSpace(process.env.npm_config_cache ?? join(homedir(), '.npm'), NEEDED_CACHE_BYTES);
  let fetched = 0;
  let torn = false;
  const { code, lines } = await npm(node, folder, CI, (line, stop) => {
    const [, attempt, fault] = /attempt (\d+) failed with (\w+)/.exec(line) ?? [];
    if (fault) {
      note(words.retrying(fault));
      // npm would go on for minutes, package by package, towards the same end.
      if (fetched === 0 && Number(attempt) >= ATTEMPTS) {
        stop();
      }
    } else if (/^npm http (fetch GET 200|cache) /.test(line)) {
      fetched += 1;
      note(words.fetched(fetched));
    } else if (/TAR_ENTRY_ERROR (ENOSPC|EDQUOT)/.test(line)) {
      torn = true; // npm leaves the file cut short and may still end with 0
    }
  });
  if (code !== 0 || torn || !existsSync(proof)) {
    process.stderr.write(`\n${[...new Set(errorLines(lines))].slice(0, 20).join('\n')}\n`);
    const where = { registry: await registryOf(node, folder), folder, free: freeText(folder) };
    throw new Stop(explainNpmFailure(lines, where));
  }
}

/**
 * @param {string} node
 * @param {string} folder
 */
async function registryOf(node, folder) {
  // `config get registry` refuses an address that holds a password; `config list` shows it with the password covered.
  const { lines } = await npm(node, folder, ['config', 'list', '--long']);
  const [, registry = '?'] = /^registry = "(.*)"/m.exec(lines.join('\n')) ?? [];
  return withoutCredentials(registry);
}

// NODE_ENV=production or omit=dev in the caller's settings must not leave out what builds the booth screens.
const CI = ['ci', '--ignore-scripts', '--include=dev', '--include=optional', '--loglevel=http', '--prefer-offline'];
CI.push('--no-audit', '--no-fund', '--no-progress', '--no-update-notifier');

/**
 * @param {string} node
 * @param {string} cwd
 * @param {string[]} args
 * @param {(line: string, stop: () => void) => void} [onLine]
 */
function npm(node, cwd, args, onLine) {
  /** @type {NodeJS.ProcessEnv} */
  const env = {};
  for (const [name, value] of Object.entries(process.env)) {
    // npm describes the script it runs in the environment; an install inside must not take that for its own.
    if (!/^npm_(lifecycle|package|command|config_local_prefix)/.test(name)) {
      env[name] = value;
    }
  }
  // npm waits 10 s and 60 s before it tries again; a person in front of a wrong address should hear sooner.
  env.npm_config_fetch_retries = String(ATTEMPTS - 1);
  env.npm_config_fetch_retry_mintimeout ??= '1000';
  env.npm_config_fetch_retry_maxtimeout ??= '8000';
  // Node-RED brings an npm of its own into node_modules, which `npm ci` would delete under its own feet.
  const path = (process.env.PATH ?? '').split(delimiter).filter((folder) => !folder.startsWith(PACKAGES));
  env.PATH = [dirname(node), ...path].join(delimiter);
  const cli = process.env.npm_execpath;
  const options = { cwd, env, ...(onLine && { onLine }) };
  return cli?.endsWith('npm-cli.js') && !cli.startsWith(PACKAGES)
    ? runQuietly(node, [cli, ...args], options)
    : runQuietly('npm', args, options);
}

/**
 * `npx vitest` and the like on a command line then also run on the Node fetched here.
 * @param {string} node
 */
function linkNode(node) {
  const link = join(PACKAGES, '.bin/node');
  const linked = existsSync(link) && realpathSync(link) === realpathSync(node);
  if (node !== process.execPath && !linked) {
    mkdirSync(dirname(link), { recursive: true });
    rmSync(link, { force: true });
    symlinkSync(relative(dirname(link), node), link);
  }
}

function packagesDigest() {
  return digestOf([join(ROOT, 'package-lock.json')], `${process.platform}-${process.arch}`);
}

/**
 * @param {string[]} files
 * @param {string} [more]
 */
function digestOf(files, more = '') {
  const hash = createHash('sha256');
  for (const file of files) {
    hash.update(readFileSync(file));
  }
  return hash.update(more).digest('hex');
}

/**
 * @param {string} folder
 * @param {string} digest
 */
function stampIs(folder, digest) {
  const stamp = join(folder, STAMP);
  return existsSync(stamp) && readFileSync(stamp, 'utf8') === digest;
}

/**
 * @param {string} folder
 * @param {string} digest
 */
function writeStamp(folder, digest) {
  mkdirSync(join(folder, 'node_modules'), { recursive: true });
  writeFileSync(join(folder, STAMP), digest);
}

/**
 * @param {string} folder Need not exist yet.
 * @param {number} bytes
 */
function needSpace(folder, bytes) {
  if (!existsSync(folder)) {
    needSpace(dirname(folder), bytes);
  } else if (freeBytes(folder) < bytes) {
    throw new Stop(words.diskFull(folder, freeText(folder), `${bytes / 1e9} GB`));
  }
}

/** @param {string} folder */
function freeBytes(folder) {
  const { bavail, bsize } = statfsSync(folder);
  return bavail * bsize;
}

/** @param {string} folder */
function freeText(folder) {
  return `${(freeBytes(folder) / 1e9).toFixed(1)} GB`;
}
