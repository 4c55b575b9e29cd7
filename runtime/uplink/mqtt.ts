/**
 * An uplink: the journal's records on their way to one platform over MQTT (design.md 5, reliability.md section 4). This file
 * keeps the connection; sender.ts decides what goes over it.
 */
import { type Clock, delay, every } from '../clock.ts';
import type { ReplayView, Status } from '../contracts/api.ts';
import { reasonOf } from '../errors.ts';
import type { Journal } from '../journal/journal.ts';
import type { Log } from '../log.ts';
import { type Connection, connect, type MqttVersion } from './connection.ts';
import { createDown } from './down.ts';
import { createOrders, type OrderParts } from './orders.ts';
import type { RecordFilter } from './reader.ts';
import { createReplays } from './replay.ts';
import type { ReplayStore } from './replay-store.ts';
import { createRetry, createTakeovers, type Ending } from './retry.ts';
import { createSender, sentLanes, type UplinkPace } from './sender.ts';
import { type Credentials, parseAddress, type Server, uplinkTopics } from './topics.ts';

type UplinkStatus = Status['uplinks'][number];
export const uplinkAlarms = ['uplinkOffline', 'uplinkRefused', 'duplicateClient'] as const;
/** An alarm of the gateway's own contract, to raise or to clear; told only when it changes. */
export interface UplinkAlarm {
  readonly kind: (typeof uplinkAlarms)[number];
  readonly active: boolean;
  readonly detail: { readonly uplink: string; readonly reason?: string };
}

export interface UplinkTiming {
  readonly keepaliveSeconds: number;
  readonly connectMs: number;
  readonly pubackMs: number;
  /** Without a connection for so long, the alarm is raised. */
  readonly offlineMs: number;
  /** The status is published again, with the head of the journal. */
  readonly statusMs: number;
}
const defaultTiming: UplinkTiming = {
  keepaliveSeconds: 30,
  connectMs: 15_000,
  pubackMs: 15_000,
  offlineMs: 30_000,
  statusMs: 60_000,
};

export interface UplinkOptions {
  readonly id: string;
  /** `mqtt://host:port` or `mqtts://…`, several servers of one cluster in a comma list. */
  readonly url: string;
  /** Read anew for each attempt, so that a secret may change under way. @throws GatehouseError `config.invalid` */
  readonly credentials?: () => Credentials | undefined;
  /** PEM of a private authority, read anew for each attempt; default: those of the system. @throws as `credentials` */
  ca?(): string | undefined;
  /** What this platform gets; by default everything but L4, which is never sent. */
  readonly filter?: RecordFilter;
  readonly pace?: UplinkPace;
  /** Where replays are kept over a restart. */
  readonly replays?: ReplayStore;
  /** What judges and carries out the commands of this platform; absent: it may send none. */
  readonly signed?: OrderParts['signed'];
  /** Alarms about this uplink that stand from before. */
  readonly raised?: readonly UplinkAlarm['kind'][];
  readonly site: string;
  readonly gateway: string;
  readonly version: string;
  readonly journal: Journal;
  readonly clock: Clock;
  readonly log: Log;
  report(alarm: UplinkAlarm): void;
  readonly timing?: Partial<UplinkTiming>;
}

export interface Uplink {
  status(): UplinkStatus;
  replays(): ReplayView[];
  /** @throws GatehouseError `record.invalid`, `uplink.busy`, `uplink.range` */
  replay(request: unknown, actor: string): Promise<ReplayView>;
  /** Says goodbye and saves the places; a second at most for what is on its way. */
  stop(): Promise<void>;
}

const GOODBYE_MS = 1000;
const CHECK_MS = 5000;
/** Messages of a platform kept until the status is acknowledged. */
const MOST_HELD = 30;
/** Trouble is over once a connection has stood for so long. */
const SETTLED_MS = 5000;

