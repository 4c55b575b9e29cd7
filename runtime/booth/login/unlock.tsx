import { useState } from 'preact/hooks';
import { abandon, logIn, pending, unlock } from '../access.ts';
import { Dialog } from '../parts/dialog.tsx';
import { PinPad } from '../parts/pin-pad.tsx';
import { Tap } from '../parts/tap.tsx';
import { people, session } from '../store.ts';
import { failureWords } from '../words/refusals.ts';
import { t } from '../words/words.ts';

/** The panel is locked and somebody wants to act: who, and the PIN. The act follows by itself. */
export function UnlockDialog() {
  const [name, setName] = useState<string | undefined>(undefined);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<string | undefined>(undefined);
  if (!pending.value) return null;
  const own = session.value?.name ?? '';
  const chosen = name ?? own;
  const attempt = async (pin: string) => {
    setBusy(true);
    setError(undefined);
    try {
      await (chosen === own ? unlock(pin) : logIn(chosen, { pin }));
    } catch (failure) {
      setError(failureWords(failure));
    } finally {
      setBusy(false);
    }
  };
  return (
    <Dialog class="unlock" title={t('login.unlock')} onClose={abandon}>
      <div class="choices">
        {people.value.map((person) => (
          <Tap key={person.name} pressed={chosen === person.name} onTap={() => setName(person.name)}>
            {person.displayName}
          </Tap>
        ))}
      </div>
      <PinPad busy={busy} error={error} onPin={(pin) => void attempt(pin)} />
    </Dialog>
  );
}
