import { useSignalEffect } from '@preact/signals';
import { entry, failure } from './access.ts';
import { clock } from './clock.ts';
import { DevicesScreen } from './devices/devices.tsx';
import { GatesScreen } from './gates/gates.tsx';
import { announced, incidents } from './incident-area.ts';
import { wide } from './layout.ts';
import { ActivityList } from './live/activity.tsx';
import { alarmPlace, alarmTitle } from './live/alarm-words.ts';
import { IncidentArea } from './live/incident.tsx';
import { LiveScreen } from './live/live.tsx';
import { MissingReasons } from './live/missing-reasons.tsx';
import { ShelveDialog } from './live/shelving.tsx';
import { StatisticsDialog } from './live/statistics.tsx';
import { LoginScreen } from './login/login.tsx';
import { UnlockDialog } from './login/unlock.tsx';
import { CommandDialog } from './ordering/asking.tsx';
import { LookDialog } from './ordering/feedback.tsx';
import { ApprovalDialog } from './parts/approval.tsx';
import { Shield } from './parts/dialog.tsx';
import { route } from './route.ts';
import { SearchScreen } from './search/search.tsx';
import { SettingsScreen } from './settings/settings.tsx';
import { FirstRun } from './setup/first-run.tsx';
import { setupNeeded } from './setup/needed.ts';
import { SetupScreen } from './setup/setup.tsx';
import { LostBanner } from './shell/banner.tsx';
import { GateStrip } from './shell/gate-strip.tsx';
import { Notices } from './shell/notices.tsx';
import { Rail } from './shell/rail.tsx';
import { StatusBar } from './shell/status-bar.tsx';
import { SystemDialog } from './shell/system.tsx';
import { live, lost } from './store.ts';
import { spanOf } from './words/time.ts';
import { language, t } from './words/words.ts';

export function App() {
  useSignalEffect(() => {
    document.documentElement.lang = language.value;
    document.title = t('app.name');
  });
  if (setupNeeded.value) return <FirstRun />;
  if (entry.value === 'out' || (entry.value === 'in' && route.value === 'login')) return <LoginScreen />;
  if (entry.value !== 'in') return <Waiting />;
  return <Shell />;
}

/** Before the first picture: what is read, or what is wrong and since when. */
function Waiting() {
  const trouble = failure.value;
  return (
    <main class="waiting-screen">
      <h1>{t('app.name')}</h1>
      {trouble ? (
        <>
          <p>{t('app.failed', { span: spanOf(clock.value - trouble.since) })}</p>
          <p class="second" role="alert">
            {t('app.failed.next')}
          </p>
        </>
      ) : (
        <p class="second late">{t('common.loading')}</p>
      )}
    </main>
  );
}

function Shell() {
  const screen = route.value;
  const open = incidents.value.active !== undefined;
  const line = lost.value ? 'lost' : live.value ? 'live' : 'starting';
  return (
    <div class="shell" data-screen={screen} data-line={line} data-incident={open ? 'open' : 'none'}>
      <LostBanner />
      <StatusBar />
      <Rail />
      <div class="content" inert={open && !wide.value}>
        <Screen />
        <Shield of={screen} />
      </div>
      {open ? <IncidentArea /> : <QuietArea />}
      <Notices />
      <GateStrip />
      <SystemDialog />
      <ShelveDialog />
      <StatisticsDialog />
      <MissingReasons />
      <CommandDialog />
      <LookDialog />
      <ApprovalDialog />
      <UnlockDialog />
      <Announcer />
    </div>
  );
}

/** Says each P1 once, for those who hear the screen. */
function Announcer() {
  const alarm = announced.value;
  return (
    <p class="hidden" role="alert">
      {alarm && t('incident.announced', { alarm: alarmTitle(alarm), place: alarmPlace(alarm) })}
    </p>
  );
}

/** The place of the incident area while nothing is wrong; only Live at full width has it. */
const QuietArea = () => (
  <aside class="quiet" aria-label={t('live.activity.title')}>
    <ActivityList />
  </aside>
);

function Screen() {
  switch (route.value) {
    case 'gates':
      return <GatesScreen />;
    case 'devices':
      return <DevicesScreen />;
    case 'search':
      return <SearchScreen />;
    case 'settings':
      return <SettingsScreen />;
    case 'setup':
      return <SetupScreen />;
    default:
      return <LiveScreen />;
  }
}
