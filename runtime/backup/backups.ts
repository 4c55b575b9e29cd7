/**
 * Backups of a running gateway: every day, after every new epoch, and when somebody asks (reliability.md section 7). The
 * copy runs beside the records on the journal's own connection, everything else on a thread of its own.
 */
import { randomUUID } from 'node:crypto';
import { statfsSync } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { type Clock, every } from '../clock.ts';
import { formatPosition } from '../contracts/record.ts';
import { GatehouseError, reasonOf } from '../errors.ts';
import type { Journal } from '../journal/journal.ts';
import type { Log } from '../log.ts';
import { runJob } from './job.ts';
import { boxKey, readRecovery, recoveryOf, rememberRecovery } from './keys.ts';
import type { Header } from './seal.ts';
import { folderOf, freeName, isName, prepareShelf, type Shelved, shelved, tidyShelf } from './shelf.ts';

type Kind = Header['kind'];
export interface BackupOptions {
  readonly directory: string;
  readonly journal: Pick<Journal, 'gateway' | 'epoch' | 'head' | 'chore' | 'space' | 'append' | 'started'>;
  readonly clock: Clock;
  readonly log: Log;
  readonly version: string;
  /** Raises and clears the alarm of a backup that failed. */
  readonly report: (fault: string | undefined) => Promise<unknown>;
}
export interface Wish {
  readonly kind?: Kind | undefined;
  readonly passphrase?: string | undefined;
  /** Every later archive can be opened with it as well. */
  readonly remember?: boolean | undefined;
}

const DAY_MS = 24 * 3600_000;
const LOOK_MS = 10 * 60_000;
/** Not among the first things a started gateway does. */
const FIRST_LOOK_MS = 2 * 60_000;
const KEEP = 7;
/** Part of the partition that seven archives may take. */
const SHARE = 0.1;
const FLUSH_EVERY_MS = 50;
const SPARE_BYTES = 256 << 20;
const MAX_FULL = 4 * 2 ** 30;

export interface Backups {
  /** @throws GatehouseError `backup.busy`, `backup.room`, `backup.passphrase`, `journal.*` */
  make(wish: Wish, actor: string): Promise<Shelved>;
  list(): Shelved[];
  /** The file of an archive. @throws GatehouseError `backup.not_found` */
  file(name: string): { path: string; bytes: number };
  running(): boolean;
  /** One being made is given up; the next start removes what is left of it. */
  stop(): Promise<void>;
}

