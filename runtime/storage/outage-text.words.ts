/** What `gatehouse outage` says. */
import type { Words } from '../contracts/words.ts';

export const words = {
  disk: {
    zh: '数据库 {used} GB，可用 {room} GB；每天约 {perDay} 条记录（按最近 {hours} 小时测得）',
    en: 'Database {used} GB of {room} GB; about {perDay} records a day (measured over {hours} hours)',
  },
  unmeasured: {
    zh: '还没有测得数据量：网关运行几分钟后再问',
    en: 'No rates measured yet: ask again when the gateway has run for some minutes',
  },
  L3: {
    zh: 'L3 测量值：断网约 {hours} 小时（{days} 天）后开始抽稀',
    en: 'L3 readings: thinned after {hours} hours ({days} days) without the line',
  },
  L3Never: { zh: 'L3 测量值：断网 {years} 年内不会丢失', en: 'L3 readings: nothing lost within {years} years' },
  L2: {
    zh: 'L2 状态变化：断网约 {hours} 小时（{days} 天）后开始删除',
    en: 'L2 state changes: dropped after {hours} hours ({days} days) without the line',
  },
  L2Never: { zh: 'L2 状态变化：断网 {years} 年内不会丢失', en: 'L2 state changes: nothing lost within {years} years' },
  L1: {
    zh: 'L1 通行与设备报警：断网约 {hours} 小时（{days} 天）后开始删除',
    en: 'L1 passages and device alarms: dropped after {hours} hours ({days} days) without the line',
  },
  L1Never: {
    zh: 'L1 通行与设备报警：断网 {years} 年内不会丢失',
    en: 'L1 passages and device alarms: nothing lost within {years} years',
  },
  L0: {
    zh: 'L0 火警、求助、审计：从不删除',
    en: 'L0 fire, SOS, audit: never dropped',
  },
} as const satisfies Record<string, Words>;

export type OutagePhrase = keyof typeof words;
