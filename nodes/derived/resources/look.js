/** How a node looks and is named, and the fields of a form: shared by the forms. */
import { nameOf } from './picker.js';

export const field = (name        )         => $(`#node-input-${name}`);
export const textIn = (name        )         => String(field(name).val() ?? '').trim();

export const labelOf = (
  node                                                                        ,
  type        ,
)         =>
  node.name || (node.pick === 'device' || node.pick === undefined ? node.deviceName || node.device : '') || type;

export const lookOf = ({ category, color, icon }      ) => ({ category, color, icon: `font-awesome/fa-${icon}` });

/** Categories that the settings put in order are made before any node brings their names along. */
export function nameCategory({ type, category }      )       {
  const label = window.RED._(`@gatehouse/nodes/${type}:palette.label.${category}`);
  $(`#red-ui-palette-container-${category}`).data('label', label);
  $(`#red-ui-palette-header-${category} span`).text(label);
}

/** Keeps the name of a picked device beside its id, for the label. */
export function saveDevice(node                                        )       {
  const device = textIn('device');
  if (device !== node.device || nameOf(device) !== '') node.deviceName = nameOf(device);
}
