/**
 * What the oracle holds every command to, seen from outside: what was answered to whoever asked, what the records say, and
 * what the devices were made to do (reliability.md C1-C6).
 */
import { readFileSync } from 'node:fs';
import type { CommandView } from '../../runtime/contracts/api.ts';
import { scenarioOf } from '../../runtime/contracts/index.ts';
import { finalStates } from '../../runtime/contracts/record.ts';
import { type Ask, type Done, disturbed, type Evidence, type Truth } from './chaos-log.ts';
import { hold } from './trial.ts';

/** A record bears whole milliseconds, and a wall clock beside the monotonic one. */
const EARLY_MS = 60;
/** From the last look at the deadline to the device's own log, on a busy machine. */
const LATE_MS = 400;
/** A final state comes at most so long after the deadline (C5), and the record of it on a busy machine. */
const FINAL_MS = 2000;
const RECORDED_MS = 700;
/** What is renewed waits for its line, a second at most. */
const RENEWED_MS = 1500;
/** A device that was disturbed is not back at once: its line is opened again, a late answer is waited for. */
const AFTERWARDS_MS = 3000;
const FAIL_SAFE = /^(linkage|booth|system):/;
const UNRECORDED_MS = 10_000;
/** It was so for so long, and the gateway reads ten times a second. */
const PLAIN_MS = 1000;

/** The life of one command. */
export interface Course {
  readonly id: string;
  readonly device: string;
  readonly command: string;
  readonly actor: string;
  readonly scenario: string;
  readonly acceptedAt: number;
  /** Not later than this. */
  readonly deadline: number;
  readonly executingAt?: number;
  readonly finalAt: number;
  readonly final: CommandView;
}

interface Order {
  readonly write: string;
  readonly address?: number;
  readonly coil?: number;
  readonly base?: number;
  readonly value?: unknown;
  readonly units?: number | { readonly field: string; readonly times?: number };
}
interface Profile {
  readonly scenario: string;
  readonly commands?: Readonly<Record<string, Order>>;
}
const profiles = new Map<string, Profile>();
function profileOf(name: string): Profile {
  const known = profiles.get(name);
  if (known) return known;
  const read = JSON.parse(readFileSync(new URL(`../../firmware-profiles/${name}.json`, import.meta.url), 'utf8'));
  profiles.set(name, read);
  return read;
}

/** How the devices' log names what this command makes a device of this profile do. */
function outputOf(profile: string, command: string, input: CommandView['input']): string | undefined {
  const order = profileOf(profile).commands?.[command];
  if (!order) return undefined;
  const { write, address = 0, base = 0, coil = 0, value, units = 0 } = order;
  switch (write) {
    case 'pulse':
      return `5:${base + coil}=${typeof units === 'number' ? units : Number(input[units.field]) * (units.times ?? 1)}`;
    case 'coil':
      return `5:${address}:${value === true ? 1 : 0}`;
    default:
      return `${write === 'register' ? 6 : 16}:${address}`;
  }
}

/** @throws Broken when the records of a command are not one life */
export function coursesOf({ records, whenOf, asks, quietAt }: Evidence): Course[] {
  const lives = new Map<string, { at: number; view: CommandView; scenario: string }[]>();
  for (const record of records) {
    if (record.kind !== 'command') continue;
    const view = record.data as CommandView & { command: string };
    const life = lives.get(view.command) ?? [];
    life.push({ at: whenOf(record), view: { ...view, command: record.name }, scenario: record.scenario });
    lives.set(view.command, life);
  }
  const deadlines = new Map(asks.flatMap((ask) => ask.tries.flatMap(({ id }) => (id ? [[id, ask.deadlineMs]] : []))));
  const waitedFor = [...lives].filter(([, life]) => (life[0]?.at ?? 0) <= quietAt);
  return waitedFor.map(([id, life]) => {
    const states = life.map(({ view }) => view.state);
    const finals = states.filter((state) => finalStates.includes(state)).length;
    const told = `command ${id} (${life[0]?.view.command} on ${life[0]?.view.device}) is told ${states.join(', ')}`;
    hold('C3', states[0] === 'accepted' && states.filter((state) => state === 'accepted').length === 1, told);
    hold('C3', finals === 1 && finalStates.includes(states.at(-1) ?? 'accepted'), told);
    hold('C4', states.filter((state) => state === 'executing').length <= 1, told);
    const first = life[0] as (typeof life)[number];
    const last = life.at(-1) as (typeof life)[number];
    const { device, command, actor } = first.view;
    const longest = scenarioOf(first.scenario)?.commands[command]?.deadlineMs ?? 0;
    const executing = life.find(({ view }) => view.state === 'executing');
    return {
      ...{ id, device, command, actor, scenario: first.scenario, acceptedAt: first.at },
      deadline: first.at + (deadlines.get(id) ?? longest),
      ...(executing ? { executingAt: executing.at } : {}),
      finalAt: last.at,
      final: last.view,
    };
  });
}

