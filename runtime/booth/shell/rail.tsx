import { incidents } from '../incident-area.ts';
import { Icon } from '../parts/icons.tsx';
import { go, pathOf, route, screens } from '../route.ts';
import { t } from '../words/words.ts';

/** The screens, always in the same places. */
export function Rail() {
  const { tagged, deferred } = incidents.value;
  const tags = tagged.length + deferred.length;
  return (
    <nav class="rail" aria-label={t('rail.label')}>
      {screens.map((screen) => (
        <a
          key={screen}
          class="rail-item"
          href={pathOf(screen)}
          {...(route.value === screen ? { 'aria-current': 'page' } : {})}
          onClick={(event) => {
            event.preventDefault();
            go(screen);
          }}
        >
          <Icon name={screen} />
          <span>{t(`rail.${screen}`)}</span>
          {screen === 'live' && tags > 0 && <b class="rail-tag">{tags}</b>}
        </a>
      ))}
    </nav>
  );
}
