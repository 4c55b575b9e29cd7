/**
 * Devices and a guard who remember what the gateway answered, over all its lives; and whether its journal agrees. What was
 * answered with 200, 202 or PUBACK must be there; what was not is sent again, as firmware does, and must not be doubled.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import Database from 'better-sqlite3';
import mqtt from 'mqtt';
import { SimulatedCamera } from '../../drivers/vzenith/simulator.ts';
import type { CommandView, DeviceView } from '../../runtime/contracts/api.ts';
import { finalStates, kinds } from '../../runtime/contracts/record.ts';
import { epochOf, seqOf } from '../../runtime/journal/schema.ts';
import type { GapData } from '../../runtime/storage/removal.ts';
import type { Gateway } from '../site.ts';
import { checkHoles } from './journal-acks.ts';
import { hold, pick } from './trial.ts';

const CAMERAS = ['trial-camera-1', 'trial-camera-2'];
const DETECTORS = ['trial-smoke-1', 'trial-smoke-2', 'trial-smoke-3'];
const GATES = ['gate-east-in', 'gate-east-out'];
const ADMIN = 'demo-admin';
const GUARD = 'demo-guard';
/** Below the 20 pushes a second that a device may send. */
const PUSH_EVERY_MS = 60;
const SAMPLE_EVERY_MS = 25;
const PRESS_EVERY_MS = 1500;
/** Every sample differs from the one before by more than the deadband, so every one is a record. */
const LEVELS = 8;
const ACK_MS = 5000;

interface Sample {
  readonly device: string;
  readonly at: number;
  readonly value: number;
}
interface Read {
  readonly plate: string;
  readonly body: string;
}

export interface Refused {
  /** HTTP pushes by status; 0: nobody answered. */
  readonly pushes: Map<number, number>;
  /** Samples that got no PUBACK in time. */
  samples: number;
  /** Presses of the guard by status. */
  readonly commands: Map<number, number>;
}

export interface Witness {
  /** Adds its devices to the inventory; once, in the first life. */
  introduce(gateway: Gateway): Promise<void>;
  /** Devices and guard at work. The returned function ends it and waits for the last answers. */
  work(gateway: Gateway, options?: { readonly guard?: boolean }): () => Promise<void>;
  /** How long samples waited for their PUBACK since the last call, ms. */
  latencies(): number[];
  /** Everything refused since the last call. */
  refused(): Refused;
  /** How much has been acknowledged so far. */
  counts(): { readonly pushes: number; readonly samples: number; readonly commands: number };
  /**
   * Holds the journal in this file to all of it, or, for the journal of another history, to what was acknowledged up to
   * a mark. @throws Broken
   */
  check(file: string, upTo?: number): void;
}

