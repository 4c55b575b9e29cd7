/**
 * Runs the drivers: one link per line with all its devices, push and broker messages beside them. What they say is
 * checked against the contract here and goes to the journal; nothing is acknowledged before it is durable.
 */
import type { TSchema } from 'typebox';
import { Compile, type Validator } from 'typebox/compile';
import type {
  AttachedDevice,
  CommandTurn,
  DeviceEvent,
  Driver,
  Link,
  LinkDriver,
  Message,
  MessageDriver,
  Profile,
  Reading,
} from '../../drivers/driver.ts';
import type { Alarms } from '../alarms/alarms.ts';
import { type Clock, every } from '../clock.ts';
import type { Outputs } from '../commands/dispatcher.ts';
import type { Scalar } from '../contracts/contract.ts';
import { scenarioOf } from '../contracts/index.ts';
import type { Draft } from '../contracts/record.ts';
import { GatehouseError, reasonOf } from '../errors.ts';
import type { Journal, Unit } from '../journal/journal.ts';
import { uuidv7 } from '../journal/uuid.ts';
import type { Log } from '../log.ts';
import type { Evidence } from './evidence.ts';
import { createFlapping, type Flapping } from './flapping.ts';
import { createLineVerdicts, lineDevice } from './lines.ts';
import { createRepeats, type Repeats } from './repeats.ts';
import { createTurn, type Settled, type Speaker, spoken } from './turn.ts';

/** A device of the inventory, resolved through its profile. */
export interface HostedDevice {
  readonly id: string;
  readonly scenario: string;
  readonly role: string;
  readonly zone: string;
  readonly profile: Profile;
  readonly address: Readonly<Record<string, unknown>>;
}
export interface LinkView {
  readonly state: 'online' | 'offline' | 'unknown';
  readonly since: number;
  readonly reason?: string;
}
export interface DeviceHost extends Pick<Outputs, 'command' | 'read'> {
  attach(device: HostedDevice): void;
  detach(device: string): Promise<void>;
  view(device: string): LinkView;
  /**
   * One pushed message (HTTP body or MQTT payload). Resolves with the answer once everything in it is durable.
   * @throws GatehouseError `device.not_found`, `push.unreadable`, `journal.*`
   */
  pushed(
    device: string,
    message: { body: Uint8Array; contentType?: string; topic?: string },
  ): Promise<Message['answer']>;
  /**
   * The same for the device broker, which has no answer to give: `settled` is called once, with what `pushed` would throw
   * if there is something. What comes in one turn is committed together.
   */
  take(device: string, message: { body: Uint8Array; topic: string }, settled: Settled): void;
  /** Lines with several devices, as the devices of their alarms. */
  sharedLines(): readonly string[];
  /** What a driver says to something it cannot read; never lets anybody in. */
  refusal(device: string): Message['answer'];
  close(): Promise<void>;
}

interface Parts {
  readonly journal: Journal;
  readonly alarms: Alarms;
  readonly evidence: Evidence;
  readonly driverOf: (protocol: string) => Driver | undefined;
  /** Each new good value, before it is stored: for what cannot wait for the disk. */
  readonly heard?: (device: string, point: string, value: Scalar) => void;
  readonly clock: Clock;
  readonly log: Log;
}
interface Hosted {
  readonly device: HostedDevice;
  readonly driver: Driver;
  line?: string;
  view: LinkView;
  /** Monotonic time of the last sign of life; message devices only. */
  heard: number;
  readonly points: Map<string, Point>;
  readonly speaker: Speaker;
  readonly repeats: Repeats;
  readonly flapping: Flapping;
  /** What its link is now could not be recorded and will be tried again. */
  cancelRetry: () => void;
  readonly rejected: Map<string, { count: number; at: number }>;
}

/** One point of a device: what the contract and the profile say about it, and what was recorded last. */
interface Point {
  readonly validator: Validator;
  readonly deadband: number;
  /** Undefined: whatever comes is news. */
  value: Scalar | undefined;
  quality: NonNullable<Reading['quality']>;
  /** Monotonic ms. */
  at: number;
}

/** An unchanged value is recorded again after this long, so a chart has points and a platform a sign of life. */
const REPEAT_MS = 60_000;
/** What a device sent and nobody can use: told once a minute, with its count. */
const UNREADABLE: readonly string[] = ['push.unreadable', 'driver.frame', 'record.invalid'];
const ACTOR = 'system:devices';
/** After the disk has refused what a link is. */
const RETRY_MS = 5000;
const SILENCE_CHECK_MS = 1000;
/** One rejection per point and minute is recorded, with its count. */
const REJECTED_MS = 60_000;
/** Wait so long for a device that has just been attached before calling it offline. */
const FIRST_SIGN_MS = 15_000;

