/**
 * Everything at once: a whole compound under load, what goes wrong drawn from the seed, and an oracle that sees only the
 * outside: the devices' own log, the answers each client got, the records pulled, followed and received above.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { AlarmView } from '../../runtime/contracts/api.ts';
import { finalStates, type JournalRecord } from '../../runtime/contracts/record.ts';
import { isAlive } from '../launch.ts';
import { startLine, startMosquitto } from '../uplink-peers.ts';
import { type Receiver, startReceiver } from '../uplink-receiver.ts';
import { checkAlarms, checkEscalation, checkStanding } from './chaos-alarms.ts';
import { checkAnswers, checkDone, checkEnds, checkTimes, coursesOf, type Matched } from './chaos-commands.ts';
import { createFaults, type Faults } from './chaos-faults.ts';
import { checkHolds } from './chaos-holds.ts';
import { checkLinkages } from './chaos-linkages.ts';
import { type DeviceLog, type Evidence, type Layout, mono } from './chaos-log.ts';
import { followed, letIn, type People } from './chaos-people.ts';
import { planFor, type Step } from './chaos-plan.ts';
import { checkFollowed, checkInputs, checkReceived, checkSame, checkSequence, fillHoles } from './chaos-records.ts';
import { type Compound, startCompound } from './chaos-site.ts';
import { Broken, hold, type Size, type Trial, type TrialContext } from './trial.ts';

interface Scale {
  readonly seconds: number;
  readonly gates: number;
  readonly zones: number;
  readonly smokes: number;
  readonly doors: number;
  /** Of elevators with an e-bike guard, charging sheds and gas alarms, each. */
  readonly others: number;
  readonly lines: number;
  readonly stationsPerLine: number;
  readonly carsMs: number;
}
const SCALES: Readonly<Record<Size, Scale>> = {
  slice: { seconds: 8, gates: 3, zones: 2, smokes: 2, doors: 2, others: 1, lines: 1, stationsPerLine: 4, carsMs: 2000 },
  normal: {
    seconds: 300,
    gates: 6,
    zones: 6,
    smokes: 20,
    doors: 4,
    others: 2,
    lines: 6,
    stationsPerLine: 8,
    carsMs: 2000,
  },
  long: {
    seconds: 3600,
    gates: 8,
    zones: 12,
    smokes: 100,
    doors: 8,
    others: 3,
    lines: 37,
    stationsPerLine: 10,
    carsMs: 2000,
  },
};
/** Records a second that five hundred devices make. */
const NOMINAL = 12;
const POINTS = 5;
const SETTLED_MS = 60_000;
const LAST_WORDS = 3000;
/** The core is restarted at a gigabyte (V4); some of what it has is of the passwords of its first minute. */
const MOST_MEMORY = 768 * 2 ** 20;
const LOOK_MS = 1000;
/** A record of before a step of the wall clock may be committed after it. */
const STEP_MS = 3000;
const TICK_MS = 50;
/** With fewer than these there is no 99th of a hundred. */
const ENOUGH = 20;

function layoutOf({ gates, zones, smokes, doors, others, lines, stationsPerLine, carsMs }: Scale): Layout {
  const many = (count: number, name: string) => Array.from({ length: count }, (_, index) => `${name}-${index + 1}`);
  const stations = lines * stationsPerLine * POINTS;
  return {
    gates: many(gates, 'gate').map((id, index) => ({
      id,
      camera: `eye-${index + 1}`,
      way: index % 2 === 0 ? 'in' : 'out',
    })),
    zones: many(zones, 'zone'),
    smokes: many(smokes, 'smoke'),
    boards: [
      { id: 'panel', profile: 'generic/di-fire-panel', zone: 'control-room' },
      { id: 'siren', profile: 'generic/relay-siren', zone: 'control-room' },
      ...many(doors, 'door').map((id) => ({ id, profile: 'generic/relay-door', zone: 'control-room' })),
      ...many(others, 'house').flatMap((zone) => [
        { id: `car-${zone}`, profile: 'generic/io-elevator', zone },
        { id: `guard-${zone}`, profile: 'generic/relay-ebike-guard', zone },
        { id: `gas-${zone}`, profile: 'generic/io-gas-alarm', zone },
        { id: `shed-${zone}`, profile: 'generic/io-ebike-zone', zone: `${zone}-shed` },
      ]),
    ],
    lines: many(lines, 'line').map((line) => many(stationsPerLine, `air-${line}`)),
    carsMs,
    plates: Array.from({ length: 40 }, (_, index) => `粤B${20_000 + index}`),
    sampleMs: Math.max(1000, (smokes / (NOMINAL / 4)) * 1000),
    changeMs: Math.max(2000, (stations / (NOMINAL * 0.75)) * 1000),
  };
}

