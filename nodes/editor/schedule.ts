/** Form of `gh-schedule`: a list of times, each a line. */
import { type Editing, type Look, lookOf, nameCategory } from './look.ts';

interface Line {
  at?: string;
  time?: string;
  offset?: number | string;
  days?: string;
  from?: string;
  to?: string;
  value?: unknown;
}

interface ScheduleNode {
  name?: string;
  times: Line[];
  graceSeconds: number;
}

const CLOCK = /^([01]?\d|2[0-3])[:：][0-5]\d$/;
const DATE = /^((20\d\d-)?(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01]))?$/;
const DAYS = /^(all|workdays|restdays|[1-7]([,，、\s]+[1-7])*)?$/;

const usable = (line: Line): boolean =>
  (line.at === 'sunrise' || line.at === 'sunset' || CLOCK.test(line.time ?? '')) &&
  DATE.test(line.from ?? '') &&
  DATE.test(line.to ?? '') &&
  DAYS.test(line.days ?? '');

const input = (className: string, width: string, value: unknown, hint: string): JQuery =>
  $('<input type="text">')
    .addClass(className)
    .css({ width })
    .attr('placeholder', hint)
    .val(String(value ?? ''));

const choice = (className: string, values: readonly (readonly [value: string, text: string])[]): JQuery => {
  const select = $('<select>').addClass(className).css({ width: 'auto', marginRight: '4px' });
  for (const [value, text] of values) select.append($('<option>').val(value).text(text));
  return select;
};

/** One line; what it holds is read back from its fields when the form is saved. */
function addLine(box: JQuery, line: Line, translate: Editing['_']): void {
  const say = (key: string) => translate(`schedule.${key}`);
  const at = choice('gh-at', [
    ['time', say('time')],
    ['sunrise', say('sunrise')],
    ['sunset', say('sunset')],
  ]).val(line.at ?? 'time');
  const time = input('gh-time', '64px', line.time ?? '08:00', '08:00');
  const offset = $('<span>').append(input('gh-offset', '56px', line.offset ?? 0, '0'), ` ${say('minutes')}`);
  const known = ['all', 'workdays', 'restdays'];
  const own = line.days !== undefined && line.days !== '' && !known.includes(line.days);
  const days = choice('gh-days', [
    ['all', say('all')],
    ['workdays', say('workdays')],
    ['restdays', say('restdays')],
    ['own', say('weekdays')],
  ]).val(own ? 'own' : line.days || 'all');
  const weekdays = input('gh-weekdays', '90px', own ? line.days : '1,2,3,4,5', '1,2,3');
  const range = $('<span>').append(
    input('gh-from', '84px', line.from, say('from')),
    ' – ',
    input('gh-to', '84px', line.to, say('to')),
  );
  const value = $('<input type="text" class="gh-value">').css({ width: '150px' });
  const show = () => {
    time.toggle(at.val() === 'time');
    offset.toggle(at.val() !== 'time');
    weekdays.toggle(days.val() === 'own');
  };
  at.on('change', show);
  days.on('change', show);
  const row = { display: 'flex', gap: '4px', alignItems: 'center', flexWrap: 'wrap', marginBottom: '4px' };
  box.append($('<div>').css(row).append(at, time, offset, days, weekdays), $('<div>').css(row).append(range, value));
  const type = typeof line.value === 'string' ? 'str' : typeof line.value === 'number' ? 'num' : 'bool';
  value.typedInput({ default: type, types: ['bool', 'str', 'num', 'json'] });
  const object = typeof line.value === 'object' && line.value !== null;
  value.typedInput('type', object ? 'json' : type);
  value.typedInput('value', object ? JSON.stringify(line.value) : String(line.value ?? true));
  show();
}

function valueIn(box: JQuery): unknown {
  const field = box.find('.gh-value');
  const text = String(field.typedInput('value'));
  switch (field.typedInput('type')) {
    case 'num':
      return Number(text);
    case 'bool':
      return text === 'true';
    case 'json':
      try {
        return JSON.parse(text) as unknown;
      } catch {
        return text;
      }
    default:
      return text;
  }
}

function lineIn(box: JQuery): Line {
  const text = (name: string) => String(box.find(`.gh-${name}`).val() ?? '').trim();
  const days = text('days');
  return {
    at: text('at'),
    time: text('time'),
    offset: Number(text('offset')) || 0,
    days: days === 'own' ? text('weekdays') : days,
    from: text('from'),
    to: text('to'),
    value: valueIn(box),
  };
}

export function schedule(form: Look): void {
  nameCategory(form);
  window.RED.nodes.registerType<ScheduleNode>(form.type, {
    ...lookOf(form),
    defaults: {
      name: { value: '' },
      times: {
        value: [{ at: 'time', time: '08:00', offset: 0, days: 'all', from: '', to: '', value: true }],
        validate: (times: unknown) => Array.isArray(times) && times.length > 0 && times.every(usable),
      },
      graceSeconds: { value: 30, validate: (seconds: unknown) => Number(seconds) >= 1 && Number(seconds) <= 3600 },
    },
    inputs: 1,
    outputs: 3,
    inputLabels() {
      return this._('port.askDay');
    },
    outputLabels(index: number) {
      return this._(`port.${['due', 'missed', 'day'][index] ?? 'day'}`);
    },
    label() {
      return this.name || this._('label');
    },
    paletteLabel() {
      return this._('label');
    },
    oneditprepare() {
      const list = $('#node-input-times-list').editableList<Line>({
        addItem: (box, _index, line) => addLine(box, line, (key) => this._(key)),
        removable: true,
        sortable: true,
        height: 220,
      });
      for (const line of this.times) list.editableList('addItem', line);
    },
    oneditsave() {
      const boxes = $('#node-input-times-list').editableList('items');
      const times = boxes.toArray().map((item: HTMLElement) => lineIn($(item)));
      const changed = JSON.stringify(times) !== JSON.stringify(this.times);
      this.times = times;
      return changed;
    },
  });
}
