/** Forms of `gh-notice` and `gh-workorder`. */
import { field,            labelOf, lookOf, nameCategory, saveDevice } from './look.js';
import { devicePicker, zoneChoices } from './picker.js';

const minutes = (value         )          => value === '' || value === undefined || Number(value) > 0;

export function notice(form      )       {
  nameCategory(form);
  window.RED.nodes.registerType            (form.type, {
    ...lookOf(form),
    defaults: {
      name: { value: '' },
      title: { value: '' },
      text: { value: '' },
      priority: { value: '4' },
      roles: { value: 'guard' },
      booths: { value: '' },
      screens: { value: '' },
      minutes: { value: '', validate: minutes },
    },
    inputs: 1,
    outputs: 1,
    align: 'right',
    inputLabels() {
      return this._('port.notice');
    },
    outputLabels() {
      return this._('port.noticeSent');
    },
    label() {
      return this.name || this.title || this._('label');
    },
    paletteLabel() {
      return this._('label');
    },
    oneditprepare() {
      void zoneChoices(field('booths'), this.booths);
      devicePicker(
        field('screens'),
        (key) => this._(key),
        () => ({}),
      );
    },
  });
}

export function workOrder(form      )       {
  nameCategory(form);
  window.RED.nodes.registerType           (form.type, {
    ...lookOf(form),
    defaults: {
      name: { value: '' },
      title: { value: '' },
      text: { value: '' },
      priority: { value: '' },
      device: { value: '' },
      deviceName: { value: '' },
      zone: { value: '' },
      assignee: { value: '' },
      dueMinutes: { value: '', validate: minutes },
    },
    inputs: 1,
    outputs: 1,
    align: 'right',
    inputLabels() {
      return this._('port.workorder');
    },
    outputLabels() {
      return this._('port.workorderMade');
    },
    label() {
      return labelOf({ ...this, name: this.name || this.title }, this._('label'));
    },
    paletteLabel() {
      return this._('label');
    },
    oneditprepare() {
      devicePicker(
        field('device'),
        (key) => this._(key),
        () => ({}),
      );
      void zoneChoices(field('zone'), this.zone);
    },
    oneditsave() {
      saveDevice(this);
    },
  });
}
