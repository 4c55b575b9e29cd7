/** Perimeter protection 周界防范 (requirements 2.8): one device is one zone of beams or fence. */
import { Type } from 'typebox';
import { defineScenario } from './contract.ts';
import { offline, tamper } from './parts.ts';
import { says } from './words.ts';

export const perimeterGuard = defineScenario({
  id: 'perimeter-guard',
  version: 1,
  title: { zh: '周界防范', en: 'Perimeter guard' },
  category: 'gh-safety',
  icon: 'shield',
  roles: { zone: { zh: '防区', en: 'Zone' } },
  telemetry: {
    zoneState: Type.Enum(['armed', 'disarmed', 'alarm', 'fault'], says('State of the zone.', '防区状态')),
    fenceVoltage: Type.Number({ minimum: 0, maximum: 20, ...says('Fence voltage.', '围栏电压', 'kV') }),
    beamLevel: Type.Number({ minimum: 0, maximum: 100, ...says('Beam level.', '对射强度', '%') }),
    tampered: Type.Boolean(says('The housing is open.', '防拆')),
  },
  events: {
    'zone.armed': { words: { zh: '布防', en: 'Armed' }, data: Type.Object({}), lane: 'L2' },
    'zone.disarmed': { words: { zh: '撤防', en: 'Disarmed' }, data: Type.Object({}), lane: 'L2' },
  },
  alarms: {
    offline: {
      ...offline,
      priority: 2,
      severity: 'major',
      why: { zh: '离线期间这一段围墙没有防护', en: 'This stretch of wall is unguarded until it is back' },
    },
    intrusion: {
      words: { zh: '周界入侵', en: 'Perimeter intrusion' },
      severity: 'major',
      priority: 1,
      why: {
        zh: '有人正在翻越围墙，一分钟内就会进入楼栋',
        en: 'Somebody is climbing in and is at the buildings within a minute',
      },
      hint: { zh: '有人翻越，或树枝、动物触发', en: 'Somebody climbing, or a branch or animal' },
      steps: [
        { zh: '看影像', en: 'Look at the camera' },
        { zh: '喊话', en: 'Speak over the loudspeaker' },
        { zh: '派人到现场', en: 'Send a patrol' },
        { zh: '确认入侵报警 110', en: 'Intrusion confirmed: call 110' },
      ],
      when: { point: 'zoneState', equals: 'alarm' },
    },
    zoneFault: {
      words: { zh: '防区故障', en: 'Zone fault' },
      severity: 'major',
      priority: 2,
      why: {
        zh: '这一段围墙没有防护，也可能是被人剪断',
        en: 'This stretch of wall is unguarded, and may have been cut on purpose',
      },
      hint: { zh: '围栏断线或对射失去电源', en: 'The fence is cut or a beam has no power' },
      steps: [
        { zh: '加强该区巡更', en: 'Patrol the zone more often' },
        { zh: '报修', en: 'Call repair' },
      ],
      when: { point: 'zoneState', equals: 'fault' },
    },
    lowVoltage: {
      words: { zh: '围栏电压低', en: 'Fence voltage low' },
      severity: 'minor',
      priority: 3,
      why: { zh: '围栏仍在工作，只是威慑变弱', en: 'The fence still works, only more weakly' },
      hint: { zh: '围栏搭上树枝或漏电', en: 'A branch on the fence, or a leak' },
      steps: [{ zh: '巡查围栏', en: 'Walk along the fence' }],
      when: { point: 'fenceVoltage', below: 4, clearAt: 5, forMs: 5000 },
    },
    tamper: { ...tamper, when: { point: 'tampered', equals: true } },
  },
  commands: {
    arm: {
      words: { zh: '布防', en: 'Arm' },
      input: Type.Object({}, { additionalProperties: false }),
      deadlineMs: 5000,
      allow: ['guard', 'shift-leader', 'admin', 'flow', 'installer', 'platform'],
      acts: 'device',
      proof: { point: 'zoneState', equals: 'armed', withinMs: 3000 },
    },
    disarm: {
      words: { zh: '撤防', en: 'Disarm' },
      input: Type.Object({}, { additionalProperties: false }),
      deadlineMs: 5000,
      allow: ['shift-leader', 'admin', 'installer'],
      acts: 'device',
      proof: { point: 'zoneState', equals: 'disarmed', withinMs: 3000 },
    },
  },
});