const isNear = (before: Scalar | undefined, value: Scalar, deadband: number): boolean =>
  typeof value === 'number' && typeof before === 'number' && Math.abs(value - before) <= deadband;

const join = (units: readonly Unit[]): Unit => ({
  records: units.flatMap(({ records = [] }) => records),
  writes: units.flatMap(({ writes = [] }) => writes),
});

/** Where a line is: the place of its devices, if it is one. */
function zoneOf(devices: readonly HostedDevice[]): string {
  const zones = new Set(devices.map(({ zone }) => zone));
  return zones.size === 1 ? ([...zones][0] ?? '') : '';
}

/** Whatever comes next is news. */
function forget(points: Iterable<[string, Point]>): void {
  for (const [, point] of points) point.value = undefined;
}

export function createHost({ journal, alarms, evidence, driverOf, heard, clock, log }: Parts): DeviceHost {
  const hosted = new Map<string, Hosted>();
  const links = new Map<string, Link>();
  const onLine = new Map<string, Set<string>>();
  const validators = new Map<string, Validator>();
  const turn = createTurn(journal);
  /** In the order things were said: what the turn has gathered comes before it. */
  const commit: Journal['commit'] = (unit) => {
    turn.flush();
    return journal.commit(unit);
  };

  const find = (id: string): Hosted => {
    const found = hosted.get(id);
    if (!found) throw new GatehouseError('device.not_found', `No device ${id}`);
    return found;
  };
  const linkOf = (id: string): Link => {
    const link = links.get(find(id).line ?? '');
    if (!link) throw new GatehouseError('command.offline', `${id} has no link for commands`);
    return link;
  };
  const validatorOf = (key: string, schema: TSchema): Validator => {
    const known = validators.get(key);
    if (known) return known;
    const made = Compile(schema);
    validators.set(key, made);
    return made;
  };
  const note = (promise: Promise<unknown>) =>
    promise.catch((error: unknown) => log.error({ err: error }, 'a device fact could not be recorded'));

  /** @returns undefined if the contract has no such point */
  function pointOf({ device, points }: Hosted, name: string): Point | undefined {
    const known = points.get(name);
    if (known) return known;
    const schema = scenarioOf(device.scenario)?.telemetry[name];
    if (!schema) return undefined;
    const point: Point = {
      validator: validatorOf(`${device.scenario}/${name}`, schema),
      deadband: device.profile.points[name]?.deadband ?? 0,
      value: undefined,
      quality: 'good',
      at: 0,
    };
    points.set(name, point);
    return point;
  }

  const misfit = (validator: Validator, value: Scalar): string =>
    validator
      .Errors(value)
      .map((error) => error.message)
      .join('; ');

  /** What is new in the readings, and one word a minute on what does not fit the contract. */
  function draftsOf(entry: Hosted, readings: readonly Reading[]): Draft[] {
    const drafts: Draft[] = [];
    const now = clock.mono();
    for (const reading of readings) {
      const { point: name, value, quality = 'good', at } = reading;
      const point = pointOf(entry, name);
      const isRecent = point?.value !== undefined && point.quality === quality && now - point.at < REPEAT_MS;
      if (isRecent && point.value === value) continue;
      if (!point) {
        if (quality !== 'bad') drafts.push(...rejection(entry, reading, 'no such point in the contract'));
        continue;
      }
      if (quality !== 'bad' && !point.validator.Check(value)) {
        drafts.push(...rejection(entry, reading, misfit(point.validator, value)));
        continue;
      }
      if (isRecent && isNear(point.value, value, point.deadband)) continue;
      point.value = value;
      point.quality = quality;
      point.at = now;
      if (quality === 'good') heard?.(entry.device.id, name, value);
      const { scenario, id } = entry.device;
      const lane = typeof value === 'number' ? 'L3' : 'L2';
      const draft: Draft = { lane, kind: 'telemetry', scenario, device: id, name, data: value, quality };
      drafts.push(at === undefined ? draft : { ...draft, at });
    }
    return drafts;
  }

  function rejection(entry: Hosted, reading: Pick<Reading, 'point' | 'value'>, why: string): Draft[] {
    const last = entry.rejected.get(reading.point) ?? { count: 0, at: Number.NEGATIVE_INFINITY };
    const count = last.count + 1;
    const due = clock.mono() - last.at >= REJECTED_MS;
    entry.rejected.set(reading.point, due ? { count: 0, at: clock.mono() } : { count, at: last.at });
    if (!due) return [];
    return [
      {
        lane: 'L2',
        kind: 'state',
        scenario: entry.device.scenario,
        device: entry.device.id,
        name: 'rejected',
        data: { point: reading.point, value: String(reading.value).slice(0, 64), why: why.slice(0, 256), count },
        quality: 'bad',
      },
    ];
  }

  function setLink(entry: Hosted, state: 'online' | 'offline', reason?: string): void {
    entry.heard = clock.mono();
    if (entry.view.state === state) {
      if (state === 'online') settleLine(entry);
      return;
    }
    entry.view = { state, since: clock.now(), ...(reason === undefined ? {} : { reason }) };
    if (state === 'offline') forget(entry.points); // what it says after its return is news
    if (!entry.flapping.turned()) tellLink(entry);
  }

  /** The link as it is now: its record, and the alarms that follow from it, in one transaction. */
  function tellLink(entry: Hosted): void {
    const { device, view } = entry;
    const { state, reason } = view;
    const id = uuidv7(clock.now());
    const record = stateOf(device, 'link', { state, ...(reason === undefined ? {} : { reason }) }, id);
    const units = state === 'offline' ? fellSilent(device, id) : spokeAgain(device, id);
    commit(join([{ records: [record] }, ...units])).catch((error: unknown) => {
      log.error({ err: error, device: device.id }, 'the link of a device could not be recorded; trying again');
      alarms.reload();
      entry.cancelRetry();
      entry.cancelRetry = clock.after(RETRY_MS, () => tellLink(entry));
    });
  }

  const stateOf = (device: HostedDevice, name: string, data: object, id = uuidv7(clock.now())): Draft => ({
    id,
    lane: 'L2',
    kind: 'state',
    scenario: device.scenario,
    device: device.id,
    name,
    data,
    actor: `device:${device.id}`,
  });

  /** Why a device is offline, for its alarm. */
  function why(id: string): { data?: object } {
    const reason = hosted.get(id)?.view.reason;
    return reason === undefined ? {} : { data: { reason } };
  }

  const offline = ({ id, scenario, zone }: HostedDevice, cause: string | undefined, more = why(id)): Unit =>
    alarms.planRaise({
      ...{ device: id, scenario, zone, kind: 'offline', actor: ACTOR },
      ...more,
      ...(cause === undefined ? {} : { cause }),
    });

  function fellSilent(device: HostedDevice, cause: string): Unit[] {
    const verdict = verdicts.silent(device.id);
    // What life depends on is told at once; should the whole line be dead, that one will say so instead.
    const isVital = scenarioOf(device.scenario)?.alarms.offline?.priority === 1;
    if (verdict === 'wait' && !isVital) return [];
    if (verdict !== 'line') return [offline(device, cause)];
    const line = hosted.get(device.id)?.line ?? '';
    const members = [...(onLine.get(line) ?? [])].flatMap((id) => hosted.get(id)?.device ?? []);
    const heaviest = members
      .flatMap(({ scenario }) => scenarioOf(scenario)?.alarms.offline ?? [])
      .sort((a, b) => a.priority - b.priority)[0];
    const down = alarms.planRaise({
      ...{
        device: lineDevice(line),
        scenario: 'gateway',
        zone: zoneOf(members),
        kind: 'lineDown',
        actor: ACTOR,
        cause,
      },
      data: { line, devices: members.map(({ id }) => id).slice(0, 64), ...why(device.id).data },
      ...(heaviest ? { weight: { priority: heaviest.priority, severity: heaviest.severity } } : {}),
    });
    return [down, ...members.map((one) => offline(one, cause))];
  }

  function spokeAgain({ id }: HostedDevice, cause: string): Unit[] {
    const line = hosted.get(id)?.line;
    const back = alarms.planClear(id, 'offline', cause, ACTOR);
    const up = line === undefined ? {} : alarms.planClear(lineDevice(line), 'lineDown', cause, ACTOR);
    verdicts.forget(id);
    return [back, up, ...ownSilence(id)];
  }

  /** Those on the line of this device whose silence is their own, as it has spoken and they have not. */
  const ownSilence = (speaker: string): Unit[] =>
    verdicts.speaks(speaker).flatMap((id) => {
      const silent = hosted.get(id);
      return silent?.view.state === 'offline' ? [offline(silent.device, undefined)] : [];
    });

  function settleLine({ device, line }: Hosted): void {
    const units = line === undefined ? [] : ownSilence(device.id);
    if (units.length > 0) void note(commit(join(units)));
  }

  const verdicts = createLineVerdicts({
    clock,
    lineOf: (id) => hosted.get(id)?.line,
    members: (line) => onLine.get(line) ?? [],
    isOffline: (id) => hosted.get(id)?.view.state === 'offline',
    onOwn(id) {
      const entry = hosted.get(id);
      if (entry?.view.state === 'offline') void note(commit(offline(entry.device, undefined)));
    },
  });

  /** While it comes and goes it counts as offline: nobody can rely on it. */
  const flappingOf = (device: HostedDevice): Flapping =>
    createFlapping(clock, {
      began: () => void note(commit(offline(device, undefined, { data: { reason: 'it comes and goes' } }))),
      minute(count, since) {
        const state = hosted.get(device.id)?.view.state ?? 'unknown';
        void note(commit({ records: [stateOf(device, 'device.flapping', { count, since, state })] }));
      },
      ended() {
        const entry = hosted.get(device.id);
        if (entry) tellLink(entry);
      },
    });

  const sink = {
    readings(id: string, readings: readonly Reading[]) {
      const entry = hosted.get(id);
      if (!entry) return;
      setLink(entry, 'online');
      const drafts = draftsOf(entry, readings);
      if (drafts.length > 0) void note(spoken(entry.speaker, commit({ records: drafts })));
    },
    online(id: string) {
      const entry = hosted.get(id);
      if (entry) setLink(entry, 'online');
    },
    offline(id: string, reason: string) {
      const entry = hosted.get(id);
      if (entry) setLink(entry, 'offline', reason);
    },
  };

  function attachToLine(entry: Hosted, driver: LinkDriver): void {
    const { id, address, profile } = entry.device;
    const line = driver.lineOf(address);
    let link = links.get(line);
    if (!link) {
      link = driver.open(address, { sink, clock, log });
      links.set(line, link);
    }
    entry.line = line;
    onLine.set(line, (onLine.get(line) ?? new Set()).add(id));
    link.attach({ id, address, profile } satisfies AttachedDevice);
  }

  function eventDraft(entry: Hosted, event: DeviceEvent, picture: string | undefined): Draft {
    const kind = scenarioOf(entry.device.scenario)?.events[event.name];
    if (!kind) throw new GatehouseError('record.invalid', `${entry.device.scenario} has no event ${event.name}`);
    const data = picture === undefined ? event.data : { ...event.data, picture };
    const validator = validatorOf(`${entry.device.scenario}#${event.name}`, kind.data);
    if (!validator.Check(data)) {
      throw new GatehouseError(
        'record.invalid',
        validator
          .Errors(data)
          .map((error) => `${error.instancePath} ${error.message}`)
          .join('; '),
      );
    }
    return {
      lane: kind.lane ?? 'L1',
      kind: 'event',
      scenario: entry.device.scenario,
      device: entry.device.id,
      name: event.name,
      data,
      actor: `device:${entry.device.id}`,
      ...(event.at === undefined ? {} : { at: event.at, quality: entry.repeats.isLate(event.at) ? 'stale' : 'good' }),
    };
  }

  async function accept(entry: Hosted, message: Message): Promise<void> {
    const { repeats } = entry;
    const fresh = message.events.filter((event) => event.key === undefined || !repeats.isRepeat(event.key));
    const keys = fresh.map((event) => event.key).filter((key) => key !== undefined);
    const kept: Promise<unknown>[] = [];
    try {
      const events = fresh.map((event) => {
        const pictures = (event.pictures ?? []).map((bytes) => evidence.keep(bytes));
        // A picture that cannot be filed must not lose the event it belongs to.
        kept.push(
          ...pictures.map((one) => one.kept.catch((error: unknown) => log.error({ err: error }, 'a picture was lost'))),
        );
        return eventDraft(entry, event, pictures[0]?.hash);
      });
      const drafts = [...draftsOf(entry, message.readings), ...events];
      // Without anything new it is durable once what came before it is.
      if (drafts.length > 0 || entry.speaker.pending > 0) {
        await spoken(entry.speaker, commit({ records: drafts, writes: repeats.writes(keys) }));
      }
      await Promise.all(kept);
    } catch (error) {
      for (const key of keys) repeats.forget(key);
      throw error;
    }
  }

  /** @throws GatehouseError `device.not_found`, `push.unreadable` */
  function speaking(id: string): { readonly entry: Hosted; readonly driver: MessageDriver } {
    const entry = find(id);
    if (entry.driver.kind === 'message') return { entry, driver: entry.driver };
    throw new GatehouseError('push.unreadable', `${id} is not a device that pushes`);
  }

  /** One unreadable message a minute is told about. */
  const unreadable = (entry: Hosted, error: unknown): Draft[] =>
    error instanceof GatehouseError && UNREADABLE.includes(error.code)
      ? rejection(entry, { point: 'message', value: error.code }, error.message)
      : [];

  async function acceptOrTell(entry: Hosted, read: () => Message): Promise<Message['answer']> {
    try {
      const message = read();
      setLink(entry, 'online');
      await accept(entry, message);
      return message.answer;
    } catch (error) {
      const told = unreadable(entry, error);
      if (told.length > 0) await commit({ records: told });
      throw error;
    }
  }

  /** Readings alone, the many: without a promise for each. */
  function gather(entry: Hosted, drafts: readonly Draft[], settled: Settled): void {
    if (drafts.length === 0 && entry.speaker.pending === 0) settled();
    else turn.add(entry.speaker, drafts, settled);
  }

  const stopWatching = every(clock, SILENCE_CHECK_MS, () => {
    for (const entry of hosted.values()) {
      if (entry.driver.kind !== 'message') continue;
      const limit =
        entry.view.state === 'unknown'
          ? Math.max(FIRST_SIGN_MS, entry.device.profile.offlineAfterMs)
          : entry.device.profile.offlineAfterMs;
      const silentMs = clock.mono() - entry.heard;
      if (silentMs > limit && entry.view.state !== 'offline') {
        setLink(entry, 'offline', `nothing heard for ${Math.round(silentMs / 1000)} s`);
      }
    }
  });

  return {
    attach(device) {
      const driver = driverOf(device.profile.driver);
      if (!driver) throw new GatehouseError('device.invalid', `${device.id}: no driver "${device.profile.driver}"`);
      const points = new Map<string, Point>();
      const entry: Hosted = {
        device,
        driver,
        view: { state: 'unknown', since: clock.now() },
        heard: clock.mono(),
        points,
        speaker: { id: device.id, pending: 0, failures: 0, forget: () => forget(points) },
        repeats: createRepeats(journal, clock, device.id),
        flapping: flappingOf(device),
        cancelRetry: () => {},
        rejected: new Map(),
      };
      hosted.set(device.id, entry);
      if (driver.kind === 'link') attachToLine(entry, driver);
    },
    async detach(id) {
      const entry = hosted.get(id);
      if (!entry) return;
      entry.flapping.stop();
      entry.cancelRetry();
      verdicts.forget(id);
      hosted.delete(id);
      const line = entry.line;
      const link = line === undefined ? undefined : links.get(line);
      if (!link || line === undefined) return;
      link.detach(id);
      const others = onLine.get(line);
      others?.delete(id);
      if ((others?.size ?? 0) < 2) void note(commit(alarms.planClear(lineDevice(line), 'lineDown', undefined, ACTOR)));
      if (others?.size === 0) {
        links.delete(line);
        onLine.delete(line);
        await link.close();
      }
    },
    view: (id) => hosted.get(id)?.view ?? { state: 'unknown', since: 0 },
    async pushed(id, message) {
      const { entry, driver } = speaking(id);
      return acceptOrTell(entry, () => driver.decode(entry.device.profile, message));
    },
    take(id, message, settled) {
      let entry: Hosted | undefined;
      let decoded: Message;
      try {
        const found = speaking(id);
        entry = found.entry;
        decoded = found.driver.decode(entry.device.profile, message);
      } catch (error) {
        if (entry) gather(entry, unreadable(entry, error), (failed) => settled(failed ?? error));
        else settled(error);
        return;
      }
      if (decoded.events.length > 0) {
        acceptOrTell(entry, () => decoded).then(() => settled(), settled);
        return;
      }
      setLink(entry, 'online');
      gather(entry, draftsOf(entry, decoded.readings), settled);
    },
    sharedLines: () => [...onLine].flatMap(([line, devices]) => (devices.size > 1 ? [lineDevice(line)] : [])),
    refusal(id) {
      const driver = hosted.get(id)?.driver;
      return driver?.kind === 'message' ? driver.refusal() : undefined;
    },
    command: (id, command, input, turn: CommandTurn) => linkOf(id).command(id, command, input, turn),
    async read(id, points, signal) {
      const readings = await linkOf(id).read(id, points, signal);
      sink.readings(id, readings); // what was read back is a fact like any other
      return readings;
    },
    async close() {
      stopWatching();
      verdicts.close();
      for (const { flapping, cancelRetry } of hosted.values()) {
        flapping.stop();
        cancelRetry();
      }
      turn.flush();
      await Promise.all(
        [...links.values()].map((link) =>
          link.close().catch((error: unknown) => log.warn({ err: error }, reasonOf(error))),
        ),
      );
      links.clear();
      hosted.clear();
    },
  };
}
