/**
 * How well the alarms serve those who answer them (ISA-18.2), counted from the records alone: the same answer after every
 * restart. Pure: records in order go in, figures come out.
 */
import type { AlarmStatistics } from '../contracts/alarm-statistics.ts';
import type { AlarmView } from '../contracts/api.ts';
import type { AlarmChange, JournalRecord } from '../contracts/record.ts';
import { isAside } from './lifecycle.ts';

export interface StatisticsQuery {
  readonly from: number;
  readonly to: number;
  /** Zone → booth that sees to it. */
  readonly booths: Readonly<Record<string, string>>;
}

const TEN_MINUTES = 600_000;
const HOUR = 3_600_000;
const DAY = 24 * HOUR;
/** As in flood.ts: it begins above the one and ends below the other. */
const FLOOD_ABOVE = 10;
const FLOOD_BELOW = 5;
/** Share of all alarms and time to answer that are aimed at (ux.md 5). */
const aims: readonly { priority: number; most?: number; withinMs: number }[] = [
  { priority: 1, most: 0.05, withinMs: 60_000 },
  { priority: 2, most: 0.15, withinMs: 300_000 },
  { priority: 3, withinMs: 1_800_000 },
  { priority: 4, withinMs: 8 * HOUR },
];
const WORST = 5;
const ANNOUNCING: readonly AlarmChange['change'][] = ['raised', 'repeated', 'unsuppressed', 'unshelved', 'in-service'];

/** The most that came within a stretch of time, as it slides along. */
function slidingPeak(stretchMs: number) {
  let times: number[] = [];
  let most: { alarms: number; until?: number } = { alarms: 0 };
  return {
    add(at: number): number {
      // The clock may have been set back: what lies ahead of now is not counted as recent.
      times = times.filter((time) => at - time < stretchMs && time <= at);
      times.push(at);
      if (times.length > most.alarms) most = { alarms: times.length, until: at };
      return times.length;
    },
    times: () => times,
    most: () => most,
  };
}

function boothTally() {
  const ten = slidingPeak(TEN_MINUTES);
  const hour = slidingPeak(HOUR);
  let alarms = 0;
  let floodMs = 0;
  let floodSince: number | undefined;
  /** When it came down to fewer than five in ten minutes. */
  const endOf = () => (ten.times().at(-FLOOD_BELOW) ?? 0) + TEN_MINUTES;
  function endUpTo(at: number): void {
    if (floodSince === undefined || endOf() > at) return;
    floodMs += Math.max(0, endOf() - floodSince);
    floodSince = undefined;
  }
  return {
    add(at: number) {
      alarms++;
      endUpTo(at);
      hour.add(at);
      if (ten.add(at) > FLOOD_ABOVE) floodSince ??= at;
    },
    result(booth: string, from: number, to: number): AlarmStatistics['booths'][number] {
      endUpTo(to);
      const inFlood = floodMs + (floodSince === undefined ? 0 : Math.max(0, to - floodSince));
      return {
        booth,
        alarms,
        perHour: rounded(alarms / ((to - from) / HOUR)),
        peakHour: hour.most(),
        peakTenMinutes: ten.most(),
        floodSeconds: Math.round(inFlood / 1000),
        floodShare: rounded(inFlood / (to - from), 10_000),
      };
    },
  };
}

const rounded = (value: number, places = 100): number => Math.round(value * places) / places;

/** Nearest rank. */
function quantiles(values: readonly number[]) {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (part: number) => sorted[Math.max(0, Math.ceil(sorted.length * part) - 1)];
  const [p50Ms, p90Ms, p99Ms] = [at(0.5), at(0.9), at(0.99)];
  return {
    answered: sorted.length,
    ...(p50Ms === undefined || p90Ms === undefined || p99Ms === undefined ? {} : { p50Ms, p90Ms, p99Ms }),
  };
}

type Source = AlarmStatistics['worst'][number];
const sourceOf = ({ device, scenario, kind, zone }: AlarmView) => ({ device, scenario, kind, zone });

export interface Tally {
  /** Records of kind alarm, in their order. */
  add(record: JournalRecord): void;
  /** @param known alarms that may not have changed in the stretch: those open now, and those that changed after it */
  result(known: readonly AlarmView[]): AlarmStatistics;
}

