/**
 * Alarm floods (ux.md 5, ISA-18.2): more alarms in ten minutes than a person can answer. Nothing is dropped or hidden by
 * it; screens group the lesser ones and announce priority 1 one by one.
 */
import type { AlarmView, FloodView } from '../contracts/api.ts';
import type { Draft } from '../contracts/record.ts';
import type { Journal, Unit } from '../journal/journal.ts';
import { isAside, isWaiting } from './lifecycle.ts';

export const floodSchema = `
CREATE TABLE IF NOT EXISTS alarm_flood (booth TEXT PRIMARY KEY, state TEXT NOT NULL) WITHOUT ROWID, STRICT;`;
const SAVE = 'INSERT INTO alarm_flood VALUES (?, ?) ON CONFLICT DO UPDATE SET state = excluded.state';

const WINDOW_MS = 10 * 60_000;
/** It begins above the one and ends below the other. */
const BEGINS_ABOVE = 10;
const ENDS_BELOW = 5;
/** Of more the number is not known; it is a flood all the same. */
const MOST_TIMES = 500;

interface State {
  /** Alarm time of what came in the last ten minutes, oldest first. */
  readonly times: readonly number[];
  /** While it lasts: the wall clock when it began, and the most alarms in ten minutes. */
  readonly flood?: { readonly since: number; readonly most: number };
}
export type BoothFlood = FloodView['booths'][number];

export interface Floods {
  /** An alarm that somebody has to look at has come. */
  came(booth: string, now: number, wall: number): Unit;
  /** What ends now. */
  tick(now: number): Unit;
  /** When to look again, in alarm time. */
  due(): number | undefined;
  view(now: number, open: readonly AlarmView[], site: BoothSite): BoothFlood[];
  reload(): void;
}

const within = (times: readonly number[], now: number): number[] => times.filter((time) => now - time < WINDOW_MS);

/** The booths of the site, and which of them sees to a zone. */
interface BoothSite {
  readonly booths: readonly string[];
  boothOf(zone: string): string;
}

function groupsOf(views: readonly AlarmView[]): BoothFlood['groups'] {
  const groups = Map.groupBy(views, ({ zone, scenario, kind }) => `${zone}\n${scenario}\n${kind}`);
  return [...groups.values()]
    .map((group) => {
      const { zone = '', scenario = '', kind = '' } = group[0] ?? {};
      return {
        ...{ zone, scenario, kind },
        priority: Math.min(...group.map(({ priority }) => priority)),
        count: group.length,
        waiting: group.filter(isWaiting).length,
        newestAt: Math.max(...group.map(({ raisedAt }) => raisedAt)),
      };
    })
    .sort((a, b) => a.priority - b.priority || b.newestAt - a.newestAt);
}

export function createFloods({ db }: Pick<Journal, 'db'>): Floods {
  const states = new Map<string, State>();
  const stored = db.prepare<[], { booth: string; state: string }>('SELECT * FROM alarm_flood');
  function reload(): void {
    states.clear();
    for (const { booth, state } of stored.all()) states.set(booth, JSON.parse(state) as State);
  }
  reload();

  const save = (booth: string, state: State, records: Draft[] = []): Unit => {
    states.set(booth, state);
    return { records, writes: [{ sql: SAVE, params: [booth, JSON.stringify(state)] }] };
  };
  const told = (name: 'flood.began' | 'flood.ended', booth: string, alarms: number, flood: object): Draft => ({
    lane: 'L1',
    kind: 'event',
    scenario: 'gateway',
    device: '',
    name,
    data: { booth, alarms, ...flood },
    actor: 'system:alarms',
  });

  return {
    came(booth, now, wall) {
      const { times = [], flood } = states.get(booth) ?? {};
      const recent = [...within(times, now), now].slice(-MOST_TIMES);
      const alarms = recent.length;
      if (flood) return save(booth, { times: recent, flood: { ...flood, most: Math.max(flood.most, alarms) } });
      if (alarms <= BEGINS_ABOVE) return save(booth, { times: recent });
      const begun = { since: wall, most: alarms };
      return save(booth, { times: recent, flood: begun }, [told('flood.began', booth, alarms, begun)]);
    },
    tick(now) {
      const units = [...states].flatMap(([booth, { times, flood }]) => {
        const recent = within(times, now);
        if (!flood || recent.length >= ENDS_BELOW) return [];
        return [save(booth, { times: recent }, [told('flood.ended', booth, recent.length, flood)])];
      });
      return {
        records: units.flatMap(({ records = [] }) => records),
        writes: units.flatMap(({ writes = [] }) => writes),
      };
    },
    due() {
      // It ends when the fifth youngest is no longer among the last ten minutes.
      const ends = [...states.values()].flatMap(({ times, flood }) =>
        flood ? [(times.at(-ENDS_BELOW) ?? 0) + WINDOW_MS] : [],
      );
      return ends.length === 0 ? undefined : Math.min(...ends);
    },
    view(now, open, { booths, boothOf }) {
      const visible = Map.groupBy(
        open.filter((view) => !isAside(view)),
        ({ zone }) => boothOf(zone),
      );
      return [...new Set([...booths, ...visible.keys()])].map((booth) => {
        const { times = [], flood } = states.get(booth) ?? {};
        const views = visible.get(booth) ?? [];
        return {
          booth,
          alarms: within(times, now).length,
          ...(flood ? { flood } : {}),
          urgent: views.filter(({ priority }) => priority === 1).map(({ id }) => id),
          groups: groupsOf(views.filter(({ priority }) => priority !== 1)),
        };
      });
    },
    reload,
  };
}
