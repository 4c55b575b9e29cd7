import { useEffect, useState } from 'preact/hooks';
import { logIn } from '../access.ts';
import { LanguageButton } from '../parts/language-button.tsx';
import { PinPad } from '../parts/pin-pad.tsx';
import { Tap } from '../parts/tap.tsx';
import { go, nextPath, route } from '../route.ts';
import { unlockSound } from '../sound.ts';
import { loadPeople, type Person, people } from '../store.ts';
import { failureWords } from '../words/refusals.ts';
import { t } from '../words/words.ts';
import { EmergencyButton } from './emergency.tsx';

type Chosen = Person | 'other' | undefined;

/** Tiles with names and a PIN pad; name and password for those who have no tile. */
export function LoginScreen() {
  const [chosen, setChosen] = useState<Chosen>(undefined);
  useEffect(() => {
    void loadPeople();
  }, []);
  return (
    <main class="login" aria-labelledby="login-title">
      <header class="login-head">
        <h1 id="login-title">{t('app.name')}</h1>
        <p class="second">{t('login.welcome')}</p>
        <EmergencyButton />
        <LanguageButton />
      </header>
      <div class="login-body">
        <Tiles chosen={chosen} onPick={setChosen} />
        <Entry chosen={chosen ?? (people.value.length === 0 ? 'other' : undefined)} />
      </div>
    </main>
  );
}

function Tiles({ chosen, onPick }: { chosen: Chosen; onPick: (chosen: Chosen) => void }) {
  return (
    <fieldset class="tiles" aria-label={t('login.tiles')}>
      {people.value.map((person) => (
        <Tap
          key={person.name}
          kind="critical"
          class="tile"
          pressed={chosen === person}
          onTap={() => {
            void unlockSound();
            onPick(person);
          }}
        >
          <strong>{person.displayName}</strong>
          <span class="second">{t(`role.${person.role}`)}</span>
        </Tap>
      ))}
      <Tap kind="main" class="tile tile-other" pressed={chosen === 'other'} onTap={() => onPick('other')}>
        {t('login.other')}
      </Tap>
    </fieldset>
  );
}

function Entry({ chosen }: { chosen: Chosen }) {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<string | undefined>(undefined);
  useEffect(() => setError(undefined), [chosen]);
  const attempt = async (name: string, secret: { pin: string } | { password: string }) => {
    setBusy(true);
    setError(undefined);
    try {
      await logIn(name, secret);
      arrive();
    } catch (failure) {
      setError(failureWords(failure));
    } finally {
      setBusy(false);
    }
  };
  if (chosen === undefined) return <p class="login-hint second">{t('login.pick')}</p>;
  if (chosen === 'other') return <PasswordForm busy={busy} error={error} onSend={attempt} />;
  return (
    <section class="login-pin" aria-label={chosen.displayName}>
      <h2>{chosen.displayName}</h2>
      <PinPad key={chosen.name} busy={busy} error={error} onPin={(pin) => void attempt(chosen.name, { pin })} />
    </section>
  );
}

/** On to where the person wanted to go: a screen of the booth, or a page of the gateway such as the editor. */
function arrive(): void {
  const next = nextPath(location.search);
  if (next !== undefined && next !== '/') location.assign(next);
  else if (route.peek() === 'login') go('live');
}

function PasswordForm(props: {
  busy: boolean;
  error: string | undefined;
  onSend: (name: string, secret: { password: string }) => Promise<void>;
}) {
  const [name, setName] = useState('');
  const [password, setPassword] = useState('');
  return (
    <form
      class="form login-form"
      onSubmit={(event) => {
        event.preventDefault();
        void unlockSound();
        void props.onSend(name.trim(), { password });
      }}
    >
      <label class="field">
        {t('login.name')}
        <input
          name="name"
          value={name}
          autocomplete="username"
          autocapitalize="off"
          spellcheck={false}
          required
          onInput={(event) => setName(event.currentTarget.value)}
        />
      </label>
      <label class="field">
        {t('login.password')}
        <input
          name="password"
          type="password"
          value={password}
          autocomplete="current-password"
          required
          onInput={(event) => setPassword(event.currentTarget.value)}
        />
      </label>
      <p class="pin-error" role="alert">
        {props.error ?? ''}
      </p>
      <Tap type="submit" kind="main" look="solid" disabled={props.busy} onTap={() => {}}>
        {t('login.enter')}
      </Tap>
    </form>
  );
}