export function createBackups(options: BackupOptions): Backups {
  const { directory, journal, clock, log, version, report } = options;
  const secrets = join(directory, 'secrets');
  prepareShelf(directory);
  let current: Promise<Shelved> | undefined;
  let monoOfLast: number | undefined;
  let failed = false;
  const ending = new AbortController();

  async function work(kind: Kind, origin: Header['origin'], wish: Wish, actor: string): Promise<Shelved> {
    const given = wish.passphrase === undefined ? undefined : await recoveryOf(wish.passphrase);
    if (given && wish.remember) rememberRecovery(secrets, given);
    const recovery = given ?? readRecovery(secrets);
    const copy = join(folderOf(directory), `copy-${randomUUID()}.db`);
    const head = formatPosition(journal.head());
    const created = clock.now();
    if (kind === 'full') await copyFlushed(copy);
    const name = freeName(directory, created);
    const out = join(folderOf(directory), name);
    const about = { version, gateway: journal.gateway, head, created, kind, origin };
    await runJob(
      { directory, out, copy, about, box: boxKey(secrets), ...(recovery ? { recovery } : {}) },
      ending.signal,
    );
    const made = shelved(directory).find((one) => one.name === name);
    if (!made) throw new GatehouseError('backup.damaged', `The archive ${name} cannot be read back`);
    await journal.append({
      lane: 'L0',
      kind: 'audit',
      scenario: 'gateway',
      device: '',
      name: 'backup.made',
      data: { archive: name, kind, origin, bytes: made.bytes, head, portable: made.portable },
      actor,
    });
    tidyShelf(directory, KEEP); // by place in the journal, so no clock can make it remove the wrong one (T5)
    return made;
  }

  /** SQLite flushes the copy at its end, on the thread that commits: what is on the disk by then does not hold it up. */
  async function copyFlushed(copy: string): Promise<void> {
    const handle = await open(copy, 'a', 0o600);
    try {
      let copying = true;
      const copied = journal.chore('backup', copy).finally(() => {
        copying = false;
      });
      while (copying) {
        await Promise.race([copied, pause(FLUSH_EVERY_MS)]);
        ending.signal.throwIfAborted(); // the journal closes: it will not answer any more
        await handle.datasync();
      }
    } catch (error) {
      await rm(copy, { force: true });
      throw error;
    } finally {
      await handle.close();
    }
  }

  function run(kind: Kind, origin: Header['origin'], wish: Wish, actor: string): Promise<Shelved> {
    if (current) return Promise.reject(new GatehouseError('backup.busy', 'A backup is being made; wait for its end'));
    current = work(kind, origin, wish, actor).finally(() => {
      current = undefined;
    });
    return current;
  }

  /** Seven of the size of today's journal fit into a tenth of the partition; the copy itself fits beside it for a while. */
  function fits(): boolean {
    const { usedBytes } = journal.space();
    const { blocks, bavail, bsize } = statfsSync(directory);
    return (
      KEEP * usedBytes <= SHARE * blocks * bsize && 2 * usedBytes + SPARE_BYTES < bavail * bsize && usedBytes < MAX_FULL
    );
  }

  function due(): Header['origin'] | undefined {
    const last = shelved(directory).find(({ origin }) => origin !== 'demand');
    if (last === undefined) return 'schedule';
    if (!last.head.startsWith(`${journal.epoch}:`)) return 'epoch';
    // By the monotonic clock as long as this process lives; before that only the wall clock knows.
    if (monoOfLast !== undefined) return clock.mono() - monoOfLast >= DAY_MS ? 'schedule' : undefined;
    return Math.abs(clock.now() - last.created) >= DAY_MS ? 'schedule' : undefined;
  }

  function look(): void {
    if (current) return;
    const origin = due();
    if (origin === undefined) return;
    const began = clock.mono();
    run(fits() ? 'full' : 'config', origin, {}, 'system:backup')
      .then(() => {
        monoOfLast = began;
        return told(undefined);
      })
      .catch((error: unknown) => {
        if (ending.signal.aborted) return undefined;
        log.error({ err: error }, 'the backup failed');
        return told(reasonOf(error));
      })
      .catch((error: unknown) => log.error({ err: error }, 'the state of the backups could not be recorded'));
  }

  async function told(fault: string | undefined): Promise<void> {
    if (fault === undefined && !failed) return;
    failed = fault !== undefined;
    await report(fault);
  }

  const stopFirst = clock.after(FIRST_LOOK_MS, look);
  const stopLooks = every(clock, LOOK_MS, look);
  return {
    async make(wish, actor) {
      const room = fits();
      if (wish.kind === 'full' && !room) {
        throw new GatehouseError('backup.room', 'There is no room for a copy with records; take kind config');
      }
      const made = await run(wish.kind ?? (room ? 'full' : 'config'), 'demand', wish, actor);
      await told(undefined);
      return made;
    },
    list: () => shelved(directory),
    file(name) {
      const found = isName(name) ? shelved(directory).find((one) => one.name === name) : undefined;
      if (!found) throw new GatehouseError('backup.not_found', `There is no backup ${name.slice(0, 64)}`);
      return { path: join(folderOf(directory), name), bytes: found.bytes };
    },
    running: () => current !== undefined,
    async stop() {
      stopFirst();
      stopLooks();
      ending.abort();
      await current?.catch(() => undefined);
    },
  };
}
