/** The gateway's own facts: what it records and raises about itself. Not in the palette, not a device. */
import { Type } from 'typebox';
import { defineScenario } from './contract.ts';
import { says } from './words.ts';

const operator = { zh: '通知安装维护人员', en: 'Tell the installer' };

export const gatewayScenario = defineScenario({
  id: 'gateway',
  version: 1,
  title: { zh: '网关', en: 'Gateway' },
  category: 'gh-core',
  icon: 'server',
  roles: {},
  telemetry: {},
  events: {
    'clock.stepped': {
      words: { zh: '时钟跳变', en: 'Clock stepped' },
      data: Type.Object({ delta: Type.Number(says('Wall clock against monotonic clock.', '偏差', 'ms')) }),
    },
  },
  alarms: {
    uplinkOffline: {
      words: { zh: '平台连接中断', en: 'Platform not reachable' },
      severity: 'minor',
      priority: 3,
      hint: {
        zh: '外网或平台故障，数据在本地保存，恢复后补传',
        en: 'Line or platform down; data is kept and sent later',
      },
      steps: [{ zh: '检查外网线路', en: 'Check the outside line' }, operator],
    },
    uplinkRefused: {
      words: { zh: '平台拒绝连接', en: 'Platform refuses the gateway' },
      severity: 'major',
      priority: 3,
      hint: { zh: '平台账号、证书或主题权限不对', en: 'Account, certificate or topic rights are wrong' },
      steps: [operator],
    },
    duplicateClient: {
      words: { zh: '平台连接编号被占用', en: 'Another client uses our id' },
      severity: 'major',
      priority: 3,
      hint: { zh: '另一台网关用了相同的编号', en: 'Another gateway has the same id' },
      steps: [operator],
    },
    flowsDown: {
      words: { zh: '联动流程停止', en: 'Flows stopped' },
      severity: 'major',
      priority: 2,
      hint: {
        zh: '流程反复出错，已进入安全模式；自动放行停止',
        en: 'The flows failed again and again: safe mode, no automatic opening',
      },
      steps: [{ zh: '车辆改为人工放行', en: 'Open for vehicles by hand' }, operator],
    },
    backupFailed: {
      words: { zh: '备份失败', en: 'Backup failed' },
      severity: 'minor',
      priority: 3,
      hint: {
        zh: '今天没有新的备份；旧备份仍在',
        en: 'There is no new backup today; the old ones are still there',
      },
      steps: [
        { zh: '检查磁盘空间和数据目录权限', en: 'Check disk space and the rights of the data directory' },
        operator,
      ],
    },
    certificateExpiring: {
      words: { zh: '证书即将到期', en: 'Certificate runs out' },
      severity: 'minor',
      priority: 3,
      hint: {
        zh: '到期后浏览器和设备将拒绝连接',
        en: 'Browsers and devices will refuse to connect once it has run out',
      },
      steps: [{ zh: '在 tls 目录换上新证书', en: 'Put a new certificate into the tls folder' }, operator],
    },
    auditBroken: {
      words: { zh: '审计记录被改动', en: 'Audit records were tampered with' },
      severity: 'major',
      priority: 2,
      hint: {
        zh: '审计链对不上：有记录被修改、删除或插入',
        en: 'The audit chain does not hold: a record was changed, removed or slipped in',
      },
      steps: [
        { zh: '用 gatehouse audit verify 查看是哪些记录', en: 'See which records with gatehouse audit verify' },
        operator,
      ],
    },
    journalRecovered: {
      words: { zh: '记录库已重建', en: 'Journal was rebuilt' },
      severity: 'major',
      priority: 2,
      hint: {
        zh: '数据库损坏或丢失，旧文件已隔离保存',
        en: 'The database was damaged or missing; the old file is kept aside',
      },
      steps: [operator],
    },
    storageFull: {
      words: { zh: '存储空间不足', en: 'Storage is filling up' },
      severity: 'minor',
      priority: 3,
      hint: {
        zh: '旧数据按优先级删除，火警等紧急记录始终保留',
        en: 'Old data goes by priority; urgent records such as fire alarms always stay',
      },
      steps: [{ zh: '检查平台连接和磁盘空间', en: 'Check the line to the platform and the disk' }, operator],
    },
    walLarge: {
      words: { zh: '数据库日志过大', en: 'Write-ahead log is too large' },
      severity: 'minor',
      priority: 3,
      hint: {
        zh: '磁盘过慢，或有程序长时间占用数据库',
        en: 'The disk is too slow, or a program holds the database open',
      },
      steps: [operator],
    },
    siteRejected: {
      words: { zh: '站点配置未生效', en: 'Site file rejected' },
      severity: 'minor',
      priority: 3,
      hint: { zh: '站点文件有错误，继续使用原配置', en: 'The site file has errors; the former one stays in use' },
      steps: [operator],
    },
  },
  commands: {},
});
