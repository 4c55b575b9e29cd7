import { signal } from '@preact/signals';
import { useEffect, useState } from 'preact/hooks';
import type { CommandView } from '../../contracts/api.ts';
import { call, get } from '../api.ts';
import { Dialog } from '../parts/dialog.tsx';
import { Icon } from '../parts/icons.tsx';
import { usePress } from '../parts/press.ts';
import { Tap } from '../parts/tap.tsx';
import { newKey } from '../state/keys.ts';
import { failureWords, refusalWords } from '../words/refusals.ts';
import { t } from '../words/words.ts';

interface Exit {
  readonly device: string;
  readonly name: string;
}
/** What became of the last press of one exit. */
type Outcome =
  | { readonly phase: 'pressed' | 'late' }
  | { readonly phase: 'answered'; readonly command: CommandView }
  | { readonly phase: 'failed'; readonly text: string };

const shown = signal(false);
/** Undefined until read; empty where the gateway offers none to this panel. */
const exits = signal<readonly Exit[] | undefined>(undefined);

const NO_REPLY_MS = 3000;
const WAIT_MS = 12_000;

/** Letting people out needs no log-in (reliability.md F8): gates and doors only, each by a press of one second. */
export function EmergencyButton({ small = false }: { small?: boolean }) {
  useEffect(() => {
    get<readonly Exit[]>('/emergency-open').then(
      (list) => (exits.value = list),
      () => (exits.value = []),
    );
  }, []);
  if ((exits.value ?? []).length === 0) return null;
  return (
    <>
      <Tap
        kind={small ? 'plain' : 'main'}
        class={small ? 'emergency bar-tap' : 'emergency'}
        onTap={() => (shown.value = true)}
      >
        <Icon name="gates" />
        {t(small ? 'emergency.short' : 'emergency.title')}
      </Tap>
      {shown.value && <EmergencyDialog />}
    </>
  );
}

function EmergencyDialog() {
  return (
    <Dialog class="wide-dialog" title={t('emergency.title')} onClose={() => (shown.value = false)}>
      <p>{t('emergency.text')}</p>
      <ul class="exits">
        {(exits.value ?? []).map((exit) => (
          <ExitRow key={exit.device} exit={exit} />
        ))}
      </ul>
    </Dialog>
  );
}

function ExitRow({ exit }: { exit: Exit }) {
  const [outcome, setOutcome] = useState<Outcome | undefined>(undefined);
  const open = () => {
    setOutcome({ phase: 'pressed' });
    const late = setTimeout(() => setOutcome({ phase: 'late' }), NO_REPLY_MS);
    call<CommandView>(
      'POST',
      `/emergency-open?wait=${WAIT_MS}`,
      { device: exit.device },
      { key: newKey(), signal: AbortSignal.timeout(WAIT_MS + NO_REPLY_MS) },
    )
      .then(
        (command) => setOutcome({ phase: 'answered', command }),
        (error: unknown) => setOutcome({ phase: 'failed', text: failureWords(error) }),
      )
      .finally(() => clearTimeout(late));
  };
  const press = usePress(open);
  return (
    <li class="exit">
      <button
        type="button"
        class={`tap tap-critical tap-line ${press.pressing ? 'pressing' : ''}`}
        disabled={outcome?.phase === 'pressed'}
        {...press.handlers}
      >
        <span class="tap-word">{t('emergency.press', { name: exit.name })}</span>
      </button>
      <p class="feedback" role="status">
        {outcome && <strong>{outcomeWords(outcome)}</strong>}
      </p>
    </li>
  );
}

/** Never more than is known: opened is said only of what was read back. */
function outcomeWords(outcome: Outcome): string {
  switch (outcome.phase) {
    case 'pressed':
      return t('gates.phase.pressed');
    case 'late':
      return t('gates.phase.unknown');
    case 'failed':
      return outcome.text;
    case 'answered': {
      const { state, proven, code, detail } = outcome.command;
      if (state === 'succeeded') return t(proven === true ? 'gates.phase.confirmed' : 'gates.phase.executed-unproven');
      if (state === 'failed' || state === 'expired') return refusalWords(code ?? 'command.expired', detail);
      return t('gates.phase.unknown');
    }
  }
}
