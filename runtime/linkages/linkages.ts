/**
 * The safety linkages at work. A cursor over the journal tells them what the devices say; what they decide is committed
 * together with the place reached, so that after any crash every signal has had its effect once. Beside it they hear each
 * reading before it is stored: when the disk does not take it within half a second, they act all the same (F7, AU5).
 */
import type { Alarms } from '../alarms/alarms.ts';
import type { Clock } from '../clock.ts';
import type { Dispatcher, Outputs } from '../commands/dispatcher.ts';
import { createFailSafeRecorder } from '../commands/recorder.ts';
import type { Scalar, Sender } from '../contracts/contract.ts';
import type { LinkageWatch } from '../contracts/linkages.ts';
import type { Draft, JournalRecord, Position, ProcessState } from '../contracts/record.ts';
import type { Words } from '../contracts/words.ts';
import { isAfter, openCursor } from '../journal/cursors.ts';
import type { Journal, Write } from '../journal/journal.ts';
import { uuidv7 } from '../journal/uuid.ts';
import type { Log } from '../log.ts';
import type { Outcome } from './drive.ts';
import { forbidding } from './linkages.words.ts';
import { type LinkedDevice, type Place, placesOf, reaches, type SiteShape } from './places.ts';
import { type Episode, outputKey, Run, runKey } from './run.ts';
import { alarmsOf, createSignals } from './signals.ts';

export const schema = `
CREATE TABLE IF NOT EXISTS linkage_run (
  linkage TEXT NOT NULL, place TEXT NOT NULL, episode TEXT NOT NULL, PRIMARY KEY (linkage, place)
) WITHOUT ROWID, STRICT;
CREATE TABLE IF NOT EXISTS linkage_log (linkage TEXT PRIMARY KEY, ran TEXT, tested TEXT) WITHOUT ROWID, STRICT;
`;
const SAVE_RUN = 'INSERT INTO linkage_run VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET episode = excluded.episode';
const DROP_RUN = 'DELETE FROM linkage_run WHERE linkage = ? AND place = ?';
const LOG_RAN = 'INSERT INTO linkage_log (linkage, ran) VALUES (?, ?) ON CONFLICT DO UPDATE SET ran = excluded.ran';
const LOG_TESTED =
  'INSERT INTO linkage_log (linkage, tested) VALUES (?, ?) ON CONFLICT DO UPDATE SET tested = excluded.tested';

/** A reading that is not stored within this time is acted on all the same (F7). */
const PATIENCE_MS = 500;
const TICK_MS = 500;
/** Read again after a crash it is acted on; older than that it is only known. */
const FRESH_MS = 60_000;
const SAVE_EVERY = 1000;
const PAGE = 500;
/** Alarm of the gateway at a device that did not do what life depends on. */
const FAILED = 'linkageFailed';
const CURSOR = 'linkages';
/** Of an alarm nobody has to reset any more. */
const AT_REST: readonly ProcessState[] = ['NORMAL', 'OUT_OF_SERVICE'];

export interface LinkageLog {
  readonly ran?: { readonly at: number; readonly place: string };
  readonly tested?: { readonly at: number; readonly by: string; readonly passed: boolean; readonly record: string };
}

/** The write that belongs to the record of a test. */
export const loggingTest = (linkage: string, tested: NonNullable<LinkageLog['tested']>): Write => ({
  sql: LOG_TESTED,
  params: [linkage, JSON.stringify(tested)],
});

export interface LinkageParts {
  readonly journal: Journal;
  readonly alarms: Pick<Alarms, 'open' | 'raise' | 'clear' | 'isActive'>;
  readonly dispatcher: Pick<Dispatcher, 'send' | 'settled' | 'renew'>;
  readonly outputs: Pick<Outputs, 'latest'>;
  /** Asked again after every change of the inventory. */
  readonly site: () => SiteShape;
  readonly settingsOf: (device: string) => Readonly<Record<string, Scalar>>;
  readonly clock: Clock;
  readonly log: Log;
}

