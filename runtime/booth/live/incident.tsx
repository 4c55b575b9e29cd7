import type { AlarmView } from '../../contracts/api.ts';
import { closeIncident, incidents, openIncident } from '../incident-area.ts';
import { wide } from '../layout.ts';
import { Age, Time } from '../parts/age.tsx';
import { HandlingSteps, ProcessIcon } from '../parts/alarm-state.tsx';
import { Shield } from '../parts/dialog.tsx';
import { PriorityMark } from '../parts/priority.tsx';
import { Snapshot } from '../parts/snapshot.tsx';
import { Tap } from '../parts/tap.tsx';
import { alarmKindOf, isUnacked } from '../state/alarms.ts';
import { alarms, camerasOf } from '../store.ts';
import { say, t } from '../words/words.ts';
import { Escalation } from './alarm-row.tsx';
import { alarmPlace, alarmTitle, handlingWords, processWords } from './alarm-words.ts';
import { Actions } from './incident-actions.tsx';
import { lastView, Timeline } from './timeline.tsx';

/** The incident area: what happened, what to do, and the buttons to do it. */
export function IncidentArea() {
  const { tabs, active } = incidents.value;
  if (active === undefined) return null;
  const alarm = alarms.value.open.get(active) ?? lastView(active);
  // Over a narrow screen it is what the page is about, for the screen below cannot be reached.
  const Area = wide.value ? 'aside' : 'main';
  return (
    <Area class="incident" aria-label={t('incident.label')}>
      {tabs.length > 1 && (
        <fieldset class="incident-tabs" aria-label={t('incident.tabs', { n: tabs.length })}>
          <span class="incident-count digits">{t('incident.tabs', { n: tabs.length })}</span>
          {tabs.map((id) => (
            <Tab key={id} id={id} active={id === active} />
          ))}
        </fieldset>
      )}
      {alarm ? <Incident key={alarm.id} alarm={alarm} /> : <Gone id={active} />}
      <Shield of={active} />
    </Area>
  );
}

function Tab({ id, active }: { id: string; active: boolean }) {
  const alarm = alarms.value.open.get(id);
  return (
    <Tap look="quiet" pressed={active} class="incident-tab" onTap={() => openIncident(id)}>
      {alarm && <PriorityMark priority={alarm.priority} flash={isUnacked(alarm)} />}
      <span>{alarm ? alarmTitle(alarm) : t('alarm.handling.closed')}</span>
    </Tap>
  );
}

/** The alarm was closed elsewhere before this screen saw it. */
function Gone({ id }: { id: string }) {
  return (
    <div class="incident-gone">
      <p>{t('incident.gone')}</p>
      <Tap kind="main" onTap={() => closeIncident(id)}>
        {t('incident.close')}
      </Tap>
    </div>
  );
}

function Incident({ alarm }: { alarm: AlarmView }) {
  const kind = alarmKindOf(alarm);
  const unacked = isUnacked(alarm);
  const [Title, Part] = wide.value ? (['h2', 'h3'] as const) : (['h1', 'h2'] as const);
  return (
    <>
      <header class={`incident-head incident-p${alarm.priority} ${unacked ? 'unacked' : ''}`}>
        <PriorityMark priority={alarm.priority} flash={unacked} />
        <div>
          <Title aria-live={alarm.priority === 1 ? 'assertive' : 'polite'}>{alarmTitle(alarm)}</Title>
          <p>
            {alarmPlace(alarm)} · <Time at={alarm.raisedAt} /> · <Age since={alarm.raisedAt} />
          </p>
        </div>
        <Tap onTap={() => closeIncident(alarm.id)}>{t('incident.close')}</Tap>
      </header>
      <div class="incident-body">
        <div class="incident-what">
          <p class="incident-state">
            <strong>{handlingWords(alarm)}</strong>
            {!unacked && <HandlingSteps alarm={alarm} />}
            <span class="second alarm-process">
              <ProcessIcon alarm={alarm} />
              {processWords(alarm)}
            </span>
          </p>
          <Escalation alarm={alarm} />
          {kind && (
            <>
              <p class="hint">
                <span class="second">{t('incident.hint')}</span> {say(kind.hint)}
              </p>
              <Part class="incident-part">{t('incident.steps')}</Part>
              <ol class="steps">
                {kind.steps.map((step) => (
                  <li key={step.en}>{say(step)}</li>
                ))}
              </ol>
            </>
          )}
        </div>
        <div class="incident-seen">
          <Snapshot cameras={camerasOf(alarm)} />
          <Timeline alarm={alarm} Part={Part} />
        </div>
      </div>
      <Actions alarm={alarm} />
    </>
  );
}
