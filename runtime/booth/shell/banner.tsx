import { mono, siteZone } from '../clock.ts';
import { link } from '../store.ts';
import { spanOf, timeIn } from '../words/time.ts';
import { t } from '../words/words.ts';

/** Full width while the gateway is not heard: what is on the screen is old, and nothing can be sent. */
export function LostBanner() {
  const line = link.value;
  if (line?.phase !== 'lost') return null;
  return (
    <div class="lost" role="alert">
      <strong>
        {t('lost.title', { span: spanOf(mono.value - line.heard), at: timeIn(siteZone.value, line.shows) })}
      </strong>
      <span>{t('lost.advice')}</span>
    </div>
  );
}
