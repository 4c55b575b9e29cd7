import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import type { AlarmAction, AlarmView } from '../../contracts/api.ts';
import { guarded } from '../access.ts';
import { actOnAlarm } from '../commands.ts';
import { closeIncident, incidents, openIncident } from '../incident-area.ts';
import { wide } from '../layout.ts';
import { Age, Time } from '../parts/age.tsx';
import { Dialog, Shield } from '../parts/dialog.tsx';
import { PriorityMark } from '../parts/priority.tsx';
import { Tap } from '../parts/tap.tsx';
import { alarmKindOf, isUnacked } from '../state/alarms.ts';
import { alarms, canAct, lost, people } from '../store.ts';
import { say, t } from '../words/words.ts';
import {
  type AlarmStep,
  alarmSteps,
  alarmTrouble,
  nextStep,
  report,
  shelveMinutes,
  whyNotNow,
} from './alarm-actions.ts';
import { alarmPlace, alarmTitle, stateWords } from './alarm-list.tsx';
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
            <strong>{stateWords(alarm)}</strong>
            <span class="second">{processWords(alarm)}</span>
          </p>
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
        <Timeline alarm={alarm} Part={Part} />
      </div>
      <Actions alarm={alarm} />
    </>
  );
}

function processWords(alarm: AlarmView): string {
  if (alarm.process === 'SHELVED') return t('alarm.tag.shelved');
  if (alarm.returnedAt !== undefined)
    return t(alarm.latching && alarm.process !== 'NORMAL' ? 'alarm.process.latched' : 'alarm.tag.returned');
  return t('alarm.process.active');
}

function Actions({ alarm }: { alarm: AlarmView }) {
  const [asked, setAsked] = useState<AlarmStep | undefined>(undefined);
  const next = nextStep(alarm);
  const act = (action: string, body?: AlarmAction) =>
    guarded(() => {
      setAsked(undefined);
      report(alarm.id, actOnAlarm(alarm, action, body));
    });
  const tap = (step: AlarmStep) => {
    if (step === 'shelve' && alarm.process === 'SHELVED') act('unshelve');
    else if (step === 'dispatch' || step === 'resolve' || step === 'shelve') setAsked(step);
    else act(step);
  };
  const trouble = alarmTrouble.value;
  return (
    <footer class="incident-foot">
      <p class="trouble" role="alert">
        {trouble?.alarm === alarm.id ? trouble.text : ''}
      </p>
      <div class="incident-actions">
        {alarmSteps.map((step) => (
          <Tap
            key={step}
            kind="main"
            look={step === next ? 'solid' : 'line'}
            why={lost.value ? t('gates.why.lost') : canAct.value ? whyNotNow(alarm, step) : t('gates.why.starting')}
            onTap={() => tap(step)}
          >
            {t(step === 'shelve' && alarm.process === 'SHELVED' ? 'alarm.action.unshelve' : `alarm.action.${step}`)}
          </Tap>
        ))}
      </div>
      {asked === 'dispatch' && (
        <DispatchDialog onClose={() => setAsked(undefined)} onPick={(to) => act('dispatch', { to })} />
      )}
      {asked === 'resolve' && (
        <ResolveDialog alarm={alarm} onClose={() => setAsked(undefined)} onPick={(body) => act('resolve', body)} />
      )}
      {asked === 'shelve' && (
        <ShelveDialog alarm={alarm} onClose={() => setAsked(undefined)} onPick={(body) => act('shelve', body)} />
      )}
    </footer>
  );
}

function DispatchDialog({ onClose, onPick }: { onClose: () => void; onPick: (to: string) => void }) {
  return (
    <Dialog title={t('incident.dispatch.title')} onClose={onClose}>
      <Choices>
        {people.value.map((person) => (
          <Tap key={person.name} kind="main" onTap={() => onPick(person.displayName)}>
            {person.displayName}
          </Tap>
        ))}
        <Tap kind="main" onTap={() => onPick(t('incident.dispatch.patrol'))}>
          {t('incident.dispatch.patrol')}
        </Tap>
        <Tap kind="main" onTap={() => onPick(t('incident.dispatch.repair'))}>
          {t('incident.dispatch.repair')}
        </Tap>
      </Choices>
    </Dialog>
  );
}

const dispositions = ['real', 'false', 'test', 'fault'] as const;

function ResolveDialog(props: { alarm: AlarmView; onClose: () => void; onPick: (body: AlarmAction) => void }) {
  const [note, setNote] = useState('');
  return (
    <Dialog title={t('incident.resolve.title', { alarm: alarmTitle(props.alarm) })} onClose={props.onClose}>
      <label class="field">
        {t('incident.resolve.note')}
        <input value={note} maxLength={256} onInput={(event) => setNote(event.currentTarget.value)} />
      </label>
      <Choices>
        {dispositions.map((disposition) => (
          <Tap
            key={disposition}
            kind="main"
            onTap={() => props.onPick({ disposition, ...(note.trim() === '' ? {} : { note: note.trim() }) })}
          >
            {t(`alarm.disposition.${disposition}`)}
          </Tap>
        ))}
      </Choices>
    </Dialog>
  );
}

const shelveReasons = ['repair', 'known', 'weather'] as const;

function ShelveDialog(props: { alarm: AlarmView; onClose: () => void; onPick: (body: AlarmAction) => void }) {
  const [reason, setReason] = useState<(typeof shelveReasons)[number] | undefined>(undefined);
  return (
    <Dialog title={t('incident.shelve.title', { alarm: alarmTitle(props.alarm) })} onClose={props.onClose}>
      <p>{t('incident.shelve.reason')}</p>
      <Choices>
        {shelveReasons.map((name) => (
          <Tap key={name} pressed={reason === name} onTap={() => setReason(name)}>
            {t(`incident.shelve.${name}`)}
          </Tap>
        ))}
      </Choices>
      <p>{t('incident.shelve.minutes')}</p>
      <Choices>
        {shelveMinutes(props.alarm).map((minutes) => (
          <Tap
            key={minutes}
            kind="main"
            disabled={reason === undefined}
            onTap={() => props.onPick({ minutes, note: t(`incident.shelve.${reason ?? 'known'}`) })}
          >
            {t('gates.hold.minutes', { n: minutes })}
          </Tap>
        ))}
      </Choices>
    </Dialog>
  );
}

const Choices = ({ children }: { children: ComponentChildren }) => <div class="choices">{children}</div>;