/** The wall clock of the gateway on the monotonic one: of the moments a clock that was set may mean, the first that follows. */
function whenOf(records: readonly JournalRecord[], clock: Faults['clock'], trueOffset: number): Evidence['whenOf'] {
  const known = new Map<string, number>();
  let last = Number.NEGATIVE_INFINITY;
  for (const { received, id, epoch, seq } of records) {
    const moments = clock
      .map(({ from, offsetMs }, index) => ({
        at: received - offsetMs - trueOffset,
        from,
        to: clock[index + 1]?.from ?? Number.POSITIVE_INFINITY,
      }))
      .filter(({ at, from, to }) => at >= from - TICK_MS && at <= to + STEP_MS && at >= last - STEP_MS)
      .map(({ at }) => at);
    if (moments.length === 0) throw new Error(`${epoch}:${seq} was received at ${received}, when no clock said so`);
    last = Math.min(...moments);
    known.set(id, last);
  }
  return ({ id }) => known.get(id) ?? Number.NaN;
}

async function until(holds: () => boolean | Promise<boolean>, withinMs = SETTLED_MS): Promise<boolean> {
  for (const end = mono() + withinMs; !(await holds()); await sleep(100)) if (mono() > end) return false;
  return true;
}

/** Begins each step in its time; a promise that breaks meanwhile, or a core that ends by itself, ends the trial. */
async function unfold(plan: readonly Step[], seconds: number, faults: Faults, compound: Compound): Promise<void> {
  const began = mono();
  const running = new Set<Promise<void>>();
  let failure: unknown;
  const rest = [...plan];
  const memory = () =>
    Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${compound.gateway().pid}/status`, 'utf8'))?.[1] ?? 0);
  for (let lookedAt = 0; mono() - began < seconds * 1000; await sleep(20)) {
    while (rest[0] && rest[0].at <= mono() - began) {
      const work = faults.carryOut(rest.shift() as Step).catch((error: unknown) => {
        failure ??= error;
      });
      running.add(work);
      void work.finally(() => running.delete(work));
    }
    if (failure !== undefined) throw failure;
    if (mono() - lookedAt < LOOK_MS || compound.lives.at(-1)?.readyAt === Number.POSITIVE_INFINITY) continue;
    lookedAt = mono();
    const { pid } = compound.gateway();
    if (compound.lives.at(-1)?.to !== Number.POSITIVE_INFINITY) continue;
    hold('V5', isAlive(pid), () => `the core ended by itself:\n${compound.gateway().text().slice(-LAST_WORDS)}`);
    const kilobytes = memory();
    hold('V4', kilobytes * 1024 <= MOST_MEMORY, `the core has ${Math.round(kilobytes / 1024)} MiB`);
  }
  faults.end();
  await Promise.all(running);
  if (failure !== undefined) throw failure;
}

/** Everything there is comes to its end, and arrives. @returns when all of it had ended */
async function settle(compound: Compound, people: People, receiver: Receiver): Promise<number> {
  const open = () => {
    const last = new Map<unknown, string>();
    for (const { kind, data } of people.pulled) {
      if (kind !== 'command') continue;
      const { command, state } = data as { command: string; state: (typeof finalStates)[number] };
      last.set(command, state);
    }
    return [...last].filter(([, state]) => !(finalStates as readonly string[]).includes(state));
  };
  let quietAt = 0;
  const ended = await until(async () => {
    quietAt = mono();
    await people.pull();
    return open().length === 0;
  });
  hold(
    'C5',
    ended,
    () =>
      `commands that never came to their end: ${open()
        .map(([id, state]) => `${id} ${state}`)
        .join(', ')}`,
  );
  await compound
    .gateway()
    .record(({ name }) => name === 'flows', '0:0')
    .catch(() => undefined);
  const newest = (own: readonly string[]) => people.pulled.findLast(({ lane }) => own.includes(lane));
  const reached = ({ epoch, through }: Receiver['urgent'], goal: JournalRecord | undefined) =>
    !goal || epoch > goal.epoch || (epoch === goal.epoch && through >= goal.seq);
  const goals = [newest(['L0', 'L1']), newest(['L2', 'L3'])] as const;
  const arrived = await until(() => reached(receiver.urgent, goals[0]) && reached(receiver.bulk, goals[1]));
  hold('R2', arrived, 'the platform never got the rest');
  return quietAt;
}

/** From the press to the relay, by what was wrong meanwhile. */
function latencies(
  matched: readonly Matched[],
  evidence: Evidence,
  { worlds }: Faults,
  gates: ReadonlySet<string>,
): Map<string, number[]> {
  const sentAt = new Map(
    evidence.asks.flatMap(({ tries }) => (tries[0]?.id === undefined ? [] : [[tries[0].id, tries[0].sentAt] as const])),
  );
  const byWorld = new Map<string, number[]>();
  for (const { course, done } of matched) {
    const sent = sentAt.get(course.id);
    if (sent === undefined || !gates.has(course.device)) continue;
    const excused = evidence.disturbances.some(
      ({ kind, device, from, to }) =>
        kind !== 'disk slow' &&
        from <= done.at &&
        to + LOOK_MS >= sent &&
        (device === undefined || device === course.device),
    );
    if (excused) continue;
    const names = new Set(worlds.filter(({ from, to }) => from <= done.at && to >= sent).map(({ kind }) => kind));
    // Behind a slow disk it is the disk that counts, whatever else was wrong.
    const told = names.has('disk slow') ? ['disk slow'] : names.size > 0 ? names : ['all well'];
    for (const name of told) byWorld.set(name, [...(byWorld.get(name) ?? []), done.at - sent]);
  }
  return byWorld;
}

function percentile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0);
}
const spread = (values: readonly number[]): string =>
  values.length === 0
    ? 'none'
    : `p50 ${percentile(values, 0.5)}, p99 ${percentile(values, 0.99)} ms of ${values.length}`;

export const chaos: Trial = {
  id: 'chaos',
  promises: [
    'R1',
    'R2',
    'R3',
    'R6',
    'C1',
    'C2',
    'C3',
    'C4',
    'C5',
    'C6',
    'F1',
    'F3',
    'F4',
    'F7',
    'U1',
    'V4',
    'V5',
    'V8',
  ],
  about: 'everything at random under load; an oracle outside checks every command, alarm and record',
  async run(context) {
    const { random, size, minutes } = context;
    const scale = SCALES[size];
    const seconds = minutes === undefined ? scale.seconds : minutes * 60;
    const layout = layoutOf(scale);
    const plan = planFor(random, size, seconds, layout);
    await using stack = new AsyncDisposableStack();
    const broker = stack.use(await startMosquitto());
    const line = stack.use(await startLine(broker.port));
    const trueOffset = Date.now() - mono();
    const compound = stack.use(await startCompound(layout, `mqtt://127.0.0.1:${line.port}`));
    const receiver = stack.use(await startReceiver(broker.port, compound.name, 5, 'chaos'));
    const people = letIn(compound, layout, random);
    const faults = createFaults({ compound, people, broker, line });
    try {
      await unfold(plan, seconds, faults, compound);
    } finally {
      await people.rest();
    }
    await compound.devices.ask({ do: 'rest' });
    const quietAt = await settle(compound, people, receiver);
    const isLossy = faults.counts.has('broker killed');
    const unasked = receiver.urgent.holes.length + receiver.bulk.holes.length;
    hold('U1', unasked === 0 || isLossy, `${unasked} stretches never came, and no broker had lost them`);
    const holes = await fillHoles(receiver, until);
    const { items: open } = await compound.json<{ items: AlarmView[] }>('/alarms?state=open', { as: 'captain' });
    const acknowledged = await compound.devices.log();
    await people.pull();
    const grown = [...people.pulled];
    const again = await pullAgain(compound, grown.length);
    await people.leave();
    const endedAt = mono();
    const ended = await compound.gateway().stop();
    hold('V8', ended === 0, () => `it did not stop in order:\n${compound.gateway().text().slice(-LAST_WORDS)}`);
    const log = await compound.devices.log();
    const evidence: Evidence = {
      ...{
        records: grown,
        whenOf: whenOf(grown, faults.clock, trueOffset),
        asks: people.asks,
        log,
        layout,
        quietAt,
        endedAt,
      },
      disturbances: faults.disturbances,
    };
    try {
      judge(context, evidence, { compound, people, faults, receiver, again, open, holes, acknowledged });
    } catch (error) {
      const file = join(tmpdir(), `gh-chaos-${context.seed}.json`);
      writeFileSync(
        file,
        JSON.stringify({ ...evidence, lives: compound.lives, clock: faults.clock, worlds: faults.worlds }),
      );
      context.say(`everything that was seen: ${file}`);
      throw error;
    }
  },
};

