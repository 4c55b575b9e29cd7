/** Alarm kinds that several scenarios share: plain objects, spread in. */
import type { AlarmKind } from './contract.ts';

/** Every device has it: raised by the device host when a device stops answering, cleared when it is back. */
export const offline = {
  words: { zh: '设备离线', en: 'Device offline' },
  severity: 'minor',
  priority: 3,
  why: {
    zh: '一台设备暂时看不到，半小时内处理不会造成危险',
    en: 'One device is not seen for a while; half an hour does no harm',
  },
  behindParent: true,
  cutsOff: true,
  hint: { zh: '断电、断线或设备故障', en: 'No power, a broken line or a faulty device' },
  steps: [
    { zh: '查看供电和网线', en: 'Check power and cable' },
    { zh: '不能恢复时报修', en: 'Call the installer if it does not come back' },
  ],
} as const satisfies AlarmKind;

export const tamper = {
  words: { zh: '防拆报警', en: 'Tamper' },
  severity: 'major',
  priority: 2,
  why: { zh: '有人动手拆设备，可能是作案前兆', en: 'Somebody is at the device: it may come before a crime' },
  hint: { zh: '设备外壳被打开', en: 'The housing was opened' },
  steps: [
    { zh: '派人查看设备', en: 'Send somebody to the device' },
    { zh: '确认不是维修', en: 'Make sure it is not maintenance' },
  ],
} as const satisfies AlarmKind;

export const lowBattery = {
  words: { zh: '电池电量低', en: 'Battery low' },
  severity: 'minor',
  priority: 4,
  why: { zh: '电池还能用几天，本班处理即可', en: 'The battery lasts for days yet; this shift is soon enough' },
  hint: { zh: '电池快用完', en: 'The battery is nearly empty' },
  steps: [{ zh: '一周内更换电池', en: 'Change the battery within a week' }],
} as const satisfies AlarmKind;
