import { useState } from 'preact/hooks';
import type { AlarmAction, AlarmView } from '../../contracts/api.ts';
import { guarded } from '../access.ts';
import { actOnAlarm } from '../commands.ts';
import { askApproval } from '../parts/approval.tsx';
import { Dialog } from '../parts/dialog.tsx';
import { Tap } from '../parts/tap.tsx';
import { canAct, lost, people } from '../store.ts';
import { t } from '../words/words.ts';
import { type AlarmStep, alarmTrouble, needsApproval, nextStep, report, stepsOf, whyNotNow } from './alarm-actions.ts';
import { alarmPlace, alarmTitle } from './alarm-words.ts';
import { askToShelve } from './shelving.tsx';

/** The buttons of one alarm, always in the same order; the next step is solid. */
export function Actions({ alarm }: { alarm: AlarmView }) {
  const [asked, setAsked] = useState<AlarmStep | undefined>(undefined);
  const close = () => setAsked(undefined);
  const next = nextStep(alarm);
  const act = (action: string, body?: AlarmAction) =>
    guarded(() => {
      close();
      report(alarm.id, actOnAlarm(alarm, action, body));
    });
  const approved = (what: string, action: string, body: AlarmAction = {}) => {
    close();
    askApproval({ what, run: (approval) => actOnAlarm(alarm, action, body, approval) });
  };
  const about = { alarm: alarmTitle(alarm), place: alarmPlace(alarm) };
  const tap = (step: AlarmStep) => {
    if (step === 'shelve' && alarm.process === 'SHELVED') act('unshelve');
    else if (step === 'shelve') askToShelve(alarm);
    else if (step === 'dispatch' || step === 'resolve' || step === 'clear-false' || step === 'out-of-service')
      setAsked(step);
    else if (step === 'reset' && needsApproval(alarm, step)) approved(t('approval.reset', about), 'reset');
    else act(step);
  };
  const trouble = alarmTrouble.value;
  return (
    <footer class="incident-foot">
      <p class="trouble" role="alert">
        {trouble?.alarm === alarm.id ? trouble.text : ''}
      </p>
      <div class="incident-actions">
        {stepsOf(alarm).map((step) => (
          <Tap
            key={step}
            kind="main"
            look={step === next ? 'solid' : 'line'}
            why={lost.value ? t('gates.why.lost') : canAct.value ? whyNotNow(alarm, step) : t('gates.why.starting')}
            note={needsApproval(alarm, step) ? t('approval.tag') : undefined}
            onTap={() => tap(step)}
          >
            {t(step === 'shelve' && alarm.process === 'SHELVED' ? 'alarm.action.unshelve' : `alarm.action.${step}`)}
          </Tap>
        ))}
      </div>
      {asked === 'dispatch' && <DispatchDialog onClose={close} onPick={(to) => act('dispatch', { to })} />}
      {asked === 'resolve' && <ResolveDialog alarm={alarm} onClose={close} onPick={(body) => act('resolve', body)} />}
      {asked === 'out-of-service' && (
        <OutOfService alarm={alarm} onClose={close} onPick={(body) => act('out-of-service', body)} />
      )}
      {asked === 'clear-false' && (
        <ClearFalse
          alarm={alarm}
          onClose={close}
          onSure={(note) =>
            approved(t('approval.clear-false', { ...about, note }), 'clear-false', { note, confirm: true })
          }
        />
      )}
    </footer>
  );
}

function DispatchDialog({ onClose, onPick }: { onClose: () => void; onPick: (to: string) => void }) {
  return (
    <Dialog title={t('incident.dispatch.title')} onClose={onClose}>
      <div class="choices">
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
      </div>
    </Dialog>
  );
}

const dispositions = ['real', 'false', 'test', 'fault'] as const;
const notes = ['left', 'cooking', 'animal', 'police', 'fire', 'medical', 'repaired', 'reported', 'drill'] as const;

