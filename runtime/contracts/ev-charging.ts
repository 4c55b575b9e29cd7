/** EV charging bays 电动汽车充电 (requirements 1.5): one device is one zone of piles behind one cut-off. */
import { Type } from 'typebox';
import { current, cutOff, cutoffFailed, cutZone, overTemperature, restore, siteKey } from './charging.ts';
import { defineScenario } from './contract.ts';
import { offline } from './parts.ts';
import { says } from './words.ts';

export const evCharging = defineScenario({
  id: 'ev-charging',
  version: 1,
  title: { zh: '电动汽车充电', en: 'EV charging' },
  category: 'gh-energy',
  icon: 'bolt',
  roles: { zone: { zh: '充电区', en: 'Charging zone' } },
  telemetry: {
    current,
    connectorTemp: Type.Number({ minimum: -40, maximum: 300, ...says('Hottest connector.', '枪头温度', 'Cel') }),
    emergencyStop: Type.Boolean(says('An emergency stop is pressed.', '急停按下')),
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
    overTemperature: { ...overTemperature, when: { point: 'connectorTemp', above: 90, clearAt: 70 } },
    emergencyStop: {
      words: { zh: '充电急停', en: 'Charging emergency stop' },
      severity: 'major',
      priority: 2,
      why: { zh: '有人认为有危险', en: 'Somebody saw a danger' },
      hint: { zh: '有人按下急停按钮', en: 'Somebody pressed the emergency stop' },
      steps: [{ zh: '看影像并派人到现场', en: 'Look at the camera, send somebody' }],
      when: { point: 'emergencyStop', equals: true },
    },
    cutoffFailed,
  },
  commands: { cutZone, restore },
});
