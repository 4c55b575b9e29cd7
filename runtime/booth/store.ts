/** Everything the screens read, as signals; folded from one snapshot and the stream after it. No screen fetches state. */
import { batch, computed, signal } from '@preact/signals';
import type {
  AlarmView,
  CommandView,
  DeviceView,
  FloodView,
  RecordsPage,
  Session,
  Status,
  Zone,
} from '../contracts/api.ts';
import type { LinkageView } from '../contracts/linkage-view.ts';
import { type JournalRecord, type Position, parsePosition } from '../contracts/record.ts';
import { get, Refusal } from './api.ts';
import { clock, correctClock, gatewayNow, siteZone } from './clock.ts';
import { foldActivity } from './state/activity.ts';
import { type AlarmBook, alarmCounts, alarmsFrom, foldAlarms, isAfter, noAlarms, risen } from './state/alarms.ts';
import type { Link } from './state/connection.ts';
import { changesInventory, type DeviceBook, deviceCounts, devicesFrom, foldDevices } from './state/devices.ts';
import { type Figures, foldFigures, isYesterday, merged, noFigures } from './state/figures.ts';
import { type Flood, floodFrom, foldFlood, noFlood } from './state/flood.ts';
import { foldLanes, type LaneBook, laneViews } from './state/lanes.ts';
import { foldLeases, type HeldBook, heldFrom } from './state/leases.ts';
import { foldLinkages, type LinkageBook, linkagesFrom } from './state/linkages.ts';
import { foldOrders, type Order } from './state/orders.ts';
import { foldPictures, type PictureBook } from './state/pictures.ts';
import { dateIn, midnightIn } from './words/time.ts';

export const session = signal<Session | undefined>(undefined);
export const status = signal<Status | undefined>(undefined);
export const zones = signal<readonly Zone[]>([]);
export const devices = signal<DeviceBook>(new Map());
export const alarms = signal<AlarmBook>(noAlarms);
export const lanes = signal<LaneBook>(new Map());
export const orders = signal<ReadonlyMap<string, Order>>(new Map());
export const figures = signal<Figures>(noFigures(''));
export const activity = signal<readonly JournalRecord[]>([]);
/** Alarm records heard since log-in, oldest first: the live end of an incident's timeline. */
export const alarmTrail = signal<readonly JournalRecord[]>([]);
/** The last command records heard: some come before the answer to the request that made them. */
export const commandTrail = signal<readonly JournalRecord[]>([]);
/** Who works here, for names instead of log-in names. */
export const people = signal<readonly Person[]>([]);
/** Elevators, gates and doors that are held now. */
export const leases = signal<HeldBook>(new Map());
/** Safety linkages at work now. */
export const linkages = signal<LinkageBook>(new Map());
/** The newest picture of each camera. */
export const pictures = signal<PictureBook>(new Map());
/** Alarms come in floods: the list is grouped and P3 is silent. */
export const flood = signal<Flood>(noFlood);
export const isFlood = computed(() => flood.value.size > 0);
export const link = signal<Link | undefined>(undefined);

export const counts = computed(() => alarmCounts(alarms.value));
const totals = computed(() => deviceCounts(devices.value));
export const devicesOnline = computed(() => totals.value.online);
export const devicesTotal = computed(() => totals.value.total);
const halfMinute = computed(() => Math.floor(clock.value / 1000));
export const laneList = computed(() =>
  laneViews(
    { zones: zones.value, devices: devices.value, lanes: lanes.value, held: leases.value },
    halfMinute.value * 1000,
  ),
);
export const live = computed(() => link.value?.phase === 'live');
export const lost = computed(() => link.value?.phase === 'lost');
/** Auditors look; they touch nothing. */
export const readOnly = computed(() => session.value?.role === 'auditor' || session.value?.role === 'platform');
/** False: no command may leave this screen, and none is kept for later. */
export const canAct = computed(() => live.value && !readOnly.value);

export interface Person {
  readonly name: string;
  readonly displayName: string;
  readonly role: Session['role'];
}

export const zoneName = (id: string): string => zones.value.find((zone) => zone.id === id)?.name ?? id;
export const deviceName = (id: string): string => devices.value.get(id)?.name ?? id;

/** Cameras that show what the alarm is about, best first: its own, those of its device, those of its zone. */
export function camerasOf(alarm: Pick<AlarmView, 'cameras' | 'device' | 'zone'>): readonly string[] {
  const own = alarm.cameras ?? devices.value.get(alarm.device)?.cameras ?? [];
  if (own.length > 0) return own;
  const near = [...devices.value.values()].filter((device) => device.role === 'camera' && device.zone === alarm.zone);
  return near.map((device) => device.id);
}

/** The last position folded: where the stream goes on. */
let position: Position = noAlarms.position;
export const head = (): Position => position;

/** The name of somebody who logs in: the display name where it is known. */
export function personName(name: string): string {
  const me = session.value;
  if (me?.name === name) return me.displayName;
  return people.value.find((person) => person.name === name)?.displayName ?? name;
}

const TRAIL_KEPT = 500;
const COMMANDS_KEPT = 100;
const dayOf = (ms: number): string => dateIn(siteZone.value, ms);
const zoneOf = (device: string): string | undefined => devices.peek().get(device)?.zone;

interface Listed<T> {
  readonly position: string;
  readonly items: readonly T[];
}

/**
 * Reads the state of the gateway as it is now; the stream then starts at {@link head}.
 * @throws Whatever the API throws; nothing has changed then.
 */
