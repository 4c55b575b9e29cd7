/** E-bike charging 电动自行车充电 (requirements 1.4): one device is one zone of sockets behind one cut-off. */
import { Type } from 'typebox';
import { current, cutOff, cutoffFailed, cutZone, overTemperature, restore, siteKey } from './charging.ts';
import { defineScenario } from './contract.ts';
import { offline } from './parts.ts';
import { says } from './words.ts';

export const ebikeCharging = defineScenario({
  id: 'ebike-charging',
  version: 1,
  title: { zh: '电动自行车充电', en: 'E-bike charging' },
  category: 'gh-energy',
  icon: 'plug',
  roles: { zone: { zh: '充电区', en: 'Charging zone' } },
  telemetry: {
    current,
    socketTemp: Type.Number({ minimum: -40, maximum: 300, ...says('Hottest socket.', '插座温度', 'Cel') }),
    smokeDetected: Type.Boolean(says('The smoke detector of the shed is in alarm.', '车棚烟雾')),
    cutOff,
    siteKey,
  },
  events: {},
  alarms: {
    offline: {
      ...offline,
      priority: 2,
      severity: 'major',
      why: { zh: '离线期间过热不会断电', en: 'Overheating would not be cut off until it is back' },
    },
    overTemperature: { ...overTemperature, when: { point: 'socketTemp', above: 75, clearAt: 60 } },
    shedSmoke: {
      words: { zh: '充电区烟雾', en: 'Smoke in the charging shed' },
      severity: 'critical',
      priority: 1,
      why: { zh: '电池起火几分钟内蔓延', en: 'A battery fire spreads within minutes' },
      latching: true,
      clearsFalse: true,
      hint: { zh: '车棚有烟，可能是电池起火', en: 'Smoke in the shed: a battery may be on fire' },
      steps: overTemperature.steps,
      when: { point: 'smokeDetected', equals: true },
    },
    cutoffFailed,
  },
  commands: { cutZone, restore },
});