/** @throws GatehouseError `uplink.topic`, `config.invalid` */
export function startUplink(options: UplinkOptions): Uplink {
  const { id, clock, gateway, journal } = options;
  const log = options.log.child({ uplink: id });
  const timing = { ...defaultTiming, ...options.timing };
  const topics = uplinkTopics(options.site, gateway);
  const { servers, ...named } = parseAddress(options.url);
  const filter = {
    ...options.filter,
    lanes: sentLanes.filter((lane) => options.filter?.lanes?.includes(lane) ?? true),
  };
  const { pace } = options;
  const sender = createSender({ uplink: id, gateway, filter, topics, ...(pace ? { pace } : {}), journal, clock, log });
  const reply = (body: object) => sender.publish(topics.reply, JSON.stringify({ gateway, ...body }));
  const replays = createReplays({
    uplink: id,
    sent: filter,
    journal,
    clock,
    log,
    ...(options.replays ? { store: options.replays } : {}),
    send: sender.repeat,
    answer: reply,
  });
  const { signed } = options;
  const orders = createOrders({ uplink: id, journal, log, answer: reply, ...(signed ? { signed } : {}) });
  const down = createDown({
    uplink: id,
    orders,
    topics,
    journal,
    clock,
    log,
    answer: reply,
    replay: (body) => replays.request(body, `platform:${id}`),
    accept: (encodings) => sender.compress(encodings.includes('zstd')),
  });

  let state: Pick<UplinkStatus, 'state' | 'since' | 'reason'> = { state: 'connecting', since: clock.now() };
  let onlineSince: number | undefined;
  let troubleSince: number | undefined = clock.mono();
  function enter(next: UplinkStatus['state'], reason?: string): void {
    const since = state.state === next ? state.since : clock.now();
    state = { state: next, since, ...(reason === undefined ? {} : { reason }) };
    onlineSince = next === 'online' ? clock.mono() : undefined;
    troubleSince ??= clock.mono();
  }

  const takeovers = createTakeovers(clock);
  const raised = new Set(options.raised);
  function alarm(kind: UplinkAlarm['kind'], active: boolean): void {
    if (raised.has(kind) === active) return;
    if (active) raised.add(kind);
    else raised.delete(kind);
    options.report({ kind, active, detail: { uplink: id, ...(state.reason ? { reason: state.reason } : {}) } });
  }
  /** A connection that never stands for long is trouble too, however often it comes. */
  function checkAlarms(): void {
    const now = clock.mono();
    alarm('duplicateClient', takeovers.duplicate);
    if (onlineSince !== undefined && now - onlineSince >= SETTLED_MS) {
      troubleSince = undefined;
      alarm('uplinkOffline', false);
      alarm('uplinkRefused', false);
    } else if (troubleSince !== undefined && now - troubleSince >= timing.offlineMs) alarm('uplinkOffline', true);
  }

  const statusText = (what: object) =>
    JSON.stringify({
      gateway,
      at: clock.now(),
      version: options.version,
      epoch: journal.epoch,
      head: journal.head().seq,
      filter,
      ...what,
    });
  const publishStatus = (what: object) =>
    sender
      .publish(topics.status, statusText(what), true)
      .catch((error: unknown) => log.debug({ reason: reasonOf(error) }, 'status not published'));

  const stopping = new AbortController();
  let connection: Connection | undefined;

  /** What came down before records may go up; undefined from then on. */
  let held: (() => void)[] | undefined = [];
  function received(topic: string, payload: Buffer, retained: boolean): void {
    const heed = () => void down.message(topic, payload, retained);
    if (!held) heed();
    else if (held.length < MOST_HELD) held.push(heed);
  }

  async function serve(line: Connection): Promise<Ending> {
    connection = line;
    // Before the status: whoever sees us online may ask at once.
    line.subscribe([topics.command, topics.challenge, topics.replay, topics.accept]).then(
      (refused) => {
        if (refused.length > 0) log.warn({ refused }, 'the platform does not let us listen');
      },
      (error: unknown) => log.debug({ reason: reasonOf(error) }, 'not subscribed'),
    );
    try {
      // The status goes first and alone: a broker that refuses our topics says so now, and nothing else is under way.
      await line.publish(topics.status, statusText({ state: 'online' }), {
        retain: true,
        contentType: 'application/json',
      });
    } catch {
      connection = undefined;
      held = [];
      return line.ended; // it says why
    }
    takeovers.connected();
    enter('online');
    sender.begin(line);
    replays.resume();
    const stopBeat = every(clock, timing.statusMs, () => void publishStatus({ state: 'online' }));
    const early = held ?? [];
    held = undefined;
    for (const heed of early) heed();
    const ending = await line.ended;
    connection = undefined;
    held = [];
    stopBeat();
    replays.suspend();
    sender.end(ending);
    return ending;
  }

  const attempt = async (server: Server, version: MqttVersion): Promise<Connection | Ending> => {
    let credentials: Credentials | undefined;
    let ca: string | undefined;
    try {
      credentials = options.credentials?.() ?? named.credentials;
      ca = options.ca?.();
    } catch (error) {
      return { kind: 'refused', reason: reasonOf(error), stoodMs: 0 };
    }
    return connect({
      server,
      version,
      clientId: `gh-${gateway}-${id}`,
      ...(credentials ? { credentials } : {}),
      ...(ca ? { ca } : {}),
      will: { topic: topics.status, payload: JSON.stringify({ gateway, state: 'offline' }) },
      keepaliveSeconds: timing.keepaliveSeconds,
      connectMs: timing.connectMs,
      pubackMs: timing.pubackMs,
      clock,
      signal: stopping.signal,
      onMessage: received,
    });
  };

  let spoken: MqttVersion = 5;
  /** MQTT 5 first, 3.1.1 where it is refused; what worked is remembered until it is refused in its turn. */
  async function dial(server: Server): Promise<Connection | Ending> {
    const first = await attempt(server, spoken);
    if (!('kind' in first) || first.kind !== 'version') return first;
    const other = spoken === 5 ? 4 : 5;
    const second = await attempt(server, other);
    if (!('kind' in second)) spoken = other;
    else if (second.kind === 'version') return { ...second, kind: 'refused' };
    return second;
  }

  async function run(): Promise<void> {
    const retry = createRetry(servers.length);
    for (let turn = 0; !stopping.signal.aborted; turn++) {
      const server = servers[turn % servers.length];
      if (!server) return;
      const to = `${server.host}:${server.port}`;
      const answer = await dial(server);
      const stands = !('kind' in answer);
      if (stands && stopping.signal.aborted) return answer.end();
      if (stands) log.info({ server: to, mqtt: answer.version === 5 ? '5' : '3.1.1' }, 'uplink connected');
      const ending = stands ? await serve(answer) : answer;
      if (stopping.signal.aborted) return;
      const { kind, reason, stoodMs } = ending;
      log.info({ server: to, kind, reason, stoodMs: Math.round(stoodMs) }, 'uplink down');
      takeovers.ended(ending);
      enter(kind === 'refused' ? 'refused' : 'offline', `${to}: ${reason}`);
      if (kind === 'refused') alarm('uplinkRefused', true);
      checkAlarms();
      await delay(clock, retry.delayAfter(ending), stopping.signal).catch(() => {}); // aborted: the loop sees it
    }
  }

  if (servers.some(({ tls }) => !tls)) log.info('this uplink is not encrypted');
  const stopChecks = every(clock, Math.min(CHECK_MS, timing.offlineMs), checkAlarms);
  const running = run();
  return {
    status: () => ({ id, ...state, ...sender.backlog() }),
    replays: replays.views,
    replay: replays.request,
    async stop() {
      stopping.abort(new Error('uplink stopped'));
      stopChecks();
      down.stop();
      orders.stop();
      if (connection) {
        // Not through the sender: it may not have begun, and a status of online must not stay behind.
        const goodbye = connection
          .publish(topics.status, statusText({ state: 'offline', reason: 'stopped' }), {
            retain: true,
            contentType: 'application/json',
          })
          .catch((error: unknown) => log.debug({ reason: reasonOf(error) }, 'no goodbye'));
        await Promise.race([goodbye, delay(clock, GOODBYE_MS)]);
        await connection?.end();
      }
      await running;
      await sender.stop();
    },
  };
}
