/** Prometheus text (ux.md 13). What happens is counted from the journal, what is so is asked when somebody looks. */
import { isAside } from '../alarms/lifecycle.ts';
import type { Clock } from '../clock.ts';
import type { AlarmView, CommandView } from '../contracts/api.ts';
import { finalStates, type JournalRecord } from '../contracts/record.ts';
import { delayBounds, type LoopDelay, watchLoopDelay } from './loop-delay.ts';
import type { Parts } from './parts.ts';

export interface Metrics {
  text(): string;
  close(): void;
}

type Labels = Readonly<Record<string, string | number>>;
interface Family {
  readonly type: 'counter' | 'gauge' | 'summary' | 'histogram';
  readonly help: string;
  readonly samples: readonly (readonly [Labels, number, suffix?: '_sum' | '_count' | '_bucket'])[];
}

/** Counts and sums that only grow, by their labels. */
function growing() {
  const entries = new Map<string, { labels: Labels; sum: number; count: number }>();
  return {
    add(labels: Labels, amount = 1) {
      const key = JSON.stringify(labels);
      const entry = entries.get(key) ?? { labels, sum: 0, count: 0 };
      entries.set(key, { labels, sum: entry.sum + amount, count: entry.count + 1 });
    },
    counts: () => [...entries.values()].map(({ labels, sum }) => [labels, sum] as const),
    summary: () =>
      [...entries.values()].flatMap(
        ({ labels, sum, count }) => [[labels, sum, '_sum'] as const, [labels, count, '_count'] as const] as const,
      ),
  };
}

export function createMetrics(parts: Parts, streams: { count(): number }): Metrics {
  const { journal, clock } = parts;
  /** By kind and lane; every record passes here. */
  const records = new Map<string, number>();
  const alarmsRaised = growing();
  const acks = growing();
  const escalations = growing();
  const commands = growing();
  const loopDelay = watchLoopDelay();
  let lagMs = 0;
  const stop = journal.onCommit((committed) => {
    const now = clock.now();
    const first = committed[0];
    if (first) lagMs = Math.max(0, now - first.received);
    for (const record of committed) {
      const key = `${record.kind} ${record.lane}`;
      records.set(key, (records.get(key) ?? 0) + 1);
      if (record.kind === 'alarm') countAlarm(record);
      else if (record.kind === 'command') countCommand(record);
    }
  });

  function countAlarm({ data }: JournalRecord): void {
    const { change, priority, answerMs, escalation } = data as AlarmView & { change: string };
    if (change === 'raised') alarmsRaised.add({ priority });
    if (change === 'acked' && answerMs !== undefined) acks.add({ priority }, answerMs / 1000);
    if (change === 'escalated') escalations.add({ priority, level: escalation?.level ?? 0 });
  }

  function countCommand({ data, name }: JournalRecord): void {
    const { state, createdAt, updatedAt } = data as CommandView;
    if (finalStates.includes(state)) commands.add({ kind: name, result: state }, (updatedAt - createdAt) / 1000);
  }

  const families = (): Readonly<Record<string, Family>> => ({
    gh_records_total: { type: 'counter', help: 'Records committed since the start', samples: recordCounts(records) },
    gh_journal_head: { type: 'gauge', help: 'Sequence number of the last record', samples: [[{}, journal.head().seq]] },
    gh_journal_pending: { type: 'gauge', help: 'Records not yet durable', samples: [[{}, journal.pending]] },
    gh_journal_lag_seconds: {
      type: 'gauge',
      help: 'Receipt to commit of the last batch',
      samples: [[{}, lagMs / 1000]],
    },
    gh_alarms_active: { type: 'gauge', help: 'Alarms on the list', samples: activeAlarms(parts) },
    gh_alarms_aside: { type: 'gauge', help: 'Alarms put aside by a person or a rule', samples: asideAlarms(parts) },
    gh_alarm_flood: {
      type: 'gauge',
      help: 'More alarms in ten minutes than one can answer',
      samples: parts.alarms.floods().map(({ booth, flood }) => [{ booth }, flood ? 1 : 0]),
    },
    gh_alarm_escalations_total: {
      type: 'counter',
      help: 'Steps taken as nobody answered',
      samples: escalations.counts(),
    },
    gh_alarms_total: { type: 'counter', help: 'Alarms raised since the start', samples: alarmsRaised.counts() },
    gh_ack_seconds: { type: 'summary', help: 'Alarm came to acknowledged', samples: acks.summary() },
    gh_command_seconds: { type: 'summary', help: 'Command accepted to final', samples: commands.summary() },
    gh_device_up: { type: 'gauge', help: 'Device answers', samples: devicesUp(parts) },
    gh_outbox_depth: {
      type: 'gauge',
      help: 'Records a platform has not acknowledged',
      samples: (parts.uplinks?.() ?? []).map(({ id, backlog }) => [{ uplink: id }, backlog]),
    },
    gh_outbox_age_seconds: { type: 'gauge', help: 'Age of the oldest of them', samples: outboxAge(parts, clock) },
    ...storageFamilies(parts, clock),
    gh_flows_running: {
      type: 'gauge',
      help: 'Flows run',
      samples: [[{}, parts.flows?.()?.state().state === 'running' ? 1 : 0]],
    },
    gh_flows_restarts_total: {
      type: 'counter',
      help: 'Restarts of the flow process',
      samples: [[{}, parts.flows?.()?.state().restarts ?? 0]],
    },
    gh_ws_clients: { type: 'gauge', help: 'Open event streams', samples: [[{}, streams.count()]] },
    gh_event_loop_delay_seconds: {
      type: 'histogram',
      help: 'How late the main thread came to what was due',
      samples: loopDelaySamples(loopDelay),
    },
    gh_heap_bytes: {
      type: 'gauge',
      help: 'JavaScript heap in use on the main thread',
      samples: [[{}, process.memoryUsage().heapUsed]],
    },
    gh_memory_bytes: { type: 'gauge', help: 'Resident memory of the core', samples: [[{}, process.memoryUsage.rss()]] },
  });

  return {
    text: () => Object.entries(families()).map(familyText).join(''),
    close() {
      stop();
      loopDelay.close();
    },
  };
}

