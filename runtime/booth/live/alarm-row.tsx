import type { AlarmView } from '../../contracts/api.ts';
import { guarded } from '../access.ts';
import { clock } from '../clock.ts';
import { actOnAlarm } from '../commands.ts';
import { openIncident } from '../incident-area.ts';
import { Age, Left, Time } from '../parts/age.tsx';
import { HandlingSteps, ProcessIcon } from '../parts/alarm-state.tsx';
import { Shield } from '../parts/dialog.tsx';
import { Icon } from '../parts/icons.tsx';
import { PriorityMark } from '../parts/priority.tsx';
import { Tap } from '../parts/tap.tsx';
import { isAside, isUnacked, isUndisposed } from '../state/alarms.ts';
import { type AlarmGroup, unackedIn } from '../state/flood.ts';
import { alarms, canAct, deviceName, zoneName } from '../store.ts';
import { actorWords } from '../words/actors.ts';
import { t } from '../words/words.ts';
import { mayHandle, report, whyNotNow } from './alarm-actions.ts';
import { alarmPlace, alarmTitle, handlingWords, processWords } from './alarm-words.ts';
import { askToShelve } from './shelving.tsx';

export function AlarmRow({ alarm, index }: { alarm: AlarmView; index: number }) {
  const unacked = isUnacked(alarm);
  const name = `${alarmTitle(alarm)} ${alarmPlace(alarm)}`;
  return (
    <li class={`alarm alarm-p${alarm.priority} ${unacked ? 'unacked' : ''}`}>
      <PriorityMark priority={alarm.priority} flash={unacked} gone={alarm.returnedAt !== undefined} />
      <div class="alarm-words">
        <p class="alarm-title">
          {alarmTitle(alarm)}
          <Tags alarm={alarm} />
        </p>
        <p class="second">{alarmPlace(alarm)}</p>
        <Aside alarm={alarm} />
        <Escalation alarm={alarm} />
      </div>
      <div class="alarm-state">
        <p class="alarm-age">
          <Age since={alarm.raisedAt} />
        </p>
        <p class="alarm-process second">
          <ProcessIcon alarm={alarm} />
          {processWords(alarm)}
        </p>
        <p class={unacked ? 'alarm-waiting' : 'second'}>
          {!unacked && <HandlingSteps alarm={alarm} />}
          {handlingWords(alarm)}
        </p>
      </div>
      <div class="alarm-taps">
        {unacked && !isAside(alarm) && (
          <Tap
            kind="main"
            look="solid"
            disabled={!canAct.value || !mayHandle.value}
            onTap={() => guarded(() => report(alarm.id, actOnAlarm(alarm, 'ack')))}
            of={name}
          >
            {t('alarm.action.ack')}
          </Tap>
        )}
        {alarm.chatter !== undefined && whyNotNow(alarm, 'shelve') === undefined && alarm.process !== 'SHELVED' && (
          <Tap kind="main" disabled={!canAct.value} onTap={() => askToShelve(alarm)} of={name}>
            {t('alarm.action.shelve')}
          </Tap>
        )}
        <Tap kind="main" onTap={() => openIncident(alarm.id)} of={name}>
          {t('alarm.action.detail')}
        </Tap>
      </div>
      <Shield of={index} />
    </li>
  );
}

function Tags({ alarm }: { alarm: AlarmView }) {
  return (
    <>
      {alarm.chatter !== undefined ? (
        <b class="tag tag-strong digits">{t('alarm.tag.chatter', { n: alarm.chatter.count })}</b>
      ) : (
        alarm.count > 1 && <span class="tag digits">{t('alarm.tag.count', { n: alarm.count })}</span>
      )}
      {alarms.value.missed.has(alarm.id) && <span class="tag">{t('alarm.tag.missed')}</span>}
      {isUndisposed(alarm) && <b class="tag tag-strong">{t('alarm.tag.undisposed')}</b>}
    </>
  );
}

