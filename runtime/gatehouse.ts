/** The command line of an installation: backups made, checked and restored without a gateway to ask. */

import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { parseArgs } from 'node:util';
import type { Manifest } from './backup/archive.ts';
import { doJob } from './backup/job.ts';
import { boxKey, type Keys, readBoxKey, readRecovery, recoveryOf } from './backup/keys.ts';
import { restore, verifyArchive } from './backup/restore.ts';
import { folderOf, freeName, prepareShelf, shelved } from './backup/shelf.ts';
import { GatehouseError, reasonOf } from './errors.ts';
import { type Phrase, words } from './gatehouse.words.ts';
import { verifyAuditFile } from './journal/chain.ts';
import { copyWhole, factsOf } from './journal/copies.ts';
import { inspect } from './journal/inspect.ts';
import { exportSalvaged, salvagedIn } from './journal/salvaged.ts';
import { runSaved } from './replay/saved.ts';
import { outageText } from './storage/outage-text.ts';

/** As sysexits.h has them, so that a script can tell. */
const EXIT = { usage: 64, data: 65, input: 66, software: 70, create: 73, permission: 77 } as const;
const EXIT_OF: Partial<Record<string, number>> = {
  'backup.damaged': EXIT.data,
  'backup.format': EXIT.data,
  'backup.key': EXIT.permission,
  'backup.not_empty': EXIT.create,
  'backup.passphrase': EXIT.usage,
  'backup.room': EXIT.create,
  'journal.newer': EXIT.data,
};
const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

const both = (phrase: Phrase): string => `${words[phrase].zh}\n${words[phrase].en}`;
const short = (phrase: Phrase): string => `${words[phrase].zh} ${words[phrase].en}`;
const say = (text: string) => process.stdout.write(`${text}\n`);
const complain = (phrase: Phrase, detail: string) => process.stderr.write(`${both(phrase)}\n  ${detail}\n`);

const megabytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MB`;
const time = (at: number): string => new Date(at).toISOString().slice(0, 16).replace('T', ' ');

interface Options {
  readonly data: string;
  readonly out?: string;
  readonly key?: string;
  readonly config: boolean;
  readonly passphrase: boolean;
  readonly afterEpoch: number;
}

/** @returns the passphrase, never echoed; asked for only where somebody can answer */
async function passphrase(): Promise<string | undefined> {
  const given = process.env.GATEHOUSE_PASSPHRASE;
  if (given !== undefined && given !== '') return given;
  if (!process.stdin.isTTY) return undefined;
  process.stderr.write(`${short('askPassphrase')}: `);
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  const line = createInterface({ input: process.stdin, output: silent, terminal: true });
  const typed = await new Promise<string>((done) => line.question('', done));
  line.close();
  process.stderr.write('\n');
  return typed;
}

/** The key the archive was made with, if it lies where the gateway keeps it, and a passphrase where that is not enough. */
async function keysFor(archive: string, { key, passphrase: asked }: Options): Promise<Keys> {
  const file = key ?? join(dirname(dirname(resolve(archive))), 'secrets', 'backup.key');
  const box = key !== undefined || existsSync(file) ? readBoxKey(file) : undefined;
  const typed = asked || box === undefined ? await passphrase() : process.env.GATEHOUSE_PASSPHRASE;
  return { ...(box === undefined ? {} : { box }), ...(typed === undefined ? {} : { passphrase: typed }) };
}

function tell(manifest: Manifest): void {
  const { gateway, created, kind, epoch, first, last, entries } = manifest;
  say(`  ${gateway}  ${time(created)} UTC  ${short(kind)}  epoch ${epoch}  ${first ?? '-'} … ${last ?? '-'}`);
  for (const { name, size, sha256 } of entries)
    say(`  ${name.padEnd(28)} ${String(size).padStart(12)}  sha256 ${sha256.slice(0, 16)}…`);
}

const verbs: Record<string, (options: Options, archive: string | undefined) => Promise<number> | number> = {
  async backup(options) {
    const directory = options.data;
    const found = inspect(directory);
    if (found.state !== 'ours') {
      complain('noGateway', directory);
      return EXIT.input;
    }
    const given = options.passphrase ? await passphrase() : undefined;
    const secrets = join(directory, 'secrets');
    const recovery = given === undefined ? readRecovery(secrets) : await recoveryOf(given);
    prepareShelfIfIdle(directory);
    const created = Date.now();
    const out = options.out ?? join(folderOf(directory), freeName(directory, created));
    const copy = join(folderOf(directory), `copy-${randomUUID()}.db`);
    const database = join(directory, 'gatehouse.db');
    if (!options.config) await copyWhole(database, copy);
    const { gateway } = found.identity;
    const head = factsOf(options.config ? database : copy).last ?? `${found.identity.epoch}:0`;
    const kind = options.config ? ('config' as const) : ('full' as const);
    const about = { version, gateway, head, created, kind, origin: 'demand' as const };
    doJob({ directory, out, copy, about, box: boxKey(secrets), ...(recovery ? { recovery } : {}) });
    say(both('made'));
    say(`  ${out}`);
    if (!recovery) say(both('keyHint'));
    return 0;
  },
  backups({ data }) {
    const all = shelved(data);
    if (all.length === 0) say(both('none'));
    for (const { name, kind, created, bytes, head, portable } of all) {
      const where = join(folderOf(data), name);
      say(
        `${where}  ${time(created)} UTC  ${short(kind)}  ${head}  ${megabytes(bytes)}${portable ? `  ${short('portable')}` : ''}`,
      );
    }
    return 0;
  },
  async check(options, archive) {
    if (archive === undefined) return misused('check <archive>');
    const manifest = await verifyArchive(archive, await keysFor(archive, options));
    say(both('sound'));
    tell(manifest);
    return 0;
  },
  async restore(options, archive) {
    if (archive === undefined) return misused('restore <archive> --data <directory>');
    const manifest = await restore(archive, options.data, await keysFor(archive, options), options.afterEpoch);
    say(both('restored'));
    tell(manifest);
    say(`  ${options.data}`);
    say(both('restoredNext'));
    return 0;
  },
  audit({ data }, what) {
    if (what !== 'verify') return misused('audit verify');
    const verdict = verifyAuditFile(data);
    if (!verdict) {
      complain('noGateway', data);
      return EXIT.input;
    }
    const { checked, removed, faults } = verdict;
    for (const { place, fault } of faults) say(`  ${place}  ${short(`audit.${fault}`)}`);
    say(both(faults.length === 0 ? 'auditSound' : 'auditBroken'));
    say(`  ${checked} ${short('auditChecked')}, ${removed} ${short('auditRemoved')}`);
    return faults.length === 0 ? 0 : EXIT.data;
  },
  async flows({ data }, what) {
    if (what !== 'test') return misused('flows test');
    if (!existsSync(join(data, 'flows', 'flows.json'))) {
      complain('noFlows', data);
      return EXIT.input;
    }
    const results = await runSaved(data);
    if (results.length === 0) say(both('noReplays'));
    for (const { file, result, reason } of results) {
      const verdict = result ? (result.same ? 'flowSame' : 'flowOther') : 'flowFailed';
      say(`${short(verdict)}  ${file}  ${result?.title ?? reason ?? ''}`);
      if (!result || result.same) continue;
      for (const act of result.expected) say(`    ${short('flowExpected')}  ${JSON.stringify(act)}`);
      for (const act of result.would) say(`    ${short('flowWould')}  ${JSON.stringify(act)}`);
    }
    return results.every(({ result }) => result?.same) ? 0 : EXIT.data;
  },
  salvaged({ data, out }, name) {
    const found = inspect(data);
    if (found.state !== 'ours') {
      complain('noGateway', data);
      return EXIT.input;
    }
    const all = salvagedIn(data);
    if (name === undefined) {
      if (all.length === 0) say(both('noneSalvaged'));
      for (const { name: folder, epochs, torn, from, to } of all) {
        const records = epochs.reduce((sum, { count }) => sum + count, 0);
        const days = `${from === undefined ? '-' : time(from)} … ${to === undefined ? '-' : time(to)} UTC`;
        say(`${folder}  ${days}  ${records} ${short('records')}, ${torn} ${short('torn')}`);
        for (const { epoch, first, last, count } of epochs) say(`    ${epoch}:${first} … ${epoch}:${last}  ${count}`);
      }
      return 0;
    }
    if (!all.some((one) => one.name === name)) {
      complain('noneSalvaged', name);
      return EXIT.input;
    }
    const count = exportSalvaged(data, name, found.identity.gateway, out);
    process.stderr.write(`${both('salvagedWritten')}\n  ${count} ${short('records')}${out ? `  ${out}` : ''}\n`);
    return 0;
  },
  outage({ data }) {
    if (inspect(data).state !== 'ours') {
      complain('noGateway', data);
      return EXIT.input;
    }
    say(outageText(data));
    return 0;
  },
  help() {
    say(both('usage'));
    return 0;
  },
};

/** The folder only: what lies half made in it may be the running gateway's. */
function prepareShelfIfIdle(directory: string): void {
  if (!existsSync(folderOf(directory))) prepareShelf(directory);
}

function misused(detail: string): number {
  complain('wrongUsage', detail);
  process.stderr.write(`${both('usage')}\n`);
  return EXIT.usage;
}

async function run(argv: readonly string[]): Promise<number> {
  let parsed: ReturnType<typeof parse>;
  try {
    parsed = parse(argv);
  } catch (error) {
    return misused(reasonOf(error));
  }
  const [verb = 'help', archive] = parsed.positionals;
  const action = Object.hasOwn(verbs, verb) ? verbs[verb] : undefined;
  const { values } = parsed;
  const afterEpoch = Number(values['after-epoch'] ?? 0);
  if (!action || !Number.isInteger(afterEpoch) || afterEpoch < 0 || afterEpoch > 8000) return misused(argv.join(' '));
  try {
    return await action(
      {
        data: resolve(values.data ?? process.env.GATEHOUSE_DATA ?? 'data'),
        ...(values.out === undefined ? {} : { out: resolve(values.out) }),
        ...(values.key === undefined ? {} : { key: resolve(values.key) }),
        config: values.config ?? false,
        passphrase: values.passphrase ?? false,
        afterEpoch,
      },
      archive,
    );
  } catch (error) {
    return failed(error);
  }
}

const parse = (argv: readonly string[]) =>
  parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      data: { type: 'string' },
      out: { type: 'string' },
      key: { type: 'string' },
      config: { type: 'boolean' },
      passphrase: { type: 'boolean' },
      'after-epoch': { type: 'string' },
    },
  });

/** @throws what nobody expected */
function failed(error: unknown): number {
  if (error instanceof GatehouseError && Object.hasOwn(words, error.code)) {
    complain(error.code as Phrase, error.message);
    return EXIT_OF[error.code] ?? EXIT.software;
  }
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT') {
    complain('notFound', reasonOf(error));
    return EXIT.input;
  }
  if (code === 'EEXIST') {
    complain('alreadyThere', reasonOf(error));
    return EXIT.create;
  }
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS' || code === 'ENOSPC') {
    complain('notWritable', reasonOf(error));
    return EXIT.create;
  }
  throw error;
}

process.exitCode = await run(process.argv.slice(2));
