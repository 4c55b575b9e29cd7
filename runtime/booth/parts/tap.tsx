import type { ComponentChildren } from 'preact';

export interface TapProps {
  /** `main` 72 px, `critical` 96 x 160 px, else 56 px (ux.md 2). */
  readonly kind?: 'plain' | 'main' | 'critical';
  readonly look?: 'solid' | 'line' | 'quiet';
  readonly onTap: () => void;
  readonly disabled?: boolean;
  /** Why it cannot be tapped now: shown on the button, which is then disabled. */
  readonly why?: string | undefined;
  /** What else the tap will ask for: shown on the button, which works. */
  readonly note?: string | undefined;
  readonly pressed?: boolean;
  /** The name of a tap that shows only a picture. */
  readonly label?: string;
  /** What it is about, for those who do not see where it stands: added to its words. */
  readonly of?: string;
  readonly class?: string;
  readonly type?: 'button' | 'submit';
  readonly children?: ComponentChildren;
}

/** The one button of the booth. */
export function Tap(props: TapProps) {
  const { kind = 'plain', look = 'line', why, note, pressed, label } = props;
  return (
    <button
      type={props.type ?? 'button'}
      class={`tap tap-${kind} tap-${look} ${props.class ?? ''}`}
      disabled={props.disabled === true || why !== undefined}
      onClick={props.type === 'submit' ? undefined : props.onTap}
      {...(pressed === undefined ? {} : { 'aria-pressed': pressed })}
      {...(label === undefined ? {} : { 'aria-label': label })}
    >
      <span class="tap-word">{props.children}</span>
      {props.of !== undefined && <span class="hidden"> {props.of}</span>}
      {(why ?? note) !== undefined && <span class="tap-why">{why ?? note}</span>}
    </button>
  );
}
