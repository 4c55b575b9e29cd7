/** What the booth remembers of each lane, folded from the journal, and what it shows of it. Keyed by zone. */
import type { DeviceView, Zone } from '../../contracts/api.ts';
import type { JournalRecord } from '../../contracts/record.ts';
import type { DeviceBook } from './devices.ts';
import type { Held, HeldBook } from './leases.ts';

export type PlateColour = 'blue' | 'yellow' | 'white' | 'black' | 'green' | 'yellow-green' | 'unknown';

export interface PlateSeen {
  readonly plate?: string;
  readonly colour: PlateColour;
  readonly at: number;
}
export interface Decision {
  readonly allow: boolean;
  /** Code of the access decision, e.g. `expired`. */
  readonly reason: string;
  readonly plate?: string;
  readonly at: number;
  readonly record: string;
}
export interface Passage {
  readonly record: string;
  readonly at: number;
  readonly direction: 'in' | 'out';
  readonly plate?: string;
  readonly openedBy?: string;
  readonly command?: string;
  readonly reason?: string;
}
/** The newest command of the lane, whoever sent it. */
export interface LaneCommand {
  readonly id: string;
  readonly name: string;
  readonly device: string;
  readonly state: string;
  readonly actor: string;
  readonly at: number;
  readonly proven: boolean;
  readonly code?: string;
  readonly detail?: string;
}
export interface LaneMemory {
  readonly seen?: PlateSeen;
  readonly decision?: Decision;
  /** A vehicle that was not let in and has not gone yet. */
  readonly waiting?: Decision;
  readonly passages: readonly Passage[];
  readonly command?: LaneCommand;
  /** Held open until then, gateway time. */
  readonly holdUntil?: number;
  readonly reasons: ReadonlyMap<string, string>;
}
export type LaneBook = ReadonlyMap<string, LaneMemory>;

/** `locked`, `unlocked` and `released` are of doors; a door that stands open is `open`. */
export type ArmState = 'open' | 'closed' | 'between' | 'fault' | 'unknown' | 'locked' | 'unlocked' | 'released';

export interface LaneView {
  readonly kind: 'vehicle' | 'door';
  /** A vehicle lane is called like its zone, a door like itself: a zone may have several. */
  readonly name: string;
  readonly zone: Zone;
  readonly barrier: DeviceView;
  readonly cameras: readonly DeviceView[];
  readonly direction: 'in' | 'out';
  readonly arm: ArmState;
  /** False: the board has no position switches, so nothing ever proves the arm. */
  readonly hasPosition: boolean;
  readonly memory: LaneMemory;
  /** Held closed or locked down. */
  readonly held?: Held;
}

const PASSAGES_KEPT = 3;
const REASONS_KEPT = 20;
/** A vehicle nobody heard of for so long has gone without telling the camera. */
const WAITS_AT_MOST_MS = 120_000;

const emptyLane: LaneMemory = { passages: [], reasons: new Map() };

/**
 * @param zoneOf The zone of a device; undefined for one the inventory does not know.
 * @returns The same book when no record concerns a lane.
 */
export function foldLanes(
  book: LaneBook,
  records: readonly JournalRecord[],
  zoneOf: (device: string) => string | undefined,
): LaneBook {
  let next: Map<string, LaneMemory> | undefined;
  for (const record of records) {
    const zone = laneOf(record, zoneOf);
    if (zone === undefined) continue;
    const lane = (next ?? book).get(zone) ?? emptyLane;
    const changed = changedBy(lane, record);
    if (changed === lane) continue;
    next ??= new Map(book);
    next.set(zone, changed);
  }
  return next ?? book;
}

function laneOf(record: JournalRecord, zoneOf: (device: string) => string | undefined): string | undefined {
  const place = record.scenario === 'pedestrian-gate' ? record.device : zoneOf(record.device);
  const gate = record.scenario === 'vehicle-gate' || record.scenario === 'pedestrian-gate';
  if (gate && (record.kind === 'event' || record.kind === 'command')) return place;
  return reasonOf(record) ? place : undefined;
}

function changedBy(lane: LaneMemory, record: JournalRecord): LaneMemory {
  const given = reasonOf(record);
  const named = given ? withReason(lane, given.command, given.reason) : lane;
  if (record.kind === 'command') return commanded(named, record);
  if (record.kind !== 'event') return named;
  const data = record.data as Record<string, unknown>;
  if (record.name === 'plate.read') return plateRead(named, record, data);
  if (record.name === 'access.granted') return decided(named, record, data, true);
  if (record.name === 'vehicle.unrecognised') return decided(named, record, data, false);
  if (record.name === 'passage') return passed(named, record, data);
  return named;
}