function activeAlarms({ alarms }: Parts): Family['samples'] {
  const open = alarms.open().filter((view) => !isAside(view));
  return [1, 2, 3, 4].map((priority) => [{ priority }, open.filter((view) => view.priority === priority).length]);
}

const asideAlarms = ({ alarms }: Parts): Family['samples'] =>
  (['SHELVED', 'SUPPRESSED', 'OUT_OF_SERVICE'] as const).map((process) => [
    { state: process.toLowerCase().replaceAll('_', '-') },
    alarms.open().filter((view) => view.process === process).length,
  ]);

const recordCounts = (records: ReadonlyMap<string, number>): Family['samples'] =>
  [...records].map(([key, count]) => {
    const [kind = '', lane = ''] = key.split(' ');
    return [{ kind, lane }, count] as const;
  });

function loopDelaySamples(delay: LoopDelay): Family['samples'] {
  const counts = delay.buckets();
  const total = counts.at(-1) ?? 0;
  return [
    ...counts.map((count, place) => [{ le: delayBounds[place] ?? '+Inf' }, count, '_bucket'] as const),
    [{}, delay.sum(), '_sum'],
    [{}, total, '_count'],
  ];
}

const devicesUp = ({ inventory, host }: Parts): Family['samples'] =>
  inventory.devices().map(({ id }) => [{ device: id }, host.view(id).state === 'online' ? 1 : 0]);

const outboxAge = ({ uplinks }: Parts, clock: Clock): Family['samples'] =>
  (uplinks?.() ?? []).flatMap(({ id, oldestAt }) =>
    oldestAt === undefined ? [] : [[{ uplink: id }, Math.max(0, clock.now() - oldestAt) / 1000] as const],
  );

const gauge = (help: string, samples: Family['samples']): Family => ({ type: 'gauge', help, samples });
const counter = (help: string, samples: Family['samples']): Family => ({ type: 'counter', help, samples });

/** Fill, backlog and losses (reliability.md B6). */
function storageFamilies({ storage }: Parts, clock: Clock): Readonly<Record<string, Family>> {
  const view = storage?.()?.view();
  if (!view) return {};
  const { lanes, targets } = view;
  return {
    gh_storage_fill_ratio: gauge('Part of the room for the database that is used', [[{}, view.fill]]),
    gh_storage_bytes: gauge('Bytes of the database and of the room for it', [
      [{ kind: 'used' }, view.usedBytes],
      [{ kind: 'free' }, view.freeBytes],
      [{ kind: 'wal' }, view.walBytes],
      [{ kind: 'cap' }, view.capBytes],
      [{ kind: 'room' }, view.roomBytes],
    ]),
    gh_storage_removing: gauge(
      'Removals due at this fill',
      (['L4', 'thin', 'L3', 'rollup', 'L2', 'L1'] as const).map((what) => [
        { what },
        view.removing.includes(what) ? 1 : 0,
      ]),
    ),
    gh_storage_ballast: gauge('The reserve of urgent records is there', [[{}, view.ballast ? 1 : 0]]),
    gh_storage_records: gauge(
      'Records kept',
      lanes.map(({ lane, rows }) => [{ lane }, rows]),
    ),
    gh_storage_refused: gauge(
      'Input of the lane is refused',
      lanes.map(({ lane, refused }) => [{ lane }, refused ? 1 : 0]),
    ),
    gh_dropped_total: counter(
      'Records removed, by why',
      lanes.flatMap(({ lane, dropped }) =>
        Object.entries(dropped).map(([reason, rows]) => [{ lane, reason }, rows] as const),
      ),
    ),
    gh_dropped_undelivered_total: counter(
      'Records removed before a platform had them',
      targets.map(({ id, lane, dropped }) => [{ uplink: id, lane }, dropped]),
    ),
    gh_backlog_records: gauge(
      'Records a platform has not acknowledged, by lane',
      targets.map(({ id, lane, backlog }) => [{ uplink: id, lane }, backlog]),
    ),
    gh_backlog_age_seconds: gauge(
      'Age of the oldest of them',
      targets.flatMap(({ id, lane, oldestAt }) =>
        oldestAt === undefined ? [] : [[{ uplink: id, lane }, Math.max(0, clock.now() - oldestAt) / 1000] as const],
      ),
    ),
    gh_outage_seconds: gauge(
      'An outage may last so long before an undelivered record of the lane is dropped',
      lanes.flatMap(({ lane, outageSeconds }) =>
        outageSeconds === undefined ? [] : [[{ lane }, outageSeconds] as const],
      ),
    ),
  };
}

function familyText([name, { type, help, samples }]: [string, Family]): string {
  const lines = samples.map(([labels, value, suffix = '']) => `${name}${suffix}${labelText(labels)} ${value}\n`);
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join('')}`;
}

function labelText(labels: Labels): string {
  const pairs = Object.entries(labels).map(
    ([key, value]) =>
      `${key}="${String(value).replaceAll(/["\\\n]/g, (char) => (char === '\n' ? '\\n' : `\\${char}`))}"`,
  );
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}