/** Why it is not on the list, by whom and until when. */
function Aside({ alarm }: { alarm: AlarmView }) {
  if (alarm.process === 'SHELVED')
    return (
      <p class="alarm-more">
        {t('alarm.aside.left')} <Left until={alarm.shelvedUntil ?? 0} />
        <span class="second">
          {[actorWords(alarm.shelvedBy), alarm.note ?? ''].filter((part) => part !== '').join(' · ')}
        </span>
      </p>
    );
  if (alarm.process === 'SUPPRESSED') {
    const parent = alarms.value.open.get(alarm.suppressedBy ?? '');
    const by = parent ? t('common.pair', { a: alarmTitle(parent), b: nameOf(parent) }) : (alarm.suppressedBy ?? '');
    return <p class="alarm-more">{t('alarm.aside.parent', { parent: by })}</p>;
  }
  if (alarm.process === 'OUT_OF_SERVICE' && alarm.outOfService)
    return (
      <p class="alarm-more">
        {t('alarm.aside.ticket', { ticket: alarm.outOfService.ticket })}
        <span class="second">{actorWords(alarm.outOfService.by)}</span>
        {alarm.outOfService.until !== undefined && (
          <>
            {t('alarm.aside.until')} <Time at={alarm.outOfService.until} />
          </>
        )}
      </p>
    );
  return null;
}

const nameOf = (alarm: AlarmView): string => (alarm.device === '' ? zoneName(alarm.zone) : deviceName(alarm.device));

/** Who has been called because nobody answered, and who is called next. */
export function Escalation({ alarm }: { alarm: AlarmView }) {
  const { escalation, nextEscalation: next } = alarm;
  // Below P2 it goes into a report or an order: nobody is called, so nothing counts down.
  const counts = alarm.priority <= 2 && isUnacked(alarm) && !isAside(alarm);
  const coming = counts && next !== undefined && next.at > clock.value ? next : undefined;
  if (!escalation && !coming) return null;
  return (
    <p class="alarm-more escalation">
      <Icon name="phone" />
      {escalation && (
        <span>
          {t('alarm.escalation.called', { who: recipients(escalation.to) })} <Time at={escalation.at} />
        </span>
      )}
      {coming && (
        <span>
          <Left until={coming.at} /> {t('alarm.escalation.next', { who: recipients(coming.to) })}
        </span>
      )}
    </p>
  );
}

const recipients = (to: NonNullable<AlarmView['escalation']>['to']): string =>
  to.map((who) => t(`alarm.recipient.${who}`)).join(t('common.comma'));

/** Equal alarms of one place while alarms come in floods: one row, opened to see each. */
export function GroupRow(props: { group: AlarmGroup; open: boolean; onTap: () => void }) {
  const { first, rows } = props.group;
  const waiting = unackedIn(props.group);
  return (
    <li class={`alarm alarm-group alarm-p${first.priority} ${waiting > 0 ? 'unacked' : ''}`}>
      <PriorityMark priority={first.priority} flash={waiting > 0} />
      <div class="alarm-words">
        <p class="alarm-title">
          {alarmTitle(first)} <b class="tag tag-strong digits">{t('alarm.group.count', { n: rows.length })}</b>
        </p>
        <p class="second">{zoneName(first.zone)}</p>
      </div>
      <div class="alarm-state">
        <p class="alarm-age">
          <Age since={Math.min(...rows.map((alarm) => alarm.raisedAt))} />
        </p>
        <p class={waiting > 0 ? 'alarm-waiting' : 'second'}>
          {waiting > 0 ? t('alarm.group.waiting', { n: waiting }) : t('alarm.handling.acked')}
        </p>
      </div>
      <div class="alarm-taps">
        <Tap kind="main" pressed={props.open} onTap={props.onTap} of={`${alarmTitle(first)} ${zoneName(first.zone)}`}>
          <Icon name={props.open ? 'up' : 'down'} />
          {t(props.open ? 'alarm.group.close' : 'alarm.group.open')}
        </Tap>
      </div>
    </li>
  );
}