/** What was answered is what the records say, and one key is one command (C1). */
export function checkAnswers(evidence: Evidence, courses: readonly Course[]): void {
  const byId = new Map(courses.map((course) => [course.id, course]));
  const byKey = Map.groupBy(evidence.asks, ({ actor, key }) => `${actor} ${key}`);
  const named = new Set<string>();
  const unanswered = new Map<string, number>();
  for (const [key, asks] of byKey) {
    const tries = asks.flatMap((ask) => ask.tries);
    const ids = new Set(tries.flatMap(({ id }) => id ?? []));
    hold('C1', ids.size <= 1, () => `the key ${key} was answered with ${[...ids].join(' and ')}`);
    for (const id of ids) named.add(id);
    const { actor } = asks[0] as Ask;
    if (ids.size === 0 && tries.some(({ status }) => status === 0 || status >= 500))
      unanswered.set(actor, (unanswered.get(actor) ?? 0) + 1);
    for (const { id, state } of tries) {
      if (id === undefined) continue;
      const course = byId.get(id);
      hold('C3', course !== undefined, `command ${id} was accepted and is in no record`);
      const isFinal = finalStates.includes(state as CommandView['state']);
      hold(
        'C3',
        !isFinal || course.final.state === state,
        `command ${id} was answered ${state} and is told ${course.final.state}`,
      );
    }
  }
  const asking = new Set(evidence.asks.map(({ actor }) => actor));
  const strange = Map.groupBy(
    courses.filter(({ id, actor }) => asking.has(actor) && !named.has(id)),
    ({ actor }) => actor,
  );
  for (const [actor, more] of strange) {
    const most = unanswered.get(actor) ?? 0;
    hold(
      'C1',
      more.length <= most,
      `${actor} has ${more.length} commands more than the ${most} that were not answered`,
    );
  }
}

/** When: never late, and every end in time (C2, C5). */
export function checkTimes(evidence: Evidence, courses: readonly Course[]): void {
  for (const { id, device, command, acceptedAt, deadline, executingAt, finalAt, final } of courses) {
    const named = `${command} on ${device} (${id})`;
    const over = (executingAt ?? 0) - deadline;
    // The record may have waited for the disk, and the command is expired then.
    if (final.state !== 'expired' && final.code !== 'command.expired')
      hold('C2', over <= LATE_MS, `${named} began ${Math.round(over)} ms after its deadline`);
    if (disturbed(evidence, acceptedAt, finalAt)) continue;
    const late = finalAt - deadline - FINAL_MS - RECORDED_MS;
    hold('C5', late <= 0, `${named} was ${final.state} only ${Math.round(finalAt - deadline)} ms after its deadline`);
  }
}

type Claim = 'must' | 'may' | 'never';

/** What the told end of a command says about the device. */
function claimOf({ final: { state, code, detail } }: Course): Claim {
  if (state === 'succeeded') return detail?.includes('restarted') ? 'may' : 'must';
  if (state === 'failed') return code === 'command.unproven' ? 'must' : 'never';
  return state === 'unknown' ? 'may' : 'never';
}

export interface Matched {
  readonly course: Course;
  readonly done: Done;
}

/**
 * Every order a device carried out belongs to one command that says so, in its time; every command that says so was
 * carried out (C4, C6).
 * @returns which was which
 */
export function checkDone(evidence: Evidence, courses: readonly Course[]): Matched[] {
  const profileById = new Map([
    ...evidence.layout.gates.map(({ id }) => [id, 'waveshare/relay-8ch-barrier'] as const),
    ...evidence.layout.boards.map(({ id, profile }) => [id, profile] as const),
    ...evidence.layout.zones.map((id) => [id, 'generic/di-perimeter'] as const),
  ]);
  const placeOf = ({ device, command, final }: Course) =>
    `${device} ${outputOf(profileById.get(device) ?? '', command, final.input)}`;
  const releases = new Set(
    [...profileById].flatMap(([device, profile]) =>
      releasesOf(profile).map((command) => `${device} ${outputOf(profile, command, {})}`),
    ),
  );
  const known = courses.filter(({ device }) => profileById.has(device));
  const byPlace = Map.groupBy(known, placeOf);
  const doneAt = Map.groupBy(
    evidence.log.done.filter(({ at }) => at <= evidence.quietAt),
    ({ device, output }) => `${device} ${output}`,
  );
  const matched: Matched[] = [];
  for (const place of new Set([...byPlace.keys(), ...doneAt.keys()])) {
    const all = byPlace.get(place) ?? [];
    const done = doneAt.get(place) ?? [];
    const isRelease = releases.has(place);
    const claims = { must: [] as Course[], may: [] as Course[], never: [] as Course[] };
    for (const course of all) claims[claimOf(course)].push(course);
    const fits = (course: Course, one: Done) => covers(evidence, course, one);
    const pairs = match([...claims.must, ...claims.may], done, fits);
    for (const one of done) {
      // Letting go is the one thing that is sent by itself, as often as it takes; holding on was recorded.
      if (pairs.has(one) || isRelease || isRenewal(evidence, one)) continue;
      const told = all
        .filter((course) => fits(course, one))
        .map(({ id, final }) => `${id} ${final.state} ${final.code ?? ''}`);
      const near = all.filter(({ acceptedAt, finalAt }) => acceptedAt - 1000 <= one.at && one.at <= finalAt + 30_000);
      const around = near.map(
        ({ id, final, deadline }) => `${id} ${final.state}, deadline ${Math.round(one.at - deadline)} ms before`,
      );
      const promise = told.length > 0 ? 'C4' : 'C2';
      hold(
        promise,
        false,
        `${place} was carried out once more than any command tells; in its time: ${told.join(', ') || 'none'}; near: ${around.join('; ')}`,
      );
    }
    const carried = new Set(pairs.values());
    for (const course of claims.must) {
      const { id, final } = course;
      if (carried.has(course)) continue;
      const proven = final.state === 'succeeded' && final.proven === true && wasSo(evidence, course);
      hold('C6', proven, `command ${id} is told ${final.state}, and ${place} was never carried out`);
    }
    for (const [one, course] of pairs) matched.push({ course, done: one });
  }
  return matched;
}

