import { signal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { AlarmView, RecordsPage } from '../../contracts/api.ts';
import type { JournalRecord } from '../../contracts/record.ts';
import { get } from '../api.ts';
import { Time } from '../parts/age.tsx';
import { alarmOf, changeOf } from '../state/alarms.ts';
import { alarmTrail } from '../store.ts';
import { actorWords } from '../words/actors.ts';
import { dataOf, textOf } from '../words/describe.ts';
import { t, word } from '../words/words.ts';

/** Records read for the alarms looked at, by alarm; the stream adds to them. */
const past = signal<ReadonlyMap<string, readonly JournalRecord[]>>(new Map());

/** What the alarm was when last heard of, after it has left the list. */
export const lastView = (id: string): AlarmView | undefined =>
  alarmOf(alarmTrail.value.findLast((record) => alarmOf(record.data)?.id === id)?.data);

export function Timeline({ alarm, Part }: { alarm: AlarmView; Part: 'h2' | 'h3' }) {
  useEffect(() => {
    void readPast(alarm);
  }, [alarm.id]);
  const rows = rowsOf(alarm.id, past.value.get(alarm.id) ?? [], alarmTrail.value);
  return (
    <section class="timeline" aria-labelledby="timeline-title">
      <Part id="timeline-title" class="incident-part">
        {t('incident.timeline')}
      </Part>
      <ol>
        {rows.map((record) => {
          const view = alarmOf(record.data);
          return (
            <li key={record.id}>
              <Time at={record.received} />
              <strong>{word(`alarm.change.${changeOf(record.data) ?? ''}`, changeOf(record.data) ?? '')}</strong>
              <span class="second">{actorWords(record.actor)}</span>
              {sentTo(record) !== undefined && <span>{sentTo(record)}</span>}
              {changeOf(record.data) === 'resolved' && view?.disposition !== undefined && (
                <span>{t(`alarm.disposition.${view.disposition}`)}</span>
              )}
              {view?.note !== undefined && changeOf(record.data) === 'resolved' && (
                <span class="second">{view.note}</span>
              )}
            </li>
          );
        })}
      </ol>
    </section>
  );
}

/** Who was sent, by name. */
function sentTo(record: JournalRecord): string | undefined {
  const { detail } = dataOf(record);
  return typeof detail === 'object' && detail !== null && 'to' in detail ? textOf(detail.to) : undefined;
}

function rowsOf(id: string, read: readonly JournalRecord[], heard: readonly JournalRecord[]): JournalRecord[] {
  const own = [...read, ...heard].filter((record) => alarmOf(record.data)?.id === id);
  return [...new Map(own.map((record) => [record.id, record])).values()].sort(
    (a, b) => a.received - b.received || a.seq - b.seq,
  );
}

async function readPast(alarm: AlarmView): Promise<void> {
  const device = alarm.device === '' ? '' : `&device=${encodeURIComponent(alarm.device)}`;
  const query = `kind=alarm&name=${encodeURIComponent(alarm.kind)}${device}&from=${alarm.raisedAt - 1000}&limit=200`;
  const page = await get<RecordsPage>(`/records?${query}`).catch(() => undefined);
  if (page) past.value = new Map([...past.value].slice(-20)).set(alarm.id, page.items);
}
