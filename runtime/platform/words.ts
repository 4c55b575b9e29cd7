/** What the command line says. Chinese line first, English below. */
import type { Words } from '../contracts/words.ts';

export const words = {
  usage: {
    zh: `用法：
  node runtime/platform/main.ts run --mqtt <地址> | --nats <地址> [--database <地址>] [--name <名称>] [--site <小区>] [--share <组>] [--mqtt-version 4|5] [--ack-wait <秒>] [--hole-grace <秒>]
  node runtime/platform/main.ts report [--gateway <编号>] [--uplink <名称>] [--to-end] [--json] [--database <地址>]`,
    en: `Usage:
  node runtime/platform/main.ts run --mqtt <address> | --nats <address> [--database <address>] [--name <name>] [--site <site>] [--share <group>] [--mqtt-version 4|5] [--ack-wait <seconds>] [--hole-grace <seconds>]
  node runtime/platform/main.ts report [--gateway <id>] [--uplink <name>] [--to-end] [--json] [--database <address>]`,
  },
  gateway: { zh: '网关', en: 'gateway' },
  epoch: { zh: '纪元', en: 'epoch' },
  through: { zh: '完整至', en: 'complete through' },
  behind: { zh: '落后', en: 'behind' },
  held: { zh: '已存', en: 'held' },
  removed: { zh: '已删(有据)', en: 'gaps explained' },
  unexplained: { zh: '无据缺失', en: 'unexplained' },
  duplicates: { zh: '重复', en: 'duplicates' },
  verdict: { zh: '结论', en: 'verdict' },
  complete: { zh: '完整', en: 'complete' },
  incomplete: { zh: '不完整', en: 'INCOMPLETE' },
  hole: { zh: '缺口', en: 'hole' },
  conflict: { zh: '同号异文', en: 'same key, other content' },
  poison: { zh: '无法采信的报文', en: 'messages not believed' },
  falseGap: { zh: '不成立的缺失记录', en: 'gap record that cannot be true' },
  none: { zh: '还没有收到任何网关的数据', en: 'no gateway has been heard of yet' },
} as const satisfies Record<string, Words>;

export type Phrase = keyof typeof words;
