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
  | 'alarm';

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
