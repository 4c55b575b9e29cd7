/** The replays of a gateway: started by an installer, one at a time, kept for a while; the journal is only read. */
import { randomUUID } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as breathe } from 'node:timers/promises';
import type { Clock } from '../clock.ts';
import type { AccessDecision } from '../contracts/api.ts';
import { type JournalRecord, type Kind, kinds } from '../contracts/record.ts';
import {
  type Act,
  type FlowReplayView,
  MOST_RECORDS,
  type ReplayFixture,
  type ReplayRequest,
} from '../contracts/replay.ts';
import { GatehouseError, reasonOf } from '../errors.ts';
import type { Journal } from '../journal/journal.ts';
import type { Log } from '../log.ts';
import { compare } from './compare.ts';
import type { World } from './dry-gateway.ts';
import { actsBecauseOf, decisionThen } from './happened.ts';
import { type FlowEntry, findTab, isolate, nameOfNode } from './isolate.ts';
import { openStage } from './run.ts';

const KEPT = 10;
const PAGE = 500;
const DEFAULT_SETTLE_S = 3;
/** Somebody who has walked away from a step-by-step replay. */
const LONGEST_STEP_MS = 600_000;

/** What the site says of itself now; what happened then is added here. */
export type Site = Omit<World, 'outcome'>;

export interface Replays {
  /** @throws GatehouseError `replay.tab`, `replay.busy`, `record.*` */
  start(request: ReplayRequest, by: string, site: Site): Promise<FlowReplayView>;
  /** @throws GatehouseError `replay.not_found` */
  get(id: string): FlowReplayView;
  list(): FlowReplayView[];
  /** The next record of a step-by-step replay. */
  step(id: string): FlowReplayView;
  stop(id: string): FlowReplayView;
  /** Keeps it as a regression test of the flow. @returns where, below the data directory */
  save(id: string, title: string): { readonly file: string };
  /** Tabs of the deployed flow. */
  tabs(): { readonly id: string; readonly name: string }[];
  close(): Promise<void>;
}

interface Parts {
  readonly journal: Pick<Journal, 'search' | 'find' | 'effectsOf'>;
  readonly clock: Clock;
  readonly log: Log;
  /** Data directory: the deployed flow is read below it, saved replays are written below it. */
  readonly directory: string;
}

interface Running {
  view: FlowReplayView;
  /** Looked up only when somebody keeps it: a site may have thousands of devices. */
  readonly fixture: () => Omit<ReplayFixture, 'title' | 'expected'>;
  readonly abort: AbortController;
  advance: PromiseWithResolvers<void>;
  done: Promise<void>;
}

/** Audit, loss and epochs are about the journal itself: no flow sees them. */
const PLAYABLE: readonly Kind[] = kinds.filter((kind) => kind !== 'audit' && kind !== 'gap' && kind !== 'epoch');

const isFlow = (value: unknown): value is FlowEntry[] =>
  Array.isArray(value) && value.every((node) => typeof node?.id === 'string' && typeof node?.type === 'string');