/** Commands that let go what others of the same device hold. */
function releasesOf(profile: string): string[] {
  const scenario = scenarioOf(profileOf(profile).scenario.split('@')[0] ?? '');
  return Object.values(scenario?.commands ?? {}).flatMap(({ lease }) => lease?.release ?? []);
}

/** A command that holds on is carried out once more, right after it was recorded. */
const isRenewal = ({ records, whenOf }: Evidence, { device, at }: Done): boolean =>
  records.some((record) => {
    if (record.device !== device || record.name !== 'lease.renewed') return false;
    const since = at - whenOf(record);
    return since >= -EARLY_MS && since <= RENEWED_MS;
  });

function covers(evidence: Evidence, { acceptedAt, deadline, executingAt, actor }: Course, { at }: Done): boolean {
  const { log } = evidence;
  // What only makes safe does not wait for a disk that takes no record of it.
  const isUrgent = FAIL_SAFE.test(actor) && disturbed(evidence, acceptedAt - UNRECORDED_MS, acceptedAt);
  if (executingAt === undefined || at < acceptedAt - (isUrgent ? UNRECORDED_MS : EARLY_MS)) return false;
  const lag = log.lags.find((one) => one.at <= at && at <= one.at + one.ms + 200)?.ms ?? 0;
  return at <= deadline + LATE_MS + lag;
}

/** Pairs as many as can be, those that come first with preference. */
function match(
  courses: readonly Course[],
  done: readonly Done[],
  fits: (course: Course, one: Done) => boolean,
): Map<Done, Course> {
  const pairs = new Map<Done, Course>();
  const place = (course: Course, tried: Set<Done>): boolean => {
    for (const one of done) {
      if (tried.has(one) || !fits(course, one)) continue;
      tried.add(one);
      const other = pairs.get(one);
      if (other && !place(other, tried)) continue;
      pairs.set(one, course);
      return true;
    }
    return false;
  };
  for (const course of courses) place(course, new Set());
  return pairs;
}

/** Whether the device truly was, at some time between, what proves the command. */
function wasSo(evidence: Evidence, course: Course): boolean {
  return spans(evidence, course).some(
    ({ from, to }) => from <= course.finalAt + EARLY_MS && to >= course.acceptedAt - EARLY_MS,
  );
}

function spans({ log }: Evidence, { scenario, command, device }: Course): { from: number; to: number }[] {
  const proof = scenarioOf(scenario)?.commands[command]?.proof;
  const truths = log.truths.filter((truth: Truth) => truth.device === device && truth.point === proof?.point);
  const proves = (value: Truth['value']) =>
    proof !== undefined && ('equals' in proof ? value === proof.equals : Number(value) < proof.below);
  return truths.flatMap(({ at, value }, index) =>
    proves(value) ? [{ from: at, to: truths[index + 1]?.at ?? Number.POSITIVE_INFINITY }] : [],
  );
}

/** `unknown` only where something was wrong, `failed` only where it did fail (C6). */
export function checkEnds(evidence: Evidence, courses: readonly Course[]): void {
  for (const course of courses) {
    const { id, device, command, acceptedAt, finalAt, final } = course;
    if (disturbed(evidence, acceptedAt - AFTERWARDS_MS, finalAt, device)) continue;
    const told = `${command} on ${device} (${id}) is told ${final.state} (${final.code}: ${final.detail})`;
    const taken = final.code === 'command.superseded';
    hold('C6', final.state !== 'unknown' || taken, `${told}, and nothing was wrong`);
    if (final.code !== 'command.unproven') continue;
    const since = course.executingAt ?? acceptedAt;
    const plain = spans(evidence, course).some(
      ({ from, to }) => Math.min(to, finalAt) - Math.max(from, since) > PLAIN_MS,
    );
    hold('C6', !plain, `${told}, and it was so`);
  }
}
