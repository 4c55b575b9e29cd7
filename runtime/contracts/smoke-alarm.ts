/** Corridor smoke alarm 楼道烟感 (requirements 4 B, WH#22): a battery detector that speaks for itself, not the fire panel. */
import { Type } from 'typebox';
import { defineScenario } from './contract.ts';
import { lowBattery, offline, tamper } from './parts.ts';
import { says } from './words.ts';

export const smokeAlarm = defineScenario({
  id: 'smoke-alarm',
  version: 1,
  title: { zh: '楼道烟感', en: 'Corridor smoke alarm' },
  category: 'gh-safety',
  icon: 'fire',
  roles: { detector: { zh: '烟感', en: 'Smoke detector' } },
  telemetry: {
    smokeDetected: Type.Boolean(says('The detector is in alarm.', '烟雾报警')),
    smoke: Type.Number({ minimum: 0, maximum: 100, ...says('Obscuration.', '烟雾浓度', '%/m') }),
    battery: Type.Number({ minimum: 0, maximum: 100, ...says('Battery charge.', '电量', '%') }),
    tampered: Type.Boolean(says('Taken off its base.', '防拆')),
  },
  events: {
    'self-test': {
      words: { zh: '自检', en: 'Self test' },
      data: Type.Object({ passed: Type.Boolean(says('Test passed.', '通过')) }),
      lane: 'L2',
    },
  },
  alarms: {
    offline: {
      ...offline,
      priority: 2,
      severity: 'major',
      why: { zh: '离线期间这层楼着火不会报警', en: 'A fire on this floor would not be told until it is back' },
    },
    smoke: {
      words: { zh: '烟雾报警', en: 'Smoke' },
      severity: 'critical',
      priority: 1,
      why: { zh: '火灾在几分钟内危及生命', en: 'A fire threatens lives within minutes' },
      latching: true,
      clearsFalse: true,
      hint: { zh: '楼道有烟或烹饪油烟', en: 'Smoke in the corridor, or cooking fumes' },
      steps: [
        { zh: '立即派人带灭火器到现场', en: 'Send somebody with an extinguisher now' },
        { zh: '打电话给该层住户', en: 'Call the flats of this floor' },
        { zh: '确认火情拨打 119', en: 'Fire confirmed: call 119' },
        { zh: '引导疏散，不乘电梯', en: 'Evacuate by the stairs' },
      ],
      when: { point: 'smokeDetected', equals: true },
    },
    battery: { ...lowBattery, when: { point: 'battery', below: 15, clearAt: 20 } },
    tamper: { ...tamper, when: { point: 'tampered', equals: true } },
  },
  commands: {},
});
