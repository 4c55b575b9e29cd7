/**
 * All alarms of the compound: journal-backed, so a restart changes nothing (reliability.md R2). Every change, by a person
 * or by the clock, is a record committed together with the state it leads to.
 */
import type { Clock } from '../clock.ts';
import type { AlarmAction, AlarmSettings, AlarmView } from '../contracts/api.ts';
import type { AlarmKind } from '../contracts/contract.ts';
import { scenarioOf } from '../contracts/index.ts';
import type { Draft } from '../contracts/record.ts';
import { GatehouseError } from '../errors.ts';
import type { Journal, Unit, Write } from '../journal/journal.ts';
import { uuidv7 } from '../journal/uuid.ts';
import type { Log } from '../log.ts';
import { alarmTimeSchema, createAlarmTime } from './alarm-time.ts';
import { stepAfter } from './escalation.ts';
import { type BoothFlood, createFloods, floodSchema } from './flood.ts';
import {
  type Action,
  type Actor,
  act,
  bringBack,
  escalate,
  goAway,
  growWorse,
  holds,
  isOpen,
  isWaiting,
  raiseAgain,
  type Step,
  unsuppress,
  type Weight,
} from './lifecycle.ts';
import { createSuppression, join, type Why } from './suppression.ts';
import { cameNow, cameWhileHeld, dueOf, escalated, holdOff, type Kept, timingAfter } from './timing.ts';

export const schema = `
CREATE TABLE IF NOT EXISTS alarm (
  id TEXT PRIMARY KEY,
  open INTEGER NOT NULL,
  changed INTEGER NOT NULL,
  view TEXT NOT NULL
) WITHOUT ROWID, STRICT;
CREATE INDEX IF NOT EXISTS alarm_open ON alarm (changed) WHERE open = 1;
CREATE INDEX IF NOT EXISTS alarm_changed ON alarm (changed);
${alarmTimeSchema}
${floodSchema}
`;
const SAVE = `INSERT INTO alarm VALUES (?, ?, ?, ?)
  ON CONFLICT DO UPDATE SET open = excluded.open, changed = excluded.changed, view = excluded.view`;
const ACTOR = 'system:alarms';
const FORGET = `DELETE FROM alarm WHERE id IN
  (SELECT id FROM alarm WHERE open = 0 AND changed < ? ORDER BY changed LIMIT ?)`;

/** Closed alarms leave with the audit records of their time; an open one stays however old it is. */
export function agedAlarms({ db }: Pick<Journal, 'db'>) {
  const first = db.prepare<[], number>('SELECT changed FROM alarm WHERE open = 0 ORDER BY changed LIMIT 1').pluck();
  return {
    oldest: (): number | undefined => first.get(),
    removal: (before: number, rows: number): Write => ({ sql: FORGET, params: [before, rows] }),
  };
}

/** What an alarm is about. The scenario and zone come from the inventory, or are the gateway's own. */
export interface Subject {
  readonly device: string;
  readonly scenario: string;
  readonly zone: string;
}
export interface RaiseInput extends Subject {
  readonly kind: string;
  readonly data?: object;
  readonly cause?: string;
  readonly actor: string;
  /** How serious it is this time, where that is not the same every time; default: as the contract says. */
  readonly weight?: Weight;
}

/** What the alarms need to know of the site. */
export interface AlarmSite {
  settings(): AlarmSettings | undefined;
  camerasOf(device: string): readonly string[];
  /** Names of the zone and those around it, outermost first; undefined for no zone. */
  placeOf(zone: string): string | undefined;
  /** The booth that sees to this zone; "" where there is only one. */
  boothOf(zone: string): string;
  /** What cuts this device off when it fails: its line, the device in front of it. */
  above(device: string): readonly string[];
}
const nowhere: AlarmSite = {
  settings: () => undefined,
  camerasOf: () => [],
  placeOf: () => undefined,
  boothOf: () => '',
  above: () => [],
};

