/** The browser half of our nodes. The pages derived from the contracts call these with what a contract says. */
import {                 checklist,                } from './checklist.js';
import { notice, workOrder } from './duty.js';
import { deployHistory } from './history.js';
import {               field,            labelOf, lookOf, nameCategory, saveDevice } from './look.js';
import { devicePicker, zoneChoices } from './picker.js';
import { query } from './query.js';
import {             wordOf } from './red.js';
import { addReplay } from './replay.js';
import { schedule } from './schedule.js';

/** What all forms save; each node has the ones its form shows. */

const positive = (value         )          => Number(value) > 0 && Number(value) <= 86_400;
const neededFor = (pick        ) =>
  function needed(                         value         )          {
    const chosen = field('pick').val() ?? this.pick;
    return chosen !== pick || (typeof value === 'string' && value.trim() !== '');
  };

const pickDefaults = {
  name: { value: '' },
  pick: { value: 'all' },
  device: { value: '', validate: neededFor('device') },
  deviceName: { value: '' },
  zone: { value: '', validate: neededFor('zone') },
  records: { value: []             },
  maxAgeSeconds: { value: 30, validate: positive },
};

/** Shows the row that the chosen scope needs. */
function preparePick(node                 , scope                              )       {
  const translate = (key        ) => node._(key);
  devicePicker(field('device'), translate, scope);
  void zoneChoices(field('zone'), node.zone);
  const show = () => {
    $('.gh-row-device').toggle(field('pick').val() === 'device');
    $('.gh-row-zone').toggle(field('pick').val() === 'zone');
  };
  field('pick').on('change', show);
  show();
}

let list                       ;
function saveTicks(node       )          {
  const ticked = list?.ticked() ?? [];
  const changed = JSON.stringify(ticked) !== JSON.stringify(node.records);
  node.records = ticked;
  return changed;
}

function scenario(form              )       {
  nameCategory(form);
  const takes = form.commands.length > 0;
  window.RED.nodes.registerType                             (form.type, {
    ...lookOf(form),
    defaults: {
      ...pickDefaults,
      records: { value: [...form.ticked] },
      command: { value: form.commands[0]?.id ?? '' },
    },
    inputs: takes ? 1 : 0,
    outputs: takes ? 2 : 1,
    inputLabels() {
      return this._('port.command');
    },
    outputLabels(index        ) {
      return this._(index === 0 ? 'port.records' : 'port.outcome');
    },
    label() {
      return labelOf(this, this._('label'));
    },
    paletteLabel() {
      return this._('label');
    },
    labelStyle() {
      return this.name ? 'node_label_italic' : '';
    },
    oneditprepare() {
      for (const { id, words } of form.commands) field('command').append($('<option>').val(id).text(wordOf(words)));
      field('command').val(this.command);
      preparePick(this, () => ({ scenario: form.scenario }));
      list = checklist($('#node-input-records-list'), form.groups, this.records, (kind) => this._(`kind.${kind}`));
    },
    oneditsave() {
      saveDevice(this);
      return saveTicks(this);
    },
  });
}

function records(form             )       {
  nameCategory(form);
  window.RED.nodes.registerType                                             (form.type, {
    ...lookOf(form),
    defaults: { ...pickDefaults, records: { value: ['event:*'] }, scenario: { value: '' }, names: { value: '' } },
    inputs: 0,
    outputs: 1,
    outputLabels() {
      return this._('port.records');
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
      preparePick(this, () => ({ scenario: String(field('scenario').val() ?? '') }));
      list = checklist($('#node-input-records-list'), form.groups, this.records, (kind) => this._(`kind.${kind}`));
    },
    oneditsave() {
      saveDevice(this);
      return saveTicks(this);
    },
  });
}

function access(form      )       {
  nameCategory(form);
  window.RED.nodes.registerType                                 (form.type, {
    ...lookOf(form),
    defaults: { name: { value: '' }, gate: { value: '' } },
    inputs: 1,
    outputs: 2,
    inputLabels() {
      return this._('port.read');
    },
    outputLabels(index        ) {
      return this._(index === 0 ? 'port.allowed' : 'port.refused');
    },
    label() {
      return this.name || this._('label');
    },
    paletteLabel() {
      return this._('label');
    },
    oneditprepare() {
      devicePicker(
        field('gate'),
        (key) => this._(key),
        () => ({}),
      );
    },
  });
}

function alarm(form           )       {
  nameCategory(form);
  window.RED.nodes.registerType                                                                                      (
    form.type,
    {
      ...lookOf(form),
      defaults: {
        name: { value: '' },
        action: { value: 'message' },
        device: { value: '' },
        deviceName: { value: '' },
        alarm: { value: '' },
      },
      inputs: 1,
      outputs: 1,
      align: 'right',
      inputLabels() {
        return this._('port.alarm');
      },
      outputLabels() {
        return this._('port.alarmState');
      },
      label() {
        return labelOf(this, this._('label'));
      },
      paletteLabel() {
        return this._('label');
      },
      oneditprepare() {
        const select = field('alarm');
        for (const { scenario: title, kinds } of form.alarms) {
          const group = $('<optgroup>').attr('label', wordOf(title));
          for (const { id, words } of kinds)
            group.append(
              $('<option>')
                .val(id)
                .text(`${wordOf(words)} (${id})`),
            );
          select.append(group);
        }
        select.val(this.alarm);
        devicePicker(
          field('device'),
          (key) => this._(key),
          () => ({}),
        );
      },
      oneditsave() {
        saveDevice(this);
      },
    },
  );
}

window.RED.plugins.registerPlugin('gatehouse-replay', { onadd: addReplay });

// The gateway refuses changes that a foreign page could have sent; no foreign page can set this header.
$.ajaxPrefilter((_options, _original, xhr) => {
  xhr.setRequestHeader('X-Gatehouse', '1');
});

deployHistory();

Object.assign(window, {
  GatehouseNodes: { scenario, records, access, alarm, notice, workOrder, query, schedule },
});
