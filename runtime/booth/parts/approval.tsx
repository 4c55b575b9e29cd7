import { signal } from '@preact/signals';
import { useState } from 'preact/hooks';
import type { Session } from '../../contracts/api.ts';
import { call } from '../api.ts';
import { people, session } from '../store.ts';
import { failureWords } from '../words/refusals.ts';
import { t } from '../words/words.ts';
import { Dialog } from './dialog.tsx';
import { PinPad } from './pin-pad.tsx';
import { Tap } from './tap.tsx';

interface Request {
  /** What is done with the captain's rights, in words: the captain reads it before typing. */
  readonly what: string;
  readonly run: (approval: string) => Promise<void>;
}

const asked = signal<Request | undefined>(undefined);

export const leads = (role: Session['role'] | undefined): boolean => role === 'shift-leader' || role === 'admin';

/** Runs `request` once a captain has given the PIN here; the person on duty stays logged in. */
export function askApproval(request: Request): void {
  asked.value = request;
}

export function ApprovalDialog() {
  const request = asked.value;
  return request ? <Asking key={request.what} request={request} /> : null;
}

function Asking({ request }: { request: Request }) {
  const leaders = people.value.filter((person) => leads(person.role));
  const own = leaders.find((person) => person.name === session.value?.name);
  const [name, setName] = useState(own?.name ?? leaders[0]?.name);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<string | undefined>(undefined);
  const close = () => (asked.value = undefined);
  const attempt = async (pin: string) => {
    setBusy(true);
    setError(undefined);
    try {
      const { approval } = await call<{ approval: string }>('POST', '/sessions/approvals', { name, pin });
      await request.run(approval);
      close();
    } catch (failure) {
      setError(failureWords(failure));
    } finally {
      setBusy(false);
    }
  };
  return (
    <Dialog class="unlock" title={t('approval.title')} onClose={close}>
      <p>{request.what}</p>
      {leaders.length === 0 ? (
        <p role="alert">{t('approval.nobody')}</p>
      ) : (
        <>
          <div class="choices">
            {leaders.map((person) => (
              <Tap key={person.name} pressed={name === person.name} onTap={() => setName(person.name)}>
                {person.displayName}
              </Tap>
            ))}
          </div>
          <PinPad busy={busy} error={error} onPin={(pin) => void attempt(pin)} />
        </>
      )}
    </Dialog>
  );
}