function plateRead(lane: LaneMemory, record: JournalRecord, data: Record<string, unknown>): LaneMemory {
  if (data.stored === true) return lane;
  if (data.trigger === 'turned-back' || data.trigger === 'stay-end') return without(lane, 'waiting');
  const plate = textOf(data.plate);
  const same = lane.seen?.plate === plate && lane.waiting?.plate === plate;
  const seen: PlateSeen = {
    colour: (textOf(data.colour) as PlateColour | undefined) ?? 'unknown',
    at: record.received,
    ...(plate === undefined ? {} : { plate }),
  };
  // The same vehicle read again still waits; another one has taken its place.
  return same ? { ...lane, seen } : { ...without(without(lane, 'waiting'), 'decision'), seen };
}

function decided(lane: LaneMemory, record: JournalRecord, data: Record<string, unknown>, allow: boolean): LaneMemory {
  const plate = textOf(data.plate);
  const decision: Decision = {
    allow,
    reason: textOf(data.reason) ?? 'unknown',
    at: record.received,
    record: record.id,
    ...(plate === undefined ? {} : { plate }),
  };
  return allow ? { ...without(lane, 'waiting'), decision } : { ...lane, decision, waiting: decision };
}

function passed(lane: LaneMemory, record: JournalRecord, data: Record<string, unknown>): LaneMemory {
  const plate = textOf(data.plate);
  const openedBy = textOf(data.openedBy);
  const command = textOf(data.command);
  const reason = command === undefined ? undefined : lane.reasons.get(command);
  const passage: Passage = {
    record: record.id,
    at: record.received,
    direction: data.direction === 'out' ? 'out' : 'in',
    ...(plate === undefined ? {} : { plate }),
    ...(openedBy === undefined ? {} : { openedBy }),
    ...(command === undefined ? {} : { command }),
    ...(reason === undefined ? {} : { reason }),
  };
  return { ...without(lane, 'waiting'), passages: [passage, ...lane.passages].slice(0, PASSAGES_KEPT) };
}

function commanded(lane: LaneMemory, record: JournalRecord): LaneMemory {
  const data = record.data as Record<string, unknown>;
  const id = textOf(data.command) ?? textOf(data.id);
  const state = textOf(data.state);
  if (id === undefined || state === undefined) return lane;
  // Ids rise with time (UUIDv7): an older command that ends late does not replace a newer one.
  if (lane.command && id < lane.command.id) return lane;
  const code = textOf(data.code);
  const detail = textOf(data.detail);
  const command: LaneCommand = {
    id,
    name: record.name,
    device: record.device,
    state,
    actor: record.actor ?? textOf(data.actor) ?? '',
    at: record.received,
    proven: data.proven === true,
    ...(code === undefined ? {} : { code }),
    ...(detail === undefined ? {} : { detail }),
  };
  const opened = state === 'executing' && (record.name === 'open' || record.name === 'lockOpen');
  return held({ ...(opened ? without(lane, 'waiting') : lane), command }, record, state, data.input);
}

function held(lane: LaneMemory, record: JournalRecord, state: string, input: unknown): LaneMemory {
  if (record.name === 'lockOpen' && state === 'executing') {
    const seconds = (input as { holdSeconds?: unknown } | undefined)?.holdSeconds;
    return typeof seconds === 'number' ? { ...lane, holdUntil: record.received + seconds * 1000 } : lane;
  }
  const ended = (record.name === 'endHold' || record.name === 'close') && state === 'succeeded';
  const never = record.name === 'lockOpen' && (state === 'failed' || state === 'expired');
  return ended || never ? without(lane, 'holdUntil') : lane;
}

function withReason(lane: LaneMemory, command: string, reason: string): LaneMemory {
  if (lane.reasons.get(command) === reason) return lane;
  const reasons = new Map([...lane.reasons, [command, reason] as const].slice(-REASONS_KEPT));
  const passages = lane.passages.map((passage) => (passage.command === command ? { ...passage, reason } : passage));
  return { ...lane, reasons, passages };
}

