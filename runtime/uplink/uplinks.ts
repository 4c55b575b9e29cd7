/**
 * All uplinks of a gateway: those of the inventory, which may change at any time, and one named at the start. A changed one
 * is stopped and started anew with the same saved places, so that nothing is lost and nothing skipped; what a removed one
 * leaves behind goes, so that it holds back nobody.
 */
import { X509Certificate } from 'node:crypto';
import { dirname, resolve } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { Clock } from '../clock.ts';
import type { Uplink as Entry, ReplayView, Status, UplinkView } from '../contracts/api.ts';
import type { Inventory } from '../devices/inventory.ts';
import { readSecret, type SecretSource } from '../devices/uplink-secret.ts';
import { GatehouseError, reasonOf } from '../errors.ts';
import type { Journal } from '../journal/journal.ts';
import { uuidv7 } from '../journal/uuid.ts';
import type { Log } from '../log.ts';
import { startUplink, type Uplink, type UplinkAlarm, type UplinkOptions } from './mqtt.ts';
import { forgetUplink, openReplayStore } from './replay-store.ts';
import { type Credentials, parseAddress } from './topics.ts';

export interface UplinksOptions {
  readonly inventory: Pick<Inventory, 'site' | 'onChange'>;
  /** Opened with the schema of replay-store.ts among its schemas. */
  readonly journal: Journal;
  readonly clock: Clock;
  readonly log: Log;
  readonly version: string;
  /** Address of the uplink `default`, from the command line or the environment; it may hold a password. */
  readonly fixed?: string;
  /** Where files with secrets may lie that somebody names over the network. */
  readonly secrets: string;
  /** Alarms about an uplink that stand from before. */
  standing(uplink: string): readonly UplinkAlarm['kind'][];
  report(alarm: UplinkAlarm): void;
  readonly timing?: UplinkOptions['timing'];
  readonly signed?: UplinkOptions['signed'];
}
export interface Uplinks {
  statuses(): Status['uplinks'];
  views(): UplinkView[];
  /** @throws GatehouseError `inventory.not_found`, `uplink.busy`, `uplink.range` */
  replay(id: string, stretch: object, actor: string): Promise<ReplayView>;
  /**
   * Before an entry that came over the network is stored.
   * @throws GatehouseError `config.invalid` if what it names as a secret cannot be read or is none of an uplink's,
   *   `inventory.conflict` if it was named at the start
   */
  check(entry: Pick<Entry, 'id' | 'username' | 'password' | 'ca'>): void;
  /** Resolves once every change so far is in force. */
  settled(): Promise<void>;
  stop(): Promise<void>;
}

/** What a running uplink was started with. */
interface Spec {
  readonly entry: Entry;
  readonly site: string;
}
interface Running extends Spec {
  readonly uplink: Uplink;
  readonly raised: Set<UplinkAlarm['kind']>;
}

/** The uplink named at the start. */
export const FIXED_UPLINK = 'default';

