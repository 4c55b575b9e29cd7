import { useState } from 'preact/hooks';
import { enter } from '../access.ts';
import { call, Refusal } from '../api.ts';
import { LanguageButton } from '../parts/language-button.tsx';
import { Tap } from '../parts/tap.tsx';
import { go } from '../route.ts';
import { failureWords } from '../words/refusals.ts';
import { t } from '../words/words.ts';
import { setupNeeded } from './needed.ts';

const fields = ['code', 'name', 'displayName', 'password'] as const;
type Field = (typeof fields)[number];

/** The one-time code the gateway printed makes the first administrator; there is no default password. */
export function FirstRun() {
  const [form, setForm] = useState<Record<Field, string>>({ code: '', name: '', displayName: '', password: '' });
  const [error, setError] = useState('');
  const [busy, setBusy] = useState(false);
  const send = async () => {
    setBusy(true);
    setError('');
    try {
      await call('POST', '/setup', { ...form, code: form.code.trim(), name: form.name.trim() });
      setupNeeded.value = false;
      go('setup');
      await enter();
    } catch (failure) {
      const wrongCode = failure instanceof Refusal && failure.code === 'auth.invalid';
      setError(wrongCode ? t('setup.first.wrong') : failureWords(failure));
    } finally {
      setBusy(false);
    }
  };
  return (
    <main class="login" aria-labelledby="setup-title">
      <header class="login-head">
        <h1 id="setup-title">{t('setup.first.title')}</h1>
        <p class="second">{t('setup.first.text')}</p>
        <LanguageButton />
      </header>
      <form
        class="form setup-form"
        onSubmit={(event) => {
          event.preventDefault();
          void send();
        }}
      >
        {fields.map((field) => (
          <label key={field} class="field">
            {t(`setup.first.${field}`)}
            <input
              name={field}
              {...(field === 'password' ? { type: 'password' as const } : { spellcheck: false })}
              autocomplete={field === 'password' ? 'new-password' : 'off'}
              required
              value={form[field]}
              onInput={(event) => setForm({ ...form, [field]: event.currentTarget.value })}
            />
          </label>
        ))}
        <p class="pin-error" role="alert">
          {error}
        </p>
        <Tap type="submit" kind="main" look="solid" disabled={busy} onTap={() => {}}>
          {t('setup.first.send')}
        </Tap>
      </form>
    </main>
  );
}
