/** The incident area: what is open in it, what waits behind it, and what opens by itself (ux.md 6). */
import type { AlarmView } from '../../contracts/api.ts';
import { type AlarmBook, isAside, isUnacked } from './alarms.ts';

export interface Incidents {
  /** Alarm ids, oldest first. */
  readonly tabs: readonly string[];
  readonly active?: string;
  /** The area came up by itself: it goes away by itself once the alarm is answered. */
  readonly popped: boolean;
  /** Unanswered P2 where the area would cover the screen: a card each, newest last, one shown at a time. */
  readonly cards: readonly string[];
  /** Unanswered alarms the guard closed: a red tag at the edge. */
  readonly tagged: readonly string[];
  /** Came while an input was open: they come up when it is closed. */
  readonly deferred: readonly string[];
}

export const noIncidents: Incidents = { tabs: [], popped: false, cards: [], tagged: [], deferred: [] };

/** The guard opens one: it takes the area and stays until closed. */
export const opened = (incidents: Incidents, id: string): Incidents => ({
  tabs: incidents.tabs.includes(id) ? incidents.tabs : [...incidents.tabs, id],
  active: id,
  popped: false,
  cards: incidents.cards.filter((card) => card !== id),
  tagged: incidents.tagged.filter((tag) => tag !== id),
  deferred: incidents.deferred.filter((tag) => tag !== id),
});

/**
 * New alarms arrive. P1 opens the area, or queues as a tab behind what the guard is working on; P2 takes it only if it
 * is free and lies beside the list (`wide`), else it is a card that covers nothing.
 * @param busy An input, confirm box or PIN pad is open: nothing may cover it.
 */
export function arrived(
  incidents: Incidents,
  fresh: readonly AlarmView[],
  view: { wide: boolean; busy: boolean },
): Incidents {
  let next = incidents;
  for (const alarm of fresh) {
    if (!isUnacked(alarm) || next.tabs.includes(alarm.id)) continue;
    const free = next.active === undefined;
    if (alarm.priority === 1 && view.busy) next = { ...next, deferred: [...next.deferred, alarm.id] };
    else if (alarm.priority === 1) next = { ...joined(next, alarm.id), popped: free ? true : next.popped };
    else if (alarm.priority === 2 && free && view.wide && !view.busy)
      next = { ...joined(next, alarm.id), popped: true };
    else if (alarm.priority === 2)
      next = { ...next, cards: [...next.cards.filter((card) => card !== alarm.id), alarm.id] };
  }
  return next;
}

const joined = (incidents: Incidents, id: string): Incidents => ({
  ...incidents,
  tabs: [...incidents.tabs, id],
  active: incidents.active ?? id,
});

/** The input that was in the way is closed: what waited behind it comes up. */
export function released(incidents: Incidents, book: AlarmBook): Incidents {
  const waiting = incidents.deferred.filter((id) => {
    const alarm = book.open.get(id);
    return alarm?.priority === 1 && isUnacked(alarm) && !incidents.tabs.includes(id);
  });
  const next = waiting.reduce(joined, { ...incidents, deferred: [] as readonly string[] });
  return waiting.length > 0 && incidents.active === undefined ? { ...next, popped: true } : next;
}

/** The guard closes a tab. Unanswered: it leaves a tag. */
export function closed(incidents: Incidents, id: string, book: AlarmBook): Incidents {
  const alarm = book.open.get(id);
  const next = removed(incidents, id);
  return alarm && isUnacked(alarm) ? { ...next, tagged: [...next.tagged, id] } : next;
}

/** The guard puts a card away: it leaves a tag like any other unanswered alarm. */
export function dismissed(incidents: Incidents, id: string, book: AlarmBook): Incidents {
  const alarm = book.open.get(id);
  const cards = incidents.cards.filter((card) => card !== id);
  return { ...incidents, cards, ...(alarm && isUnacked(alarm) ? { tagged: [...incidents.tagged, id] } : {}) };
}

/**
 * Alarms have changed: tags of answered ones go; an area that came up by itself goes once its alarm is answered,
 * unless it has a place of its own beside the list (`permanent`).
 */
export function settled(incidents: Incidents, book: AlarmBook, permanent: boolean): Incidents {
  const waits = (id: string) => {
    const alarm = book.open.get(id);
    return alarm !== undefined && isUnacked(alarm) && !isAside(alarm);
  };
  const tagged = incidents.tagged.filter(waits);
  const cards = incidents.cards.filter(waits);
  const same = tagged.length === incidents.tagged.length && cards.length === incidents.cards.length;
  let next = same ? incidents : { ...incidents, tagged, cards };
  if (next.popped && next.active !== undefined && !permanent) {
    const alarm = book.open.get(next.active);
    if (!alarm || !isUnacked(alarm)) next = { ...removed(next, next.active), popped: next.tabs.length > 1 };
  }
  return next;
}

function removed(incidents: Incidents, id: string): Incidents {
  const { active, ...rest } = incidents;
  const tabs = incidents.tabs.filter((tab) => tab !== id);
  const next = active === id ? tabs.at(-1) : active;
  return next === undefined ? { ...rest, tabs, popped: false } : { ...rest, tabs, active: next };
}