/** A reason is given with the command or named afterwards, in a record caused by the command. */
function reasonOf(record: JournalRecord): { command: string; reason: string } | undefined {
  const named = record.kind === 'state' && record.name === 'command.reason';
  if (record.kind !== 'command' && !named) return undefined;
  const data = record.data as Record<string, unknown> | null;
  const reason = textOf(data?.reason);
  const command = textOf(data?.command);
  return reason === undefined || command === undefined ? undefined : { command, reason };
}

const textOf = (value: unknown): string | undefined => (typeof value === 'string' && value !== '' ? value : undefined);

function without<K extends 'waiting' | 'decision' | 'holdUntil'>(lane: LaneMemory, key: K): LaneMemory {
  if (lane[key] === undefined) return lane;
  const { [key]: _, ...rest } = lane;
  return rest as LaneMemory;
}

/** What the lanes are made of. */
export interface LaneSources {
  readonly zones: readonly Zone[];
  readonly devices: DeviceBook;
  readonly lanes: LaneBook;
  readonly held: HeldBook;
}

/** One view per barrier in the order of the zones, then one per door; what is in an unknown zone is a place of its own. */
export function laneViews({ zones, devices, lanes, held }: LaneSources, now: number): LaneView[] {
  const all = [...devices.values()];
  const gates = all.filter((device) => device.scenario === 'vehicle-gate');
  const doors = all.filter((device) => device.scenario === 'pedestrian-gate');
  const order = new Map(zones.map((zone, index) => [zone.id, index]));
  const place = ({ zone }: DeviceView) => order.get(zone) ?? zones.length;
  const inPlace = (a: DeviceView, b: DeviceView) => place(a) - place(b) || a.id.localeCompare(b.id);
  const common = (device: DeviceView) => {
    const holds = [...held.values()].find((lease) => lease.device === device.id);
    return {
      zone: zones.find((zone) => zone.id === device.zone) ?? {
        id: device.zone,
        name: device.name,
        kind: 'lane' as const,
      },
      barrier: device,
      ...(holds ? { held: holds } : {}),
    };
  };
  const lane = (barrier: DeviceView): LaneView => ({
    ...common(barrier),
    kind: 'vehicle',
    name: common(barrier).zone.name,
    cameras: gates.filter((device) => device.role === 'camera' && device.zone === barrier.zone),
    direction: barrier.settings.direction === 'out' ? 'out' : 'in',
    arm: armOf(barrier),
    hasPosition: barrier.points.barrierState !== undefined,
    memory: current(lanes.get(barrier.zone) ?? emptyLane, now),
  });
  const door = (device: DeviceView): LaneView => ({
    ...common(device),
    kind: 'door',
    name: device.name,
    cameras: device.cameras.flatMap((id) => devices.get(id) ?? []),
    direction: 'in',
    arm: doorOf(device),
    hasPosition: device.points.lockState !== undefined,
    memory: current(lanes.get(device.id) ?? emptyLane, now),
  });
  const barriers = gates.filter((device) => device.role === 'barrier');
  return [...barriers.sort(inPlace).map(lane), ...doors.sort(inPlace).map(door)];
}

/** Forgets what time alone has ended: a hold that ran out, a vehicle long gone. */
function current(lane: LaneMemory, now: number): LaneMemory {
  const waiting = lane.waiting && now - lane.waiting.at > WAITS_AT_MOST_MS ? without(lane, 'waiting') : lane;
  return waiting.holdUntil !== undefined && now >= waiting.holdUntil ? without(waiting, 'holdUntil') : waiting;
}

/** The arm as far as it is known now: nothing is known of a board that does not answer. */
export function armOf(barrier: DeviceView): ArmState {
  const point = barrier.points.barrierState;
  if (barrier.link.state !== 'online' || point?.quality !== 'good') return 'unknown';
  const value = point.value;
  return value === 'open' || value === 'closed' || value === 'between' || value === 'fault' ? value : 'unknown';
}

/** The door as far as it is known: standing open matters more than what its lock says. */
function doorOf(door: DeviceView): ArmState {
  const { doorOpen, lockState } = door.points;
  if (door.link.state !== 'online') return 'unknown';
  if (doorOpen?.quality === 'good' && doorOpen.value === true && lockState?.value !== 'released') return 'open';
  if (lockState?.quality !== 'good') return 'unknown';
  const { value } = lockState;
  return value === 'locked' || value === 'unlocked' || value === 'released' ? value : 'unknown';
}