export async function loadSnapshot(): Promise<void> {
  const [now, places, listed] = await Promise.all([
    get<Status>('/status'),
    get<readonly Zone[]>('/zones'),
    get<Listed<DeviceView>>('/devices'),
  ]);
  const start = parsePosition(listed.position) ?? noAlarms.position;
  const [open, events, commands, held, doors, tide, linked] = await Promise.all([
    get<Listed<AlarmView>>('/alarms?state=open'),
    get<RecordsPage>('/records?scenario=vehicle-gate&kind=event&order=desc&limit=200'),
    get<RecordsPage>('/records?scenario=vehicle-gate&kind=command&order=desc&limit=200'),
    get<{ readonly items: readonly CommandView[] }>('/commands?held=true'),
    get<RecordsPage>('/records?scenario=pedestrian-gate&kind=command&order=desc&limit=100'),
    get<FloodView>('/alarms/flood'),
    get<{ readonly items: readonly LinkageView[] }>('/linkages'),
  ]);
  const past = [...events.items, ...commands.items, ...doors.items]
    .filter((record) => !isAfter(record, start))
    .sort((a, b) => (isAfter(a, b) ? 1 : -1));
  batch(() => {
    applyStatus(now);
    zones.value = places;
    devices.value = devicesFrom(listed.items);
    alarms.value = alarmsFrom(open.items, open.position);
    lanes.value = foldLanes(new Map(), past, zoneOf);
    activity.value = foldActivity([], past);
    pictures.value = foldPictures(new Map(), past);
    linkages.value = linkagesFrom(linked.items);
    leases.value = heldFrom(held.items, (id) => devices.peek().get(id)?.scenario ?? '');
    flood.value = floodFrom(tide);
    figures.value = noFigures(dayOf(gatewayNow()));
    alarmTrail.value = [];
    position = start;
  });
  countedUntil = start;
  void untilAnswered(() => countToday(start));
}

const AGAIN_MS = 3000;

/** A line that is lost in between must not leave the screen without what was asked for. A refusal is an answer. */
async function untilAnswered(ask: () => Promise<void>): Promise<void> {
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (error instanceof Refusal && error.status !== 429) return;
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
    }
  }
}

/** The tiles of the log-in page. Not offered from outside the site's own network: then names are typed. */
export async function loadPeople(): Promise<void> {
  try {
    people.value = await get<readonly Person[]>('/sessions/people');
  } catch {
    people.value = [];
  }
}

export function applyStatus(now: Status): void {
  correctClock(now.now);
  siteZone.value = now.site.timeZone;
  status.value = now;
}

/** Folds what the stream brought. @returns Alarms that began to wait for an answer. */
export function applyRecords(records: readonly JournalRecord[]): readonly AlarmView[] {
  const news = records.filter((record) => isAfter(record, position));
  const last = news.at(-1);
  if (!last) return [];
  const before = alarms.peek();
  batch(() => {
    devices.value = foldDevices(devices.peek(), news);
    alarms.value = foldAlarms(before, news, link.peek()?.gap);
    lanes.value = foldLanes(lanes.peek(), news, zoneOf);
    orders.value = foldOrders(orders.peek(), news);
    figures.value = foldFigures(figures.peek(), news, dayOf);
    activity.value = foldActivity(activity.peek(), news);
    pictures.value = foldPictures(pictures.peek(), news);
    leases.value = foldLeases(leases.peek(), news);
    linkages.value = foldLinkages(linkages.peek(), news);
    flood.value = foldFlood(flood.peek(), news);
    const ordered = news.filter((record) => record.kind === 'command');
    if (ordered.length > 0) commandTrail.value = [...commandTrail.peek(), ...ordered].slice(-COMMANDS_KEPT);
    const trail = news.filter((record) => record.kind === 'alarm');
    if (trail.length > 0) alarmTrail.value = [...alarmTrail.peek(), ...trail].slice(-TRAIL_KEPT);
  });
  position = { epoch: last.epoch, seq: last.seq };
  if (news.some(changesInventory)) void untilAnswered(reloadInventory);
  const after = alarms.peek();
  return after === before ? [] : risen(before, after);
}

/** Guards do not see audit records, so a different number of devices says the same to them. */
export function checkInventory(now: Status): void {
  if (now.devices.total !== devices.peek().size) void untilAnswered(reloadInventory);
}

async function reloadInventory(): Promise<void> {
  const [places, listed] = await Promise.all([get<readonly Zone[]>('/zones'), get<Listed<DeviceView>>('/devices')]);
  batch(() => {
    zones.value = places;
    devices.value = devicesFrom(listed.items);
  });
}

const COUNT_PAGES = 40;
const TODAY = [
  'kind=event&name=passage',
  'kind=command&name=open',
  'kind=command&name=lockOpen',
  'kind=state&name=command.reason',
  'kind=alarm',
];

/** Where the stream of the newest snapshot begins: a count for an older one is of no use any more. */
let countedUntil: Position | undefined;

/** Counts today's records up to `until`; what came after it has been counted by the stream. */
async function countToday(until: Position): Promise<void> {
  const day = dayOf(gatewayNow());
  const from = midnightIn(siteZone.value, gatewayNow());
  let counted = noFigures(day);
  for (const filter of TODAY) {
    let after = '';
    for (let page = 0; page < COUNT_PAGES; page += 1) {
      const { items, next } = await get<RecordsPage>(`/records?${filter}&from=${from}&limit=500${after}`);
      counted = foldFigures(
        counted,
        items.filter((record) => !isAfter(record, until)),
        dayOf,
      );
      if (next === undefined || items.length === 0) break;
      after = `&after=${next}`;
    }
  }
  if (countedUntil === until) figures.value = merged(counted, figures.peek());
}

/** A new site day: the numbers begin anew even if nothing happens. */
export function turnDay(): void {
  const today = dayOf(gatewayNow());
  if (isYesterday(figures.peek(), today)) figures.value = noFigures(today);
}
