/** Public broadcast 公共广播 (requirements 3.2): one device is one zone of loudspeakers, or a siren. */
import { Type } from 'typebox';
import { defineScenario } from './contract.ts';
import { offline } from './parts.ts';
import { says } from './words.ts';

const nothing = Type.Object({}, { additionalProperties: false });
const people = ['guard', 'shift-leader', 'admin', 'installer'] as const;
/** The announcement every amplifier has as its first: leave by the stairs. */
const EVACUATION = 1;

export const publicBroadcast = defineScenario({
  id: 'public-broadcast',
  version: 1,
  title: { zh: '公共广播', en: 'Public broadcast' },
  category: 'gh-notice',
  icon: 'bullhorn',
  roles: {
    amplifier: { zh: '广播分区', en: 'Broadcast zone' },
    siren: { zh: '声光警报器', en: 'Siren' },
  },
  telemetry: {
    clip: Type.Integer({
      minimum: 0,
      maximum: 99,
      ...says('Recording that plays now; 0 none, 1 evacuation.', '正在播放'),
    }),
    speakerFault: Type.Boolean(says('The loudspeaker line is faulty.', '扬声器故障')),
    sounding: Type.Boolean(says('The siren sounds.', '警报器鸣响')),
  },
  events: {},
  alarms: {
    offline: {
      ...offline,
      priority: 2,
      severity: 'major',
      why: { zh: '火警时无法广播疏散', en: 'No evacuation message could be played in a fire' },
    },
    speakerFault: {
      words: { zh: '广播线路故障', en: 'Loudspeaker fault' },
      severity: 'minor',
      priority: 3,
      why: { zh: '只影响一个分区的广播', en: 'It only silences one zone' },
      hint: { zh: '扬声器线路断开或短路', en: 'The loudspeaker line is cut or shorted' },
      steps: [{ zh: '报修', en: 'Call repair' }],
      when: { point: 'speakerFault', equals: true },
    },
  },
  commands: {
    evacuate: {
      words: { zh: '播放疏散广播', en: 'Play the evacuation message' },
      input: nothing,
      deadlineMs: 5000,
      allow: [...people, 'linkage'],
      acts: 'device',
      failSafe: true,
      proof: { point: 'clip', equals: EVACUATION, withinMs: 3000 },
    },
    play: {
      words: { zh: '播放', en: 'Play' },
      input: Type.Object(
        {
          clip: Type.Optional(
            Type.Integer({ minimum: 2, maximum: 99, ...says('Number of the recording; default 2.', '录音编号') }),
          ),
        },
        { additionalProperties: false },
      ),
      deadlineMs: 5000,
      allow: [...people, 'flow', 'platform'],
      acts: 'device',
      perMinute: 6,
    },
    stop: {
      words: { zh: '停止播放', en: 'Stop' },
      input: nothing,
      deadlineMs: 5000,
      allow: [...people, 'flow', 'linkage'],
      acts: 'device',
      proof: { point: 'clip', equals: 0, withinMs: 3000 },
    },
    sirenOn: {
      words: { zh: '启动警报器', en: 'Siren on' },
      input: nothing,
      deadlineMs: 5000,
      allow: [...people, 'linkage', 'flow'],
      acts: 'device',
      failSafe: true,
      escalates: { input: {}, stop: 'sirenOff' },
      proof: { point: 'sounding', equals: true, withinMs: 3000 },
    },
    sirenOff: {
      words: { zh: '关闭警报器', en: 'Siren off' },
      input: nothing,
      deadlineMs: 5000,
      allow: [...people, 'linkage', 'flow'],
      acts: 'device',
      proof: { point: 'sounding', equals: false, withinMs: 3000 },
    },
  },
});
