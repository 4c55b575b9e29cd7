/** The gateway's own facts: what it records and raises about itself. Not in the palette, not a device. */
import { Type } from 'typebox';
import { scheduleEvents } from './calendar.ts';
import { defineScenario } from './contract.ts';
import { dutyEvents } from './duty.ts';
import { linkageEvents } from './linkage-events.ts';
import { says } from './words.ts';

const operator = { zh: '通知安装维护人员', en: 'Tell the installer' };

const flood = Type.Object({
  booth: Type.String(says('Booth, or "" for the whole compound.', '岗亭')),
  alarms: Type.Integer({ minimum: 0, ...says('Alarms in the last ten minutes.', '近 10 分钟报警数') }),
  since: Type.Integer(says('When it began, UTC.', '开始时间', 'ms')),
  most: Type.Integer({ minimum: 0, ...says('Most in ten minutes so far.', '10 分钟峰值') }),
});

export const gatewayScenario = defineScenario({
  id: 'gateway',
  version: 1,
  title: { zh: '网关', en: 'Gateway' },
  category: 'gh-core',
  icon: 'server',
  roles: {},
  telemetry: {},
  events: {
    ...linkageEvents,
    'clock.stepped': {
      words: { zh: '时钟跳变', en: 'Clock stepped' },
      data: Type.Object({ delta: Type.Number(says('Wall clock against monotonic clock.', '偏差', 'ms')) }),
    },
    'flood.began': { words: { zh: '报警泛滥开始', en: 'Alarm flood began' }, data: flood },
    'flood.ended': { words: { zh: '报警泛滥结束', en: 'Alarm flood ended' }, data: flood },
    ...dutyEvents,
    ...scheduleEvents,
  },
  alarms: {
    lineDown: {
      words: { zh: '通信线路中断', en: 'Line to devices is down' },
      severity: 'minor',
      priority: 3,
      why: { zh: '按线路上最重要的设备提级', en: 'It takes the priority of the most important device on the line' },
      cutsOff: true,
      hint: {
        zh: '总线、串口服务器、交换机或其电源故障，后面的设备都看不到',
        en: 'A bus, serial server, switch or its power supply: every device behind it is out of sight',
      },
      steps: [
        { zh: '检查串口服务器和交换机的供电', en: 'Check the power of the serial server and the switch' },
        { zh: '检查总线两端和网线', en: 'Check both ends of the bus and the cable' },
        operator,
      ],
    },
    uplinkOffline: {
      words: { zh: '平台连接中断', en: 'Platform not reachable' },
      severity: 'minor',
      priority: 3,
      why: { zh: '数据在本地保存，小区照常运行', en: 'Data is kept here and the compound works as before' },
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
      why: { zh: '数据在本地保存，但不会自己恢复', en: 'Data is kept here, but it does not mend by itself' },
      hint: { zh: '平台账号、证书或主题权限不对', en: 'Account, certificate or topic rights are wrong' },
      steps: [operator],
    },
    duplicateClient: {
      words: { zh: '平台连接编号被占用', en: 'Another client uses our id' },
      severity: 'major',
      priority: 3,
      why: { zh: '两台网关互相断线，数据在本地保存', en: 'Two gateways cut each other off; data is kept here' },
      hint: { zh: '另一台网关用了相同的编号', en: 'Another gateway has the same id' },
      steps: [operator],
    },
    flowsDown: {
      words: { zh: '联动流程停止', en: 'Flows stopped' },
      severity: 'major',
      priority: 2,
      why: { zh: '自动放行停止，车辆会在门口排队', en: 'Nothing opens by itself any more, cars queue at the gate' },
      hint: {
        zh: '流程反复出错，已进入安全模式；自动放行停止',
        en: 'The flows failed again and again: safe mode, no automatic opening',
      },
      steps: [{ zh: '车辆改为人工放行', en: 'Open for vehicles by hand' }, operator],
    },
    linkageFailed: {
      words: { zh: '安全联动未执行', en: 'A safety linkage could not act' },
      severity: 'critical',
      priority: 1,
      why: {
        zh: '该开的门、该响的警报没有动作，有人会受伤',
        en: 'A door that should open has not: people may be hurt',
      },
      hint: {
        zh: '设备不在线或没有到位，已多次重试',
        en: 'The device is offline or did not get there; it was tried again',
      },
      steps: [{ zh: '立即派人到现场手动操作', en: 'Send somebody to do it by hand now' }, operator],
    },
    stillHeld: {
      words: { zh: '解除保持失败', en: 'Still held' },
      severity: 'critical',
      priority: 1,
      why: {
        zh: '停住的电梯或锁住的门里可能有人被困',
        en: 'People may be trapped in a stopped lift or behind a locked door',
      },
      hint: {
        zh: '保持时间已到或连接中断，设备没有确认解除，可能仍被锁住或停住',
        en: 'Its time is over or its link is lost, and the device did not confirm that it let go: it may still be locked or stopped',
      },
      steps: [
        { zh: '派人到现场，先看有没有人被困', en: 'Send somebody; first see whether anybody is trapped' },
        { zh: '在现场用按钮或钥匙解除', en: 'Let go on site with button or key' },
        operator,
      ],
    },
    emergencyOpen: {
      words: { zh: '紧急开启', en: 'Emergency opening' },
      severity: 'critical',
      priority: 1,
      why: {
        zh: '有人在岗亭未登录紧急开启：可能有险情，也可能有人趁机进入',
        en: 'Opened in the booth without a log-in: people may be in danger, or somebody got in',
      },
      hint: {
        zh: '岗亭按下了紧急开启',
        en: 'Somebody pressed the emergency opening in a booth',
      },
      steps: [
        { zh: '呼叫岗亭，问明原因', en: 'Call the booth and ask why' },
        { zh: '看影像，需要时派人', en: 'Look at the camera, send somebody if needed' },
        { zh: '险情解除后恢复关闭', en: 'Close again once the danger is over' },
      ],
    },
    flowOff: {
      words: { zh: '联动流程已停用', en: 'A flow was turned off' },
      severity: 'major',
      priority: 2,
      why: { zh: '该流程负责的放行和联动停止，其余照常', en: 'What this flow did is not done any more; the rest is' },
      hint: {
        zh: '该流程反复使流程进程出错，已自动停用；其他流程照常运行',
        en: 'It made the flow process fail again and again and is off; the other flows run',
      },
      steps: [
        { zh: '该流程负责的车道或设备改为人工处理', en: 'Do by hand what this flow did' },
        { zh: '在联动编排中修改该流程，启用后重新部署', en: 'Mend the flow in the editor, enable it and deploy' },
        operator,
      ],
    },
    flowsChanged: {
      words: { zh: '流程文件被改动', en: 'Flow file was changed' },
      severity: 'major',
      priority: 2,
      why: { zh: '可能有人绕过部署改动了流程', en: 'Somebody may have changed flows past a deploy' },
      hint: {
        zh: '流程文件与最后一次部署不一致（损坏或被改动），已恢复最后一次部署的版本',
        en: 'The flow file is not what was deployed last (damaged or changed): the deployed one is back in place',
      },
      steps: [
        { zh: '在部署历史中核对，被替换的文件已另存', en: 'Check the deploy history; the other file is kept' },
        operator,
      ],
    },
    backupFailed: {
      words: { zh: '备份失败', en: 'Backup failed' },
      severity: 'minor',
      priority: 3,
      why: { zh: '旧备份还在，当天处理即可', en: 'The old backups are there; today is soon enough' },
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
      why: { zh: '还有几周时间，到期后才影响连接', en: 'There are weeks left before a connection suffers' },
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
      why: {
        zh: '有人可能在掩盖操作，证据要及时保护',
        en: 'Somebody may be hiding what was done; evidence has to be secured',
      },
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
      why: { zh: '可能缺少一段记录，要尽快核对', en: 'A stretch of records may be missing and has to be checked soon' },
      hint: {
        zh: '数据库损坏或丢失，旧文件已隔离保存',
        en: 'The database was damaged or missing; the old file is kept aside',
      },
      steps: [operator],
    },
    memoryHigh: {
      words: { zh: '网关内存占用过高', en: 'The gateway uses much memory' },
      severity: 'minor',
      priority: 3,
      why: { zh: '目前一切照常，达到上限时会自动有序重启', en: 'All works; at the limit it starts afresh by itself' },
      hint: {
        zh: '可能有内存泄漏，或设备、记录远多于预期',
        en: 'A leak, or far more devices and records than planned',
      },
      steps: [operator],
    },
    storageFull: {
      words: { zh: '存储空间不足', en: 'Storage is filling up' },
      severity: 'minor',
      priority: 3,
      why: { zh: '还有余量，先删除的是旧读数', en: 'There is room left, and old readings go first' },
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
      why: { zh: '仍在正常记录，只是变慢', en: 'Everything is still recorded, only more slowly' },
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
      why: { zh: '小区照常运行，使用原来的配置', en: 'The compound works as before, by the former configuration' },
      hint: { zh: '站点文件有错误，继续使用原配置', en: 'The site file has errors; the former one stays in use' },
      steps: [operator],
    },
  },
  commands: {},
});
