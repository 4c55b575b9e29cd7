import { signal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { JournalRecord } from '../../contracts/record.ts';
import { get } from '../api.ts';
import { Time } from '../parts/age.tsx';
import { Shield } from '../parts/dialog.tsx';
import { Icon } from '../parts/icons.tsx';
import { Tap } from '../parts/tap.tsx';
import { describe } from '../words/describe.ts';
import { fieldsOf } from '../words/fields.ts';
import { failureWords } from '../words/refusals.ts';
import { t } from '../words/words.ts';
import { chosen } from './results.ts';

type Chain =
  | { readonly of: string; readonly items: readonly JournalRecord[] }
  | { readonly of: string; readonly trouble: string };
const chain = signal<Chain | undefined>(undefined);

/** One record with all its fields, and why it came to be. */
export function Detail() {
  const record = chosen.value;
  useEffect(() => {
    chain.value = undefined;
  }, [record?.id]);
  if (!record) return <aside class="detail detail-none second">{t('search.detail.none')}</aside>;
  const line = describe(record);
  return (
    <aside class="detail" aria-label={t('alarm.action.detail')}>
      <header class="detail-head">
        <h2>{line.what}</h2>
        <Tap class="tap-icon" look="quiet" label={t('common.action.close')} onTap={() => (chosen.value = undefined)}>
          <Icon name="close" />
        </Tap>
      </header>
      <Tap kind="main" look="solid" onTap={() => void why(record)}>
        <Icon name="chain" />
        {t('search.why')}
      </Tap>
      <ChainList of={record.id} />
      <dl class="facts">
        <div class="fact">
          <dt>{t('search.column.time')}</dt>
          <dd>
            <Time at={record.received} />
          </dd>
        </div>
        {[...fieldsOf(record)].map(([name, value]) => (
          <div class="fact" key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      <Shield of={record.id} />
    </aside>
  );
}

async function why(record: JournalRecord): Promise<void> {
  try {
    const { items } = await get<{ items: readonly JournalRecord[] }>(`/records/${encodeURIComponent(record.id)}/chain`);
    chain.value = { of: record.id, items };
  } catch (error) {
    chain.value = { of: record.id, trouble: failureWords(error) };
  }
}

function ChainList({ of }: { of: string }) {
  const now = chain.value;
  if (now?.of !== of) return null;
  if ('trouble' in now) return <p role="alert">{now.trouble}</p>;
  return (
    <ol class="chain" aria-label={t('search.why')}>
      {now.items.map((record) => {
        const line = describe(record);
        return (
          <li key={record.id} class={record.id === of ? 'here' : ''}>
            <Time at={record.received} />
            <div>
              <strong>{line.what}</strong> {line.plate !== undefined && <span class="plate-text">{line.plate}</span>}{' '}
              {line.result}
              <p class="second">{[line.place, line.who].filter((part) => part !== '').join(' · ')}</p>
            </div>
          </li>
        );
      })}
    </ol>
  );
}
