import { type Key, t } from '../words/words.ts';

const shapes: Record<number, string> = {
  1: 'M16 2.5 30.5 29h-29Z',
  2: 'M16 1.5 30.5 16 16 30.5 1.5 16Z',
  3: 'M3 3h26v26H3Z',
  4: 'M16 1.8a14.2 14.2 0 1 1 0 28.4 14.2 14.2 0 0 1 0-28.4Z',
};

/** Shape and number of a priority: colour is never alone. `gone`: its condition is over, so it is an outline. */
export function PriorityMark(props: { priority: number; flash?: boolean; gone?: boolean }) {
  const { priority, flash = false, gone = false } = props;
  return (
    <svg
      class={`mark mark-${priority} ${gone ? 'gone' : ''} ${flash ? `flash flash-${priority}` : ''}`}
      viewBox="0 0 32 32"
      role="img"
      aria-label={priorityWord(priority)}
    >
      <path d={shapes[priority] ?? ''} />
      <text x="16" y={priority === 1 ? 26 : 23} text-anchor="middle">
        {priority}
      </text>
    </svg>
  );
}

export const priorityWord = (priority: number): string => t(`alarm.priority.${priority}` as Key);

/** Cross on a hatched ground: a device that is offline or unknown. */
export function FaultMark() {
  return (
    <svg class="mark mark-fault" viewBox="0 0 32 32" aria-hidden="true">
      <path d="M2 2h28v28H2Z" />
      <path class="cross" d="M9 9l14 14M23 9 9 23" />
    </svg>
  );
}
