/** Rows of the edit forms. A row is markup only: what it says comes from the locale file, by key. */
export type FormField =
  | 'name'
  | 'pick'
  | 'device'
  | 'zone'
  | 'scenario'
  | 'records'
  | 'kinds'
  | 'names'
  | 'command'
  | 'maxAge'
  | 'gate'
  | 'action'
  | 'alarmDevice'
  | 'alarm'
  | 'title'
  | 'text'
  | 'priority'
  | 'orderPriority'
  | 'roles'
  | 'booths'
  | 'screens'
  | 'minutes'
  | 'orderTitle'
  | 'orderText'
  | 'orderZone'
  | 'assignee'
  | 'dueMinutes'
  | 'ask'
  | 'kind'
  | 'pastMinutes'
  | 'limit'
  | 'times'
  | 'grace';

export interface Form {
  readonly html: string;
}

interface Row {
  /** Property it edits, and key of its label. */
  readonly property: string;
  readonly icon: string;
  readonly control: string;
  readonly className?: string;
}

const text = (property: string, placeholder?: string): string =>
  `<input type="text" id="node-input-${property}"${placeholder ? ` data-i18n="[placeholder]placeholder.${placeholder}"` : ''}>`;

const select = (property: string, options: readonly (readonly [value: string, key: string])[] = []): string => {
  const lines = options.map(([value, key]) => `<option value="${value}" data-i18n="option.${key}"></option>`);
  return `<select id="node-input-${property}">${lines.join('')}</select>`;
};

const ticks =
  '<div id="node-input-records-list" class="gh-ticks" style="display:inline-block; width:70%; max-height:220px; overflow-y:auto; box-sizing:border-box; padding:4px 8px; border:1px solid var(--red-ui-form-input-border-color, #ccc); border-radius:4px;"></div>';

const number = (property: string, least: number, most: number): string =>
  `<input type="number" id="node-input-${property}" min="${least}" max="${most}" style="width:100px">`;

const priorities = [
  ['1', 'p1'],
  ['2', 'p2'],
  ['3', 'p3'],
  ['4', 'p4'],
] as const;

const rows: Readonly<Record<FormField, Row>> = {
  name: { property: 'name', icon: 'tag', control: text('name') },
  pick: {
    property: 'pick',
    icon: 'crosshairs',
    control: select('pick', [
      ['all', 'all'],
      ['device', 'device'],
      ['zone', 'zone'],
    ]),
  },
  device: { property: 'device', icon: 'microchip', control: text('device', 'device'), className: 'gh-row-device' },
  zone: {
    property: 'zone',
    icon: 'map-marker',
    control: '<select id="node-input-zone"><option value=""></option></select>',
    className: 'gh-row-zone',
  },
  scenario: { property: 'scenario', icon: 'cubes', control: select('scenario', [['', 'everyScenario']]) },
  records: { property: 'records', icon: 'check-square-o', control: ticks },
  kinds: { property: 'kinds', icon: 'check-square-o', control: ticks },
  names: { property: 'names', icon: 'filter', control: text('names', 'names') },
  command: { property: 'command', icon: 'play', control: select('command') },
  maxAge: {
    property: 'maxAgeSeconds',
    icon: 'clock-o',
    control: '<input type="number" id="node-input-maxAgeSeconds" min="1" max="86400" style="width:100px">',
  },
  gate: { property: 'gate', icon: 'sign-in', control: text('gate', 'gate') },
  action: {
    property: 'action',
    icon: 'bell',
    control: select('action', [
      ['message', 'fromMessage'],
      ['raise', 'raise'],
      ['clear', 'clear'],
    ]),
  },
  alarmDevice: { property: 'device', icon: 'microchip', control: text('device', 'alarmDevice') },
  alarm: { property: 'alarm', icon: 'exclamation-triangle', control: select('alarm', [['', 'fromMessage']]) },
  title: { property: 'title', icon: 'header', control: text('title', 'noticeTitle') },
  text: { property: 'text', icon: 'commenting-o', control: text('text', 'noticeText') },
  priority: { property: 'priority', icon: 'sort-amount-asc', control: select('priority', priorities) },
  orderPriority: {
    property: 'priority',
    icon: 'sort-amount-asc',
    control: select('priority', [['', 'fromAlarm'], ...priorities]),
  },
  roles: {
    property: 'roles',
    icon: 'users',
    control: select('roles', [
      ['', 'everybody'],
      ['guard', 'guard'],
      ['shift-leader', 'shift-leader'],
      ['installer', 'installer'],
    ]),
  },
  booths: { property: 'booths', icon: 'home', control: select('booths', [['', 'anyBooth']]) },
  screens: { property: 'screens', icon: 'desktop', control: text('screens', 'screen') },
  minutes: { property: 'minutes', icon: 'clock-o', control: text('minutes', 'noticeMinutes') },
  orderTitle: { property: 'title', icon: 'header', control: text('title', 'orderTitle') },
  orderText: { property: 'text', icon: 'commenting-o', control: text('text', 'orderText') },
  orderZone: { property: 'zone', icon: 'map-marker', control: select('zone', [['', 'noZone']]) },
  assignee: { property: 'assignee', icon: 'user', control: text('assignee', 'assignee') },
  dueMinutes: { property: 'dueMinutes', icon: 'clock-o', control: text('dueMinutes', 'dueMinutes') },
  ask: {
    property: 'ask',
    icon: 'question-circle-o',
    control: select('ask', [
      ['latest', 'latest'],
      ['records', 'recordsAsk'],
      ['count', 'count'],
    ]),
  },
  kind: {
    property: 'kind',
    icon: 'check-square-o',
    className: 'gh-row-past',
    control: select('kind', [
      ['', 'anyKind'],
      ['event', 'event'],
      ['telemetry', 'telemetry'],
      ['alarm', 'alarmKind'],
      ['command', 'commandKind'],
      ['state', 'state'],
    ]),
  },
  pastMinutes: {
    property: 'minutes',
    icon: 'history',
    className: 'gh-row-past',
    control: number('minutes', 1, 527_040),
  },
  limit: { property: 'limit', icon: 'list-ol', className: 'gh-row-limit', control: number('limit', 1, 500) },
  times: { property: 'times', icon: 'calendar', control: '<ol id="node-input-times-list"></ol>' },
  grace: { property: 'graceSeconds', icon: 'hourglass-half', control: number('graceSeconds', 1, 3600) },
};

/** Name of the property a row edits; also the key of its line in the help. */
export const propertyOf = (field: FormField): string => rows[field].property;

export function formOf(fields: readonly FormField[]): Form {
  const line = (field: FormField): string => {
    const { property, icon, control, className } = rows[field];
    const top = control === ticks ? ' style="vertical-align:top"' : '';
    const label = `<label${top} for="node-input-${property}"><i class="fa fa-${icon}"></i> <span data-i18n="field.${property}"></span></label>`;
    return `  <div class="form-row${className ? ` ${className}` : ''}">${label}${control}</div>`;
  };
  return { html: fields.map(line).join('\n') };
}