export function openUplinks(options: UplinksOptions): Uplinks {
  const { inventory, journal, log } = options;
  const running = new Map<string, Running>();
  let stopped = false;

  function wanted(): Map<string, Spec> {
    const { id: site, uplinks = [] } = inventory.site();
    const specs = new Map(uplinks.map((entry) => [entry.id, { entry, site }]));
    if (options.fixed !== undefined) specs.set(FIXED_UPLINK, { entry: { id: FIXED_UPLINK, url: options.fixed }, site });
    return specs;
  }

  function start({ entry, site }: Spec, raised: Set<UplinkAlarm['kind']>): void {
    const { id, url, filter, pace } = entry;
    const uplink = startUplink({
      id,
      url,
      credentials: () => credentialsOf(entry),
      ca: () => authorityOf(entry),
      ...(filter === undefined ? {} : { filter }),
      ...(pace === undefined ? {} : { pace }),
      replays: openReplayStore(journal, id),
      ...(options.signed === undefined ? {} : { signed: options.signed }),
      raised: [...raised],
      site,
      gateway: journal.gateway,
      version: options.version,
      journal,
      clock: options.clock,
      log,
      report(alarm) {
        if (alarm.active) raised.add(alarm.kind);
        else raised.delete(alarm.kind);
        options.report(alarm);
      },
      ...(options.timing === undefined ? {} : { timing: options.timing }),
    });
    running.set(id, { entry, site, uplink, raised });
  }

  async function end(id: string, { uplink, raised }: Running): Promise<void> {
    await uplink.stop();
    running.delete(id);
    for (const kind of raised) options.report({ kind, active: false, detail: { uplink: id } });
    await journal.commit({ writes: forgetUplink(id) });
  }

  async function adopt(): Promise<void> {
    const specs = wanted();
    for (const [id, one] of running) if (!specs.has(id)) await end(id, one);
    for (const [id, spec] of specs) {
      const now = running.get(id);
      if (now && isDeepStrictEqual({ entry: now.entry, site: now.site }, spec)) continue;
      await now?.uplink.stop();
      if (stopped) return;
      try {
        start(spec, now?.raised ?? new Set(options.standing(id)));
      } catch (error) {
        log.error({ err: error, uplink: id }, 'an uplink could not be started'); // the others still must
        running.delete(id);
      }
    }
  }

  /** An uplink may have gone while the gateway was off, or in the moment before it died. */
  async function forgetOthers(): Promise<void> {
    const names = journal.db
      .prepare<[], { name: string }>(
        `SELECT name FROM cursor WHERE name LIKE 'uplink:%' UNION SELECT 'uplink:' || uplink || ':' FROM replay`,
      )
      .all();
    const known = new Set(names.map(({ name }) => name.split(':')[1] ?? ''));
    const gone = [...known].filter((id) => !wanted().has(id));
    if (gone.length > 0) log.info({ uplinks: gone }, 'uplinks that are no more');
    await journal.commit({ writes: gone.flatMap(forgetUplink) });
    for (const id of gone) {
      for (const kind of options.standing(id)) options.report({ kind, active: false, detail: { uplink: id } });
    }
  }

  let turn: Promise<void> = Promise.resolve();
  const inTurn = (action: () => Promise<void>) => {
    turn = turn.then(action).catch((error: unknown) => log.error({ err: error }, 'uplinks could not be changed'));
  };
  for (const spec of wanted().values()) start(spec, new Set(options.standing(spec.entry.id)));
  inTurn(forgetOthers);
  const unfollow = inventory.onChange((changes) => {
    if (changes.some(({ kind }) => kind === 'site')) inTurn(adopt);
  });

  return {
    statuses: () => [...running.values()].map(({ uplink }) => uplink.status()),
    views: () =>
      [...running.values()].map(({ entry, uplink }) => ({
        ...entry,
        ...uplink.status(),
        url: withoutPassword(entry.url),
        fixed: entry.id === FIXED_UPLINK && options.fixed !== undefined,
        replays: uplink.replays(),
      })),
    async replay(id, stretch, actor) {
      const one = running.get(id);
      if (!one) throw new GatehouseError('inventory.not_found', `No uplink ${id}`);
      return one.uplink.replay({ ...stretch, id: uuidv7(options.clock.now()) }, actor);
    },
    check(entry) {
      if (entry.id === FIXED_UPLINK && options.fixed !== undefined) {
        throw new GatehouseError('inventory.conflict', `Uplink ${FIXED_UPLINK} was named at the start of the gateway`);
      }
      const known = inventory.site().uplinks?.find(({ id }) => id === entry.id);
      for (const key of ['username', 'password', 'ca'] as const) {
        const source = entry[key];
        if (source !== undefined && !isDeepStrictEqual(source, known?.[key])) refuseForeign(source, options.secrets);
      }
      credentialsOf(entry);
      authorityOf(entry);
    },
    settled: () => turn,
    async stop() {
      stopped = true;
      unfollow();
      await turn;
      await Promise.all([...running.values()].map(({ uplink }) => uplink.stop()));
    },
  };
}

const OWN_VARIABLE = /^GATEHOUSE_UPLINK_/;

/**
 * Whoever may change an uplink must not be able to have any file and variable of the gateway sent to a server of his own.
 * @throws GatehouseError `config.invalid`
 */
function refuseForeign(source: SecretSource, folder: string): void {
  if (typeof source === 'string') return;
  const own = 'env' in source ? OWN_VARIABLE.test(source.env) : dirname(resolve(source.file)) === resolve(folder);
  if (own) return;
  const allowed = `a variable GATEHOUSE_UPLINK_… or a file in ${folder}`;
  throw new GatehouseError('config.invalid', `A secret or certificate of an uplink is named as ${allowed}`);
}

/** @throws GatehouseError `config.invalid` */
function credentialsOf({ username, password }: Pick<Entry, 'username' | 'password'>): Credentials | undefined {
  if (username === undefined) return undefined;
  return { username: readSecret(username), password: password === undefined ? '' : readSecret(password) };
}

/** @throws GatehouseError `config.invalid` */
function authorityOf({ ca }: Pick<Entry, 'ca'>): string | undefined {
  if (ca === undefined) return undefined;
  const pem = readSecret(ca);
  try {
    new X509Certificate(pem);
  } catch (error) {
    throw new GatehouseError('config.invalid', `${ca.file} is no certificate in PEM: ${reasonOf(error)}`);
  }
  return pem;
}

function withoutPassword(url: string): string {
  const { credentials } = parseAddress(url);
  return credentials ? url.replace(/\/\/[^@/]*@/, `//${encodeURIComponent(credentials.username)}@`) : url;
}
