import type { Words } from '../contracts/words.ts';

/** What is wrong with an entry and what to do about it. `{name}` is filled in; see problem.ts. */
export interface ProblemWords {
  readonly what: Words;
  readonly remedy: Words;
}

export const problemWords = {
  unknownKey: {
    what: { zh: '不认识的键“{key}”', en: 'unknown key `{key}`' },
    remedy: { zh: '可用的键：{known}', en: 'keys that exist here: {known}' },
  },
  unknownKeyNear: {
    what: { zh: '不认识的键“{key}”', en: 'unknown key `{key}`' },
    remedy: { zh: '是不是“{near}”？', en: 'did you mean `{near}`?' },
  },
  missingKey: {
    what: { zh: '缺少“{key}”', en: '`{key}` is missing' },
    remedy: { zh: '补上“{key}: …”', en: 'add `{key}: …`' },
  },
  wrongType: {
    what: { zh: '“{value}”不是{type}', en: '`{value}` is not {type}' },
    remedy: { zh: '这里要写{type}', en: 'write {type} here' },
  },
  notAllowed: {
    what: { zh: '“{value}”不在可选值之内', en: '`{value}` is not one of the choices' },
    remedy: { zh: '可选值：{allowed}', en: 'choices: {allowed}' },
  },
  notAllowedNear: {
    what: { zh: '“{value}”不在可选值之内', en: '`{value}` is not one of the choices' },
    remedy: { zh: '是不是“{near}”？', en: 'did you mean `{near}`?' },
  },
  tooLong: {
    what: {
      zh: '文字太长：{length} 个字符，最多 {limit} 个',
      en: 'text too long: {length} characters, at most {limit}',
    },
    remedy: { zh: '缩短这段文字', en: 'shorten it' },
  },
  empty: {
    what: { zh: '这里不能为空', en: 'this may not be empty' },
    remedy: { zh: '填写内容', en: 'fill it in' },
  },
  tooSmall: {
    what: { zh: '{value} 太小，至少 {limit}', en: '{value} is too small, at least {limit}' },
    remedy: { zh: '改成不小于 {limit} 的数', en: 'use {limit} or more' },
  },
  tooLarge: {
    what: { zh: '{value} 太大，最多 {limit}', en: '{value} is too large, at most {limit}' },
    remedy: { zh: '改成不大于 {limit} 的数', en: 'use {limit} or less' },
  },
  tooMany: {
    what: { zh: '有 {length} 项，最多 {limit} 项', en: '{length} items, at most {limit}' },
    remedy: { zh: '减少项数', en: 'list fewer' },
  },
  badId: {
    what: { zh: '“{value}”不能作编号', en: '`{value}` cannot be an id' },
    remedy: {
      zh: '编号只用小写字母、数字和“-”，以字母或数字开头，最多 63 个字符',
      en: 'an id has lower-case letters, digits and `-`, begins with a letter or digit, at most 63 characters',
    },
  },
  badForm: {
    what: { zh: '“{value}”的写法不对', en: '`{value}` has the wrong form' },
    remedy: { zh: '写法应符合 {pattern}', en: 'it must match {pattern}' },
  },
  badTime: {
    what: { zh: '“{value}”不是一天中的时刻', en: '`{value}` is not a time of day' },
    remedy: { zh: '写成 "07:00"，从 00:00 到 24:00', en: 'write it as "07:00", from 00:00 to 24:00' },
  },
  badInstant: {
    what: { zh: '“{value}”不是日期或时间', en: '`{value}` is not a date or a time' },
    remedy: {
      zh: '写成 2026-05-01、2026-05-01T18:00 或 2026-05-01T18:00+08:00',
      en: 'write 2026-05-01, 2026-05-01T18:00 or 2026-05-01T18:00+08:00',
    },
  },
  badTimeZone: {
    what: { zh: '不认识的时区“{value}”', en: 'unknown time zone `{value}`' },
    remedy: { zh: '例如 Asia/Shanghai', en: 'for example Asia/Shanghai' },
  },
  badPlate: {
    what: { zh: '“{value}”不是号牌', en: '`{value}` is not a plate' },
    remedy: {
      zh: '写全号牌，例如 粤B12345；只用汉字、字母和数字',
      en: 'write the whole plate, letters and digits only',
    },
  },
  misfit: {
    what: { zh: '内容不符合要求', en: 'it does not fit' },
    remedy: { zh: '对照说明检查这一项', en: 'check it against the documentation' },
  },
  controlCharacter: {
    what: { zh: '文字里有看不见的控制字符 {point}', en: 'the text holds an invisible control character {point}' },
    remedy: { zh: '删掉后重新输入', en: 'delete it and type the text again' },
  },
  validityOrder: {
    what: { zh: '有效期的结束不晚于开始', en: 'validity ends before it begins' },
    remedy: { zh: '检查 validFrom 和 validTo', en: 'check validFrom and validTo' },
  },
  noDays: {
    what: { zh: '时间表里没有一天', en: 'the schedule has no days' },
    remedy: { zh: 'days 写 1（周一）到 7（周日）', en: 'days are 1 (Monday) to 7 (Sunday)' },
  },
  plainSecret: {
    what: { zh: '文件里写了明文密码', en: 'a password in plain text' },
    remedy: {
      zh: '用 { env: 环境变量名 } 或 { file: 文件路径 } 代替',
      en: 'use { env: NAME_OF_VARIABLE } or { file: path } instead',
    },
  },
  badUrl: {
    what: { zh: '“{value}”不是上级平台的地址', en: '`{value}` is not the address of a broker' },
    remedy: {
      zh: '写成 mqtts://主机:端口 或 mqtt://主机:端口',
      en: 'write mqtts://host:port or mqtt://host:port',
    },
  },
  scenarioUnknown: {
    what: { zh: '没有场景“{value}”', en: 'no scenario `{value}`' },
    remedy: { zh: '场景编号见 GET /api/v1/scenarios', en: 'scenario ids are listed by GET /api/v1/scenarios' },
  },
  zoneUnknown: {
    what: { zh: '没有区域“{value}”', en: 'no zone `{value}`' },
    remedy: { zh: '在 zones 里建立它，或改正编号', en: 'add it to the zones or correct the id' },
  },
  zoneLoop: {
    what: { zh: '区域“{value}”的上级绕回了自己', en: 'zone `{value}` is its own ancestor' },
    remedy: { zh: '改正 parent', en: 'correct `parent`' },
  },
  personUnknown: {
    what: { zh: '没有人员“{value}”', en: 'no person `{value}`' },
    remedy: { zh: '在 people 里建立，或改正编号', en: 'add the person or correct the id' },
  },
  cameraUnknown: {
    what: { zh: '没有设备“{value}”', en: 'no device `{value}`' },
    remedy: { zh: '在 devices 里建立它，或改正编号', en: 'add it to the devices or correct the id' },
  },
  parentUnknown: {
    what: { zh: '没有设备“{value}”', en: 'no device `{value}`' },
    remedy: {
      zh: 'parent 写前面的交换机、总线或录像机的设备编号',
      en: '`parent` is the switch, bus or recorder in front of it',
    },
  },
  parentLoop: {
    what: { zh: '设备“{value}”绕回了自己', en: '`{value}` is behind this device itself' },
    remedy: { zh: '改正 parent', en: 'correct `parent`' },
  },
  escalationOrder: {
    what: { zh: '升级步骤没有按时间先后排列', en: 'the steps of an escalation are not in the order of their times' },
    remedy: { zh: '每一步的 afterSeconds 要比前一步大', en: 'give each step more afterSeconds than the one before' },
  },
  escalationLate: {
    what: {
      zh: '紧急报警的第一步在 {value} 秒后，最多 60 秒',
      en: 'the first step of priority 1 comes after {value} s, at most 60',
    },
    remedy: { zh: '改为 60 或更小', en: 'use 60 or less' },
  },
  profileUnknown: {
    what: { zh: '没有设备型号“{value}”', en: 'no firmware profile `{value}`' },
    remedy: { zh: '可用型号见 firmware-profiles/', en: 'profiles are the files below firmware-profiles/' },
  },
  profileUnknownNear: {
    what: { zh: '没有设备型号“{value}”', en: 'no firmware profile `{value}`' },
    remedy: { zh: '是不是“{near}”？', en: 'did you mean `{near}`?' },
  },
  addressTaken: {
    what: {
      zh: '设备“{id}”和“{other}”的地址相同：{address}',
      en: '`{id}` and `{other}` have the same address: {address}',
    },
    remedy: { zh: '给其中一台改地址或站号', en: 'give one of them another address or unit number' },
  },
  lineDiffers: {
    what: {
      zh: '设备“{id}”和“{other}”共用线路 {line}，但“{key}”一个是 {value}，一个是 {otherValue}',
      en: '`{id}` and `{other}` share the line {line}, but `{key}` is {value} here and {otherValue} there',
    },
    remedy: { zh: '同一条线路上的参数要一致', en: 'all devices of one line need the same settings' },
  },
  credentialTaken: {
    what: { zh: '凭证“{other}”已经用了这个号码', en: 'credential `{other}` has this value already' },
    remedy: { zh: '一张卡只登记一次', en: 'register a card once only' },
  },
  exists: {
    what: { zh: '“{id}”已经存在', en: '`{id}` exists already' },
    remedy: { zh: '换一个编号，或修改已有的', en: 'take another id or change the existing entry' },
  },
  repeated: {
    what: { zh: '“{id}”出现了两次', en: '`{id}` is there twice' },
    remedy: { zh: '只保留一个', en: 'keep one of them' },
  },
  absent: {
    what: { zh: '没有“{id}”', en: 'there is no `{id}`' },
    remedy: { zh: '检查编号', en: 'check the id' },
  },
  inUse: {
    what: { zh: '“{id}”还在被使用：{users}', en: '`{id}` is still used by {users}' },
    remedy: { zh: '先改掉或删除它们', en: 'change or delete those first' },
  },
  otherSite: {
    what: { zh: '这里已经是小区“{other}”，文件写的是“{id}”', en: 'this is site `{other}`, the file says `{id}`' },
    remedy: { zh: '换一个数据目录，或改正 site.id', en: 'use another data directory or correct site.id' },
  },
} as const satisfies Record<string, ProblemWords>;

/** Names of types, for `wrongType`. */
export const typeWords: Readonly<Record<string, Words>> = {
  string: { zh: '文字', en: 'text' },
  integer: { zh: '整数', en: 'a whole number' },
  number: { zh: '数字', en: 'a number' },
  boolean: { zh: 'true 或 false', en: 'true or false' },
  array: { zh: '列表', en: 'a list' },
  object: { zh: '一组“键: 值”', en: 'a group of `key: value`' },
};

/** Between two types of which either would do. */
export const orWords: Words = { zh: '或', en: ' or ' };
