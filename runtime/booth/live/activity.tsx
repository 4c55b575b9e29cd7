import { useId } from 'preact/hooks';
import { Time } from '../parts/age.tsx';
import { Icon } from '../parts/icons.tsx';
import { activity, deviceName, devices, zoneName } from '../store.ts';
import { describe } from '../words/describe.ts';
import { t } from '../words/words.ts';

/** The last things in the lanes: what there is to see while nothing is wrong. */
export function ActivityList() {
  const list = activity.value;
  const title = useId();
  return (
    <section class="activity old-when-lost" aria-labelledby={title}>
      <h2 id={title}>{t('live.activity.title')}</h2>
      {list.length === 0 ? (
        <p class="second">{t('live.activity.none')}</p>
      ) : (
        <ol>
          {list.slice(0, 12).map((record) => {
            const line = describe(record);
            const zone = devices.value.get(record.device)?.zone;
            const passed = record.name === 'passage';
            return (
              <li key={record.id}>
                <Time at={record.received} />
                <span class={passed ? 'activity-mark passed' : 'activity-mark'}>
                  <Icon name={passed ? 'car' : record.kind === 'command' ? 'gates' : 'close'} />
                </span>
                <strong class="plate-text">
                  {line.plate ?? (record.kind === 'event' ? t('gates.plate.unread') : '')}
                </strong>
                <span class="activity-what">{passed ? line.result : line.what}</span>
                <span class="second">{zone === undefined ? deviceName(record.device) : zoneName(zone)}</span>
                <span class="second activity-who">
                  {passed ? line.who : record.kind === 'event' ? line.result : line.who}
                </span>
              </li>
            );
          })}
        </ol>
      )}
    </section>
  );
}
