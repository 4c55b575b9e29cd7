/**
 * Household gas alarm 燃气泄漏报警 (requirements 4 B, WH#24, at most 20 % LEL): detector and shut-off valve work by
 * themselves; the gateway watches that they did. There is no command: a valve is opened by hand, on site.
 */
import { Type } from 'typebox';
import { defineScenario } from './contract.ts';
import { lowBattery, offline } from './parts.ts';
import { says } from './words.ts';

const windows = { zh: '电话通知住户开窗、不开关电器', en: 'Call the flat: open windows, touch no switch' };
const emergency = { zh: '拨打燃气抢修电话', en: 'Call the gas emergency line' };

export const householdGasAlarm = defineScenario({
  id: 'household-gas-alarm',
  version: 1,
  title: { zh: '燃气泄漏报警', en: 'Household gas alarm' },
  category: 'gh-safety',
  icon: 'tint',
  roles: { detector: { zh: '燃气探测器', en: 'Gas detector' } },
  telemetry: {
    gas: Type.Number({ minimum: 0, maximum: 100, ...says('Gas, of the lower explosive limit.', '燃气浓度', '%') }),
    valveClosed: Type.Boolean(says('The shut-off valve is closed, by its own contact.', '切断阀关闭')),
    battery: Type.Number({ minimum: 0, maximum: 100, ...says('Battery charge.', '电量', '%') }),
  },
  events: {},
  alarms: {
    offline: {
      ...offline,
      priority: 2,
      severity: 'major',
      why: { zh: '离线期间泄漏不会报警', en: 'A leak would not be told until it is back' },
    },
    gasLeak: {
      words: { zh: '燃气泄漏', en: 'Gas leak' },
      severity: 'critical',
      priority: 1,
      why: { zh: '泄漏的燃气随时可能爆炸', en: 'Leaking gas may explode at any moment' },
      latching: true,
      hint: { zh: '燃气浓度达到爆炸下限的 20%', en: 'Gas at 20 % of the lower explosive limit' },
      steps: [windows, { zh: '确认切断阀已关', en: 'Make sure the valve is closed' }, emergency],
      when: { point: 'gas', above: 20, clearAt: 10 },
    },
    valveNotClosed: {
      words: { zh: '燃气阀未关断', en: 'Gas valve did not close' },
      severity: 'critical',
      priority: 1,
      why: { zh: '燃气还在泄漏', en: 'Gas still leaks' },
      latching: true,
      hint: { zh: '报警后切断阀没有关到位', en: 'The valve has not closed after the alarm' },
      steps: [{ zh: '派人关楼栋总阀', en: 'Close the main valve of the building' }, windows, emergency],
    },
    battery: { ...lowBattery, when: { point: 'battery', below: 15, clearAt: 20 } },
  },
  commands: {},
});