/** @param mark what time it is on a scale of the caller's own, asked when an answer has come */
export function createWitness(random: () => number, mark: () => number = () => 0): Witness {
  const simulated = new Map(CAMERAS.map((id) => [id, new SimulatedCamera({ serial: id, heartbeatMs: 0 })]));
  const acked = {
    plates: new Map<string, number>(),
    samples: [] as (Sample & { readonly mark: number })[],
    commands: new Map<string, number>(),
  };
  const pendingReads = new Map<string, Read>();
  const pendingSamples = new Map<string, Sample>();
  const known = new Map<number, string>();
  let refusals: Refused = { pushes: new Map(), samples: 0, commands: new Map() };
  const waits: number[] = [];
  const turns = new Map<string, number>();
  let plates = 0;
  let lastAt = Date.now();
  let presses = 0;
  let checkedSamples = 0;

  const read = (camera: string): Read => {
    const plate = `粤Z${String(10_000 + plates++)}`;
    return { plate, body: JSON.stringify(simulated.get(camera)?.message({ plate })) };
  };
  const sample = (device: string): Sample => {
    lastAt = Math.max(lastAt + 1, Date.now());
    const turn = (turns.get(device) ?? 0) + 1;
    turns.set(device, turn);
    return { device, at: lastAt, value: (turn % LEVELS) / 2 };
  };

  /** One camera: the same result until it is answered. */
  async function push(camera: string, url: string, stopping: AbortSignal): Promise<void> {
    while (!stopping.aborted) {
      const next = pendingReads.get(camera) ?? read(camera);
      pendingReads.set(camera, next);
      const headers = { 'content-type': 'application/json' };
      const status = await fetch(url, { method: 'POST', headers, body: next.body, signal: AbortSignal.timeout(5000) })
        .then(async (response) => {
          await response.arrayBuffer();
          return response.status;
        })
        .catch(() => 0);
      if (status === 200) {
        acked.plates.set(next.plate, mark());
        pendingReads.delete(camera);
      } else refusals.pushes.set(status, (refusals.pushes.get(status) ?? 0) + 1);
      await pause(PUSH_EVERY_MS, stopping);
    }
  }

  /** One detector: the same sample until its PUBACK. */
  async function publish(device: string, url: URL, stopping: AbortSignal): Promise<void> {
    while (!stopping.aborted) {
      const gone = new AbortController();
      const client = mqtt.connect({
        host: url.hostname,
        port: Number(url.port),
        protocolVersion: 4,
        clientId: device,
        username: device,
        password: decodeURIComponent(url.password),
        reconnectPeriod: 0,
        connectTimeout: 3000,
      });
      client.on('error', () => {}); // it closes as well
      client.once('close', () => gone.abort());
      try {
        await within(new Promise<void>((resolve) => client.once('connect', () => resolve())), 3000, gone.signal);
        while (!stopping.aborted) {
          const next = pendingSamples.get(device) ?? sample(device);
          pendingSamples.set(device, next);
          const body = JSON.stringify({ at: next.at, values: { smoke: next.value } });
          const topic = `gatehouse/devices/${device}/up/telemetry`;
          const sentAt = performance.now();
          await within(client.publishAsync(topic, body, { qos: 1 }), ACK_MS, gone.signal);
          waits.push(performance.now() - sentAt);
          acked.samples.push({ ...next, mark: mark() });
          pendingSamples.delete(device);
          await pause(SAMPLE_EVERY_MS, stopping);
        }
      } catch {
        refusals.samples++;
        await pause(50, stopping);
      } finally {
        client.end(true);
      }
    }
  }

  /** The guard presses; a key is used once. */
  async function guard(gateway: Gateway, stopping: AbortSignal): Promise<void> {
    while (!stopping.aborted) {
      await pause(pick(random, PRESS_EVERY_MS), stopping);
      const device = GATES[presses++ % GATES.length] ?? '';
      try {
        const response = await gateway.api('/commands', {
          method: 'POST',
          as: GUARD,
          headers: { 'content-type': 'application/json', 'idempotency-key': `trial-${presses}` },
          body: JSON.stringify({ device, command: 'open', reason: 'trial' }),
          signal: AbortSignal.timeout(5000),
        });
        const body = (await response.json()) as CommandView;
        if (response.status === 202 || response.status === 200) acked.commands.set(body.id, mark());
        else refusals.commands.set(response.status, (refusals.commands.get(response.status) ?? 0) + 1);
      } catch {
        // the gateway has gone, and so has the answer
      }
    }
  }

  return {
    async introduce(gateway) {
      const add = (id: string, profile: string) =>
        gateway.post('/devices', { id, name: id, zone: 'garden', profile }, ADMIN);
      for (const id of CAMERAS) await add(id, 'vzenith/lpr-http');
      for (const id of DETECTORS) await add(id, 'gatehouse/smoke-mqtt');
    },
    work(gateway, { guard: pressing = true } = {}) {
      const stop = new AbortController();
      const everybody = (async () => {
        const { items } = await gateway.json<{ items: DeviceView[] }>('/devices', { as: ADMIN });
        const address = new Map(items.map(({ id, push: url }) => [id, url ?? '']));
        await Promise.all([
          ...CAMERAS.map((id) => push(id, address.get(id) ?? '', stop.signal)),
          ...DETECTORS.map((id) => publish(id, new URL(address.get(id) ?? ''), stop.signal)),
          ...(pressing ? [guard(gateway, stop.signal)] : []),
        ]);
      })();
      const ended = everybody.catch((error: unknown) => error); // a core killed at once answers nobody
      return async () => {
        stop.abort();
        await ended;
      };
    },
    latencies: () => waits.splice(0),
    refused() {
      const before = refusals;
      refusals = { pushes: new Map(), samples: 0, commands: new Map() };
      return before;
    },
    counts: () => ({ pushes: acked.plates.size, samples: acked.samples.length, commands: acked.commands.size }),
    check(file, upTo) {
      const db = new Database(file, { readonly: true });
      try {
        const rows = db.prepare<[], Row>('SELECT pos, id, at, kind, device, name, data FROM record ORDER BY pos').all();
        const before = (map: ReadonlyMap<string, number>) =>
          [...map].filter(([, at]) => upTo === undefined || at <= upTo).map(([name]) => name);
        checkHoles(rows, 'done');
        checkReads(rows, before(acked.plates));
        checkCommands(rows, before(acked.commands));
        if (upTo !== undefined) {
          checkSamples(
            rows,
            acked.samples.filter((one) => one.mark <= upTo),
          );
          return;
        }
        checkUnchanged(rows, known);
        checkSamples(rows, acked.samples.slice(checkedSamples));
        checkedSamples = acked.samples.length;
      } finally {
        db.close();
      }
    },
  };
}