/** Told once the change is durable. */
export interface AlarmListener {
  escalated(view: AlarmView): void;
  /** Somebody has answered what had been escalated. */
  answered(view: AlarmView): void;
}

export interface Alarms {
  open(): AlarmView[];
  /** Newest change first. */
  all(query: { limit?: number; before?: number }): AlarmView[];
  get(id: string): AlarmView | undefined;
  isActive(device: string, kind: string): boolean;
  raise(input: RaiseInput): Promise<AlarmView>;
  clear(device: string, kind: string, cause: string | undefined, actor: string): Promise<AlarmView | undefined>;
  act(id: string, action: Action, body: AlarmAction, who: Actor): Promise<AlarmView>;
  /** Out of service before it ever came, e.g. for a repair that is planned. */
  takeOut(subject: Subject & { readonly kind: string }, body: AlarmAction, who: Actor): Promise<AlarmView>;
  floods(): BoothFlood[];
  /** Zone → booth that sees to it. */
  booths(zones: readonly { readonly id: string }[]): Record<string, string>;
  listen(listener: AlarmListener): void;
  /** Looks again at what is cut off by what: the inventory has changed. */
  reconsider(): Promise<void>;
  /** For callers with a transaction of their own: the alarm counts as changed at once; commit the unit. */
  planRaise(input: RaiseInput): Unit;
  planClear(device: string, kind: string, cause: string | undefined, actor: string): Unit;
  /** Forgets what was planned and not committed. */
  reload(): void;
  /** What must be durable together with every change that is not only planned here. */
  saveWithChanges(writes: () => readonly Write[]): void;
  stop(): void;
}

interface AlarmParts {
  readonly journal: Journal;
  readonly clock: Clock;
  readonly site?: AlarmSite;
  readonly log?: Log;
}

/** Comings this short ago still make chatter of the next one, though the alarm was closed between. */
const RECENT_MS = 60_000;
const RECENT_ROWS = 500;
/** Alarm time is stored this often while something waits for it: a crash delays an escalation by no more. */
const SAVE_TIME_MS = 10_000;
/** A timer of Node cannot be longer than 24 days. */
const LONGEST_WAIT_MS = 24 * 3_600_000;
/** After a change that the disk refused. */
const RETRY_MS = 1000;

const parse = (text: string): Kept => {
  const { timing, ...view } = JSON.parse(text) as AlarmView & { timing?: Kept['timing'] };
  return { view, timing: timing ?? { came: [] } };
};
const isFlow = (actor: string) => actor.startsWith('flow:');
const keyOf = (device: string, kind: string) => `${device}\n${kind}`;
const kindOf = ({ scenario, kind }: { scenario: string; kind: string }): AlarmKind | undefined =>
  scenarioOf(scenario)?.alarms[kind];

