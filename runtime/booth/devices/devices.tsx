import { signal } from '@preact/signals';
import type { Category } from '../../contracts/contract.ts';
import { Icon } from '../parts/icons.tsx';
import { FaultMark } from '../parts/priority.tsx';
import { Tap } from '../parts/tap.tsx';
import { groupsOf } from '../state/device-groups.ts';
import { devices } from '../store.ts';
import { t } from '../words/words.ts';
import { DeviceCard } from './device-card.tsx';
import { LinkagesTab } from './linkages.tsx';
import { tab } from './tabs.ts';

const page = signal(0);
const PER_PAGE = 12;

/** Every device with what it says now and what it can be told. */
export function DevicesScreen() {
  const groups = groupsOf(devices.value);
  const wanted = tab.value;
  const category = wanted !== undefined && wanted !== 'linkages' && groups.has(wanted) ? wanted : [...groups.keys()][0];
  const members = (category && groups.get(category)) ?? [];
  const pages = Math.max(1, Math.ceil(members.length / PER_PAGE));
  const shown = Math.min(page.value, pages - 1);
  const show = (next: Category) => {
    tab.value = next;
    page.value = 0;
  };
  return (
    <main class="devices" aria-labelledby="devices-title">
      <header class="devices-head">
        <h1 id="devices-title" class="hidden">
          {t('rail.devices')}
        </h1>
        <fieldset class="filters" aria-label={t('devices.categories')}>
          {[...groups].map(([name, group]) => (
            <Tap
              key={name}
              class="filter"
              pressed={wanted !== 'linkages' && name === category}
              onTap={() => show(name)}
            >
              {group.some((device) => device.link.state !== 'online') && <FaultMark />}
              {t(`devices.category.${name}`)} <span class="digits">{group.length}</span>
            </Tap>
          ))}
          <Tap class="filter" pressed={wanted === 'linkages'} onTap={() => (tab.value = 'linkages')}>
            <Icon name="linkage" />
            {t('linkage.title')}
          </Tap>
        </fieldset>
        {wanted !== 'linkages' && pages > 1 && (
          <div class="pager">
            <Tap
              class="tap-icon"
              label={t('common.page.before')}
              disabled={shown === 0}
              onTap={() => (page.value = shown - 1)}
            >
              <Icon name="left" />
            </Tap>
            <span class="digits">{`${shown + 1} / ${pages}`}</span>
            <Tap
              class="tap-icon"
              label={t('common.page.after')}
              disabled={shown === pages - 1}
              onTap={() => (page.value = shown + 1)}
            >
              <Icon name="right" />
            </Tap>
          </div>
        )}
      </header>
      {wanted === 'linkages' ? (
        <LinkagesTab />
      ) : members.length === 0 ? (
        <p class="empty">{t('devices.empty')}</p>
      ) : (
        <ul class="device-cards">
          {members.slice(shown * PER_PAGE, (shown + 1) * PER_PAGE).map((device) => (
            <DeviceCard key={device.id} device={device} />
          ))}
        </ul>
      )}
    </main>
  );
}
