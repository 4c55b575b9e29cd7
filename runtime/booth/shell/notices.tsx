import { guarded } from '../access.ts';
import { actOnAlarm } from '../commands.ts';
import { dismissCard, incidents, openIncident } from '../incident-area.ts';
import { wide } from '../layout.ts';
import { mayHandle, report } from '../live/alarm-actions.ts';
import { alarmPlace, alarmTitle } from '../live/alarm-words.ts';
import { Age } from '../parts/age.tsx';
import { Shield } from '../parts/dialog.tsx';
import { PriorityMark } from '../parts/priority.tsx';
import { Tap } from '../parts/tap.tsx';
import { route } from '../route.ts';
import { alarms, camerasOf, canAct, pictures } from '../store.ts';
import { t } from '../words/words.ts';
import { LinkageBanner } from './linkage-banner.tsx';

/** At the lower edge of every screen: a P2 as a card, and the red tag of what was closed without an answer. */
export function Notices() {
  return (
    <div class="notices">
      <LinkageBanner />
      <P2Card />
      <EdgeTag />
    </div>
  );
}

function P2Card() {
  const { cards, active } = incidents.value;
  const alarm = alarms.value.open.get(cards.at(-1) ?? '');
  // On Live its row is in sight, unless a sheet lies over the list.
  const inSight = route.value === 'live' && (wide.value || active === undefined);
  if (!alarm || inSight) return null;
  const picture = camerasOf(alarm)
    .map((camera) => pictures.value.get(camera))
    .find((found) => found !== undefined);
  const name = `${alarmTitle(alarm)} ${alarmPlace(alarm)}`;
  return (
    <section class="p2-card" aria-label={t('incident.label')} aria-live="polite">
      <PriorityMark priority={alarm.priority} flash />
      {picture && <img class="thumb" src={`/api/v1/evidence/${picture.hash}`} alt={t('snapshot.still')} />}
      <div class="p2-words">
        <p class="p2-title">
          {alarmTitle(alarm)}
          {cards.length > 1 && <span class="tag digits">{t('incident.tabs', { n: cards.length })}</span>}
        </p>
        <p class="second">
          {alarmPlace(alarm)} · <Age since={alarm.raisedAt} />
        </p>
      </div>
      <Tap
        kind="main"
        look="solid"
        disabled={!canAct.value || !mayHandle.value}
        onTap={() => guarded(() => report(alarm.id, actOnAlarm(alarm, 'ack')))}
        of={name}
      >
        {t('alarm.action.ack')}
      </Tap>
      <Tap kind="main" onTap={() => openIncident(alarm.id)} of={name}>
        {t('alarm.action.detail')}
      </Tap>
      <Tap kind="main" onTap={() => dismissCard(alarm.id)} of={name}>
        {t('incident.close')}
      </Tap>
      <Shield of={alarm.id} />
    </section>
  );
}

/** Closed without an answer: it stays at the edge in red, one tap away, until somebody answers. */
function EdgeTag() {
  const { tagged, deferred } = incidents.value;
  const waiting = [...deferred, ...tagged].flatMap((id) => alarms.value.open.get(id) ?? []);
  const [first] = waiting.sort((a, b) => a.priority - b.priority || a.raisedAt - b.raisedAt);
  if (!first) return null;
  return (
    <button type="button" class="tap edge-tag" onClick={() => openIncident(first.id)}>
      <span class="tap-word">
        {t('incident.tagged', { n: waiting.length, alarm: alarmTitle(first), place: alarmPlace(first) })}
      </span>
    </button>
  );
}