/** All of it once more, from the beginning. */
async function pullAgain(compound: Compound, count: number): Promise<JournalRecord[]> {
  const all: JournalRecord[] = [];
  while (all.length < count) {
    const last = all.at(-1);
    const after = last ? `${last.epoch}:${last.seq}` : '0:0';
    const { items } = await compound.json<{ items: JournalRecord[] }>(`/records?limit=500&after=${after}`);
    if (items.length === 0) break;
    all.push(...items);
  }
  return all.slice(0, count);
}

interface Outside {
  readonly compound: Compound;
  readonly people: People;
  readonly faults: Faults;
  readonly receiver: Receiver;
  readonly again: readonly JournalRecord[];
  readonly open: readonly AlarmView[];
  readonly holes: number;
  /** What the devices knew before the last pull. */
  readonly acknowledged: DeviceLog;
}

function judge({ say }: TrialContext, evidence: Evidence, outside: Outside): void {
  const { people, faults, receiver, compound, again, open, holes, acknowledged } = outside;
  const { records, log } = evidence;
  const broken: Broken[] = [];
  /** Whatever one of them finds, the others look too. */
  function look<T>(check: () => T, otherwise: T): T {
    try {
      return check();
    } catch (error) {
      if (!(error instanceof Broken)) throw error;
      broken.push(error);
      return otherwise;
    }
  }
  look(() => checkSequence(records), undefined);
  look(() => checkSame(records, again), undefined);
  look(() => checkInputs(records, { ...acknowledged, seen: log.seen }), undefined);
  for (const { who, seen } of people.booths) look(() => checkFollowed(records, seen, followed, who), undefined);
  look(() => checkReceived(records, receiver), undefined);
  const courses = look(() => coursesOf(evidence), []);
  look(() => checkAnswers(evidence, courses), undefined);
  look(() => checkTimes(evidence, courses), undefined);
  const matched = look(() => checkDone(evidence, courses), []);
  look(() => checkEnds(evidence, courses), undefined);
  const alarms = look(() => checkAlarms(evidence), { occurrences: 0, raised: 0, waits: [] });
  look(() => checkStanding(evidence, open), undefined);
  const escalated = look(() => checkEscalation(evidence), 0);
  const restarts = compound.lives.map(({ readyAt }) => readyAt);
  const held = look(() => checkHolds(evidence, restarts), 0);
  const linked = look(() => checkLinkages(evidence), { fires: 0, waits: [], ebikes: 0, cutOffs: 0 });
  const states = Map.groupBy(courses, ({ final }) => final.state);
  const told = finalStates.map((state) => `${states.get(state)?.length ?? 0} ${state}`).join(', ');
  say(
    `${courses.length} commands: ${told}; ${log.done.length} orders carried out; ${log.passed} cars passed; held ${held} times`,
  );
  say(
    `${alarms.occurrences} conditions at devices, ${alarms.raised} alarms, ${escalated} told further; ${spread(alarms.waits)} to the alarm`,
  );
  const asked = Map.groupBy(courses, ({ actor }) => actor.split(':')[0] ?? '');
  say(`asked for by ${[...asked].map(([who, { length }]) => `${who} ${length}`).join(', ')}`);
  say(
    `${linked.fires} fires, ${spread(linked.waits)} to barriers and doors; ${linked.ebikes} e-bikes, ${linked.cutOffs} hot sheds`,
  );
  say(
    `${records.length} records, ${receiver.urgent.records.length + receiver.bulk.records.length} above, ${holes} holes of a killed broker asked for; ${log.samples.length} samples acknowledged`,
  );
  say(`went wrong: ${[...faults.counts].map(([kind, count]) => `${kind} ${count}`).join(', ')}`);
  const started = compound.lives.map(({ from, readyAt }) => readyAt - from);
  say(`lives ${started.length}, ready after ${spread(started)}; answer to a press ${spread(people.waits)}`);
  const gates = new Set(evidence.layout.gates.map(({ id }) => id));
  const byWorld = latencies(matched, evidence, faults, gates);
  for (const [world, values] of byWorld) say(`from the press to the barrier, ${world}: ${spread(values)}`);
  const well = byWorld.get('all well') ?? [];
  for (const world of ['flows dead', 'uplink down', 'broker dead']) {
    const values = byWorld.get(world) ?? [];
    if (values.length < ENOUGH || well.length < ENOUGH) continue;
    const most = Math.max(500, 3 * percentile(well, 0.99));
    look(
      () =>
        hold(
          'R7',
          percentile(values, 0.99) <= most,
          `with ${world} a barrier opened after ${spread(values)}, else ${spread(well)}`,
        ),
      undefined,
    );
  }
  for (const { message } of broken.slice(1)) say(`✗ ${message}`);
  if (broken[0]) throw broken[0];
}
