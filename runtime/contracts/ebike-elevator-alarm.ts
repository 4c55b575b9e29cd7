/**
 * E-bike in the elevator 电动车进电梯报警 (requirements 2.6): one device is the camera, voice and hold contact of one car,
 * in the zone of its elevator.
 */
import { Type } from 'typebox';
import { defineScenario } from './contract.ts';
import { offline } from './parts.ts';
import { says } from './words.ts';

const nothing = Type.Object({}, { additionalProperties: false });

export const ebikeElevatorAlarm = defineScenario({
  id: 'ebike-elevator-alarm',
  version: 1,
  title: { zh: '电动车进电梯报警', en: 'E-bike elevator alarm' },
  category: 'gh-elevator',
  icon: 'bicycle',
  roles: { guard: { zh: '梯控装置', en: 'Car guard' } },
  telemetry: {
    ebikePresent: Type.Boolean(says('The camera sees an e-bike in the car.', '轿厢内有电动车')),
    held: Type.Boolean(says('The hold contact keeps the door open.', '电梯停用保持')),
    atFloor: Type.Boolean(says('The car stands level with a floor.', '平层')),
  },
  events: {},
  alarms: {
    offline: {
      ...offline,
      priority: 2,
      severity: 'major',
      why: { zh: '离线期间电动车可以上楼', en: 'An e-bike could go upstairs meanwhile' },
    },
    ebikeInCar: {
      words: { zh: '电动车进电梯', en: 'E-bike in the elevator' },
      severity: 'major',
      priority: 2,
      why: { zh: '上楼充电的电池是火灾主因', en: 'Batteries charged upstairs are what burns' },
      hint: { zh: '有人推电动车乘梯', en: 'Somebody takes an e-bike into the elevator' },
      steps: [
        { zh: '喊话劝离', en: 'Ask the rider to leave' },
        { zh: '不听劝阻派人到场', en: 'Send somebody if the rider stays' },
        { zh: '离开后电梯自动恢复', en: 'The elevator resumes by itself when it has left' },
      ],
      when: { point: 'ebikePresent', equals: true },
    },
    holdTooLong: {
      words: { zh: '电梯停用超时', en: 'Elevator held too long' },
      severity: 'major',
      priority: 2,
      why: { zh: '电梯已放行，电动车可能上楼', en: 'The elevator runs again and may take the e-bike up' },
      hint: { zh: '超过最长时间，电梯已放行', en: 'The longest time is over: the elevator was let go' },
      steps: [
        { zh: '派人到电梯口', en: 'Send somebody to the elevator' },
        { zh: '检查相机是否误报', en: 'See whether the camera is mistaken' },
      ],
    },
  },
  commands: {
    hold: {
      words: { zh: '停用电梯', en: 'Hold the elevator' },
      input: nothing,
      deadlineMs: 3000,
      allow: ['shift-leader', 'admin', 'installer', 'linkage'],
      acts: 'device',
      perMinute: 2,
      lease: { longestMs: 30_000, release: 'release' },
      interlocks: [
        { point: 'atFloor', mustBe: true, words: { zh: '轿厢不在平层，不能停用', en: 'The car is between floors' } },
      ],
      forbiddenWhile: [
        {
          alarm: 'trapped',
          scenario: 'elevator-monitoring',
          words: { zh: '电梯困人，不能停用', en: 'People are trapped: the elevator must not be held' },
        },
      ],
      proof: { point: 'held', equals: true, withinMs: 3000 },
    },
    release: {
      words: { zh: '放行电梯', en: 'Release the elevator' },
      input: nothing,
      deadlineMs: 5000,
      allow: ['guard', 'shift-leader', 'admin', 'installer', 'linkage', 'flow'],
      acts: 'device',
      failSafe: true,
      proof: { point: 'held', equals: false, withinMs: 3000 },
    },
    speak: {
      words: { zh: '语音提示', en: 'Speak' },
      input: Type.Object(
        {
          clip: Type.Optional(
            Type.Integer({ minimum: 1, maximum: 99, ...says('Number of the announcement; default 1.', '语音编号') }),
          ),
        },
        { additionalProperties: false },
      ),
      deadlineMs: 5000,
      allow: ['guard', 'shift-leader', 'admin', 'installer', 'linkage', 'flow'],
      acts: 'device',
      output: 'voice',
      failSafe: true,
    },
  },
});
