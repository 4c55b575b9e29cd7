/** Forms of `gh-notice` and `gh-workorder`. */
import { field, type Look, labelOf, lookOf, nameCategory, saveDevice } from './look.ts';
import { devicePicker, zoneChoices } from './picker.ts';

const minutes = (value: unknown): boolean => value === '' || value === undefined || Number(value) > 0;

interface NoticeNode {
  name?: string;
  title: string;
  text: string;
  priority: string;
  roles: string;
  booths: string;
  screens: string;
  minutes: string;
}

export function notice(form: Look): void {
  nameCategory(form);
  window.RED.nodes.registerType<NoticeNode>(form.type, {
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

interface OrderNode {
  name?: string;
  title: string;
  text: string;
  priority: string;
  device: string;
  deviceName: string;
  zone: string;
  assignee: string;
  dueMinutes: string;
}

export function workOrder(form: Look): void {
  nameCategory(form);
  window.RED.nodes.registerType<OrderNode>(form.type, {
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
