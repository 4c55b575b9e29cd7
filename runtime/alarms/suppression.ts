/**
 * One alarm for a line, bus or switch that has failed instead of one for everything behind it (ux.md 5): what is behind it
 * is suppressed, and comes back by itself if it still holds when the way to it is free again.
 */
import type { Clock } from '../clock.ts';
import type { AlarmSettings, AlarmView } from '../contracts/api.ts';
import { gatewayScenario } from '../contracts/gateway.ts';
import { scenarioOf, scenarios } from '../contracts/index.ts';
import type { Unit } from '../journal/journal.ts';
import type { AlarmTime } from './alarm-time.ts';
import { growWorse, holds, type Step, suppress } from './lifecycle.ts';
import { type Kept, timingAfter } from './timing.ts';

export interface Why {
  readonly actor: string;
  readonly cause?: string | undefined;
  readonly data?: object | undefined;
}
interface Parts {
  /** Open alarms by id. */
  readonly open: ReadonlyMap<string, Kept>;
  standing(device: string, kind: string): Kept | undefined;
  readonly clock: Clock;
  readonly time: AlarmTime;
  /** What cuts a device off when it fails. */
  above(device: string): readonly string[];
  settings(): AlarmSettings | undefined;
  plan(before: Kept | undefined, step: Step, why: Why, timing?: Kept['timing']): Unit;
  quiet(kept: Kept): Unit;
}

/** What is behind a line that works again has so long to answer before its silence is told. */
const GRACE_MS = 30_000;
const ACTOR = 'system:alarms';

export const join = (units: readonly Unit[]): Unit => ({
  records: units.flatMap(({ records = [] }) => records),
  writes: units.flatMap(({ writes = [] }) => writes),
});
const kindOf = ({ scenario, kind }: AlarmView) => scenarioOf(scenario)?.alarms[kind];
/** Kinds of alarm that say: everything behind this device is cut off. */
const cutting = new Set(
  [...scenarios, gatewayScenario].flatMap(({ alarms }) =>
    Object.entries(alarms).flatMap(([kind, { cutsOff }]) => (cutsOff ? [kind] : [])),
  ),
);

export function createSuppression({ open, standing, clock, time, above, settings, plan, quiet }: Parts) {
  /** The outermost thing above the device that has failed. */
  function suppressorOf(device: string): Kept | undefined {
    let found: Kept | undefined;
    const seen = new Set([device]);
    for (let level = [device]; level.length > 0; ) {
      level = level.flatMap((one) => above(one)).filter((one) => !seen.has(one) && seen.add(one));
      found = level.map(failureOf).find((one) => one !== undefined) ?? found;
    }
    return found;
  }

  function failureOf(device: string): Kept | undefined {
    for (const kind of cutting) {
      const kept = standing(device, kind);
      if (kept && holds(kept.view) && kindOf(kept.view)?.cutsOff) return kept;
    }
    return undefined;
  }

  const behind = (processes: readonly AlarmView['process'][]) =>
    [...open.values()].filter(({ view }) => processes.includes(view.process) && kindOf(view)?.behindParent);

  function suppressBehind(): Unit {
    const units: Unit[] = [];
    for (const kept of behind(['ACTIVE_UNACK', 'ACTIVE_ACK', 'SUPPRESSED'])) {
      const parent = suppressorOf(kept.view.device);
      if (!parent || (kept.view.suppressedBy === parent.view.id && kept.timing.releaseAt === undefined)) continue;
      units.push(suppressBy(kept, parent));
    }
    return join(units);
  }

  function suppressBy(kept: Kept, parent: Kept): Unit {
    const step = suppress(kept.view, parent.view.id, clock.now());
    const { releaseAt: _, ...timing } = timingAfter(kept, step.view, settings(), time.now());
    return join([
      plan(kept, step, { actor: ACTOR, cause: parent.view.cause }, timing),
      makeHeavier(parent.view.id, kept.view),
    ]);
  }

  /** What is told for many is as urgent as the most urgent of them. */
  function makeHeavier(parent: string, { priority, severity }: AlarmView): Unit {
    const kept = open.get(parent);
    const step = kept && growWorse(kept.view, { priority, severity }, clock.now());
    return step ? plan(kept, step, { actor: ACTOR, cause: kept.view.cause }) : {};
  }

  function releaseBehind(): Unit {
    const units: Unit[] = [];
    for (const kept of behind(['SUPPRESSED'])) {
      const parent = suppressorOf(kept.view.device);
      if (parent && parent.view.id !== kept.view.suppressedBy) units.push(suppressBy(kept, parent));
      else if (!parent && kept.timing.releaseAt === undefined)
        units.push(quiet({ ...kept, timing: { ...kept.timing, releaseAt: time.now() + GRACE_MS } }));
    }
    return join(units);
  }

  return {
    suppressorOf,
    suppressBy,
    makeHeavier,
    /** Puts right what stands now: the site, or what has failed in it, has changed. */
    reconsider: () => join([suppressBehind(), releaseBehind()]),
    /** A line or device has failed or works again: what is behind it is told no longer, or again after a while. */
    cutOff(before: AlarmView | undefined, after: AlarmView): Unit {
      const [was, is] = [before !== undefined && holds(before), holds(after)];
      if (was === is || !kindOf(after)?.cutsOff) return {};
      return is ? suppressBehind() : releaseBehind();
    },
    /** What comes while the thing in front of it is down is not told by itself. */
    asToldHere(view: AlarmView): AlarmView {
      const parent =
        view.process === 'ACTIVE_UNACK' && kindOf(view)?.behindParent ? suppressorOf(view.device) : undefined;
      return parent ? { ...view, process: 'SUPPRESSED', suppressedBy: parent.view.id } : view;
    },
  };
}
