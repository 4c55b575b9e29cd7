/**
 * Every deploy is a version: who, when, why, what changed, and the pair of flow file and credentials as it was, signed. The
 * newest version is the truth and the files are its copy: what lies there otherwise was not deployed, and does not run
 * (reliability.md N8).
 */
import { hash } from 'node:crypto';
import { mkdirSync, readFileSync } from 'node:fs';
import type { Clock } from '../clock.ts';
import type { FlowVersion, FlowVersionDetail } from '../contracts/api.ts';
import { GatehouseError, reasonOf } from '../errors.ts';
import type { Journal } from '../journal/journal.ts';
import type { Log } from '../log.ts';
import { type FlowPair, keepAside, parseFlows, readPair, writePair } from './flow-file.ts';
import { changedTabs, diffFlows, type FlowEntry, labelOf, tabsOf, tabsWith, withTabsOff } from './flow-nodes.ts';
import { offText } from './history.words.ts';
import { type FlowOrigin, type OffFlow, openStore, type StoredVersion } from './store.ts';

export { schema } from './store.ts';

/** Imported once, on a gateway that has never had a flow. */
const reference = new URL('../../flows/vehicle-gate/single-lane.json', import.meta.url);

const SYSTEM = 'system:flows';
/** A deploy that is still being answered after so long holds up nothing else any more. */
const DEPLOY_WITHIN_MS = 30_000;
const EMPTY = Buffer.from('[]\n');

export interface Author {
  readonly actor: string;
  readonly note: string;
}
/** What made a tab's flow be turned off. */
export interface Culprit {
  readonly why: string;
  readonly tab?: string;
  readonly node?: string;
  /** Every node of these types is one. */
  readonly types?: readonly string[];
  readonly detail?: string;
}

export interface FlowHistory {
  /** Newest first. @param before only older ones than this version */
  list(limit: number, before?: number): FlowVersion[];
  /** @throws GatehouseError `flows.version` */
  get(id: number): FlowVersionDetail;
  off(): OffFlow[];
  /**
   * Puts what was deployed last where the flow process reads it, before each of its starts.
   * @returns undefined when the flows can run, else why not and where the broken file is
   */
  prepare(): Promise<string | undefined>;
  /** A deploy begins; other changes wait. The returned function books what has become of it. */
  deploying(): Promise<(by: Author) => Promise<void>>;
  /** Makes an older version the newest one and puts it in place. @throws GatehouseError `flows.version` */
  restore(id: number, by: Author): Promise<FlowVersion>;
  /** @returns the tabs that are off now and were not before */
  turnOff(culprit: Culprit): Promise<OffFlow[]>;
}

export interface HistoryOptions {
  readonly journal: Pick<Journal, 'db' | 'commit'>;
  /** `<data>/flows`, made if missing. */
  readonly directory: string;
  /** Signs versions. */
  readonly key: string;
  readonly clock: Clock;
  readonly log: Log;
  /** The tabs that are off by our doing; told at every change. */
  onOff?(off: OffFlow[]): void;
  /** The files were not what was deployed: one was kept aside under this name. */
  onForeign?(kept: string): void;
}

const digest = (bytes: Uint8Array): string => hash('sha256', bytes);

