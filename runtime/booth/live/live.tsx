import { t } from '../words/words.ts';
import { AlarmList } from './alarm-list.tsx';
import { DayFigures } from './day-figures.tsx';

export function LiveScreen() {
  return (
    <main class="live" aria-labelledby="live-title">
      <h1 id="live-title" class="hidden">
        {t('rail.live')}
      </h1>
      <AlarmList />
      <DayFigures />
    </main>
  );
}