export function createAlarms({ journal, clock, site = nowhere, log }: AlarmParts): Alarms {
  const open = new Map<string, Kept>();
  const byKey = new Map<string, string>();
  /** When a source came last, kept for a minute after its alarm was closed. */
  const recent = new Map<string, Kept['timing']['came']>();
  const time = createAlarmTime(journal, clock);
  const floods = createFloods(journal);
  const timers = new Map<string, () => void>();
  let listener: AlarmListener | undefined;
  let alsoSaved: () => readonly Write[] = () => [];
  let failedAt = Number.NEGATIVE_INFINITY;
  /** While changes from before the last reload may still become durable: those that were changed after it. */
  let changedSince: Set<string> | undefined;
  let stopped = false;

  /** Runs `action` when alarm time has come to `due`; only the last one of a name counts. */
  function wait(name: string, due: number | undefined, action: () => Promise<void>): void {
    timers.get(name)?.();
    timers.delete(name);
    if (due === undefined || stopped) return;
    const sinceFailure = clock.mono() - failedAt;
    const ms = Math.max(due - time.now(), sinceFailure < RETRY_MS ? RETRY_MS : 0);
    const run = () => {
      timers.delete(name);
      if (time.now() < due) return wait(name, due, action);
      action().catch((error: unknown) =>
        log?.error({ err: error, alarm: name }, 'an alarm could not change by itself'),
      );
    };
    timers.set(name, clock.after(Math.min(ms, LONGEST_WAIT_MS), run));
  }

  function remember(kept: Kept): void {
    const { view, timing } = kept;
    changedSince?.add(view.id);
    const key = keyOf(view.device, view.kind);
    if (!isOpen(view)) {
      wait(view.id, undefined, async () => {});
      open.delete(view.id);
      if (byKey.get(key) === view.id) byKey.delete(key);
      recent.set(key, timing.came);
      return;
    }
    open.set(view.id, kept);
    byKey.set(key, view.id);
    wait(view.id, dueOf(timing), () => tick(view.id));
  }

  /** As people see it: when the next step of its escalation is due, by the clock on the wall. */
  function shown({ view, timing: { escalateAt, taken = 0 } }: Kept): AlarmView {
    const next = escalateAt === undefined ? undefined : stepAfter(site.settings(), view.priority, taken);
    if (!next || escalateAt === undefined) return view;
    const at = clock.now() + Math.max(0, escalateAt - time.now());
    return { ...view, nextEscalation: { at, to: [...next.to] } };
  }

  const write = ({ view, timing }: Kept): Write => ({
    sql: SAVE,
    params: [view.id, isOpen(view) ? 1 : 0, view.changedAt, JSON.stringify({ ...view, timing })],
  });
  /** A change that no record tells: the readings that led to it are in the journal. */
  const quiet = (kept: Kept): Unit => {
    remember(kept);
    return { writes: [write(kept), time.save()] };
  };

  /** One step of one alarm and everything that follows from it. @param timing where it is not what follows from the step */
  function plan(before: Kept | undefined, step: Step, why: Why, timing?: Kept['timing']): Unit {
    const { view, change } = step;
    const kept = { view, timing: timing ?? timingAfter(before, view, site.settings(), time.now()) };
    remember(kept);
    const record: Draft = {
      lane: view.priority === 1 || change === 'escalated' ? 'L0' : 'L1',
      kind: 'alarm',
      scenario: view.scenario,
      device: view.device,
      name: view.kind,
      data: { ...shown(kept), alarm: view.id, change, ...(why.data === undefined ? {} : { detail: why.data }) },
      actor: why.actor,
      ...(why.cause === undefined ? {} : { cause: why.cause }),
    };
    const own: Unit = { records: [record], writes: [write(kept), time.save()] };
    const waits = view.process === 'ACTIVE_UNACK' && !(before && isWaiting(before.view));
    const flood = waits ? floods.came(site.boothOf(view.zone), time.now(), clock.now()) : {};
    if (waits) wait('flood', floods.due(), endFloods);
    return join([own, flood, cutOff(before?.view, view)]);
  }

  const { above, settings } = site;
  const standing = (device: string, kind: string) => open.get(byKey.get(keyOf(device, kind)) ?? '');
  const parts = { open, standing, clock, time, above, settings, plan, quiet };
  const { suppressorOf, suppressBy, makeHeavier, reconsider, asToldHere, cutOff } = createSuppression(parts);

  function planRaise(input: RaiseInput): Unit {
    const wall = clock.now();
    const now = time.now();
    const known = standing(input.device, input.kind);
    if (!known) return planNew(input, now, wall);
    const held = cameWhileHeld(known, now, wall);
    if (held) {
      const unit = held.told ? plan(known, { view: held.view, change: 'chattering' }, input, held.timing) : quiet(held);
      return input.weight ? join([unit, planWorse(held, input)]) : unit;
    }
    const step = raiseAgain(known.view, wall, input.cause);
    if (!step) return join([takeOver(known, input.actor), planWorse(open.get(known.view.id) ?? known, input)]);
    const came = cameNow({ view: { ...step.view, raisedBy: input.actor }, timing: known.timing }, now, wall);
    const back = asToldHere(came.view);
    return plan({ ...known, timing: came.timing }, { ...step, view: back }, input);
  }

  /** What a flow has raised and the gateway finds as well is the gateway's: the flow cannot end it any more. */
  function takeOver(known: Kept, actor: string): Unit {
    const isFlows = known.view.raisedBy !== undefined && isFlow(known.view.raisedBy);
    return isFlows && !isFlow(actor) ? quiet({ ...known, view: { ...known.view, raisedBy: actor } }) : {};
  }

  function planWorse(known: Kept, { weight, ...why }: RaiseInput): Unit {
    const step = weight && growWorse(known.view, weight, clock.now());
    return step ? plan(known, step, why) : {};
  }

  const viewOf = ({ device, scenario, zone, kind }: Subject & { kind: string }, wall: number): AlarmView => {
    const { priority, severity, latching = false } = alarmKindOf(scenario, kind);
    const cameras = site.camerasOf(device);
    const place = site.placeOf(zone);
    return {
      id: uuidv7(wall),
      ...{ scenario, device, kind, zone, priority, severity },
      process: 'ACTIVE_UNACK',
      handling: 'waiting',
      raisedAt: wall,
      changedAt: wall,
      count: 1,
      latching,
      ...(cameras.length === 0 ? {} : { cameras: [...cameras] }),
      ...(place === undefined ? {} : { place }),
    };
  };

  function planNew(input: RaiseInput, now: number, wall: number): Unit {
    const plain = viewOf(input, wall);
    const cause = input.cause === undefined ? {} : { cause: input.cause };
    const before = recent.get(keyOf(input.device, input.kind)) ?? [];
    const given = { raisedBy: input.actor, ...input.weight, ...cause };
    const came = cameNow({ view: { ...plain, ...given }, timing: { came: before } }, now, wall);
    const view = asToldHere(came.view);
    const timing = timingAfter({ view, timing: came.timing }, view, site.settings(), now);
    return join([
      plan(undefined, { view, change: 'raised' }, input, timing),
      view.suppressedBy === undefined ? {} : makeHeavier(view.suppressedBy, view),
    ]);
  }

  function planClear(device: string, kind: string, cause: string | undefined, actor: string): Unit {
    const known = standing(device, kind);
    if (!known || !holds(known.view) || known.timing.gone) return {};
    const { raisedBy = actor } = known.view;
    if (isFlow(actor) && !isFlow(raisedBy))
      throw new GatehouseError(
        'auth.forbidden',
        `${device} ${kind} was raised by ${raisedBy}, not by a flow, and ends with its cause`,
      );
    const held = holdOff(known, time.now(), clock.now());
    if (held) return quiet(held);
    const step = goAway(known.view, clock.now());
    return step ? plan(known, step, { actor, cause }) : {};
  }

  /** What the disk refused has not happened. */
  async function commit(unit: Unit): Promise<void> {
    try {
      await journal.commit({ ...unit, writes: [...(unit.writes ?? []), ...alsoSaved()] });
    } catch (error) {
      failedAt = clock.mono();
      reload();
      throw error;
    }
  }

  /** One thing after another that is due for an alarm: each is a change of its own. */
  async function tick(id: string): Promise<void> {
    const kept = open.get(id);
    const now = time.now();
    if (!kept) return;
    const { gone, asideUntil, releaseAt, escalateAt } = kept.timing;
    const isDue = (due: number | undefined) => due !== undefined && due <= now;
    if (gone && isDue(gone.at)) await commit(planGone(kept, gone.wall));
    else if (isDue(asideUntil)) await commit(planBack(kept));
    else if (isDue(releaseAt)) await commit(planRelease(kept));
    else if (isDue(escalateAt)) await commitEscalation(kept);
    else wait(id, dueOf(kept.timing), () => tick(id));
  }

  /** A chattering alarm has stayed away for long enough. */
  function planGone(kept: Kept, wall: number): Unit {
    const step = goAway(kept.view, clock.now());
    const { gone: _, toldAt: _told, ...timing } = kept.timing;
    const data = kept.view.chatter && { chatter: kept.view.chatter };
    if (!step) return quiet({ ...kept, timing });
    const view = { ...step.view, returnedAt: wall };
    return plan({ ...kept, timing: { ...timing, came: [] } }, { ...step, view }, { actor: ACTOR, data });
  }

  function planBack(kept: Kept): Unit {
    const step = bringBack({ ...kept.view, changedAt: clock.now() });
    const view = holds(step.view) ? asToldHere(step.view) : step.view;
    return plan(kept, { ...step, view }, { actor: ACTOR });
  }

  function planRelease(kept: Kept): Unit {
    const parent = suppressorOf(kept.view.device);
    if (parent) return suppressBy(kept, parent);
    const { releaseAt: _, ...timing } = kept.timing;
    return plan({ ...kept, timing }, unsuppress(kept.view, clock.now()), { actor: ACTOR });
  }

  async function commitEscalation(kept: Kept): Promise<void> {
    const { priority } = kept.view;
    const settings = site.settings();
    const next = stepAfter(settings, priority, kept.timing.taken ?? 0);
    if (!next) {
      const { escalateAt: _, ...timing } = kept.timing;
      return commit(quiet({ ...kept, timing }));
    }
    const step = escalate(kept.view, next.level, next.to, clock.now());
    const timing = escalated(kept.timing, priority, settings, time.now());
    await commit(plan(kept, step, { actor: ACTOR, cause: kept.view.cause }, timing));
    listener?.escalated(step.view);
  }

  async function endFloods(): Promise<void> {
    await commit(floods.tick(time.now()));
    wait('flood', floods.due(), endFloods);
  }

  const saveTime = async () => {
    const isWaitedFor =
      floods.due() !== undefined || [...open.values()].some(({ timing }) => dueOf(timing) !== undefined);
    if (isWaitedFor) await journal.commit({ writes: [time.save()] });
  };
  function keepTime(): void {
    wait('time', time.now() + SAVE_TIME_MS, () => saveTime().finally(keepTime));
  }

  const stored = journal.db.prepare<[], { view: string }>('SELECT view FROM alarm WHERE open = 1');
  function reload(): void {
    for (const id of open.keys()) wait(id, undefined, async () => {});
    open.clear();
    byKey.clear();
    for (const row of stored.all()) remember(parse(row.view));
    floods.reload();
    wait('flood', floods.due(), endFloods);
    const since = new Set<string>();
    changedSince = since;
    const settled = () => {
      if (changedSince === since) changedSince = undefined;
    };
    journal.append().then(settled, settled); // the writer answers in order
  }

  /** What was handed over before a reload and became durable after it counts all the same. */
  const unfollow = journal.onCommit((records) => {
    if (!changedSince) return;
    for (const { kind, data } of records) {
      const id = kind === 'alarm' ? (data as { alarm?: string }).alarm : undefined;
      const row = id === undefined || changedSince.has(id) ? undefined : byId.get(id);
      if (!row) continue;
      remember(parse(row.view));
      changedSince.delete(id ?? '');
    }
  });
  const byId = journal.db.prepare<[string], { view: string }>('SELECT view FROM alarm WHERE id = ?');
  const newest = journal.db.prepare<[number, number], { view: string }>(
    'SELECT view FROM alarm WHERE changed < ? ORDER BY changed DESC LIMIT ?',
  );

  /** After a start: shelving never outlasts the time of day it was promised to end at, however long we were away. */
  function resume(): void {
    for (const row of newest.all(Number.MAX_SAFE_INTEGER, RECENT_ROWS).reverse()) {
      const { view, timing } = parse(row.view);
      if (!isOpen(view) && clock.now() - view.changedAt < RECENT_MS)
        recent.set(keyOf(view.device, view.kind), timing.came);
    }
    reload();
    for (const kept of open.values()) {
      const until = kept.view.process === 'SHELVED' ? kept.view.shelvedUntil : kept.view.outOfService?.until;
      const { asideUntil } = kept.timing;
      if (until === undefined || asideUntil === undefined) continue;
      const left = Math.max(0, Math.min(asideUntil - time.now(), until - clock.now()));
      remember({ ...kept, timing: { ...kept.timing, asideUntil: time.now() + left } });
    }
    keepTime();
  }
  resume();

  const sorted = () =>
    [...open.values()]
      .map(shown)
      .sort((a, b) => a.priority - b.priority || b.raisedAt - a.raisedAt || (a.id < b.id ? 1 : -1));
  const get = (id: string): AlarmView | undefined => {
    const kept = open.get(id);
    if (kept) return shown(kept);
    const row = byId.get(id);
    return row && parse(row.view).view;
  };

  async function takeStep(id: string, action: Action, body: AlarmAction, who: Actor): Promise<AlarmView> {
    const row = open.has(id) ? undefined : byId.get(id);
    const kept = open.get(id) ?? (row && parse(row.view));
    if (!kept) throw new GatehouseError('alarm.not_found', `No alarm ${id}`);
    const step = act(kept.view, action, body, who, clock.now());
    const { waitingSince, gone } = kept.timing;
    const answered = action === 'ack' && waitingSince !== undefined ? { answerMs: time.now() - waitingSince } : {};
    let view: AlarmView = { ...step.view, ...answered };
    if (isWaiting(view) && holds(view)) view = asToldHere(view);
    if (gone && !holds(view)) delete view.chatter;
    await commit(plan(kept, { ...step, view }, { actor: who.actor, cause: kept.view.cause, data: body }));
    if (kept.view.escalation && isWaiting(kept.view) && !isWaiting(view)) listener?.answered(view);
    return view;
  }

  return {
    open: sorted,
    all: ({ limit = 100, before = Number.MAX_SAFE_INTEGER }) =>
      newest.all(before, Math.min(limit, 500)).map((row) => shown(parse(row.view))),
    get,
    isActive(device, kind) {
      const kept = standing(device, kind);
      return kept !== undefined && holds(kept.view);
    },
    async raise(input) {
      await commit(planRaise(input));
      return shown(standing(input.device, input.kind) as Kept);
    },
    async clear(device, kind, cause, actor) {
      const id = byKey.get(keyOf(device, kind));
      await commit(planClear(device, kind, cause, actor));
      return id === undefined ? undefined : get(id);
    },
    act: takeStep,
    async takeOut(subject, body, who) {
      const known = standing(subject.device, subject.kind);
      if (known) return takeStep(known.view.id, 'out-of-service', body, who);
      const wall = clock.now();
      const idle: AlarmView = { ...viewOf(subject, wall), returnedAt: wall, count: 0 };
      const step = act(idle, 'out-of-service', body, who, wall);
      await commit(plan(undefined, step, { actor: who.actor, data: body }));
      return step.view;
    },
    booths: (zones) => Object.fromEntries(['', ...zones.map(({ id }) => id)].map((zone) => [zone, site.boothOf(zone)])),
    floods: () => floods.view(time.now(), sorted(), { booths: boothsOf(site.settings()), boothOf: site.boothOf }),
    listen(one) {
      listener = one;
    },
    async reconsider() {
      const unit = reconsider();
      if ((unit.writes ?? []).length > 0) await commit(unit);
    },
    planRaise,
    planClear,
    reload,
    saveWithChanges(writes) {
      alsoSaved = writes;
    },
    stop() {
      stopped = true;
      unfollow();
      for (const cancel of timers.values()) cancel();
    },
  };
}

/** Without booths of its own a site has one. */
function boothsOf(settings: AlarmSettings | undefined): string[] {
  const booths = (settings?.booths ?? []).map(({ id }) => id);
  return booths.length > 0 ? booths : [''];
}

function alarmKindOf(scenario: string, kind: string): AlarmKind {
  const found = kindOf({ scenario, kind });
  if (!found) throw new GatehouseError('record.invalid', `Scenario ${scenario} has no alarm ${kind}`);
  return found;
}
