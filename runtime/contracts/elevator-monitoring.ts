/** Elevator supervision 电梯运行监管 (requirements 2.5): one device is one car, seen through its controller interface. */
import { Type } from 'typebox';
import { defineScenario } from './contract.ts';
import { offline } from './parts.ts';
import { says } from './words.ts';

export const elevatorMonitoring = defineScenario({
  id: 'elevator-monitoring',
  version: 1,
  title: { zh: '电梯运行监管', en: 'Elevator monitoring' },
  category: 'gh-elevator',
  icon: 'building',
  roles: { car: { zh: '轿厢', en: 'Car' } },
  telemetry: {
    floor: Type.Integer({ minimum: -10, maximum: 200, ...says('Floor the car is at or passes.', '楼层') }),
    doorOpen: Type.Boolean(says('The car door is open.', '轿门打开')),
    atFloor: Type.Boolean(says('The car stands level with a floor.', '平层')),
    moving: Type.Boolean(says('The car is moving.', '运行中')),
    trapped: Type.Boolean(says('People are shut in: button in the car, or the controller says so.', '困人')),
    fireMode: Type.Boolean(says('The controller runs the fire programme.', '消防模式')),
    fault: Type.Boolean(says('The controller reports a fault.', '故障')),
  },
  events: {
    'call.fiveParty': {
      words: { zh: '五方通话', en: 'Five-party call' },
      data: Type.Object({ party: Type.String({ maxLength: 32, ...says('Who calls.', '呼叫方') }) }),
    },
  },
  alarms: {
    offline: {
      ...offline,
      priority: 2,
      severity: 'major',
      why: { zh: '离线期间困人不会报警', en: 'People shut in would not be told until it is back' },
    },
    trapped: {
      words: { zh: '电梯困人', en: 'People trapped' },
      severity: 'critical',
      priority: 1,
      why: { zh: '轿厢内的人无法自行脱困', en: 'The people in the car cannot get out by themselves' },
      latching: true,
      hint: { zh: '轿厢停在楼层之间，或有人按了报警按钮', en: 'The car stands between floors, or somebody rings' },
      steps: [
        { zh: '接通轿厢对讲安抚乘客', en: 'Talk to the people in the car' },
        { zh: '呼叫电梯维保救援', en: 'Call the rescue of the elevator firm' },
        { zh: '有人不适拨打 120', en: 'Somebody unwell: call 120' },
        { zh: '不要自行扒门', en: 'Do not force the doors' },
      ],
      when: { point: 'trapped', equals: true },
    },
    fault: {
      words: { zh: '电梯故障', en: 'Elevator fault' },
      severity: 'major',
      priority: 2,
      why: { zh: '故障的电梯可能马上困人', en: 'A faulty elevator may trap people next' },
      hint: { zh: '电梯控制器报故障', en: 'The controller reports a fault' },
      steps: [
        { zh: '确认轿厢无人', en: 'Make sure the car is empty' },
        { zh: '通知电梯维保', en: 'Call the elevator firm' },
      ],
      when: { point: 'fault', equals: true },
    },
    doorLong: {
      words: { zh: '电梯门长时间打开', en: 'Car door open too long' },
      severity: 'minor',
      priority: 3,
      why: { zh: '只影响乘梯，没有危险', en: 'It only keeps people waiting' },
      hint: { zh: '轿门打开超过 3 分钟', en: 'The car door has been open for over three minutes' },
      steps: [{ zh: '查看门口有无障碍物', en: 'See whether something blocks the door' }],
      when: { point: 'doorOpen', equals: true, forMs: 180_000 },
    },
  },
  commands: {
    recall: {
      words: { zh: '迫降首层', en: 'Recall to the ground floor' },
      input: Type.Object({}, { additionalProperties: false }),
      deadlineMs: 5000,
      allow: ['shift-leader', 'admin', 'linkage'], // a request: the controller and firefighters' mode decide
      acts: 'device',
      perMinute: 2,
      failSafe: true,
      proof: { point: 'fireMode', equals: true, withinMs: 3000 },
    },
    endRecall: {
      words: { zh: '取消迫降', en: 'End recall' },
      input: Type.Object({}, { additionalProperties: false }),
      deadlineMs: 5000,
      allow: ['shift-leader', 'admin', 'linkage'],
      acts: 'device',
      perMinute: 2,
    },
  },
});
