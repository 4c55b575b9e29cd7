/** The simulated power cut against what a disk may do. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Image, imageAt, type Luck, readPlaced, readTrace, type Step } from './power.ts';
import { faultyDisk, traced } from './shim.ts';
import { seeded } from './trial.ts';

const folder = mkdtempSync(join(tmpdir(), 'gh-power-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Runs a script with `fs` and the directory `d` on a disk of its own. */
const onDisk = (script: string, directory: string, env: Readonly<Record<string, string>>): string =>
  execFileSync(
    process.execPath,
    ['-e', `const fs = require('node:fs'); const d = process.argv[1];\n${script}`, directory],
    {
      env: { ...process.env, ...env },
      encoding: 'utf8',
    },
  );

let steps: Step[] = [];
beforeAll(() => {
  const directory = mkdtempSync(join(folder, 'data-'));
  const trace = join(folder, 'trace');
  onDisk(
    `const sync = (path) => { const f = fs.openSync(path, 'r'); fs.fsyncSync(f); fs.closeSync(f); };
    fs.writeFileSync(d + '/kept', 'a'.repeat(2000)); sync(d + '/kept'); sync(d);
    fs.appendFileSync(d + '/acks', 'one\\n');
    const f = fs.openSync(d + '/kept', 'r+'); fs.writeSync(f, 'b'.repeat(2000), 0); fs.closeSync(f);
    fs.writeFileSync(d + '/lost', 'c'); sync(d + '/lost');
    fs.renameSync(d + '/kept', d + '/moved');`,
    directory,
    traced(directory, trace),
  );
  steps = readTrace(trace);
});

const cut = (luck: Luck, seed = 1, at = steps.length): Image => imageAt(new Map(), steps, at, luck, seeded(seed));
const text = (image: Image, path: string) => image.get(path)?.toString();

test('only what was flushed is certain: content of a file by its own flush, its name by that of the folder', () => {
  expect([...cut('none').keys()]).toEqual(['kept']);
  expect(text(cut('none'), 'kept')).toBe('a'.repeat(2000));
});

test('with all the luck it is as after a kill', () => {
  const image = cut('all');
  expect(new Set(image.keys())).toEqual(new Set(['lost', 'moved']));
  expect(text(image, 'moved')).toBe('b'.repeat(2000));
});

test('writes not flushed are torn at sectors', () => {
  const torn = Array.from({ length: 20 }, (_, seed) => cut(0.5, seed)).map(
    (image) => text(image, 'kept') ?? text(image, 'moved') ?? '',
  );
  for (const content of torn) expect(content).toMatch(/^(a{512}|b{512}){3}(a{464}|b{464})$/);
  expect(new Set(torn).size).toBeGreaterThan(5);
});

test('acknowledgements stand between the changes, in the order in which they came', () => {
  const at = steps.findIndex(({ what }) => what === 'ack');
  expect(steps[at]?.data.toString()).toBe('one\n');
  expect(text(cut('none', 1, at), 'kept')).toBe('a'.repeat(2000)); // flushed before it was acknowledged
  expect(cut('none', 1, 0).size).toBe(0);
});

test('a disk goes on from what lies on it', () => {
  const directory = mkdtempSync(join(folder, 'more-'));
  const trace = join(folder, 'more');
  onDisk(`fs.writeFileSync(d + '/old', 'old')`, directory, {});
  const before = readPlaced(directory);
  onDisk(`fs.appendFileSync(d + '/old', ' and new'); fs.unlinkSync(d + '/old')`, directory, traced(directory, trace));
  const left = (luck: Luck) => imageAt(before, readTrace(trace), Number.POSITIVE_INFINITY, luck, seeded(1));
  expect(text(left('none'), 'old')).toBe('old');
  expect(left('all').size).toBe(0);
});

test('a faulty disk refuses what it is told to, has only so much room, and is sound again', () => {
  const directory = mkdtempSync(join(folder, 'faulty-'));
  using disk = faultyDisk(directory);
  const tryWrite = () =>
    onDisk(
      `try { fs.writeFileSync(d + '/x', Buffer.alloc(10_000)); process.stdout.write('written'); } catch (error) { process.stdout.write(error.code); }`,
      directory,
      disk.environment,
    );
  const outcomes = [tryWrite()];
  for (const error of ['ENOSPC', 'EIO', 'EROFS'] as const) {
    disk.set({ error });
    outcomes.push(tryWrite());
  }
  expect(disk.struck()).toBe(3);
  disk.set({});
  outcomes.push(tryWrite());
  disk.limit(0, 10_000_000);
  outcomes.push(tryWrite()); // the old content made room before the new was written
  rmSync(join(directory, 'x'));
  disk.limit(9999, 10_000_000);
  outcomes.push(tryWrite());
  expect(outcomes).toEqual(['written', 'ENOSPC', 'EIO', 'EROFS', 'written', 'written', 'ENOSPC']);
});

test('R2 a flow file is there whole or not at all, wherever the plug is pulled', () => {
  const directory = mkdtempSync(join(folder, 'flows-'));
  const trace = join(folder, 'flows');
  const entry = new URL('../../runtime/flow-history/flow-file.ts', import.meta.url).href;
  onDisk(
    `import(${JSON.stringify(entry)}).then(({ writePair }) => {
      writePair(d, { flows: Buffer.from('[{"id":"a","type":"tab"}]') });
      writePair(d, { flows: Buffer.from('[{"id":"b","type":"tab"}]'), credentials: Buffer.from('{}') });
    });`,
    directory,
    traced(directory, trace),
  );
  const made = readTrace(trace);
  for (let at = 0; at <= made.length; at++) {
    for (const luck of ['none', 0.5, 'all'] as const) {
      const found = text(imageAt(new Map(), made, at, luck, seeded(at)), 'flows.json');
      if (found !== undefined) expect(Array.isArray(JSON.parse(found)), `cut before ${at}, luck ${luck}`).toBe(true);
    }
  }
  expect(text(imageAt(new Map(), made, made.length, 'none', seeded(1)), 'flows.json')).toContain('"b"');
});

/** What is certain once the script is done: all that was flushed, and nothing else. */
function certainAfter(script: string): Image {
  const directory = mkdtempSync(join(folder, 'certain-'));
  const trace = `${directory}.trace`;
  onDisk(script, directory, traced(directory, trace));
  const made = readTrace(trace);
  return imageAt(new Map(), made, made.length, 'none', seeded(1));
}
const moduleAt = (path: string): string => JSON.stringify(new URL(`../../runtime/${path}`, import.meta.url).href);

test('R1 a key is on the disk before anything is signed with it', () => {
  const image = certainAfter(
    `fs.mkdirSync(d + '/secrets'); const f = fs.openSync(d, 'r'); fs.fsyncSync(f);
    import(${moduleAt('flows/secret.ts')}).then(({ keptSecret }) => keptSecret(d + '/secrets', 'flow-versions'));`,
  );
  expect(text(image, 'secrets/flow-versions')).toMatch(/^[0-9a-f]{64}$/);
});

test('R1 a picture that is kept is there under its name', () => {
  const image = certainAfter(
    `import(${moduleAt('devices/evidence.ts')}).then(({ openEvidence }) => openEvidence(d).keep(Buffer.from('jpeg')).kept);`,
  );
  expect([...image.keys()].filter((path) => path.endsWith('.jpg'))).toHaveLength(1);
});