export function createReplays({ journal, clock, log, directory }: Parts): Replays {
  const all = new Map<string, Running>();

  function deployed(): FlowEntry[] {
    try {
      const flow: unknown = JSON.parse(readFileSync(join(directory, 'flows', 'flows.json'), 'utf8'));
      return isFlow(flow) ? flow : [];
    } catch {
      return []; // nothing has been deployed, or the flow process has put a broken file aside
    }
  }

  async function chosen(request: ReplayRequest): Promise<{ records: JournalRecord[]; more: boolean }> {
    const { records: wanted } = request;
    if ('ids' in wanted) {
      const found = wanted.ids.map((id) => {
        const record = journal.find(id);
        if (!record) throw new GatehouseError('record.not_found', `No record ${id}`);
        return record;
      });
      const records = found.filter(({ kind }) => PLAYABLE.includes(kind));
      return { records: records.toSorted((a, b) => a.epoch - b.epoch || a.seq - b.seq), more: false };
    }
    const { kind, ...filter } = wanted;
    const seen = (kind ?? PLAYABLE).filter((one) => PLAYABLE.includes(one));
    const records: JournalRecord[] = [];
    let after: { epoch: number; seq: number } | undefined;
    for (;;) {
      const page = await journal.search({ ...filter, kind: seen, limit: PAGE, ...(after ? { after } : {}) });
      records.push(...page.items);
      const last = page.items.at(-1);
      if (records.length > MOST_RECORDS) return { records: records.slice(0, MOST_RECORDS), more: true };
      if (!last || page.next === undefined) return { records, more: false };
      after = last;
    }
  }

  /** What was done and decided then because of each record. */
  async function then(records: readonly JournalRecord[], actors: ReadonlySet<string>) {
    const happened: Act[] = [];
    const decisions = new Map<string, Partial<AccessDecision>>();
    for (const [index, record] of records.entries()) {
      happened.push(...actsBecauseOf(record, actors, journal));
      const decision = decisionThen(record.id, journal);
      if (decision) decisions.set(record.id, decision);
      if (index % 50 === 49) await breathe(); // looked up on the main thread: gates come first
    }
    return { happened, decisions };
  }

  const must = (id: string): Running => {
    const found = all.get(id);
    if (!found) throw new GatehouseError('replay.not_found', `No replay ${id}`);
    return found;
  };
  const isOver = ({ view }: Running): boolean => view.state !== 'starting' && view.state !== 'running';

  function worldOf(
    site: Site,
    happened: readonly Act[],
    decisions: Map<string, Partial<AccessDecision>>,
    used: Map<string, AccessDecision>,
  ): World {
    return {
      ...site,
      decide(question) {
        const decided = { ...site.decide(question), ...decisions.get(question.cause ?? '') };
        if (question.cause !== undefined) used.set(question.cause, decided);
        return decided;
      },
      outcome(act) {
        const found = happened.find(
          (one) =>
            one.kind === act.kind &&
            one.record === act.record &&
            one.device === act.device &&
            one.action === act.action,
        );
        const state = found?.outcome;
        // Still on its way at the end of the records, or never heard of again: as if it had gone well.
        if (state === 'failed') return { state, code: 'command.unproven' };
        return state === 'expired' || state === 'unknown' ? { state } : undefined;
      },
    };
  }

  async function perform(
    running: Running,
    nodes: readonly FlowEntry[],
    world: World,
    request: ReplayRequest,
    records: readonly JournalRecord[],
  ): Promise<void> {
    const { view, abort } = running;
    const change = (next: Partial<FlowReplayView>) => {
      running.view = { ...running.view, ...next };
    };
    const order = new Map(records.map(({ id }, index) => [id, index]));
    const would: Act[] = [];
    const tell = () => {
      // By the record that led there: which of two records the flow was quicker with says nothing.
      const sorted = would.toSorted((a, b) => (order.get(a.record) ?? -1) - (order.get(b.record) ?? -1));
      change({ wouldDo: sorted, comparison: compare(sorted, view.happened) });
    };
    const stage = await openStage({
      nodes,
      world,
      clock,
      onAct(act) {
        const nodeName = act.node === undefined ? undefined : nameOfNode(nodes, act.node);
        would.push(nodeName === undefined ? act : { ...act, nodeName });
        tell();
      },
      onFailure: ({ node, text }) =>
        change({ failures: [...running.view.failures, { node: nameOfNode(nodes, node) ?? node, text }] }),
    });
    try {
      change({ state: 'running' });
      await stage.play(records, {
        speed: request.speed,
        settleMs: (request.settleSeconds ?? DEFAULT_SETTLE_S) * 1000,
        signal: abort.signal,
        next: () => {
          running.advance = Promise.withResolvers<void>();
          const cancel = clock.after(LONGEST_STEP_MS, () => abort.abort());
          abort.signal.addEventListener('abort', () => running.advance.resolve(), { once: true });
          return running.advance.promise.finally(cancel);
        },
        played: (played) => change({ played }),
      });
      tell();
      change({ state: 'done' });
    } finally {
      await stage[Symbol.asyncDispose]();
    }
  }

  return {
    async start(request, by, site) {
      if ([...all.values()].some((one) => !isOver(one))) {
        throw new GatehouseError('replay.busy', 'A replay is running; end it first');
      }
      const flow = request.flow ?? deployed();
      const tab = isFlow(flow) ? findTab(flow, request.tab) : undefined;
      if (!tab) {
        const known = deployed().filter(({ type }) => type === 'tab');
        const names = known.map(({ label, id }) => `${String(label)} (${id})`).join(', ');
        throw new GatehouseError('replay.tab', `No flow tab ${request.tab}; there are: ${names || 'none'}`);
      }
      const alone = isolate(flow as FlowEntry[], tab);
      const { records, more } = await chosen(request);
      const { happened, decisions } = await then(records, alone.actors);
      const used = new Map<string, AccessDecision>();
      const id = randomUUID();
      const running: Running = {
        view: {
          ...{ id, tab: alone.tab, state: 'starting', speed: request.speed, dryRun: true, by, startedAt: clock.now() },
          ...{ total: records.length, more, played: 0, outside: [...alone.outside] },
          ...{ wouldDo: [], happened, comparison: compare([], happened), failures: [] },
        },
        fixture: () => ({
          ...{ tab: alone.tab.name, records, devices: [...site.devices({})], zones: [...site.zones()] },
          decisions: Object.fromEntries(used),
        }),
        abort: new AbortController(),
        advance: Promise.withResolvers<void>(),
        done: Promise.resolve(),
      };
      all.set(id, running);
      for (const [old, one] of all) if (all.size > KEPT && isOver(one)) all.delete(old);
      running.done = perform(running, alone.nodes, worldOf(site, happened, decisions, used), request, records).catch(
        (error: unknown) => {
          const stopped = running.abort.signal.aborted;
          if (!stopped) log.warn({ reason: reasonOf(error), tab: alone.tab.name }, 'a replay failed');
          running.view = { ...running.view, state: stopped ? 'stopped' : 'failed', reason: reasonOf(error) };
        },
      );
      return running.view;
    },
    get: (id) => must(id).view,
    list: () => [...all.values()].map(({ view }) => view).reverse(),
    step(id) {
      const running = must(id);
      running.advance.resolve();
      return running.view;
    },
    stop(id) {
      const running = must(id);
      running.abort.abort(new GatehouseError('replay.failed', 'Stopped by hand'));
      return running.view;
    },
    save(id, title) {
      const { view, fixture: make } = must(id);
      if (view.state !== 'done') throw new GatehouseError('replay.failed', 'Only a replay that is done can be saved');
      const fixture = make();
      const expected = view.wouldDo.map(({ record, kind, device, action, input }) => ({
        ...{ record, kind, device, action, input },
      }));
      const folder = `${view.tab.id.replace(/[^\w.-]/g, '_')}.test`;
      mkdirSync(join(directory, 'replays', folder), { recursive: true, mode: 0o700 });
      const file = join('replays', folder, `${id}.json`);
      const used = new Set([...fixture.records.map(({ device }) => device), ...expected.map(({ device }) => device)]);
      // The devices that the flow could choose among, and no more of the site than that.
      const scenarios = new Set(fixture.devices.filter((one) => used.has(one.id)).map(({ scenario }) => scenario));
      const devices = fixture.devices.filter((one) => scenarios.has(one.scenario));
      const saved: ReplayFixture = { ...fixture, title, devices, expected };
      writeFileSync(join(directory, file), `${JSON.stringify(saved, null, 2)}\n`, { mode: 0o600 });
      return { file };
    },
    tabs: () =>
      deployed()
        .filter(({ type }) => type === 'tab')
        .map(({ id, label }) => ({ id, name: typeof label === 'string' && label !== '' ? label : id })),
    async close() {
      for (const running of all.values()) running.abort.abort();
      await Promise.all([...all.values()].map(({ done }) => done));
    },
  };
}
