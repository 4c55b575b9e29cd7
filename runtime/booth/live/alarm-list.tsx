import { useState } from 'preact/hooks';
import { Time } from '../parts/age.tsx';
import { Icon } from '../parts/icons.tsx';
import { priorityWord } from '../parts/priority.tsx';
import { Tap } from '../parts/tap.tsx';
import { type AlarmFilter, alarmRows, asideCounts, asides, isUndisposed } from '../state/alarms.ts';
import { grouped, isGroup, type Row } from '../state/flood.ts';
import { alarms, isFlood, session } from '../store.ts';
import { remembered } from '../words/memory.ts';
import { t } from '../words/words.ts';
import { ActivityList } from './activity.tsx';
import { AlarmRow, GroupRow } from './alarm-row.tsx';
import { alarmFilter } from './filter.ts';
import { maySeeStatistics, openStatistics } from './statistics.tsx';

const filters = ['all', 'security', 'device', 'mine'] as const satisfies readonly AlarmFilter[];

export function AlarmList() {
  const me = session.value?.name ?? '';
  const filter = alarmFilter.value;
  const rows = alarmRows(alarms.value, filter, me);
  return (
    <section class="alarms" aria-labelledby="alarms-title">
      <header class="alarms-head">
        <h2 id="alarms-title">
          {t('live.alarms.title')} <span class="digits">{rows.length}</span>
        </h2>
        <fieldset class="filters" aria-label={t('live.filter.label')}>
          {filters.map((name) => (
            <Filter key={name} name={name} />
          ))}
          {typeof filter === 'number' && (
            <Tap pressed class="filter" onTap={() => (alarmFilter.value = 'all')}>
              {priorityWord(filter)}
            </Tap>
          )}
        </fieldset>
        <Counts />
      </header>
      {isFlood.value && (
        <p class="flood" role="status">
          <strong>{t('live.flood.title')}</strong> {t('live.flood.text')}
        </p>
      )}
      {rows.length === 0 ? <Empty /> : <Rows rows={isFlood.value ? grouped(rows) : rows} />}
    </section>
  );
}

function Filter({ name, count }: { name: (typeof filters)[number] | Counted; count?: number }) {
  const pressed = alarmFilter.value === name;
  return (
    <Tap
      pressed={pressed}
      class={count === 0 && !pressed ? 'filter filter-none' : 'filter'}
      onTap={() => (alarmFilter.value = pressed ? 'all' : name)}
    >
      {t(`live.filter.${name}`)}
      {count !== undefined && <span class="digits">{count}</span>}
    </Tap>
  );
}

type Counted = 'undisposed' | (typeof asides)[number];

/** What is not on the list, and what is still to be done: each count is the way to its list. */
function Counts() {
  const set = asideCounts(alarms.value);
  const undisposed = [...alarms.value.open.values()].filter(isUndisposed).length;
  return (
    <fieldset class="filters" aria-label={t('live.counts.label')}>
      <Filter name="undisposed" count={undisposed} />
      {asides.map((aside) => (
        <Filter key={aside} name={aside} count={set[aside]} />
      ))}
      {maySeeStatistics.value && (
        <Tap class="filter tap-icon" label={t('stats.title')} onTap={openStatistics}>
          <Icon name="chart" />
        </Tap>
      )}
    </fieldset>
  );
}

function Rows({ rows }: { rows: readonly Row[] }) {
  const [opened, setOpened] = useState<string | undefined>(undefined);
  const shown = rows.flatMap((row): Row[] => (isGroup(row) && row.key === opened ? [row, ...row.rows] : [row]));
  return (
    <ul class="alarm-rows" aria-live="polite" aria-relevant="additions">
      {shown.map((row, index) =>
        isGroup(row) ? (
          <GroupRow
            key={row.key}
            group={row}
            open={row.key === opened}
            onTap={() => setOpened(row.key === opened ? undefined : row.key)}
          />
        ) : (
          <AlarmRow key={row.id} alarm={row} index={index} />
        ),
      )}
    </ul>
  );
}

function Empty() {
  if (alarmFilter.value !== 'all') return <p class="empty">{t('live.empty.filter')}</p>;
  const tested = Number(remembered('sound-test') ?? 0);
  return (
    <div class="calm">
      <p class="empty">{t('live.empty.none')}</p>
      <p class="second calm-test">
        {tested > 0 ? (
          <>
            {t('live.empty.sound')} <Time at={tested} />
          </>
        ) : (
          t('live.empty.sound_never')
        )}
      </p>
      <ActivityList />
    </div>
  );
}