export class Linkages {
  readonly #parts: LinkageParts;
  readonly #stopping = new AbortController();
  readonly #signals: ReturnType<typeof createSignals>;
  readonly #cursor: ReturnType<typeof openCursor>;
  readonly #runs = new Map<string, Run>();
  /** Last value of the points that matter, as stored or, when the disk is dead, as heard. */
  readonly #seen = new Map<string, Scalar>();
  /** Heard and not stored yet. */
  readonly #heard = new Map<string, { readonly value: Scalar; readonly cancel: () => void }>();
  /** When what was acted on without the disk was heard, ms UTC: what was said before it is no news any more. */
  readonly #actedAt = new Map<string, number>();
  #places: Place[] | undefined;
  #devices = new Map<string, LinkedDevice>();
  #reached: Position;
  #unsaved = 0;
  #cancelTick: (() => void) | undefined;
  #unfollow = (): void => {};

  constructor(parts: LinkageParts) {
    this.#parts = parts;
    this.#signals = createSignals(parts.settingsOf);
    this.#cursor = openCursor(parts.journal, CURSOR, {}, parts.journal.head());
    this.#reached = this.#cursor.position;
  }

  /** Deals with what came while it was away, then follows. The devices are attached by now. */
  start(): void {
    const { journal } = this.#parts;
    this.siteChanged();
    this.#resume();
    for (const { device, name, point } of journal.points())
      if (point.quality === 'good') this.#read(device, name, point.value);
    const passing = createSignals(this.#parts.settingsOf);
    for (;;) {
      const { records, through } = this.#cursor.read(PAGE, this.#reached);
      for (const record of records) this.#repeat(record, passing);
      this.#reached = through;
      if (records.length < PAGE) break;
    }
    // No await between the last read and this line: nothing can slip between.
    this.#unfollow = journal.onCommit((records) => this.#follow(records));
    this.#save();
    this.#update();
  }

  /** The devices or their zones have changed. */
  siteChanged(): void {
    const site = this.#parts.site();
    this.#places = placesOf(site);
    this.#devices = new Map(site.devices.map((device) => [device.id, device]));
    for (const run of this.#runs.values()) run.place = this.#placeOf(run.episode) ?? run.place;
  }

  /** A reading, before it is stored. */
  heard(device: string, point: string, value: Scalar): void {
    const scenario = this.#devices.get(device)?.scenario;
    if (scenario === undefined || alarmsOf(scenario, point).length === 0) return;
    const key = outputKey(device, point);
    const before = this.#heard.get(key);
    if (before?.value === value) return; // said again, as it could not be stored
    before?.cancel();
    this.#heard.delete(key);
    if (this.#seen.get(key) === value) return;
    const { clock } = this.#parts;
    const at = clock.now();
    const act = () => {
      this.#heard.delete(key);
      this.#actedAt.set(key, at);
      if (this.#read(device, point, value)) this.#update();
    };
    this.#heard.set(key, { value, cancel: clock.after(PATIENCE_MS, act) });
  }

  /** Why this sender may not send this now; undefined: no linkage minds. */
  forbids(device: string, command: string, sender: Sender): Words | undefined {
    const scenario = this.#devices.get(device)?.scenario ?? '';
    for (const { episode, place } of this.#runs.values()) {
      const { forbids, words } = place.linkage;
      if (episode.phase !== 'active' || !reaches(place, device)) continue;
      if (forbids?.[scenario]?.includes(command)) return forbidding(words);
      // What is held for half an hour would be held for as long only as somebody else says.
      const isOwn = place.outputs.some(
        ({ rule, device: { id } }) => id === device && rule.command === command && rule.input !== undefined,
      );
      if (isOwn && sender !== 'linkage') return forbidding(words);
    }
    return undefined;
  }

  places(): readonly Place[] {
    return this.#places ?? [];
  }

  running(place: Place): Episode | undefined {
    return this.#runs.get(runKey({ linkage: place.linkage.id, place: place.id }))?.episode;
  }

  logOf(linkage: string): LinkageLog {
    const row = this.#parts.journal.db
      .prepare<[string], { ran: string | null; tested: string | null }>(
        'SELECT ran, tested FROM linkage_log WHERE linkage = ?',
      )
      .get(linkage);
    return {
      ...(row?.ran ? { ran: JSON.parse(row.ran) as NonNullable<LinkageLog['ran']> } : {}),
      ...(row?.tested ? { tested: JSON.parse(row.tested) as NonNullable<LinkageLog['tested']> } : {}),
    };
  }

  stop(): void {
    this.#stopping.abort();
    this.#unfollow();
    this.#cancelTick?.();
    for (const { cancel } of this.#heard.values()) cancel();
  }

  #placeOf({ linkage, place }: Pick<Episode, 'linkage' | 'place'>): Place | undefined {
    return this.#places?.find((one) => one.linkage.id === linkage && one.id === place);
  }

  /** What was at work when the gateway ended goes on; what its site does not have any more is let go. */
  #resume(): void {
    const { journal, log } = this.#parts;
    const rows = journal.db.prepare<[], { episode: string }>('SELECT episode FROM linkage_run').all();
    for (const row of rows) {
      const episode = JSON.parse(row.episode) as Episode;
      const place = this.#placeOf(episode);
      if (!place) {
        log.warn({ episode }, 'a linkage was at work in a place that is not there any more');
        this.#write({ sql: DROP_RUN, params: [episode.linkage, episode.place] });
        continue;
      }
      const run = this.#run(episode, place, `/${journal.head().seq}`);
      run.recorded = true;
      this.#runs.set(runKey(episode), run);
    }
  }

  /** A record that came while nobody was there: a signal that has gone since must not be missed, an old one not acted on. */
  #repeat(record: JournalRecord, passing: ReturnType<typeof createSignals>): void {
    const device = this.#devices.get(record.device);
    if (record.kind !== 'telemetry' || record.quality !== 'good' || !device) return;
    if (!passing.read(device, record.name, record.data as Scalar)) return;
    if (this.#parts.clock.now() - record.received > FRESH_MS) return;
    for (const place of this.places()) {
      const triggering = passing.triggering(place);
      if (triggering.length > 0 && place.sources.some(({ id }) => id === device.id))
        this.#begin(place, triggering, record.id);
    }
  }

  #follow(records: readonly JournalRecord[]): void {
    let changed = false;
    for (const record of records) {
      if (!isAfter(record, this.#reached)) continue;
      this.#reached = record;
      this.#unsaved++;
      if (record.kind === 'telemetry' && record.quality === 'good') {
        if (record.received < (this.#actedAt.get(outputKey(record.device, record.name)) ?? 0)) continue;
        // One by one: a fire of a moment must not be lost because it came and went in one commit.
        if (this.#read(record.device, record.name, record.data as Scalar)) this.#update(record.id);
      } else if (this.#runs.size === 0) continue;
      else if (record.kind === 'alarm') changed = true;
      else if (record.kind === 'state' && record.name === 'link') {
        for (const run of this.#runs.values()) run.back(record.device);
        changed = true;
      }
    }
    if (changed) this.#update();
    if (this.#unsaved >= SAVE_EVERY) this.#save();
  }

  /** @returns true if a signal came or went. */
  #read(device: string, point: string, value: Scalar): boolean {
    const known = this.#devices.get(device);
    if (!known || alarmsOf(known.scenario, point).length === 0) return false;
    const key = outputKey(device, point);
    const heard = this.#heard.get(key);
    if (heard?.value === value) {
      heard.cancel();
      this.#heard.delete(key);
    }
    this.#seen.set(key, value);
    return this.#signals.read(known, point, value);
  }

  #save(): void {
    this.#unsaved = 0;
    this.#write(this.#cursor.write(this.#reached));
  }

  /** Brings what is at work in line with what is so now. */
  #update(cause?: string): void {
    if (this.#stopping.signal.aborted) return;
    for (const place of this.places()) {
      const triggering = this.#signals.triggering(place);
      const run = this.#runs.get(runKey({ linkage: place.linkage.id, place: place.id }));
      if (triggering.length > 0 && (!run || (run.episode.phase === 'ending' && !run.spent)) && !this.#isBeaten(place))
        this.#begin(place, triggering, cause);
      else if (run) this.#judge(run, triggering.length > 0);
    }
    for (const run of this.#runs.values()) {
      if (run.episode.phase === 'active') run.drive();
      else if (run.episode.phase === 'ending') this.#letGo(run);
    }
    if (this.#runs.size > 0 && !this.#cancelTick) this.#tick();
  }

  #tick(): void {
    this.#cancelTick?.();
    this.#cancelTick = this.#parts.clock.after(TICK_MS, () => {
      this.#cancelTick = undefined;
      this.#update();
    });
  }

  /** A stronger linkage is at work on what this one reaches: fire beats every hold. */
  #isBeaten(place: Place): boolean {
    const { yieldsTo = [] } = place.linkage;
    return [...this.#runs.values()].some(
      (run) =>
        run.episode.phase === 'active' &&
        yieldsTo.includes(run.episode.linkage) &&
        place.outputs.some(({ device }) => reaches(run.place, device.id)),
    );
  }

  #begin(place: Place, triggering: readonly { device: LinkedDevice; alarm: string }[], cause?: string): void {
    const { clock, alarms, log } = this.#parts;
    const key = runKey({ linkage: place.linkage.id, place: place.id });
    if (this.#runs.get(key)?.episode.phase === 'active') return;
    const id = uuidv7(clock.now());
    const sources = triggering.map(({ device, alarm }) => ({ device: device.id, alarm }));
    const episode: Episode = {
      ...{ id, linkage: place.linkage.id, place: place.id, since: clock.now(), sources },
      ...{ phase: 'active', done: [] },
    };
    const run = this.#run(episode, place, '');
    this.#runs.set(key, run);
    const outputs = place.outputs.map(({ device, rule }) => ({ device: device.id, command: rule.command }));
    void run.recorder.commit({
      records: [{ ...this.#record(run, 'linkage.started', { sources, outputs }, cause), id }],
      writes: [
        this.#saving(run),
        { sql: LOG_RAN, params: [episode.linkage, JSON.stringify({ at: episode.since, place: place.id })] },
        this.#cursor.write(this.#reached),
      ],
    });
    const recorded = async () => {
      run.recorded = true;
      // It could not be raised while the disk was dead; without it nobody could reset what is at work.
      for (const { device, alarm } of triggering) {
        if (alarms.open().some((one) => one.device === device.id && one.kind === alarm)) continue;
        const about = { device: device.id, scenario: device.scenario, zone: device.zone, kind: alarm, cause: id };
        await alarms.raise({ ...about, actor: `linkage:${episode.linkage}` });
        const stands = this.#signals.triggering(place).some((one) => one.device.id === device.id);
        if (!stands) await alarms.clear(device.id, alarm, id, `linkage:${episode.linkage}`);
      }
    };
    run.recorder.written
      .then(recorded)
      .catch((error: unknown) => log.error({ err: error }, 'the alarm of a linkage could not be raised'));
  }

  #judge(run: Run, triggered: boolean): void {
    const { clock } = this.#parts;
    const { linkage } = run.place;
    if (run.episode.phase === 'spent') {
      if (!triggered) this.#drop(run);
      return;
    }
    if (run.episode.phase === 'ending') return;
    if (this.#isBeaten(run.place)) this.#end(run, 'beaten');
    else if (linkage.longest && clock.mono() - run.began > linkage.longest.ms) this.#end(run, 'longest');
    else if (!triggered && (linkage.ends === 'signal' || this.#isReset(run))) this.#end(run, linkage.ends);
  }

  /** A named person has reset every alarm that began it, or taken it out of service. What is not recorded yet cannot have been. */
  #isReset({ recorded, episode, place }: Run): boolean {
    const kinds = new Set(place.linkage.triggers.map(({ alarm }) => alarm));
    const devices = new Set(episode.sources.map(({ device }) => device));
    return (
      recorded &&
      !this.#parts.alarms
        .open()
        .some(({ device, kind, process }) => devices.has(device) && kinds.has(kind) && !AT_REST.includes(process))
    );
  }

  #end(run: Run, reason: 'signal' | 'reset' | 'longest' | 'beaten'): void {
    const { linkage } = run.place;
    run.episode = { ...run.episode, phase: 'ending' };
    if (reason === 'longest') {
      run.spent = true;
      for (const { device } of run.episode.sources) this.#call(device, linkage.longest?.alarm ?? '', run, {});
    }
    const lastedMs = Math.round(this.#parts.clock.mono() - run.began);
    void run.recorder.commit({
      records: [this.#record(run, 'linkage.ended', { reason, lastedMs }, run.episode.id)],
      writes: [this.#saving(run), this.#cursor.write(this.#reached)],
    });
  }

  #letGo(run: Run): void {
    const needed = (device: string, command: string) =>
      [...this.#runs.values()].some(
        ({ episode, place }) =>
          episode.phase === 'active' &&
          place.outputs.some((output) => output.device.id === device && output.rule.command === command),
      );
    if (!run.end(needed)) return;
    if (run.spent) {
      run.episode = { ...run.episode, phase: 'spent' };
      void run.recorder.commit({ writes: [this.#saving(run)] });
    } else this.#drop(run);
  }

  #drop(run: Run): void {
    const { episode, recorder, place } = run;
    for (const { device, rule } of place.outputs) this.#clear(device.id, rule.failure ?? FAILED, run);
    for (const { device, rule } of place.watches) this.#clear(device.id, rule.failure, run);
    for (const { device } of episode.sources) this.#clear(device, place.linkage.longest?.alarm ?? '', run);
    this.#runs.delete(runKey(episode));
    void recorder.commit({ writes: [{ sql: DROP_RUN, params: [episode.linkage, episode.place] }] });
  }

  #write(write: Write): void {
    this.#parts.journal
      .commit({ writes: [write] })
      .catch((error: unknown) => this.#parts.log.warn({ err: error }, 'the place reached could not be saved'));
  }

  #run(episode: Episode, place: Place, life: string): Run {
    const { dispatcher, outputs, clock } = this.#parts;
    const run: Run = new Run(episode, place, life, {
      ...{ dispatcher, outputs, clock },
      recorder: createFailSafeRecorder({ ...this.#parts, stopped: this.#stopping.signal }, {}),
      told: (outcome, call) => this.#told(run, outcome, call),
      watched: (device, rule, held) => this.#watched(run, device, rule, held),
    });
    return run;
  }

  #told(run: Run, outcome: Outcome, call: boolean): void {
    const { device, rule, command, state, tries, detail } = outcome;
    const key = outputKey(device.id, command);
    if (state === 'succeeded' && command === rule.command && !run.episode.done.includes(key))
      run.episode = { ...run.episode, done: [...run.episode.done, key] };
    const data = { device: device.id, command, state, tries, ...(detail === undefined ? {} : { detail }) };
    const isKept = this.#runs.get(runKey(run.episode)) === run;
    void run.recorder.commit({
      records: [this.#record(run, 'linkage.output', data, run.episode.id)],
      writes: isKept ? [this.#saving(run)] : [],
    });
    if (call) this.#call(device.id, rule.failure ?? FAILED, run, { command, state });
    else if (state === 'succeeded') this.#clear(device.id, rule.failure ?? FAILED, run);
    if (state === 'succeeded') this.#update();
  }

  #watched(run: Run, device: LinkedDevice, rule: LinkageWatch, held: boolean): void {
    const data = { device: device.id, point: rule.point, state: held ? 'succeeded' : 'failed' };
    void run.recorder.commit({ records: [this.#record(run, 'linkage.output', data, run.episode.id)] });
    if (held) this.#clear(device.id, rule.failure, run);
    else this.#call(device.id, rule.failure, run, { point: rule.point });
  }

  /** @param kind of the device's contract, or else of the gateway's */
  #call(device: string, kind: string, { episode }: Run, data: object): void {
    const known = this.#devices.get(device);
    if (!known) return;
    const scenario = kind === FAILED ? 'gateway' : known.scenario;
    this.#parts.alarms
      .raise({
        ...{ device, scenario, zone: known.zone, kind, data, cause: episode.id },
        actor: `linkage:${episode.linkage}`,
      })
      .catch((error: unknown) => this.#parts.log.error({ err: error, device }, 'an alarm could not be raised'));
  }

  #clear(device: string, kind: string, { episode }: Run): void {
    if (!this.#parts.alarms.isActive(device, kind)) return;
    this.#parts.alarms
      .clear(device, kind, episode.id, `linkage:${episode.linkage}`)
      .catch((error: unknown) => this.#parts.log.error({ err: error, device }, 'an alarm could not be ended'));
  }

  #saving({ episode }: Run): Write {
    return { sql: SAVE_RUN, params: [episode.linkage, episode.place, JSON.stringify(episode)] };
  }

  #record({ episode, place }: Run, name: string, data: object, cause?: string): Draft {
    return {
      ...{ lane: 'L0', kind: 'event', scenario: 'gateway', device: '', name },
      data: { linkage: episode.linkage, zone: place.zone, place: place.id, ...data },
      at: this.#parts.clock.now(), // it may be written later
      actor: `linkage:${episode.linkage}`,
      ...(cause === undefined ? {} : { cause }),
    };
  }
}
