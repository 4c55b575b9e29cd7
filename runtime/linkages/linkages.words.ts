/** What a linkage lacks, for a person. */
import type { Words } from '../contracts/words.ts';

export const missingWords: Readonly<Record<string, Words>> = {
  'noSource fire-alarm': {
    zh: '没有接入火灾报警控制器或烟感，火警不会联动',
    en: 'No fire panel or smoke detector is connected: a fire will not be noticed',
  },
  'noOutput barrier': { zh: '没有可开启的道闸', en: 'There is no barrier it could open' },
  'noOutput door': { zh: '没有可释放的门', en: 'There is no door it could release' },
  'noOutput warning': { zh: '没有广播或警报器', en: 'There is no loudspeaker or siren' },
};

/** Why a command is refused while a linkage is at work. */
export const forbidding = ({ zh, en }: Words): Words => ({
  zh: `${zh}联动进行中，不能执行`,
  en: `${en}: a safety linkage is at work and forbids it`,
});
export const unsupported = (device: string): Words => ({
  zh: `设备 ${device} 的型号不支持该动作`,
  en: `The model of ${device} cannot do it`,
});
export const silent: Words = { zh: '设备没有应答', en: 'The device does not answer' };
