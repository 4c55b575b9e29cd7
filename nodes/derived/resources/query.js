/** Form of `gh-query`. */
import { field,            labelOf, lookOf, nameCategory, saveDevice } from './look.js';
import { devicePicker, zoneChoices } from './picker.js';
import {             wordOf } from './red.js';

const within = (least        , most        ) => (value         ) => Number(value) >= least && Number(value) <= most;

export function query(form           )       {
  nameCategory(form);
  window.RED.nodes.registerType           (form.type, {
    ...lookOf(form),
    defaults: {
      name: { value: '' },
      ask: { value: 'latest' },
      pick: { value: 'all' },
      device: { value: '' },
      deviceName: { value: '' },
      zone: { value: '' },
      scenario: { value: '' },
      kind: { value: '' },
      names: { value: '' },
      minutes: { value: 60, validate: within(1, 527_040) },
      limit: { value: 100, validate: within(1, 500) },
    },
    inputs: 1,
    outputs: 1,
    inputLabels() {
      return this._('port.ask');
    },
    outputLabels() {
      return this._('port.answer');
    },
    label() {
      return labelOf(this, this._('label'));
    },
    paletteLabel() {
      return this._('label');
    },
    oneditprepare() {
      for (const { id, words } of form.scenarios) field('scenario').append($('<option>').val(id).text(wordOf(words)));
      field('scenario').val(this.scenario);
      devicePicker(
        field('device'),
        (key) => this._(key),
        () => ({ scenario: String(field('scenario').val() ?? '') }),
      );
      void zoneChoices(field('zone'), this.zone);
      const show = () => {
        $('.gh-row-device').toggle(field('pick').val() === 'device');
        $('.gh-row-zone').toggle(field('pick').val() === 'zone');
        $('.gh-row-past').toggle(field('ask').val() !== 'latest');
        $('.gh-row-limit').toggle(field('ask').val() !== 'count');
      };
      field('pick').on('change', show);
      field('ask').on('change', show);
      show();
    },
    oneditsave() {
      saveDevice(this);
    },
  });
}
