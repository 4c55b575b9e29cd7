/**
 * `gh-schedule`: times of the site's clock, sunrise and sunset, workdays and holidays. Output 1 is a time that is due,
 * output 2 one that was missed and starts nothing by itself, output 3 what day and light it is for a message that asks.
 */
import { createHash } from 'node:crypto';
import { askOnInput } from './acting.ts';
import { serveEditor } from './editor-routes.ts';
import { explain, NodeFailure } from './failures.ts';
import { type Gateway, gatewayOf, scheduleMemoryOf } from './gateway.ts';
import { createLight } from './light.ts';
import type { FlowNode, Message, NodeDefinition, Red } from './red.ts';
import { createKeeper, type MissedBecause } from './schedule/keeper.ts';
import {
  type Due,
  duesBetween,
  type Entry,
  isDaylight,
  isWorkday,
  nextDue,
  type Place,
  placeOf,
  readEntries,
} from './schedule/times.ts';
import { dateOf } from './schedule/wall-clock.ts';
import { textOf } from './shapes.ts';

const DEFAULT_GRACE_S = 30;
const LONGEST_GRACE_S = 3600;
/** Holidays are entered once a year; a flow knows of it within minutes. */
const CALENDAR_EVERY_MS = 300_000;
const CALENDAR_RETRY_MS = 2000;

/** Seconds after which a time counts as missed. */
function graceOf({ graceSeconds }: NodeDefinition): number {
  const seconds = Number(graceSeconds);
  return (seconds > 0 ? Math.min(seconds, LONGEST_GRACE_S) : DEFAULT_GRACE_S) * 1000;
}

const systemClock = {
  now: () => Date.now(),
  after(ms: number, action: () => void) {
    const timer = setTimeout(action, ms);
    return () => clearTimeout(timer);
  },
};

/** What day and light it is at the site. */
function skyOf(at: number, place: Place) {
  const date = dateOf(at, place.timeZone);
  const daylight = isDaylight(at, place);
  const name = place.special.get(date)?.name;
  return {
    date,
    workday: isWorkday(date, place),
    ...(daylight === undefined ? {} : { daylight }),
    ...(name === undefined ? {} : { holiday: name }),
    calendar: place.known.has(Number(date.slice(0, 4))),
  };
}

/** Asks for the calendar until it is there, then now and then. @returns what ends it */
function keepCalendar(gateway: Gateway, changed: (place: Place) => void, failed: (error: unknown) => void): () => void {
  let timer: NodeJS.Timeout | undefined;
  let closed = false;
  const ask = () => {
    gateway.calendar().then(
      (view) => {
        if (closed) return;
        timer = setTimeout(ask, CALENDAR_EVERY_MS);
        changed(placeOf(view));
      },
      (error: unknown) => {
        if (closed) return;
        timer = setTimeout(ask, CALENDAR_RETRY_MS);
        failed(error);
      },
    );
  };
  ask();
  return () => {
    closed = true;
    clearTimeout(timer);
  };
}

/** Fires at the times that are on record as due, while history is played back. */
function followPast(
  gateway: Gateway,
  node: string,
  entries: readonly Entry[],
  fire: (due: Due, record: string) => void,
): () => void {
  const ticks = new Set(['event:schedule.due']);
  return gateway.follow(
    { scenarios: ['gateway'], pick: { by: 'all' }, ticks },
    {
      record({ id, data }) {
        const { node: whose, due } = data as { node?: unknown; due?: unknown };
        if (whose !== node || typeof due !== 'number') return;
        gateway.calendar().then(
          (calendar) => {
            const [found] = duesBetween(entries, due - 1, due, placeOf(calendar));
            // Other times than then: the flow would not have fired.
            if (found) fire(found, id);
          },
          () => {}, // the replay has ended
        );
      },
      connection() {},
    },
  );
}

export function registerSchedule(red: Red): void {
  serveEditor(red);
  red.nodes.registerType('gh-schedule', function create(this: FlowNode, definition: NodeDefinition) {
    red.nodes.createNode(this, definition);
    const gateway = gatewayOf(red);
    const memory = scheduleMemoryOf(red);
    const light = createLight(red, this, () => gateway.site()?.timeZone ?? place?.timeZone);
    const { entries, faulty } = readEntries(definition.times);
    const name = textOf(definition.name);
    let place: Place | undefined;

    const messageOf = ({ at }: Due, value: unknown, more: object): Message => ({
      topic: `schedule/${this.id}`,
      payload: value,
      schedule: { due: at, ...(place ? skyOf(at, place) : {}), ...more },
    });
    const ghOf = (id: string, { at }: Due) => ({
      gh: {
        ...{ v: 1, kind: 'event', id, ts: at, site: gateway.site()?.id ?? '', device: '', name: 'schedule.due' },
        ...{ quality: 'good', corr: id, replay: gateway.replay },
      },
    });
    const failed = (error: unknown) => {
      const failure = explain(red, error);
      light.set({ failed: failure.code });
      this.error(failure, { topic: `schedule/${this.id}` });
    };
    if (entries.length === 0 || faulty > 0) light.set({ unconfigured: true });
    const needsPlace = entries.some(({ at }) => at !== 'time');

    const fire = (due: Due, record: string) => {
      for (const { value } of due.entries) {
        this.send([{ ...messageOf(due, value, {}), ...ghOf(record, due) }, null, null]);
      }
      light.set({ failed: undefined, goodAt: Date.now() });
    };
    // The past has its own times: those that are on record.
    if (gateway.replay) {
      const end = followPast(gateway, this.id, entries, fire);
      this.on('close', () => {
        end();
        light.close();
      });
      return;
    }

    const keeper = createKeeper({
      entries,
      plan: createHash('sha256')
        .update(JSON.stringify(definition.times ?? []))
        .digest('base64url'),
      graceMs: graceOf(definition),
      clock: systemClock,
      place: () => place,
      reached: () => memory.get(this.id),
      save: (reached) => memory.set(this.id, reached),
      tell: (due, missed) =>
        gateway.occurrence({ node: this.id, due, missed, ...(name === undefined ? {} : { name }) }, this.z),
      fire,
      missed: (due, because: MissedBecause, record) => {
        for (const { value } of due.entries) {
          const origin = record === undefined ? {} : ghOf(record, due);
          this.send([null, { ...messageOf(due, value, { missed: because }), ...origin }, null]);
        }
      },
      failed,
      next: (nextAt) => light.set({ nextAt }),
    });
    const endCalendar = keepCalendar(
      gateway,
      (known) => {
        place = known;
        light.set({ connection: undefined });
        if (needsPlace && !known.location) failed(new NodeFailure('GH_BAD_INPUT', 'noLocation'));
        void keeper.look();
      },
      () => light.set({ connection: { online: false, attempt: 1 } }),
    );
    const endAsking = askOnInput({
      red,
      node: this,
      light,
      run: async (message) => {
        const known = place ?? placeOf(await gateway.calendar());
        const now = Date.now();
        const next = nextDue(entries, now, known);
        const schedule = { ...skyOf(now, known), ...(next === undefined ? {} : { next }) };
        return [null, null, { ...message, schedule }];
      },
    });
    this.on('close', () => {
      keeper.close();
      endCalendar();
      endAsking();
      light.close();
    });
  });
}
