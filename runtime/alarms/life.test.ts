/**
 * Random lives: conditions, people, clocks and restarts in any order, against an oracle that knows only what the papers
 * say. No active alarm is ever invisible, each has exactly one life, and priority 1 is always announced.
 */
import { describe, expect, test } from 'vitest';
import type { AlarmView } from '../contracts/api.ts';
import type { AlarmChange } from '../contracts/record.ts';
import {
  type AlarmRig,
  battery,
  forced,
  guard,
  heldOpen,
  installer,
  leader,
  line,
  offline,
  openAlarms,
  smoke,
} from './alarms.fixture.ts';
import type { Action } from './lifecycle.ts';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
/** Alarm time is stored every ten seconds: a crash may lose so much of it. */
const LOST_MS = 10 * SECOND;
const GRACE_MS = 30 * SECOND;
const STEPS = 100;
const seeds = (process.env.GATEHOUSE_SEEDS ?? '1,4').split(',').map(Number);

const sources = [smoke, forced, heldOpen, battery, line, ...['gate-1', 'gate-2', 'gate-3'].map(offline)];
const parents: Readonly<Record<string, readonly string[]>> = {
  'gate-1': ['line-1'],
  'gate-2': ['line-1'],
  'gate-3': ['gate-1', 'line-1'],
};
const keyOf = ({ device, kind }: { device: string; kind: string }) => `${device} ${kind}`;

/** mulberry32 */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** What must be so, by what was done from outside. */
class Oracle {
  /** How long the gateway has run, and how often it was started again. */
  ran = 0;
  starts = 0;
  readonly holds = new Map<string, boolean>();
  /** When the condition went, in running time. */
  readonly went = new Map<string, number>();
  /** Put aside until then, in running time; undefined: without end. */
  readonly aside = new Map<string, { readonly until: number | undefined; readonly starts: number }>();
  /** Nobody has answered since then. */
  readonly waiting = new Map<string, { readonly since: number; readonly starts: number }>();

  slack(since: { readonly starts: number }): number {
    return (this.starts - since.starts) * LOST_MS;
  }

  cutOff(device: string, alarms: AlarmRig['alarms']): 'surely' | 'perhaps' | 'no' {
    const above = parents[device] ?? [];
    const dead = (one: string) => sources.some((source) => source.device === one && this.holds.get(keyOf(source)));
    if (above.some(dead)) return 'surely';
    const lately = (one: string) =>
      sources.some((source) => {
        const went = source.device === one ? this.went.get(keyOf(source)) : undefined;
        return went !== undefined && this.ran - went <= GRACE_MS + this.starts * LOST_MS;
      });
    // Chattering, the parent counts as dead for longer.
    const held = (one: string) => sources.some((source) => source.device === one && alarms.isActive(one, source.kind));
    return above.some((one) => lately(one) || held(one)) ? 'perhaps' : 'no';
  }
}

function check(rig: AlarmRig, oracle: Oracle): void {
  const open = rig.alarms.open();
  const byKey = Map.groupBy(open, keyOf);
  for (const source of sources) {
    const key = keyOf(source);
    const views = byKey.get(key) ?? [];
    expect(views.length, `${key}: one alarm at most`).toBeLessThanOrEqual(1);
    const view = views[0];
    if (oracle.holds.get(key)) {
      expect(view, `${key} holds and is not there`).toBeDefined();
      expect(rig.alarms.isActive(source.device, source.kind), `${key} holds and does not count as active`).toBe(true);
    } else if (rig.alarms.isActive(source.device, source.kind)) {
      expect(view?.chatter, `${key} is gone and still active`).toBeDefined();
    }
    if (view) checkPlace(view, rig, oracle);
  }
}

