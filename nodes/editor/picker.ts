/** Device and zone fields: search at the gateway with the live value beside each hit; any id may be typed. */
import { ask, type Hit, type Words, wordOf } from './red.ts';

interface DeviceHit {
  readonly id: string;
  readonly name: string;
  readonly zone: string;
  readonly role: Words;
  readonly link: 'online' | 'offline' | 'unknown';
  readonly live?: { readonly label: Words; readonly value: string; readonly quality: string };
}

type Translate = (key: string) => string;

/** Everything from a device is text, never markup. */
const part = (text: string, style: Partial<CSSStyleDeclaration>): JQuery => {
  const element = $('<span>').text(text);
  Object.assign(element[0]?.style ?? {}, style);
  return element;
};

function labelOf(hit: DeviceHit, translate: Translate): JQuery {
  const live = hit.live ? `${wordOf(hit.live.label)} ${hit.live.value}` : '';
  const value = hit.link === 'online' && hit.live?.quality === 'good' ? live : translate(`picker.${hit.link}`);
  return $('<div class="gh-hit">')
    .css({ display: 'flex', gap: '8px', width: '100%' })
    .append(
      part(hit.name, { fontWeight: 'bold' }),
      part(`${hit.id} · ${wordOf(hit.role)}`, { opacity: '0.7', flex: '1' }),
      part(value, { color: hit.link === 'online' ? '#2e7d32' : '#b71c1c' }),
    );
}

const names = new Map<string, string>();
/** Name of a device that was among the hits, for the label of the node. */
export const nameOf = (id: string): string => names.get(id) ?? '';

/** Only devices of one area, where the site has areas: beside the field, and never saved. */
function areaFilter(input: JQuery, translate: Translate): JQuery {
  const select = $('<select class="gh-picker-area">')
    .css({ width: '28%', marginLeft: '4px' })
    .attr('title', translate('picker.area'))
    .append($('<option>').val('').text(translate('picker.everywhere')));
  input.css({ width: '40%' }).after(select);
  void zoneChoices(select, '');
  select.on('change', () => input.trigger('keyup'));
  return select;
}

/** @param scope narrows the search, read at each key press */
export function devicePicker(input: JQuery, translate: Translate, scope: () => Record<string, string>): void {
  let last: { readonly key: string; readonly hits: Promise<Hit[]> } | undefined;
  const find = async (value: string, query: Record<string, string>): Promise<Hit[]> => {
    const found = await ask<DeviceHit[]>('gh/devices', query);
    for (const { id, name } of found) names.set(id, name);
    // The id that was typed in full comes first: the tabulator takes the first hit.
    const exact = found.filter(({ id }) => id === value);
    const others = found.filter(({ id }) => id !== value);
    return [...exact, ...others].map((hit) => ({ value: hit.id, label: labelOf(hit, translate) }));
  };
  const search = (value: string, done: (hits: Hit[]) => void) => {
    const zone = String(area.val() ?? '');
    const query = { ...scope(), q: value, ...(zone === '' ? {} : { zone }) };
    const key = JSON.stringify(query);
    if (last?.key !== key) last = { key, hits: find(value, query) };
    last.hits.then(done, () => done([{ value, label: part(translate('picker.unreachable'), { color: '#b71c1c' }) }]));
  };
  const area = areaFilter(input, translate);
  input.autoComplete({ minLength: 1, search });
  // Input methods and pasting change the text without the key that the search waits for.
  input.on('input', () => input.trigger('keyup'));
}

/** Fills a select with the zones of the site; one that is gone stays visible, so that nothing changes unseen. */
export async function zoneChoices(select: JQuery, chosen: string): Promise<void> {
  const zones = await ask<{ id: string; name: string }[]>('gh/zones', {}).catch(() => []);
  const known = zones.some(({ id }) => id === chosen) || chosen === '';
  for (const { id, name } of known ? zones : [...zones, { id: chosen, name: chosen }]) {
    select.append($('<option>').val(id).text(name));
  }
  select.val(chosen).trigger('change');
}