export function openFlowHistory(options: HistoryOptions): FlowHistory {
  const { directory, clock, log, journal } = options;
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const store = openStore(journal, options.key);
  let current = store.newest();
  /** Changes go one after the other: each starts from what the one before it left. */
  let turn: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(act: () => Promise<T> | T): Promise<T> => {
    const next = turn.then(act);
    turn = next.catch(() => {}); // told to whoever asked for it
    return next;
  };

  const nodesOf = (pair: FlowPair | undefined): readonly FlowEntry[] => {
    const parsed = pair ? parseFlows(pair.flows) : [];
    return typeof parsed === 'string' ? [] : parsed;
  };

  /** Makes the pair the newest version; resolves when that is durable. */
  async function book(pair: FlowPair, origin: FlowOrigin, by: Author, off: OffFlow[]): Promise<StoredVersion> {
    const changes = diffFlows(nodesOf(current && store.pair(current.id)), nodesOf(pair));
    const tabs = changedTabs(changes);
    const at = clock.now();
    const { version, write } = store.put({
      ...{
        id: (current?.id ?? 0) + 1,
        at,
        author: by.actor,
        note: by.note,
        origin,
        hash: digest(pair.flows),
        tabs,
        off,
      },
      ...{ credentialsHash: pair.credentials ? digest(pair.credentials) : '', before: current?.mac ?? '' },
      pair,
    });
    const data = {
      ...{ version: version.id, hash: version.hash, note: version.note, origin, changes: changes.length },
      tabs: tabs.map(({ label }) => label).slice(0, 20),
    };
    const about = { lane: 'L0', kind: 'audit', scenario: 'gateway', device: 'flows' } as const;
    const added = off.filter(({ tab }) => !current?.off.some((known) => known.tab === tab));
    await journal.commit({
      records: [
        { ...about, name: 'flows.deployed', data, actor: by.actor },
        ...added.map((one) => ({ ...about, name: 'flows.tab.off', data: { ...one }, actor: SYSTEM })),
      ],
      writes: [write],
    });
    const offBefore = JSON.stringify(current?.off ?? []);
    current = version;
    if (JSON.stringify(off) !== offBefore) options.onOff?.(off);
    return version;
  }

  const view = ({ id, at, author, note, origin, hash: flowHash, tabs }: StoredVersion): FlowVersion => ({
    ...{ id, at, author, note, origin, hash: flowHash, tabs },
    current: id === current?.id,
  });

  /** Tabs stay off by our doing until they are gone, or somebody has enabled them. */
  const stillOff = (nodes: readonly FlowEntry[], off: OffFlow[]): OffFlow[] =>
    off.filter(({ tab }) => nodes.some((node) => node.id === tab && node.disabled === true));

  const same = (pair: FlowPair, version: StoredVersion): boolean =>
    digest(pair.flows) === version.hash &&
    (pair.credentials ? digest(pair.credentials) : '') === version.credentialsHash;

  /** The first start of this history: what is there counts as deployed, unless nobody can read it. */
  async function adopt(pair: FlowPair | undefined): Promise<string | undefined> {
    const found = pair ?? { flows: readFileSync(reference) };
    if (!pair) writePair(directory, found);
    const why = parseFlows(found.flows);
    if (typeof why !== 'string') {
      await book(found, 'first', { actor: SYSTEM, note: '' }, []);
      return undefined;
    }
    const kept = keepAside(directory, 'broken', clock.now());
    writePair(directory, { flows: EMPTY });
    await book({ flows: EMPTY }, 'empty', { actor: SYSTEM, note: `${why}; kept as ${kept}` }, []);
    return current?.note;
  }

  async function setRight(version: StoredVersion, pair: FlowPair | undefined): Promise<void> {
    const good = store.pair(version.id);
    if (!good) throw new GatehouseError('flows.version', `Version ${version.id} cannot be read`);
    if (pair) {
      const kept = keepAside(directory, typeof parseFlows(pair.flows) === 'string' ? 'broken' : 'changed', clock.now());
      log.error({ kept }, 'flows: the files are not what was deployed');
      const data = { version: version.id, found: digest(pair.flows), kept };
      const about = { lane: 'L0', kind: 'audit', scenario: 'gateway', device: 'flows' } as const;
      await journal.commit({ records: [{ ...about, name: 'flows.file.refused', data, actor: SYSTEM }] });
      options.onForeign?.(kept);
    }
    writePair(directory, good);
  }

  async function prepare(): Promise<string | undefined> {
    const pair = readPair(directory);
    if (!current) return adopt(pair);
    if (!store.genuine(current)) return `version ${current.id} does not bear our signature`;
    if (!pair || !same(pair, current)) await setRight(current, pair);
    // Never what a deploy makes: a later start still knows why nothing runs.
    return current.origin === 'empty' ? current.note : undefined;
  }

  if (current && current.off.length > 0) options.onOff?.(current.off);

  return {
    list: (limit, before) => store.list(limit, before).map(view),
    get(id) {
      const version = store.get(id);
      const pair = version && store.pair(id);
      if (!version || !pair) throw new GatehouseError('flows.version', `There is no version ${id}`);
      const former = store.before(id);
      return { ...view(version), changes: diffFlows(nodesOf(former && store.pair(former.id)), nodesOf(pair)) };
    },
    off: () => current?.off ?? [],
    prepare: () => inTurn(prepare),
    async deploying() {
      const { promise: done, resolve: release } = Promise.withResolvers<void>();
      const { promise: mine, resolve: begin } = Promise.withResolvers<void>();
      void inTurn(() => {
        begin();
        return done;
      });
      await mine;
      const cancel = clock.after(DEPLOY_WITHIN_MS, release);
      return async (by) => {
        cancel();
        try {
          const pair = readPair(directory);
          const nodes = pair && parseFlows(pair.flows);
          if (!pair || typeof nodes === 'string' || !nodes || (current && same(pair, current))) return;
          await book(pair, 'deploy', by, stillOff(nodes, current?.off ?? []));
        } finally {
          release();
        }
      };
    },
    restore: (id, by) =>
      inTurn(async () => {
        const pair = store.pair(id);
        const old = store.get(id);
        if (!pair || !old) throw new GatehouseError('flows.version', `There is no version ${id}`);
        const off = stillOff(nodesOf(pair), old.off);
        const version = await book(pair, 'restore', { ...by, note: by.note || `#${id}` }, off);
        writePair(directory, pair);
        return view(version);
      }),
    turnOff: ({ why, tab, node, types, detail }) =>
      inTurn(async () => {
        const pair = current && store.pair(current.id);
        if (!current || !pair) return [];
        const nodes = nodesOf(pair);
        const guilty = types
          ? tabsWith(nodes, (one) => types.includes(one.type))
          : tabsWith(nodes, ({ id }) => id === (tab === 'global' ? node : tab));
        const fresh = tabsOf(nodes).filter(({ id, disabled }) => guilty.includes(id) && disabled !== true);
        if (fresh.length === 0) return [];
        const at = clock.now();
        const nodeEntry = nodes.find(({ id }) => id === node);
        const off = fresh.map((one) => ({
          ...{ tab: one.id, label: labelOf(one), at, why },
          ...(nodeEntry ? { node: nodeEntry.id, nodeLabel: labelOf(nodeEntry) } : {}),
          ...(detail === undefined ? {} : { detail: detail.slice(0, 300) }),
        }));
        const words = offText(off[0] as OffFlow);
        const text = JSON.stringify(
          withTabsOff(
            nodes,
            fresh.map(({ id }) => id),
            words,
          ),
          null,
          4,
        );
        const next = { ...pair, flows: Buffer.from(text) };
        await book(next, 'off', { actor: SYSTEM, note: words }, [...current.off, ...off]);
        writePair(directory, next);
        return off;
      }).catch((error: unknown) => {
        log.error({ reason: reasonOf(error) }, 'flows: a flow could not be turned off');
        return [];
      }),
  };
}
