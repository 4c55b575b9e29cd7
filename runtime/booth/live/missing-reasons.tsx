import { signal } from '@preact/signals';
import { useState } from 'preact/hooks';
import { guarded } from '../access.ts';
import { nameReason } from '../commands.ts';
import { openingReasons } from '../ordering/reasons.ts';
import { Time } from '../parts/age.tsx';
import { Dialog } from '../parts/dialog.tsx';
import { Tap } from '../parts/tap.tsx';
import { unreasoned } from '../state/figures.ts';
import { canAct, deviceName, figures } from '../store.ts';
import { actorWords } from '../words/actors.ts';
import { failureWords } from '../words/refusals.ts';
import { t } from '../words/words.ts';

const shown = signal(false);
export const openMissingReasons = (): void => {
  shown.value = true;
};

const ROWS = 6;

/** Openings by hand without a reason: named here within the shift, else they stand in its report. */
export function MissingReasons() {
  const [trouble, setTrouble] = useState('');
  if (!shown.value) return null;
  const missing = unreasoned(figures.value);
  const give = (command: string, reason: string) =>
    guarded(() => {
      setTrouble('');
      nameReason(command, reason).catch((error: unknown) => setTrouble(failureWords(error)));
    });
  return (
    <Dialog class="wide-dialog" title={t('missing.title', { n: missing.length })} onClose={() => (shown.value = false)}>
      <p role="alert">{trouble}</p>
      {missing.length === 0 && <p>{t('missing.none')}</p>}
      <ul class="missing">
        {missing.slice(0, ROWS).map(({ command, device, at, actor }) => (
          <li key={command}>
            <p>
              <strong>{deviceName(device)}</strong> <Time at={at} /> <span class="second">{actorWords(actor)}</span>
            </p>
            <div class="chips">
              {openingReasons.map((reason) => (
                <Tap
                  key={reason}
                  class="reason"
                  disabled={!canAct.value}
                  onTap={() => give(command, reason)}
                  of={deviceName(device)}
                >
                  {t(`gates.reason.${reason}`)}
                </Tap>
              ))}
            </div>
          </li>
        ))}
      </ul>
    </Dialog>
  );
}
