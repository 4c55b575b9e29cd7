/** The list of records to tick: a kind as a whole, or its records one by one. */
import {             wordOf } from './red.js';

/** @param label of a kind, translated */
export function checklist(
  box        ,
  groups                      ,
  ticked                   ,
  label                          ,
)            {
  const chosen = new Set(ticked);
  const boxes                                    = [];
  const line = (tick        , text        , className        , look                        )         => {
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
