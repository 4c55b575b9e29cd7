/** What the safety linkages record of themselves, as events of the gateway. */
import { Type } from 'typebox';
import type { EventKind } from './contract.ts';
import { commandStates } from './record.ts';
import { says } from './words.ts';

const about = {
  linkage: Type.String(says('Linkage, e.g. L02.', '联动')),
  zone: Type.String(says('Zone it is in, or "compound".', '区域')),
  place: Type.String(says('Zone, device or part of the compound where it acts.', '位置')),
};
const device = Type.String(says('Device.', '设备'));
const detail = Type.Optional(Type.String(says('Why not.', '原因')));

export const linkageEvents = {
  'linkage.started': {
    words: { zh: '联动启动', en: 'Linkage started' },
    data: Type.Object({
      ...about,
      sources: Type.Array(Type.Object({ device, alarm: Type.String(says('Alarm of the device.', '报警')) }), {
        ...says('What triggers it.', '触发'),
      }),
      outputs: Type.Array(Type.Object({ device, command: Type.String(says('Command.', '指令')) }), {
        ...says('What it will do.', '动作'),
      }),
    }),
    lane: 'L0',
  },
  'linkage.output': {
    words: { zh: '联动动作', en: 'Linkage acted' },
    data: Type.Object({
      ...about,
      device,
      command: Type.Optional(Type.String(says('Command sent.', '指令'))),
      point: Type.Optional(Type.String(says('Point watched.', '监视点'))),
      state: Type.Enum(commandStates, says('What came of it.', '结果')),
      tries: Type.Optional(Type.Integer(says('Failures in a row.', '连续失败次数'))),
      detail,
    }),
    lane: 'L0',
  },
  'linkage.ended': {
    words: { zh: '联动结束', en: 'Linkage ended' },
    data: Type.Object({
      ...about,
      reason: Type.Enum(['signal', 'reset', 'longest', 'beaten'], says('Why it ended.', '原因')),
      lastedMs: Type.Integer(says('How long it lasted.', '持续时间', 'ms')),
    }),
    lane: 'L0',
  },
} as const satisfies Record<string, EventKind>;
