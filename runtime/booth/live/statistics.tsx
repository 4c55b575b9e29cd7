import { computed, signal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import type { AlarmStatistics } from '../../contracts/alarm-statistics.ts';
import { get } from '../api.ts';
import { gatewayNow } from '../clock.ts';
import { Time } from '../parts/age.tsx';
import { Dialog } from '../parts/dialog.tsx';
import { PriorityMark } from '../parts/priority.tsx';
import { Tap } from '../parts/tap.tsx';
import { alarmKindOf } from '../state/alarms.ts';
import { deviceName, session, zoneName } from '../store.ts';
import { actorWords } from '../words/actors.ts';
import { failureWords } from '../words/refusals.ts';
import { spanOf } from '../words/time.ts';
import { say, t } from '../words/words.ts';

const readers = ['shift-leader', 'auditor', 'admin'];
/** How the booth answers alarms is for who leads it and who inspects it. */
export const maySeeStatistics = computed(() => readers.includes(session.value?.role ?? ''));

const HOUR = 3_600_000;
const ranges = { shift: 12 * HOUR, day: 24 * HOUR, week: 7 * 24 * HOUR, month: 30 * 24 * HOUR } as const;
type Range = keyof typeof ranges;

const range = signal<Range | undefined>(undefined);
const shown = signal<AlarmStatistics | undefined>(undefined);
const trouble = signal('');

export const openStatistics = (): void => read('day');

function read(wanted: Range): void {
  range.value = wanted;
  trouble.value = '';
  const to = gatewayNow();
  get<AlarmStatistics>(`/alarms/statistics?from=${to - ranges[wanted]}&to=${to}`).then(
    (statistics) => {
      if (range.peek() === wanted) shown.value = statistics;
    },
    (error: unknown) => (trouble.value = failureWords(error)),
  );
}

/** Alarms as ISA-18.2 counts them: rate against the budget, answers, worst sources, what stands too long. */
export function StatisticsDialog() {
  const chosen = range.value;
  if (chosen === undefined) return null;
  const now = shown.value;
  return (
    <Dialog class="statistics" title={t('stats.title')} onClose={() => (range.value = undefined)}>
      <div class="filters">
        {(Object.keys(ranges) as Range[]).map((name) => (
          <Tap key={name} class="filter" pressed={chosen === name} onTap={() => read(name)}>
            {t(`stats.range.${name}`)}
          </Tap>
        ))}
      </div>
      <p role="alert">{trouble.value}</p>
      {now ? <Figures now={now} /> : trouble.value === '' && <p class="second late">{t('common.loading')}</p>}
    </Dialog>
  );
}

function Figures({ now }: { now: AlarmStatistics }) {
  const kinds = (of: AlarmStatistics['worst'][number] | AlarmStatistics['standing'][number]) => {
    const kind = alarmKindOf(of);
    const device = of.device === '' ? t('bar.chip.gateway') : deviceName(of.device);
    return t('common.pair', { a: kind ? say(kind.words) : of.kind, b: device });
  };
  return (
    <div class="stats">
      <section>
        <h3>{t('stats.rate')}</h3>
        {now.booths.map((booth) => (
          <dl key={booth.booth} class="figure-row">
            <Figure name={t('stats.alarms')}>{booth.alarms}</Figure>
            <Figure name={t('stats.per_hour')} over={booth.perHour > 6}>
              {booth.perHour.toFixed(1)}
            </Figure>
            <Figure name={t('stats.peak')} over={booth.peakTenMinutes.alarms > 10}>
              {booth.peakTenMinutes.alarms}
            </Figure>
            <Figure name={t('stats.flood')} over={booth.floodShare >= 0.01}>
              {percent(booth.floodShare)}
            </Figure>
          </dl>
        ))}
      </section>
      <section class="stats-wide">
        <h3>{t('stats.priorities')}</h3>
        <Table
          head={[
            'stats.priority',
            'stats.alarms',
            'stats.share',
            'stats.p50',
            'stats.p90',
            'stats.late',
            'stats.escalated',
          ]}
        >
          {now.priorities.map((row) => (
            <tr key={row.priority}>
              <td>
                <PriorityMark priority={row.priority} />
              </td>
              <Cell name="alarms">{row.alarms}</Cell>
              <Cell name="share" over={row.most !== undefined && row.share > row.most}>
                {percent(row.share)}
                {row.most !== undefined && <span class="second"> ≤ {percent(row.most)}</span>}
              </Cell>
              <Cell name="p50">{span(row.p50Ms)}</Cell>
              <Cell name="p90" over={(row.p90Ms ?? 0) > row.withinMs}>
                {span(row.p90Ms)}
                <span class="second"> ≤ {spanOf(row.withinMs)}</span>
              </Cell>
              <Cell name="late">{row.late}</Cell>
              <Cell name="escalated">{row.escalated}</Cell>
            </tr>
          ))}
        </Table>
      </section>
      <section class="stats-wide">
        <h3>{t('stats.operators')}</h3>
        <Table head={['stats.person', 'stats.answered', 'stats.p50', 'stats.p90', 'stats.per_hour']}>
          {now.operators.map((row) => (
            <tr key={row.operator}>
              <td>{actorWords(row.operator)}</td>
              <Cell name="answered">{row.answered}</Cell>
              <Cell name="p50">{span(row.p50Ms)}</Cell>
              <Cell name="p90">{span(row.p90Ms)}</Cell>
              <Cell name="per_hour">{row.perHour.toFixed(1)}</Cell>
            </tr>
          ))}
        </Table>
      </section>
      <section>
        <h3>{t('stats.dispositions')}</h3>
        <dl class="figure-row">
          {(['real', 'false', 'test', 'fault'] as const).map((name) => (
            <Figure key={name} name={t(`alarm.disposition.${name}`)}>
              {now.dispositions[name]}
            </Figure>
          ))}
        </dl>
      </section>
      <section>
        <h3>{t('stats.worst')}</h3>
        <ol class="stats-list">
          {now.worst.map((row) => (
            <li key={`${row.device} ${row.kind}`}>
              <span>{kinds(row)}</span>
              <span class="second">{zoneName(row.zone)}</span>
              <span class="digits">
                {row.alarms} · {percent(row.share)}
              </span>
            </li>
          ))}
        </ol>
      </section>
      <section>
        <h3>
          {t('stats.chattering')} <span class="digits">{now.chattering.length}</span> · {t('stats.standing')}{' '}
          <span class="digits">{now.standing.length}</span>
        </h3>
        <ol class="stats-list">
          {now.chattering.map((row) => (
            <li key={`${row.device} ${row.kind}`}>
              <span>{kinds({ ...row, alarms: row.comings, share: 0 })}</span>
              <b class="tag tag-strong digits">{t('alarm.tag.chatter', { n: row.comings })}</b>
            </li>
          ))}
          {now.standing.map((row) => (
            <li key={row.alarm}>
              <span>{kinds(row)}</span>
              <span class="second">
                {t('stats.since')} <Time at={row.since} />
              </span>
            </li>
          ))}
        </ol>
      </section>
    </div>
  );
}

const percent = (share: number): string => `${(share * 100).toFixed(1)} %`;
const span = (ms: number | undefined): string => (ms === undefined ? '–' : spanOf(ms));

function Figure({ name, over = false, children }: { name: string; over?: boolean; children: ComponentChildren }) {
  return (
    <div class={over ? 'figure over' : 'figure'}>
      <dt>{name}</dt>
      <dd class="digits">
        {children}
        {over && <b class="tag">{t('live.figures.over')}</b>}
      </dd>
    </div>
  );
}

type Head = 'priority' | 'alarms' | 'share' | 'p50' | 'p90' | 'late' | 'escalated' | 'person' | 'answered' | 'per_hour';

function Table({ head, children }: { head: readonly `stats.${Head}`[]; children: ComponentChildren }) {
  return (
    <table>
      <thead>
        <tr>
          {head.map((key) => (
            <th key={key} scope="col">
              {t(key)}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>{children}</tbody>
    </table>
  );
}

/** On a phone a row is a card, and each number bears its own name. */
function Cell({ name, over = false, children }: { name: Head; over?: boolean; children: ComponentChildren }) {
  return (
    <td class={over ? 'digits over' : 'digits'} data-name={t(`stats.${name}`)}>
      {children}
    </td>
  );
}
