import type { Words } from '../contracts/words.ts';

/** Why a vehicle or credential may pass or not, as the guard reads it. `{name}` is filled in by explain.ts. */
export const accessWords = {
  resident: { zh: '业主车辆', en: 'resident vehicle' },
  visitor: { zh: '访客车辆', en: 'visitor' },
  visitorUntil: { zh: '访客车辆，有效至{when}', en: 'visitor, valid until {when}' },
  staff: { zh: '工作人员车辆', en: 'staff vehicle' },
  credential: { zh: '凭证有效', en: 'valid credential' },
  unread: { zh: '没有识别到号牌', en: 'no plate was read' },
  unknown: { zh: '不在白名单', en: 'not on the list' },
  blocked: { zh: '黑名单', en: 'on the block list' },
  notYetValid: { zh: '{when}起有效', en: 'valid from {when}' },
  expiredToday: { zh: '今天 {time} 已过期', en: 'expired today at {time}' },
  expiredYesterday: { zh: '昨天已过期', en: 'expired yesterday' },
  expiredDaysAgo: { zh: '{days} 天前已过期', en: 'expired {days} days ago' },
  expiredOn: { zh: '{date} 已过期', en: 'expired on {date}' },
  outsideSchedule: { zh: '只限{hours}', en: 'only {hours}' },
  wrongGate: { zh: '只限{zones}', en: 'only for {zones}' },
  today: { zh: '今天 {time}', en: 'today {time}' },
  tomorrow: { zh: '明天 {time}', en: 'tomorrow {time}' },
  onDate: { zh: '{date} {time}', en: '{date} {time}' },
  hours: { zh: ' {from}-{to}', en: '{from}-{to}' },
  hoursOverMidnight: { zh: ' {from}-次日 {to}', en: '{from}-{to} the next day' },
  dayRange: { zh: '{first}至{last}', en: '{first} to {last}' },
} as const satisfies Record<string, Words>;

/** Monday first. */
export const dayWords: readonly Words[] = [
  { zh: '周一', en: 'Mon' },
  { zh: '周二', en: 'Tue' },
  { zh: '周三', en: 'Wed' },
  { zh: '周四', en: 'Thu' },
  { zh: '周五', en: 'Fri' },
  { zh: '周六', en: 'Sat' },
  { zh: '周日', en: 'Sun' },
];

/** Between the parts of a list, and between days and hours. */
export const listWords: Words = { zh: '、', en: ', ' };
export const gapWords: Words = { zh: '', en: ' ' };