/** How it ended: chips for the note, then the tap that disposes of it. No keyboard is needed. */
function ResolveDialog(props: { alarm: AlarmView; onClose: () => void; onPick: (body: AlarmAction) => void }) {
  const [chosen, setChosen] = useState<readonly string[]>([]);
  const [more, setMore] = useState('');
  const note = [...chosen.map((name) => t(`incident.note.${name as 'left'}`)), more.trim()]
    .filter((part) => part !== '')
    .join(t('common.comma'));
  return (
    <Dialog
      class="wide-dialog"
      title={t('incident.resolve.title', { alarm: alarmTitle(props.alarm) })}
      onClose={props.onClose}
    >
      <Chips
        names={notes}
        chosen={chosen}
        onChange={setChosen}
        label={t('incident.resolve.note')}
        words="incident.note"
      />
      <label class="field">
        {t('incident.resolve.more')}
        <input value={more} maxLength={120} onInput={(event) => setMore(event.currentTarget.value)} />
      </label>
      <p>{t('incident.resolve.how')}</p>
      <div class="choices">
        {dispositions.map((disposition) => (
          <Tap
            key={disposition}
            kind="main"
            look="solid"
            onTap={() => props.onPick({ disposition, ...(note === '' ? {} : { note }) })}
          >
            {t(`alarm.disposition.${disposition}`)}
          </Tap>
        ))}
      </div>
    </Dialog>
  );
}

function Chips(props: {
  names: readonly string[];
  chosen: readonly string[];
  label: string;
  words: 'incident.note';
  onChange: (chosen: readonly string[]) => void;
}) {
  const { names, chosen, onChange } = props;
  return (
    <fieldset class="chips" aria-label={props.label}>
      {names.map((name) => {
        const on = chosen.includes(name);
        return (
          <Tap
            key={name}
            pressed={on}
            onTap={() => onChange(on ? chosen.filter((other) => other !== name) : [...chosen, name])}
          >
            {t(`${props.words}.${name as 'left'}`)}
          </Tap>
        );
      })}
    </fieldset>
  );
}

const falseReasons = ['cooking', 'dust', 'test', 'device'] as const;

/** 误报消除: reason, a second tap on a box away from the first, then the captain's PIN (SX 7.2.7.3). */
function ClearFalse(props: { alarm: AlarmView; onClose: () => void; onSure: (note: string) => void }) {
  const [reason, setReason] = useState<string | undefined>(undefined);
  if (reason === undefined)
    return (
      <Dialog title={t('incident.false.title', { alarm: alarmTitle(props.alarm) })} onClose={props.onClose}>
        <p>{t('incident.false.reason')}</p>
        <div class="choices">
          {falseReasons.map((name) => (
            <Tap key={name} kind="main" onTap={() => setReason(t(`incident.false.${name}`))}>
              {t(`incident.false.${name}`)}
            </Tap>
          ))}
        </div>
      </Dialog>
    );
  return (
    <Dialog key="sure" away title={t('incident.false.sure')} onClose={props.onClose}>
      <p>{t('incident.false.text', { alarm: alarmTitle(props.alarm), place: alarmPlace(props.alarm), reason })}</p>
      <div class="choices">
        <Tap kind="critical" onTap={() => props.onSure(reason)} note={t('approval.tag')}>
          {t('alarm.action.clear-false')}
        </Tap>
      </div>
    </Dialog>
  );
}

/** Hours; P1 always has an end, and never later than a day. */
const OUT_HOURS = [2, 8, 24];

/** Under repair: it disturbs nobody until it is back in service, under the number of the work order. */
function OutOfService(props: { alarm: AlarmView; onClose: () => void; onPick: (body: AlarmAction) => void }) {
  const [ticket, setTicket] = useState('');
  const number = ticket.trim();
  return (
    <Dialog title={t('incident.out.title', { alarm: alarmTitle(props.alarm) })} onClose={props.onClose}>
      <label class="field">
        {t('incident.out.ticket')}
        <input name="ticket" value={ticket} maxLength={64} onInput={(event) => setTicket(event.currentTarget.value)} />
      </label>
      <div class="choices">
        {OUT_HOURS.map((hours) => (
          <Tap
            key={hours}
            kind="main"
            disabled={number === ''}
            onTap={() => props.onPick({ ticket: number, minutes: hours * 60 })}
          >
            {t('incident.shelve.hours', { n: hours })}
          </Tap>
        ))}
        {props.alarm.priority > 1 && (
          <Tap kind="main" disabled={number === ''} onTap={() => props.onPick({ ticket: number })}>
            {t('incident.out.open')}
          </Tap>
        )}
      </div>
    </Dialog>
  );
}
