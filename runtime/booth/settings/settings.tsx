import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import { guarded } from '../access.ts';
import { call } from '../api.ts';
import { clock } from '../clock.ts';
import { Time } from '../parts/age.tsx';
import { Tap } from '../parts/tap.tsx';
import { play, setVolume, soundOn, unlockSound, volume } from '../sound.ts';
import { canAct, session, status } from '../store.ts';
import { chooseTheme, chosenTheme } from '../theme.ts';
import { remember, remembered } from '../words/memory.ts';
import { failureWords } from '../words/refusals.ts';
import { language, speak, t } from '../words/words.ts';

export function SettingsScreen() {
  return (
    <main class="settings" aria-labelledby="settings-title">
      <header class="screen-head">
        <h1 id="settings-title">{t('rail.settings')}</h1>
      </header>
      <div class="settings-groups">
        <ThemeGroup />
        <LanguageGroup />
        <SoundGroup />
        {session.value?.mode === 'demo' && <DemoGroup />}
        <AboutGroup />
      </div>
    </main>
  );
}

function Group({ title, children }: { title: string; children: ComponentChildren }) {
  return (
    <section class="group">
      <h2>{title}</h2>
      {children}
    </section>
  );
}

export function ThemeGroup() {
  const chosen = chosenTheme.value;
  return (
    <Group title={t('settings.theme.title')}>
      <div class="choices">
        <Tap pressed={chosen === undefined} onTap={() => chooseTheme('auto')}>
          {t('settings.theme.auto')}
        </Tap>
        <Tap pressed={chosen === 'day'} onTap={() => chooseTheme('day')}>
          {t('settings.theme.day')}
        </Tap>
        <Tap pressed={chosen === 'night'} onTap={() => chooseTheme('night')}>
          {t('settings.theme.night')}
        </Tap>
      </div>
      <p class="second">{t('settings.theme.note')}</p>
    </Group>
  );
}

export function LanguageGroup() {
  return (
    <Group title={t('settings.language.title')}>
      <div class="choices">
        <Tap pressed={language.value === 'zh-CN'} onTap={() => speak('zh-CN')}>
          <span lang="zh-CN">{t('settings.language.zh')}</span>
        </Tap>
        <Tap pressed={language.value === 'en-US'} onTap={() => speak('en-US')}>
          <span lang="en">{t('settings.language.en')}</span>
        </Tap>
      </div>
    </Group>
  );
}

function SoundGroup() {
  const [asked, setAsked] = useState(false);
  const [tested, setTested] = useState(Number(remembered('sound-test') ?? 0));
  const [unheard, setUnheard] = useState(false);
  const test = async () => {
    await unlockSound();
    play('test');
    setUnheard(false);
    setAsked(true);
  };
  const answer = (heard: boolean) => {
    setAsked(false);
    setUnheard(!heard);
    if (!heard) return;
    setTested(clock.value);
    remember('sound-test', String(clock.value));
  };
  return (
    <Group title={t('settings.sound.title')}>
      <div class="choices">
        <Tap kind="main" look="solid" onTap={() => void test()}>
          {t('settings.sound.test')}
        </Tap>
        {asked && (
          <>
            <Tap kind="main" onTap={() => answer(true)}>
              {t('settings.sound.heard')}
            </Tap>
            <Tap kind="main" onTap={() => answer(false)}>
              {t('settings.sound.unheard')}
            </Tap>
          </>
        )}
      </div>
      <div class="choices volume">
        <span id="volume-name">{t('settings.sound.volume')}</span>
        <Tap
          class="tap-icon"
          label={t('settings.sound.softer')}
          disabled={volume.value <= 40}
          onTap={() => setVolume(volume.value - 10)}
        >
          −
        </Tap>
        <span class="digits">{volume.value}%</span>
        <Tap
          class="tap-icon"
          label={t('settings.sound.louder')}
          disabled={volume.value >= 100}
          onTap={() => setVolume(volume.value + 10)}
        >
          +
        </Tap>
      </div>
      <p class="second" role="status">
        {unheard ? (
          t('settings.sound.check')
        ) : tested > 0 ? (
          <>
            {t('live.empty.sound')} <Time at={tested} />
          </>
        ) : (
          t(soundOn.value ? 'live.empty.sound_never' : 'settings.sound.locked')
        )}
      </p>
    </Group>
  );
}

/** `stranger` is an arrival with a plate that is on no list of the demo compound. */
const plays = ['arrival', 'stranger', 'forced-arm', 'smoke', 'intrusion', 'noise', 'clear'] as const;
/** In the demo compound the simulated devices do it over their real protocols. */
function DemoGroup() {
  const [trouble, setTrouble] = useState('');
  const run = (play: (typeof plays)[number]) =>
    guarded(() => {
      setTrouble('');
      const [what, body] = play === 'stranger' ? ['arrival', { plate: t('settings.demo.stranger_plate') }] : [play, {}];
      call('POST', `/demo/${what}`, body).catch((error: unknown) => setTrouble(failureWords(error)));
    });
  return (
    <Group title={t('settings.demo.title')}>
      <p class="second">{t('settings.demo.note')}</p>
      <div class="choices">
        {plays.map((play) => (
          <Tap key={play} disabled={!canAct.value} onTap={() => run(play)}>
            {t(`settings.demo.${play}`)}
          </Tap>
        ))}
      </div>
      <p role="alert">{trouble}</p>
    </Group>
  );
}

function AboutGroup() {
  const now = status.value;
  const role = session.value?.role;
  return (
    <Group title={t('settings.about.title')}>
      <dl class="facts">
        <div class="fact">
          <dt>{t('settings.about.person')}</dt>
          <dd>
            {session.value?.displayName} · {role && t(`role.${role}`)}
          </dd>
        </div>
        <div class="fact">
          <dt>{t('settings.about.site')}</dt>
          <dd>{now?.site.name}</dd>
        </div>
        <div class="fact">
          <dt>{t('settings.about.gateway')}</dt>
          <dd>{now?.gateway}</dd>
        </div>
        <div class="fact">
          <dt>{t('system.version')}</dt>
          <dd>{now?.version}</dd>
        </div>
      </dl>
      {(role === 'installer' || role === 'admin') && (
        <a class="tap tap-plain tap-line" href="/setup">
          {t('settings.about.setup')}
        </a>
      )}
    </Group>
  );
}