interface Row {
  readonly pos: number;
  readonly id: string;
  readonly at: number;
  readonly kind: number;
  readonly device: string;
  readonly name: string;
  readonly data: string;
}

const named = (pos: number) => `${epochOf(pos)}:${seqOf(pos)}`;

/** What was once read from the journal stays as it was: same number, same record. */
function checkUnchanged(rows: readonly Row[], known: Map<number, string>): void {
  const now = new Map(rows.map(({ pos, id }) => [pos, id]));
  for (const [pos, id] of known) {
    hold('R2', now.has(pos), () => `${named(pos)} was in the journal and is gone`);
    hold('R3', now.get(pos) === id, () => `${named(pos)} is another record now`);
  }
  for (const [pos, id] of now) known.set(pos, id);
}

function checkReads(rows: readonly Row[], acked: readonly string[]): void {
  const times = new Map<string, number>();
  for (const { name, device, data } of rows) {
    if (name !== 'plate.read' || !CAMERAS.includes(device)) continue;
    const { plate } = JSON.parse(data) as { plate: string };
    times.set(plate, (times.get(plate) ?? 0) + 1);
  }
  for (const plate of acked) hold('R2', times.has(plate), `the push of ${plate} was answered with 200 and is gone`);
  for (const [plate, count] of times) hold('R3', count === 1, `the push of ${plate} is there ${count} times`);
}

/** Between the time of a device and that of the gateway on one machine, however busy. */
const APART_MS = 5000;

/** Readings are the first to go when a disk is full; then a gap record says so (R5), and {@link checkHoles} has counted it. */
function checkSamples(rows: readonly Row[], acked: readonly Sample[]): void {
  const there = new Set<string>();
  for (const { device, name, at, data } of rows) if (name === 'smoke') there.add(`${device} ${at} ${data}`);
  const dropped = rows
    .filter(({ kind }) => kinds[kind] === 'gap')
    .map(({ data }) => JSON.parse(data) as GapData)
    .filter(({ lane }) => lane === 'L3');
  const missing = acked.filter(({ device, at, value }) => !there.has(`${device} ${at} ${value}`));
  for (const { device, at } of missing) {
    const told = dropped.some(({ firstAt, lastAt }) => at >= firstAt - APART_MS && at <= lastAt);
    hold('R1', told, `a sample of ${device} at ${at} had its PUBACK and is gone`);
  }
  const counted = dropped.reduce((sum, { count }) => sum + count, 0);
  hold('R5', missing.length <= counted, () => `${missing.length} samples are gone, gap records count ${counted}`);
}

/** @returns states of each command, in order */
function commandsOf(rows: readonly Row[]): Map<string, CommandView[]> {
  const commands = new Map<string, CommandView[]>();
  for (const { kind, data } of rows) {
    if (kinds[kind] !== 'command') continue;
    const view = JSON.parse(data) as CommandView & { command: string };
    commands.set(view.command, [...(commands.get(view.command) ?? []), view]);
  }
  return commands;
}

function checkCommands(rows: readonly Row[], acked: readonly string[]): void {
  const commands = commandsOf(rows);
  for (const id of acked) hold('C3', commands.has(id), `command ${id} was accepted and is gone`);
  for (const [id, views] of commands) {
    const finals = views.filter(({ state }) => finalStates.includes(state)).length;
    const begun = views.filter(({ state }) => state === 'executing').length;
    hold('C3', finals <= 1, `command ${id} ended ${finals} times`);
    hold('C4', begun <= 1, `command ${id} was carried out ${begun} times`);
  }
}

/** How often each gate was to be opened, and whether every command has come to its end. */
export function commandTally(file: string): { readonly executed: ReadonlyMap<string, number>; readonly open: number } {
  const db = new Database(file, { readonly: true });
  try {
    const rows = db.prepare<[], Row>('SELECT pos, id, at, kind, device, name, data FROM record ORDER BY pos').all();
    const executed = new Map<string, number>();
    let open = 0;
    for (const { kind, device, data } of rows) {
      const began = kinds[kind] === 'command' && (JSON.parse(data) as CommandView).state === 'executing';
      if (began) executed.set(device, (executed.get(device) ?? 0) + 1);
    }
    for (const views of commandsOf(rows).values()) if (!views.some(({ state }) => finalStates.includes(state))) open++;
    return { executed, open };
  } finally {
    db.close();
  }
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => undefined);
}

/** @throws when `gone` is aborted or the time is over first */
function within<T>(work: Promise<T>, ms: number, gone: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.any([gone, AbortSignal.timeout(ms)]);
    signal.addEventListener('abort', () => reject(new Error('no answer')), { once: true });
    if (signal.aborted) reject(new Error('no answer'));
    work.then(resolve, reject);
  });
}
