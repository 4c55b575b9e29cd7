/** What charging of e-bikes and of cars have in common: a zone that can be cut off, and is made live again on site only. */
import { Type } from 'typebox';
import type { AlarmKind, CommandKind } from './contract.ts';
import { says } from './words.ts';

export const current = Type.Number({ minimum: 0, ...says('Current of the zone.', '电流', 'A') });
export const cutOff = Type.Boolean(says('The zone is cut off.', '已断电'));
export const siteKey = Type.Boolean(says('The key at the cabinet is turned: somebody is there.', '现场钥匙'));

const nothing = Type.Object({}, { additionalProperties: false });

export const overTemperature = {
  words: { zh: '充电过温', en: 'Charging over-temperature' },
  severity: 'critical',
  priority: 1,
  why: { zh: '过热的电池几分钟内会起火', en: 'A battery that hot burns within minutes' },
  latching: true,
  hint: { zh: '插座、枪头或电池过热', en: 'A socket, connector or battery is too hot' },
  steps: [
    { zh: '确认该区域已断电', en: 'Make sure the zone is cut off' },
    { zh: '带灭火器到现场，人员远离', en: 'Go there with an extinguisher, keep people away' },
    { zh: '冒烟或起火拨打 119', en: 'Smoke or fire: call 119' },
    { zh: '检查后现场钥匙恢复供电', en: 'After the check make it live with the key on site' },
  ],
} as const satisfies AlarmKind;

export const cutoffFailed = {
  words: { zh: '充电断电失败', en: 'Charger cut-off failed' },
  severity: 'critical',
  priority: 1,
  why: { zh: '过热的回路还在通电', en: 'What is too hot is still fed' },
  latching: true,
  hint: { zh: '断电后仍有电流，接触器可能粘连', en: 'Current still flows: a contactor may be welded' },
  steps: [
    { zh: '立即到配电柜手动拉闸', en: 'Open the breaker at the cabinet now' },
    { zh: '带灭火器，人员远离', en: 'Take an extinguisher, keep people away' },
  ],
} as const satisfies AlarmKind;

/** Cut off is proved by what flows, never by a relay that says so (reliability.md F4). */
export const cutZone = {
  words: { zh: '断电', en: 'Cut off' },
  input: nothing,
  deadlineMs: 5000,
  allow: ['guard', 'shift-leader', 'admin', 'installer', 'platform', 'linkage', 'flow'],
  acts: 'device',
  failSafe: true,
  proof: { point: 'current', below: 1, withinMs: 5000 },
} as const satisfies CommandKind;

/** By a person who stands at the cabinet: never by a flow, a schedule, a platform or the end of the alarm. */
export const restore = {
  words: { zh: '恢复供电', en: 'Make live again' },
  input: nothing,
  deadlineMs: 5000,
  allow: ['shift-leader', 'admin'],
  acts: 'device',
  perMinute: 2,
  interlocks: [
    {
      point: 'siteKey',
      mustBe: true,
      words: { zh: '须在现场转动配电柜钥匙后恢复', en: 'Turn the key at the cabinet first' },
    },
  ],
  forbiddenWhile: [
    { alarm: 'overTemperature', words: { zh: '过温报警未复位', en: 'The over-temperature alarm is not reset' } },
  ],
  proof: { point: 'cutOff', equals: false, withinMs: 3000 },
} as const satisfies CommandKind;