/** Either it is on the list, or it is put aside and the oracle knows why. */
function checkPlace(view: AlarmView, rig: AlarmRig, oracle: Oracle): void {
  const key = keyOf(view);
  const cut = view.kind === 'offline' ? oracle.cutOff(view.device, rig.alarms) : 'no';
  const aside = oracle.aside.get(view.id);
  const put = aside && (aside.until === undefined || oracle.ran <= aside.until + oracle.slack(aside));
  switch (view.process) {
    case 'SUPPRESSED':
      expect(cut, `${key} is suppressed by nothing`).not.toBe('no');
      break;
    case 'SHELVED':
    case 'OUT_OF_SERVICE':
      expect(put, `${key} is put aside by nobody`).toBe(true);
      if (view.priority === 1) expect(view.process).toBe('OUT_OF_SERVICE');
      break;
    case 'ACTIVE_UNACK':
    case 'ACTIVE_ACK':
      if (oracle.holds.get(key)) expect(cut, `${key} is told beside what cuts it off`).not.toBe('surely');
      break;
    default:
      expect(oracle.holds.get(key) ?? false, `${key} holds and is ${view.process}`).toBe(false);
  }
  checkEscalation(view, oracle);
}

function checkEscalation(view: AlarmView, oracle: Oracle): void {
  const waits = view.process === 'ACTIVE_UNACK' || view.process === 'RTN_UNACK';
  if (!waits) oracle.waiting.delete(view.id);
  else if (!oracle.waiting.has(view.id)) oracle.waiting.set(view.id, { since: oracle.ran, starts: oracle.starts });
  const since = oracle.waiting.get(view.id);
  if (!since || view.priority !== 1) return;
  const most = oracle.ran - since.since;
  if (most - oracle.slack(since) >= MINUTE + 10 * SECOND)
    expect(view.escalation?.level ?? 0, `${keyOf(view)}: nobody was called`).toBeGreaterThanOrEqual(1);
}

/** Every alarm's records in the journal are one life: raised once, closed at most once, nothing after that. */
function checkLives(rig: AlarmRig): void {
  const lives = new Map<string, (AlarmView & AlarmChange)[]>();
  let after: { epoch: number; seq: number } | undefined;
  for (;;) {
    const { items, next } = rig.journal.read({ kind: ['alarm'], limit: 500, ...(after ? { after } : {}) });
    for (const { data, lane } of items) {
      const change = data as AlarmView & AlarmChange;
      lives.set(change.id, [...(lives.get(change.id) ?? []), change]);
      if (change.priority === 1 || change.change === 'escalated') expect(lane).toBe('L0');
    }
    const last = items.at(-1);
    if (next === undefined || !last) break;
    after = last;
  }
  const living = new Map<string, string>();
  const open = new Map(rig.alarms.open().map((view) => [view.id, view]));
  // In the order of their first records: ids follow the wall clock, which steps.
  for (const [id, life] of lives) {
    const [first] = life;
    const last = life.at(-1);
    if (!first || !last) continue;
    expect(first.change, id).toBe('raised');
    expect(
      life.filter(({ change }) => change === 'raised'),
      id,
    ).toHaveLength(1);
    expect(
      life.slice(0, -1).every(({ handling }) => handling !== 'closed'),
      `${id} lives after its end`,
    ).toBe(true);
    expect(living.get(keyOf(first)), `${keyOf(first)}: two at once`).toBeUndefined();
    if (last.handling !== 'closed') living.set(keyOf(first), id);
    expect(open.has(id), `${id} is ${last.handling}`).toBe(last.handling !== 'closed');
    if (open.has(id)) expect(open.get(id)?.process).toBe(last.process);
    for (const [place, step] of life.entries()) {
      if (step.change !== 'escalated') continue;
      const before = life[place - 1];
      expect(['ACTIVE_UNACK', 'RTN_UNACK'], `${id} escalated while ${before?.process}`).toContain(before?.process);
    }
    const announced = life.some(({ process }) => process === 'ACTIVE_UNACK');
    if (first.priority === 1) expect(announced, `${id}: priority 1 was never announced`).toBe(true);
  }
}

