/** Pedestrian access control 人行门禁 (requirements 1.1): one device is one door with its lock. */
import { Type } from 'typebox';
import { defineScenario } from './contract.ts';
import { offline, tamper } from './parts.ts';
import { says } from './words.ts';

const nothing = Type.Object({}, { additionalProperties: false });
const look = { zh: '看影像确认现场', en: 'Look at the camera' };
const people = ['guard', 'shift-leader', 'admin', 'installer'] as const;

export const pedestrianGate = defineScenario({
  id: 'pedestrian-gate',
  version: 1,
  title: { zh: '人行门禁', en: 'Pedestrian gate' },
  category: 'gh-access',
  icon: 'male',
  roles: { door: { zh: '门', en: 'Door' } },
  telemetry: {
    doorOpen: Type.Boolean(says('Door contact: the door stands open.', '门打开')),
    lockState: Type.Enum(
      ['locked', 'unlocked', 'released'],
      says('Lock by its own contacts; released: held open for escape.', '门锁状态'),
    ),
    tampered: Type.Boolean(says('The housing is open.', '防拆')),
  },
  events: {
    'passage.granted': {
      words: { zh: '通行', en: 'Passage granted' },
      data: Type.Object({
        credential: Type.Optional(Type.String({ maxLength: 32, ...says('Kind of credential.', '凭证类型') })),
      }),
    },
    'passage.denied': {
      words: { zh: '拒绝通行', en: 'Passage denied' },
      data: Type.Object({ reason: Type.String({ maxLength: 64, ...says('Reason code.', '原因') }) }),
    },
  },
  alarms: {
    offline: {
      ...offline,
      priority: 2,
      severity: 'major',
      why: { zh: '门禁失控，人员进出无法核对', en: 'The door is not controlled: nobody checks who comes and goes' },
    },
    heldOpen: {
      words: { zh: '门未关', en: 'Door held open' },
      severity: 'minor',
      priority: 3,
      why: { zh: '门开着谁都能进，但半小时内补救即可', en: 'Anybody can walk in, but half an hour is soon enough' },
      hint: { zh: '门打开超过 2 分钟', en: 'The door has been open for over two minutes' },
      steps: [look, { zh: '派人关门', en: 'Have it closed' }],
      when: { point: 'doorOpen', equals: true, forMs: 120_000 },
    },
    tamper: { ...tamper, when: { point: 'tampered', equals: true } },
  },
  commands: {
    open: {
      words: { zh: '开门', en: 'Open' },
      input: nothing,
      deadlineMs: 5000,
      allow: [...people, 'flow', 'platform'],
      acts: 'device',
      perMinute: 6,
    },
    release: {
      words: { zh: '疏散常开', en: 'Release for escape' },
      input: nothing,
      deadlineMs: 5000,
      allow: [...people, 'linkage'],
      acts: 'device',
      failSafe: true,
      emergency: true,
      proof: { point: 'lockState', equals: 'released', withinMs: 3000 },
    },
    endRelease: {
      words: { zh: '恢复门禁', en: 'End release' },
      input: nothing,
      deadlineMs: 5000,
      allow: ['shift-leader', 'admin', 'installer', 'linkage'],
      acts: 'device',
      perMinute: 6,
    },
    lock: {
      words: { zh: '封门', en: 'Lock down' },
      input: nothing,
      deadlineMs: 5000,
      allow: ['shift-leader', 'admin', 'installer'],
      acts: 'device',
      perMinute: 6,
      lease: { longestMs: 60_000, release: 'unlock' },
      proof: { point: 'lockState', equals: 'locked', withinMs: 3000 },
    },
    unlock: {
      words: { zh: '解除封门', en: 'End lock-down' },
      input: nothing,
      deadlineMs: 5000,
      allow: [...people, 'linkage'],
      acts: 'device',
      failSafe: true,
    },
  },
});