export function createTally({ from, to, booths }: StatisticsQuery): Tally {
  const byBooth = new Map<string, ReturnType<typeof boothTally>>();
  const sources = new Map<string, Source>();
  const chatter = new Map<string, { source: Omit<Source, 'alarms' | 'share'>; comings: Map<number, number> }>();
  const answers = new Map<number, number[]>();
  const operators = new Map<string, { times: number[]; hours: Set<number>; ten: ReturnType<typeof slidingPeak> }>();
  const escalated = new Map<number, Set<string>>();
  const steps = new Map<string, AlarmStatistics['escalations'][number]>();
  const announced = new Map<number, number>();
  const last = new Map<string, { view: AlarmView; since: number }>();
  const dispositions = { real: 0, false: 0, test: 0, fault: 0 };

  const list = <K, V>(map: Map<K, V>, key: K, fresh: () => V): V => {
    const known = map.get(key) ?? fresh();
    map.set(key, known);
    return known;
  };

  function announce(view: AlarmView, at: number): void {
    announced.set(view.priority, (announced.get(view.priority) ?? 0) + 1);
    list(byBooth, booths[view.zone] ?? '', boothTally).add(at);
    const key = `${view.device}\n${view.kind}`;
    list(sources, key, () => ({ ...sourceOf(view), alarms: 0, share: 0 })).alarms++;
  }

  function answer(view: AlarmView, at: number): void {
    if (view.answerMs === undefined) return;
    list(answers, view.priority, () => []).push(view.answerMs);
    const { times, hours, ten } = list(operators, view.ackedBy ?? '', () => ({
      times: [],
      hours: new Set<number>(),
      ten: slidingPeak(TEN_MINUTES),
    }));
    times.push(view.answerMs);
    hours.add(Math.floor(at / HOUR));
    ten.add(at);
  }

  return {
    add({ data, received }) {
      const { change, ...view } = data as AlarmView & AlarmChange;
      if (ANNOUNCING.includes(change) && view.process === 'ACTIVE_UNACK') announce(view, received);
      if (change === 'acked') answer(view, received);
      if (change === 'resolved' && view.disposition) dispositions[view.disposition]++;
      if (change === 'escalated') {
        list(escalated, view.priority, () => new Set<string>()).add(`${view.id} ${view.count}`);
        const level = view.escalation?.level ?? 0;
        list(steps, `${view.priority} ${level}`, () => ({ priority: view.priority, level, steps: 0 })).steps++;
      }
      const shown = (data as { detail?: { chatter?: AlarmView['chatter'] } }).detail?.chatter ?? view.chatter;
      if (shown) {
        const { comings } = list(chatter, `${view.device}\n${view.kind}`, () => ({
          source: sourceOf(view),
          comings: new Map(),
        }));
        comings.set(shown.since, Math.max(comings.get(shown.since) ?? 0, shown.count));
      }
      const since =
        change === 'raised' || change === 'repeated' ? received : (last.get(view.id)?.since ?? view.raisedAt);
      last.set(view.id, { view, since });
    },

    result(known) {
      const alarms = [...announced.values()].reduce((sum, n) => sum + n, 0);
      const share = (n: number) => (alarms === 0 ? 0 : rounded(n / alarms, 10_000));
      const names = new Set([...Object.values(booths), ...byBooth.keys()]);
      return {
        ...{ from, to, alarms },
        booths: [...names].map((booth) => (byBooth.get(booth) ?? boothTally()).result(booth, from, to)),
        operators: [...operators]
          .map(([operator, { times, hours, ten }]) => ({
            operator,
            ...quantiles(times),
            perHour: rounded(times.length / hours.size),
            peakTenMinutes: ten.most(),
          }))
          .sort((a, b) => b.answered - a.answered),
        priorities: aims.map(({ priority, most, withinMs }) => {
          const times = answers.get(priority) ?? [];
          const n = announced.get(priority) ?? 0;
          return {
            ...{ priority, alarms: n, share: share(n), withinMs },
            ...(most === undefined ? {} : { most }),
            ...quantiles(times),
            late: times.filter((time) => time > withinMs).length,
            escalated: escalated.get(priority)?.size ?? 0,
          };
        }),
        escalations: [...steps.values()].sort((a, b) => a.priority - b.priority || a.level - b.level),
        dispositions,
        worst: [...sources.values()]
          .sort((a, b) => b.alarms - a.alarms || (a.device < b.device ? -1 : 1))
          .slice(0, WORST)
          .map((source) => ({ ...source, share: share(source.alarms) })),
        chattering: [...chatter.values()]
          .map(({ source, comings }) => ({ ...source, comings: [...comings.values()].reduce((sum, n) => sum + n, 0) }))
          .sort((a, b) => b.comings - a.comings),
        standing: standing(known),
        ...asideNow(known),
      };
    },
  };

  /** Those whose condition held at the end and had for a day. */
  function standing(known: readonly AlarmView[]): AlarmStatistics['standing'] {
    const untouched = known.filter(({ id, raisedAt }) => !last.has(id) && raisedAt < from);
    const at = [...last.values(), ...untouched.map((view) => ({ view, since: view.raisedAt }))];
    return at
      .filter(({ view, since }) => {
        const held = view.process !== 'NORMAL' && (view.returnedAt === undefined || view.returnedAt > to);
        return held && since <= to - DAY;
      })
      .map(({ view, since }) => ({ alarm: view.id, ...sourceOf(view), priority: view.priority, since }))
      .sort((a, b) => a.since - b.since);
  }
}

function asideNow(known: readonly AlarmView[]): Pick<AlarmStatistics, 'shelved' | 'outOfService'> {
  const listed = (view: AlarmView, by?: string, reason?: string, until?: number) => ({
    ...{ alarm: view.id, ...sourceOf(view), priority: view.priority },
    ...(by === undefined ? {} : { by }),
    ...(reason === undefined ? {} : { reason }),
    ...(until === undefined ? {} : { until }),
  });
  const aside = known.filter(isAside);
  return {
    shelved: aside
      .filter(({ process }) => process === 'SHELVED')
      .map((view) => listed(view, view.shelvedBy, view.note, view.shelvedUntil)),
    outOfService: aside.flatMap((view) =>
      view.outOfService ? [listed(view, view.outOfService.by, view.outOfService.ticket, view.outOfService.until)] : [],
    ),
  };
}
