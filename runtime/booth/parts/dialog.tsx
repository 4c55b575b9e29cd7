import type { ComponentChildren } from 'preact';
import { useEffect, useId, useRef, useState } from 'preact/hooks';
import { holdIncidents } from '../incident-area.ts';
import { t } from '../words/words.ts';
import { Icon } from './icons.tsx';
import { Tap } from './tap.tsx';

/** Where the last tap was: a box that asks to confirm it must not lie under the same finger. */
let lastTap = 0;
if (typeof window !== 'undefined')
  window.addEventListener('pointerdown', (event) => (lastTap = event.clientY), { capture: true, passive: true });

/**
 * A box in front of everything; while it is open no incident comes up over it. `away`: it confirms a tap, so it lies in
 * the half of the screen where that tap was not (ux.md 7).
 */
export function Dialog(props: {
  readonly title: string;
  readonly onClose: () => void;
  readonly class?: string;
  readonly away?: boolean;
  readonly children: ComponentChildren;
}) {
  const [place] = useState(lastTap > window.innerHeight / 2 ? 'dialog-top' : 'dialog-bottom');
  const box = useRef<HTMLDialogElement>(null);
  const title = useId();
  useEffect(() => {
    const free = holdIncidents();
    box.current?.showModal();
    return free;
  }, []);
  return (
    <dialog
      ref={box}
      class={`dialog ${props.away === true ? place : ''} ${props.class ?? ''}`}
      aria-labelledby={title}
      onCancel={(event) => {
        event.preventDefault();
        props.onClose();
      }}
    >
      <header class="dialog-head">
        <h2 id={title}>{props.title}</h2>
        <Tap look="quiet" class="tap-icon" label={t('common.action.close')} onTap={props.onClose}>
          <Icon name="close" />
        </Tap>
      </header>
      {props.children}
      <Shield />
    </dialog>
  );
}

/**
 * Takes the taps of the first 0.4 s of a new panel, so that a tap meant for what was there before triggers nothing.
 * `of` names what is new: another value, another 0.4 s.
 */
export const Shield = ({ of = '' }: { of?: string | number }) => <i key={of} class="shield" aria-hidden="true" />;
