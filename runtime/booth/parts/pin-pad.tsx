import { useEffect, useState } from 'preact/hooks';
import { t } from '../words/words.ts';
import { Icon } from './icons.tsx';
import { Tap } from './tap.tsx';

const LENGTH = 6;
const digits = ['1', '2', '3', '4', '5', '6', '7', '8', '9'];

/** Six digits, sent by themselves; the keys of a keyboard work too. */
export function PinPad({
  onPin,
  busy,
  error,
}: {
  onPin: (pin: string) => void;
  busy: boolean;
  error?: string | undefined;
}) {
  const [pin, setPin] = useState('');
  const add = (digit: string) => {
    if (busy || pin.length >= LENGTH) return;
    const next = pin + digit;
    setPin(next);
    if (next.length === LENGTH) onPin(next);
  };
  // A wrong PIN is typed again from the start.
  useEffect(() => {
    if (!busy) setPin('');
  }, [busy]);
  useEffect(() => {
    const key = (event: KeyboardEvent) => {
      if (/^\d$/.test(event.key)) add(event.key);
      else if (event.key === 'Backspace') setPin(pin.slice(0, -1));
    };
    window.addEventListener('keydown', key);
    return () => window.removeEventListener('keydown', key);
  });
  return (
    <fieldset class="pin" aria-label={t('login.pin.label')}>
      <div class="pin-dots" role="status" aria-label={t('login.pin.entered', { n: pin.length })}>
        {Array.from({ length: LENGTH }, (_, index) => (
          <i key={index} class={index < pin.length ? 'dot full' : 'dot'} />
        ))}
      </div>
      <p class="pin-error" role="alert">
        {error ?? ''}
      </p>
      <div class="pin-keys">
        {digits.map((digit) => (
          <Tap key={digit} kind="main" onTap={() => add(digit)}>
            {digit}
          </Tap>
        ))}
        <Tap kind="main" look="quiet" onTap={() => setPin('')}>
          {t('login.pin.clear')}
        </Tap>
        <Tap kind="main" onTap={() => add('0')}>
          0
        </Tap>
        <Tap kind="main" look="quiet" label={t('login.pin.delete')} onTap={() => setPin(pin.slice(0, -1))}>
          <Icon name="back" />
        </Tap>
      </div>
    </fieldset>
  );
}
