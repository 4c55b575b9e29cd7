import { useEffect, useState } from 'preact/hooks';
import { Time } from '../parts/age.tsx';
import { Icon } from '../parts/icons.tsx';
import { Tap } from '../parts/tap.tsx';
import { session, zones } from '../store.ts';
import { describe } from '../words/describe.ts';
import { t } from '../words/words.ts';
import { Detail } from './detail.tsx';
import { PlatePad } from './plate-pad.tsx';
import { presets, type Range, ranges } from './query.ts';
import * as results from './results.ts';

/** Roles that may look further back than the running day. */
const mayLookBack = (): boolean => session.value?.role !== 'guard';
const mayExport = (): boolean => session.value?.role !== 'installer';

export function SearchScreen() {
  useEffect(() => {
    if (results.state.peek() === 'idle') results.searchFor(results.search.peek());
  }, []);
  return (
    <main class="search" aria-labelledby="search-title">
      <h1 id="search-title" class="hidden">
        {t('rail.search')}
      </h1>
      <Filters />
      <div class="search-results">
        <div class="search-table">
          <Results />
          <Pager />
        </div>
        <Detail />
      </div>
    </main>
  );
}

function Filters() {
  const now = results.search.value;
  const [pad, setPad] = useState(false);
  const lanes = zones.value.filter((zone) => zone.kind === 'lane');
  return (
    <div class="search-filters">
      <fieldset class="filters" aria-label={t('search.preset.label')}>
        {presets.map((preset) => (
          <Tap
            key={preset}
            class="filter"
            pressed={now.preset === preset}
            onTap={() => results.searchFor({ ...now, preset })}
          >
            {t(`search.preset.${preset}`)}
          </Tap>
        ))}
      </fieldset>
      <fieldset class="filters" aria-label={t('search.filter.label')}>
        {ranges
          .filter((range: Range) => mayLookBack() || range === 'today' || range === 'hour')
          .map((range) => (
            <Tap
              key={range}
              class="filter"
              pressed={now.range === range}
              onTap={() => results.searchFor({ ...now, range })}
            >
              {t(`search.range.${range}`)}
            </Tap>
          ))}
        {lanes.map((lane) => (
          <Tap
            key={lane.id}
            class="filter"
            pressed={now.zone === lane.id}
            onTap={() => results.searchFor({ ...now, zone: now.zone === lane.id ? '' : lane.id })}
          >
            {lane.name}
          </Tap>
        ))}
        <Tap class="filter filter-plate" pressed={now.plate !== ''} onTap={() => setPad(true)}>
          <Icon name="car" />
          {now.plate === '' ? t('search.plate.any') : now.plate}
        </Tap>
        {now.plate !== '' && (
          <Tap class="tap-icon" label={t('search.plate.clear')} onTap={() => results.searchFor({ ...now, plate: '' })}>
            <Icon name="close" />
          </Tap>
        )}
        {mayExport() && (
          <a class="tap tap-plain tap-line filter export" href={results.exportPath(now)} download>
            <Icon name="download" />
            {t('search.export')}
          </a>
        )}
      </fieldset>
      {pad && (
        <PlatePad
          plate={now.plate}
          onClose={() => setPad(false)}
          onPlate={(plate) => {
            setPad(false);
            results.searchFor({ ...now, plate });
          }}
        />
      )}
    </div>
  );
}

function Results() {
  const state = results.state.value;
  if (state === 'failed')
    return (
      <div class="empty">
        <p>{results.trouble.value}</p>
        <Tap kind="main" onTap={() => results.searchFor({ ...results.search.value })}>
          {t('common.action.retry')}
        </Tap>
      </div>
    );
  const rows = results.rows.value;
  if (rows.length === 0)
    return (
      <div class="empty" role="status">
        {state === 'loading' ? t('common.loading') : t('search.empty')}
        {results.culprit.value !== undefined && <p class="second">{t(`search.culprit.${results.culprit.value}`)}</p>}
      </div>
    );
  return (
    <table class={state === 'loading' ? 'rows busy' : 'rows'}>
      <thead>
        <tr>
          <th scope="col">{t('search.column.time')}</th>
          <th scope="col">{t('search.column.what')}</th>
          <th scope="col">{t('search.column.place')}</th>
          <th scope="col">{t('search.column.plate')}</th>
          <th scope="col">{t('search.column.who')}</th>
          <th scope="col">{t('search.column.result')}</th>
          <th scope="col">
            <span class="hidden">{t('alarm.action.detail')}</span>
          </th>
        </tr>
      </thead>
      <tbody>
        {rows.map((record) => {
          const line = describe(record);
          return (
            <tr key={record.id} class={results.chosen.value?.id === record.id ? 'chosen' : ''}>
              <td>
                <Time at={record.received} />
              </td>
              <td>{line.what}</td>
              <td>{line.place}</td>
              <td class="plate-text">{line.plate ?? ''}</td>
              <td>{line.who}</td>
              <td>{line.result}</td>
              <td>
                <Tap
                  look="quiet"
                  class="tap-icon"
                  label={t('search.detail.of', { what: line.what })}
                  onTap={() => (results.chosen.value = record)}
                >
                  <Icon name="right" />
                </Tap>
              </td>
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}

function Pager() {
  if (!results.hasOlder() && !results.hasNewer()) return null;
  return (
    <div class="pager">
      <Tap disabled={!results.hasNewer()} onTap={results.newer}>
        <Icon name="left" />
        {t('search.page.newer')}
      </Tap>
      <span class="digits">{results.pageNumber()}</span>
      <Tap disabled={!results.hasOlder()} onTap={results.older}>
        {t('search.page.older')}
        <Icon name="right" />
      </Tap>
    </div>
  );
}
