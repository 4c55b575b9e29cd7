import type { AlarmView } from '../../contracts/api.ts';
import { guarded } from '../access.ts';
import { actOnAlarm } from '../commands.ts';
import { openIncident } from '../incident-area.ts';
import { Age, Left, Time } from '../parts/age.tsx';
import { Shield } from '../parts/dialog.tsx';
import { PriorityMark, priorityWord } from '../parts/priority.tsx';
import { Tap } from '../parts/tap.tsx';
import { type AlarmFilter, alarmKindOf, alarmRows, isUnacked } from '../state/alarms.ts';
import { alarms, canAct, deviceName, session, zoneName } from '../store.ts';
import { actorWords } from '../words/actors.ts';
import { remembered } from '../words/memory.ts';
import { type Key, say, t } from '../words/words.ts';
import { ActivityList } from './activity.tsx';
import { mayHandle, report } from './alarm-actions.ts';
import { alarmFilter } from './filter.ts';

const filters: readonly AlarmFilter[] = ['all', 'security', 'device', 'mine', 'aside'];

export function AlarmList() {
  const me = session.value?.name ?? '';
  const rows = alarmRows(alarms.value, alarmFilter.value, me);
  const aside = alarmRows(alarms.value, 'aside', me).length;
  const filter = alarmFilter.value;
  return (
    <section class="alarms" aria-labelledby="alarms-title">
      <header class="alarms-head">
        <h2 id="alarms-title">
          {t('live.alarms.title')} <span class="digits">{rows.length}</span>
        </h2>
        <fieldset class="filters" aria-label={t('live.filter.label')}>
          {filters.map((name) => (
            <Tap key={name} pressed={filter === name} class="filter" onTap={() => (alarmFilter.value = name)}>
              {t(`live.filter.${name}` as Key)}
              {name === 'aside' && aside > 0 && <span class="digits"> {aside}</span>}
            </Tap>
          ))}
          {typeof filter === 'number' && (
            <Tap pressed class="filter" onTap={() => (alarmFilter.value = 'all')}>
              {priorityWord(filter)}
            </Tap>
          )}
        </fieldset>
      </header>
      {rows.length === 0 ? (
        <Empty />
      ) : (
        <ul class="alarm-rows" aria-live="polite" aria-relevant="additions">
          {rows.map((alarm, index) => (
            <AlarmRow key={alarm.id} alarm={alarm} index={index} />
          ))}
        </ul>
      )}
    </section>
  );
}

function AlarmRow({ alarm, index }: { alarm: AlarmView; index: number }) {
  const unacked = isUnacked(alarm);
  return (
    <li class={`alarm alarm-p${alarm.priority} ${unacked ? 'unacked' : ''}`}>
      <PriorityMark priority={alarm.priority} flash={unacked} />
      <div class="alarm-words">
        <p class="alarm-title">
          {alarmTitle(alarm)}
          <Tags alarm={alarm} />
        </p>
        <p class="second">{alarmPlace(alarm)}</p>
      </div>
      <div class="alarm-state">
        <p class="alarm-age">
          <Age since={alarm.raisedAt} />
        </p>
        <p class={unacked ? 'alarm-waiting' : 'second'}>{stateWords(alarm)}</p>
      </div>
      <div class="alarm-taps">
        {unacked && (
          <Tap
            kind="main"
            look="solid"
            disabled={!canAct.value || !mayHandle.value}
            onTap={() => guarded(() => report(alarm.id, actOnAlarm(alarm, 'ack')))}
            of={`${alarmTitle(alarm)} ${alarmPlace(alarm)}`}
          >
            {t('alarm.action.ack')}
          </Tap>
        )}
        <Tap kind="main" onTap={() => openIncident(alarm.id)} of={`${alarmTitle(alarm)} ${alarmPlace(alarm)}`}>
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
      {alarm.count > 1 && <span class="tag digits">{t('alarm.tag.count', { n: alarm.count })}</span>}
      {alarms.value.missed.has(alarm.id) && <span class="tag">{t('alarm.tag.missed')}</span>}
      {alarm.returnedAt !== undefined && <span class="tag">{t('alarm.tag.returned')}</span>}
      {alarm.process === 'SHELVED' && (
        <span class="tag">
          {t('alarm.tag.shelved')} <Left until={alarm.shelvedUntil ?? 0} />
        </span>
      )}
    </>
  );
}

function Empty() {
  if (alarmFilter.value !== 'all') return <p class="empty">{t('live.empty.filter')}</p>;
  const tested = Number(remembered('sound-test') ?? 0);
  return (
    <div class="calm">
      <p class="empty">{t('live.empty.none')}</p>
      <p class="second calm-test">
        {tested > 0 ? (
          <>
            {t('live.empty.sound')} <Time at={tested} />
          </>
        ) : (
          t('live.empty.sound_never')
        )}
      </p>
      <ActivityList />
    </div>
  );
}

export function alarmTitle(alarm: AlarmView): string {
  const kind = alarmKindOf(alarm);
  return kind ? say(kind.words) : alarm.kind;
}

export function alarmPlace(alarm: AlarmView): string {
  const device = alarm.device === '' ? t('bar.chip.gateway') : deviceName(alarm.device);
  return alarm.zone === '' ? device : t('common.pair', { a: device, b: zoneName(alarm.zone) });
}

export function stateWords(alarm: AlarmView): string {
  if (alarm.handling === 'waiting') return t('alarm.handling.waiting');
  const who = actorWords(alarm.ackedBy);
  return t('common.pair', { a: t(`alarm.handling.${alarm.handling}`), b: who });
}