const actions: readonly {
  readonly action: Action;
  readonly body: object;
  readonly who: typeof guard | typeof leader | typeof installer;
}[] = [
  { action: 'ack', body: {}, who: guard },
  { action: 'ack', body: {}, who: guard },
  { action: 'dispatch', body: { to: '二组' }, who: guard },
  { action: 'arrive', body: {}, who: guard },
  { action: 'resolve', body: { disposition: 'false', note: '看过' }, who: guard },
  { action: 'resolve', body: { disposition: 'real', note: '看过' }, who: guard },
  { action: 'reset', body: {}, who: leader },
  { action: 'clear-false', body: { note: '确认误报', confirm: true }, who: leader },
  { action: 'shelve', body: { note: '施工', minutes: 2 }, who: leader },
  { action: 'shelve', body: { note: '施工', minutes: 2 }, who: guard },
  { action: 'unshelve', body: {}, who: guard },
  { action: 'out-of-service', body: { ticket: 'W-1', minutes: 3 }, who: installer },
  { action: 'in-service', body: {}, who: installer },
];

async function live(rig: AlarmRig, seed: number): Promise<void> {
  const oracle = new Oracle();
  const next = random(seed);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(next() * list.length)] as T;

  async function pass(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= LOST_MS) {
      const part = Math.min(left, LOST_MS);
      await rig.clock.advance(part);
      await rig.settled();
      oracle.ran += part;
      check(rig, oracle);
    }
  }

  async function condition(): Promise<void> {
    const source = pick(sources);
    const key = keyOf(source);
    if (next() < 0.6) {
      await rig.alarms.raise(source);
      oracle.holds.set(key, true);
    } else {
      if (oracle.holds.get(key)) oracle.went.set(key, oracle.ran);
      await rig.clear(source);
      oracle.holds.set(key, false);
    }
  }

  async function person(): Promise<void> {
    const open = rig.alarms.open();
    if (open.length === 0) return;
    const view = pick(open);
    const { action, body, who } = pick(actions);
    const minutes = 'minutes' in body ? Number(body.minutes) : undefined;
    try {
      const after = await rig.alarms.act(view.id, action, body, who);
      if (action === 'shelve' || action === 'out-of-service') {
        const until = minutes === undefined ? undefined : oracle.ran + minutes * MINUTE;
        oracle.aside.set(view.id, { until, starts: oracle.starts });
      } else if (action === 'unshelve' || action === 'in-service') oracle.aside.delete(view.id);
      expect(after.id).toBe(view.id);
    } catch (error) {
      expect((error as { code?: string }).code, `${action} of ${view.process} ${keyOf(view)}`).toMatch(
        /^(alarm\.wrong_state|auth\.forbidden)$/,
      );
    }
    if (action === 'shelve' && view.priority === 1) expect(rig.alarms.get(view.id)?.process).not.toBe('SHELVED');
  }

  async function restart(): Promise<void> {
    const seen = (views: readonly AlarmView[]) => views.map(({ nextEscalation: _, ...view }) => view);
    const before = seen(rig.alarms.open());
    await rig.restart();
    oracle.starts++;
    expect(seen(rig.alarms.open()), 'a restart changes nothing').toEqual(before);
  }

  for (let step = 0; step < STEPS; step++) {
    const dice = next();
    if (dice < 0.4) await condition();
    else if (dice < 0.72) await person();
    else if (dice < 0.92) await pass(Math.ceil(next() * 40) * SECOND);
    else if (dice < 0.97) rig.clock.step(pick([-3_600_000, -5000, 5000, 3_600_000]));
    else await restart();
    check(rig, oracle);
  }
  await pass(4 * MINUTE);
  checkLives(rig);
}

describe('R2 T1 T6 random lives', () => {
  test.each(seeds)(
    'R2 seed %i: no active alarm is invisible, each has one life, priority 1 is announced',
    async (seed) => {
      await using rig = await openAlarms();
      await live(rig, seed);
    },
  );
});
