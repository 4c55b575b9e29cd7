/** The list of records to tick: a kind as a whole, or its records one by one. */
import { type Words, wordOf } from './red.ts';

export interface TickGroup {
  readonly kind: string;
  /** Empty: only the kind as a whole. */
  readonly items: readonly { readonly id: string; readonly words: Words }[];
}

export interface Checklist {
  ticked(): string[];
}

/** @param label of a kind, translated */
export function checklist(
  box: JQuery,
  groups: readonly TickGroup[],
  ticked: readonly string[],
  label: (kind: string) => string,
): Checklist {
  const chosen = new Set(ticked);
  const boxes: { tick: string; input: JQuery }[] = [];
  const line = (tick: string, text: string, className: string, look: Record<string, string>): JQuery => {
    const input = $('<input type="checkbox">')
      .prop('checked', chosen.has(tick))
      .css({ width: 'auto', margin: '0 6px 0 0' });
    boxes.push({ tick, input });
    box.append(
      $('<label>')
        .addClass(className)
        .css({ display: 'block', width: 'auto', ...look })
        .append(input, document.createTextNode(text)),
    );
    return input;
  };
  for (const { kind, items } of groups) {
    const whole = line(`${kind}:*`, label(kind), 'gh-kind', { fontWeight: 'bold' });
    const single = items.map(({ id, words }) =>
      line(`${kind}:${id}`, `${wordOf(words)} (${id})`, 'gh-item', { paddingLeft: '20px' }),
    );
    const follow = () => {
      for (const input of single) input.prop('disabled', whole.prop('checked'));
    };
    whole.on('change', follow);
    follow();
  }
  return {
    ticked: () => {
      const on = boxes.filter(({ input }) => input.prop('checked')).map(({ tick }) => tick);
      return on.filter((tick) => tick.endsWith(':*') || !on.includes(`${tick.split(':')[0]}:*`));
    },
  };
}
