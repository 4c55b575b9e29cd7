/** What holds for every file: types, lint, format, size, and nothing that belongs to one machine. */
import { execFile, spawnSync } from 'node:child_process';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));
const LONGEST = 600;

/** Every file of the project, tracked or about to be; from the folders themselves where there is no git. */
function projectFiles(): string[] {
  const git = spawnSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
    cwd: root,
    encoding: 'utf8',
  });
  const found =
    git.status === 0
      ? git.stdout.split('\n').filter(Boolean)
      : globSync('**/*', { cwd: root, withFileTypes: true, exclude: ['**/node_modules', '**/dist', 'data'] })
          .filter((entry) => entry.isFile())
          .map((entry) => join(entry.parentPath, entry.name).slice(root.length));
  return found.filter((file) => existsSync(join(root, file)));
}

const text = (file: string) => readFileSync(join(root, file), 'utf8');

/** Runs a command of node_modules/.bin and returns what it printed if it failed, nothing if all is well. */
function complaints(command: string, ...args: string[]): Promise<string> {
  return new Promise((resolve) => {
    execFile(
      join(root, 'node_modules/.bin', command),
      args,
      { cwd: root, maxBuffer: 1 << 26 },
      (error, stdout, stderr) => resolve(error ? `${stdout}${stderr}${error.message}` : ''),
    );
  });
}

describe('the ground', { timeout: 180_000 }, () => {
  test('types hold', async () => {
    expect(await complaints('tsc', '-p', '.')).toBe('');
  });

  test('types of the booth hold', async () => {
    expect(await complaints('tsc', '-p', 'runtime/booth', '--noEmit')).toBe('');
  });

  test('lint and format hold', async () => {
    expect(await complaints('biome', 'ci', '--colors=off', '--max-diagnostics=50')).toBe('');
  });

  test('nothing is unused: files, exports, packages', async () => {
    expect(await complaints('knip', '--no-progress')).toBe('');
  });
});

describe('every file', () => {
  const files = projectFiles();

  test('is found', () => {
    expect(files).toContain('package.json');
    expect(files).toContain('test/ground.test.ts');
  });

  test('names no package registry and no folder of one machine', () => {
    // A lock file with addresses would bind every clone to the registry of the machine that wrote it.
    const foreign = /registry\.(npm|yarn)|npmmirror|\/(home|Users)\/[a-z]|\/root\/|\/tmp\/[a-z]|[ '"(`]\/work\//;
    const isPicture = /\.(png|jpe?g|ico|woff2?|wav|mp3|webp)$/;
    const found = files
      .filter((file) => !isPicture.test(file) && file !== 'test/ground.test.ts')
      .flatMap((file) =>
        text(file)
          .split('\n')
          .flatMap((line, index) => (foreign.test(line) ? [`${file}:${index + 1}: ${line.slice(0, 200)}`] : [])),
      );
    expect(found).toEqual([]);
  });

  test(`has at most ${LONGEST} lines, or says why it has more`, () => {
    const found = files
      .filter((file) => /\.(ts|tsx|mjs|js|css)$/.test(file))
      .filter((file) => text(file).split('\n').length > LONGEST && !/longer than 600 lines because/i.test(text(file)));
    expect(found).toEqual([]);
  });

  test('runs all of its tests: none skipped, none alone', () => {
    const evasive = /\b(?:test|it|describe)(?:\.\w+)*\.(?:skip|skipIf|runIf|only|todo|fails)\b/;
    const found = files.filter((file) => /\.test\.tsx?$/.test(file) && evasive.test(text(file)));
    expect(found).toEqual([]);
  });
});

describe.each(['package-lock.json', 'runtime/boot/node24/package-lock.json'])('%s', (file) => {
  interface Entry {
    readonly version?: string;
    readonly resolved?: string;
    readonly integrity?: string;
    readonly inBundle?: boolean;
    readonly optional?: boolean;
    readonly os?: string | readonly string[];
    readonly libc?: string | readonly string[];
    readonly cpu?: string | readonly string[];
    readonly optionalDependencies?: Record<string, string>;
  }
  const { packages } = JSON.parse(text(file)) as { packages: Record<string, Entry> };
  const entries = Object.entries(packages).filter(([place]) => place !== '');

  test('holds no addresses', () => {
    expect(entries.filter(([, entry]) => entry.resolved !== undefined)).toEqual([]);
  });

  test('proves every package a gateway installs by its hash', () => {
    const runsOn = (wanted: string | readonly string[] | undefined, ...ours: string[]) =>
      wanted === undefined || [wanted].flat().some((one) => ours.includes(one));
    const installs = ({ os, libc, cpu }: Entry) =>
      runsOn(os, 'linux') && runsOn(libc, 'glibc') && runsOn(cpu, 'x64', 'arm64');
    const unproven = entries.filter(([, entry]) => installs(entry) && !entry.inBundle && !entry.integrity);
    expect(unproven.map(([place]) => place)).toEqual([]);
  });

  test('names the packages of every platform: npm ci refuses a lock that leaves some out', () => {
    const missing = Object.entries(packages).flatMap(([place, entry]) =>
      Object.keys(entry.optionalDependencies ?? {}).filter(
        (name) => !placesFrom(place, name).some((one) => packages[one]),
      ),
    );
    expect(missing).toEqual([]);
  });
});

/** Where Node would look for `name` from the package at `place`, nearest first. */
function placesFrom(place: string, name: string): string[] {
  const parts = place.split('/node_modules/');
  const nested = parts.map(
    (_, index) => `${parts.slice(0, parts.length - index).join('/node_modules/')}/node_modules/${name}`,
  );
  return [...(place === '' ? [] : nested), `node_modules/${name}`];
}
