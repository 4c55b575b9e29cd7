import { signal } from '@preact/signals';
import { useState } from 'preact/hooks';
import type { AlarmView } from '../../contracts/api.ts';
import { guarded } from '../access.ts';
import { actOnAlarm } from '../commands.ts';
import { askApproval } from '../parts/approval.tsx';
import { Dialog } from '../parts/dialog.tsx';
import { Tap } from '../parts/tap.tsx';
import { t } from '../words/words.ts';
import { needsApproval, report, shelveMinutes } from './alarm-actions.ts';
import { alarmPlace, alarmTitle } from './alarm-words.ts';

const shelving = signal<AlarmView | undefined>(undefined);

/** Opens the box that asks why and how long. */
export function askToShelve(alarm: AlarmView): void {
  shelving.value = alarm;
}

const shelveReasons = ['repair', 'known', 'weather', 'chatter'] as const;

/** Setting an alarm aside: reason, then end; for P2 the captain's PIN (ux.md 5). */
export function ShelveDialog() {
  const alarm = shelving.value;
  return alarm ? <Asking key={alarm.id} alarm={alarm} /> : null;
}

function Asking({ alarm }: { alarm: AlarmView }) {
  const [reason, setReason] = useState<(typeof shelveReasons)[number] | undefined>(undefined);
  const close = () => (shelving.value = undefined);
  const shelve = (minutes: number) => {
    close();
    const body = { minutes, note: t(`incident.shelve.${reason ?? 'known'}`) };
    if (!needsApproval(alarm, 'shelve')) {
      guarded(() => report(alarm.id, actOnAlarm(alarm, 'shelve', body)));
      return;
    }
    askApproval({
      what: t('approval.shelve', { alarm: alarmTitle(alarm), place: alarmPlace(alarm), n: minutes }),
      run: (approval) => actOnAlarm(alarm, 'shelve', body, approval),
    });
  };
  return (
    <Dialog title={t('incident.shelve.title', { alarm: alarmTitle(alarm) })} onClose={close}>
      <p class="second">{alarmPlace(alarm)}</p>
      <p>{t('incident.shelve.reason')}</p>
      <div class="choices">
        {shelveReasons.map((name) => (
          <Tap key={name} pressed={reason === name} onTap={() => setReason(name)}>
            {t(`incident.shelve.${name}`)}
          </Tap>
        ))}
      </div>
      <p>
        {t('incident.shelve.minutes')} {alarm.priority === 2 && <span class="tag">{t('approval.tag')}</span>}
      </p>
      <div class="choices">
        {shelveMinutes(alarm).map((minutes) => (
          <Tap key={minutes} kind="main" disabled={reason === undefined} onTap={() => shelve(minutes)}>
            {minutes < 60 ? t('gates.hold.minutes', { n: minutes }) : t('incident.shelve.hours', { n: minutes / 60 })}
          </Tap>
        ))}
      </div>
    </Dialog>
  );
}
