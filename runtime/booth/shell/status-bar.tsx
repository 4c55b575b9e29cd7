import { abandon, guarded, lock, locked, logOut } from '../access.ts';
import { canSilence, silenceAlarms, silentFor } from '../alarm-sounds.ts';
import { second, siteZone } from '../clock.ts';
import { wide } from '../layout.ts';
import { alarmFilter } from '../live/filter.ts';
import { EmergencyButton } from '../login/emergency.tsx';
import { commandWords } from '../ordering/sending.ts';
import { Left } from '../parts/age.tsx';
import { Icon } from '../parts/icons.tsx';
import { PriorityMark } from '../parts/priority.tsx';
import { Tap } from '../parts/tap.tsx';
import { go } from '../route.ts';
import { soundOn, unlockSound } from '../sound.ts';
import { leaseOf } from '../state/leases.ts';
import { counts, deviceName, devicesOnline, devicesTotal, laneList, leases, lost, session, status } from '../store.ts';
import { dateIn, spanOf, timeIn } from '../words/time.ts';
import { t } from '../words/words.ts';
import { openSystem } from './system.tsx';

/** Always there, 64 px: where, when, who, what is wrong, and the way to silence it. */
export function StatusBar() {
  return (
    <header class="bar">
      <div class="bar-place">
        <strong class="bar-site">{status.value?.site.name ?? t('app.name')}</strong>
        <Clock />
      </div>
      <div class="bar-person">
        <span class="bar-small">{t(locked.value ? 'bar.person.locked' : 'bar.person.duty')}</span>
        <strong>{session.value?.displayName}</strong>
      </div>
      <Counts />
      <Chips />
      <Holds />
      <div class="bar-actions">
        <SoundButton />
        {locked.value ? (
          <>
            <EmergencyButton small />
            <Tap class="bar-tap" onTap={() => guarded(abandon)}>
              <Icon name="lock" />
              {t('bar.action.unlock')}
            </Tap>
          </>
        ) : (
          <>
            <Tap class="bar-tap" onTap={lock}>
              <Icon name="lock" />
              {t('bar.action.lock')}
            </Tap>
            <Tap class="bar-tap" onTap={() => void logOut()}>
              <Icon name="out" />
              {t('bar.action.logout')}
            </Tap>
          </>
        )}
      </div>
    </header>
  );
}

function Clock() {
  const zone = siteZone.value;
  const synced = status.value?.clock === 'synced';
  const mark = t(synced ? 'bar.clock.synced' : 'bar.clock.unsynced');
  return (
    <span class="bar-clock digits" title={dateIn(zone, second.value)}>
      {timeIn(zone, second.value)}
      <span class={synced ? 'sync' : 'sync sync-bad'} role="img" aria-label={mark} title={mark}>
        {synced ? <Icon name="synced" /> : '?'}
      </span>
    </span>
  );
}

function Counts() {
  return (
    <fieldset class="bar-counts" aria-label={t('bar.counts.label')}>
      {counts.value.map(({ count, unacked }, index) => {
        const priority = index + 1;
        return (
          <Tap
            key={priority}
            look="quiet"
            class={`bar-count ${count === 0 ? 'none' : ''}`}
            onTap={() => {
              alarmFilter.value = alarmFilter.value === priority ? 'all' : (priority as 1 | 2 | 3 | 4);
              go('live');
            }}
          >
            <PriorityMark priority={priority} flash={unacked} />
            <span class="digits">{count}</span>
          </Tap>
        );
      })}
    </fieldset>
  );
}

function Chips() {
  const online = devicesOnline.value;
  const total = devicesTotal.value;
  return (
    <div class="bar-chips">
      <Chip name={t('bar.chip.gateway')} value={t(lost.value ? 'bar.chip.lost' : 'bar.chip.ok')} bad={lost.value} />
      <PlatformChip />
      <Chip name={t('bar.chip.devices')} value={`${online}/${total}`} bad={online < total} />
    </div>
  );
}

/** `平台 中断 12 min` over `待传 48`; nothing to say where no platform is set up. */
function PlatformChip() {
  const uplinks = status.value?.uplinks ?? [];
  const down = uplinks.find((uplink) => uplink.state !== 'online');
  if (uplinks.length === 0) return <Chip name={t('bar.chip.platform')} value={t('bar.chip.none')} />;
  if (!down) return <Chip name={t('bar.chip.platform')} value={t('bar.chip.ok')} />;
  const minutes = Math.floor((second.value - down.since) / 60_000);
  const age = minutes < 1 ? spanOf(second.value - down.since) : t('bar.chip.minutes', { n: minutes });
  return (
    <Chip
      name={`${t('bar.chip.platform')} ${t('bar.chip.down', { age })}`}
      value={t('bar.chip.backlog', { n: down.backlog })}
      bad
    />
  );
}

function Chip({ name, value, bad = false }: { name: string; value: string; bad?: boolean }) {
  return (
    <Tap look="quiet" class={bad ? 'chip chip-bad' : 'chip'} onTap={openSystem}>
      <span class="bar-small">{name}</span>
      <span class="chip-value digits">{value}</span>
    </Tap>
  );
}

/** Chips side by side at full width; below, there is room for one and the number of the others. */
const HOLDS_WIDE = 3;

/** What is held is seen on every screen until it is let go, what ends first in front. */
function Holds() {
  const open = laneList.value.flatMap(({ barrier, name, memory: { holdUntil } }) =>
    holdUntil === undefined
      ? []
      : [{ key: barrier.id, words: t('bar.hold', { lane: name }), until: holdUntil, to: 'gates' as const }],
  );
  const leased = [...leases.value.values()].map(({ command, scenario, device, until }) => ({
    key: command,
    words: t('common.pair', {
      a: commandWords(scenario, leaseOf(scenario)?.name ?? ''),
      b: deviceName(device),
    }),
    until,
    to: 'devices' as const,
  }));
  const held = [...open, ...leased].sort((a, b) => a.until - b.until);
  const shown = held.slice(0, wide.value ? HOLDS_WIDE : 1);
  return (
    <div class="bar-holds">
      {shown.map(({ key, words, until, to }) => (
        <Tap key={key} look="quiet" class="hold-chip" onTap={() => go(to)}>
          <span class="bar-small">{words}</span>
          <Left until={until} />
        </Tap>
      ))}
      {held.length > shown.length && (
        <Tap look="quiet" class="hold-chip" onTap={() => go('devices')} label={t('bar.holds', { n: held.length })}>
          <span class="digits">+{held.length - shown.length}</span>
        </Tap>
      )}
    </div>
  );
}
function SoundButton() {
  if (!soundOn.value)
    return (
      <Tap class="bar-tap bar-nosound" onTap={() => void unlockSound()}>
        <Icon name="sound" />
        {t('bar.action.sound_off')}
      </Tap>
    );
  const left = silentFor.value;
  return (
    <Tap class="bar-tap" disabled={!canSilence.value && left === 0} onTap={silenceAlarms}>
      <Icon name="mute" />
      {left > 0 ? <span class="digits">{spanOf(left + 999)}</span> : t('bar.action.silence')}
    </Tap>
  );
}
