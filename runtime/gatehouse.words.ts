/** What the command line says. Chinese line first, English below. */
import type { Words } from './contracts/words.ts';

export const words = {
  usage: {
    zh: `用法：npm run gatehouse -- <命令> [选项]

  backup                     立即备份；网关可以正在运行
      --config               只备份配置，不含记录
      --out <文件>           写到这里 (默认 <数据目录>/backups)
      --passphrase           另加口令，在别的机器上也能打开
  backups                    已有的备份
  check <备份文件>           完整校验一个备份，不写任何东西
  restore <备份文件>         恢复到一个空目录；网关随后开始新的纪元
      --after-epoch <n>      平台见过的最大纪元，如果比备份里的新
  audit verify               校验审计记录，指出被改动的编号
  flows test                 用保存的回放检验已部署的流程，不动任何设备
  salvaged                   从损坏的数据库里抢救出的记录
  salvaged <名称>            把其中一份导出为 NDJSON，每行一条，与接口格式相同
      --out <文件>           写到这里 (默认标准输出)
  outage                     外网中断时，这块磁盘能撑多久
  help                       本说明

  --data <目录>              数据目录 (默认 GATEHOUSE_DATA 或 ./data)；restore 的目标目录
  --key <文件>               备份密钥 (默认备份所在数据目录的 secrets/backup.key)
  口令从环境变量 GATEHOUSE_PASSPHRASE 读取，没有则在终端询问。`,
    en: `Usage: npm run gatehouse -- <command> [options]

  backup                     makes a backup now; the gateway may be running
      --config               configuration only, no records
      --out <file>           writes it there (default <data>/backups)
      --passphrase           can also be opened elsewhere, with a passphrase
  backups                    the backups there are
  check <archive>            proves a whole archive and writes nothing
  restore <archive>          restores into an empty directory; the gateway then begins a new epoch
      --after-epoch <n>      highest epoch the platform has seen, if newer than the one in the archive
  audit verify               proves the audit records, names by number what was tampered with
  flows test                 tries the deployed flows on the replays that were saved; nothing moves
  salvaged                   records salvaged from damaged databases
  salvaged <name>            exports one of them as NDJSON, a record a line, as the API has them
      --out <file>           writes it there (default standard output)
  outage                     how long this disk lasts while the line is down
  help                       this text

  --data <directory>         data directory (default GATEHOUSE_DATA or ./data); where restore goes
  --key <file>               backup key (default secrets/backup.key of the data directory the archive lies in)
  The passphrase is read from GATEHOUSE_PASSPHRASE, or asked for on the terminal.`,
  },
  wrongUsage: { zh: '命令或选项不对', en: 'Wrong command or option' },
  made: { zh: '备份完成', en: 'Backup made' },
  keyHint: {
    zh: '它只能用本机的 secrets/backup.key 打开：请把密钥另存别处，或加 --passphrase',
    en: 'Only secrets/backup.key of this box opens it: keep a copy of that key elsewhere, or use --passphrase',
  },
  noReplays: { zh: '还没有保存的回放', en: 'No replay has been saved yet' },
  noFlows: { zh: '还没有部署过流程', en: 'No flow has been deployed yet' },
  flowSame: { zh: '相同', en: 'same' },
  flowOther: { zh: '不同', en: 'different' },
  flowFailed: { zh: '没有运行', en: 'did not run' },
  flowExpected: { zh: '应当', en: 'expected' },
  flowWould: { zh: '现在', en: 'now' },
  none: { zh: '还没有备份', en: 'There is no backup yet' },
  sound: { zh: '备份完好', en: 'The archive is sound' },
  restored: { zh: '恢复完成', en: 'Restored' },
  restoredNext: {
    zh: '用这个数据目录启动网关即可；它会开始新的纪元，平台据此识别',
    en: 'Start the gateway on this data directory; it begins a new epoch, by which the platform knows',
  },
  askPassphrase: { zh: '口令', en: 'Passphrase' },
  portable: { zh: '有口令', en: 'with passphrase' },
  full: { zh: '全部', en: 'full' },
  config: { zh: '仅配置', en: 'config only' },
  noGateway: { zh: '这个目录里没有网关的数据', en: 'There is no gateway’s data in this directory' },
  'backup.damaged': {
    zh: '备份损坏或被改动过，没有写任何东西。换一个备份。',
    en: 'The archive is damaged or was changed; nothing was written. Take another one.',
  },
  'backup.format': { zh: '不是本版本能读的备份', en: 'Not an archive this version can read' },
  'backup.key': {
    zh: '密钥或口令打不开这个备份：它来自另一台机器，或口令有误。用 --key 指定那台机器的 backup.key，或输入口令。',
    en: 'Neither key nor passphrase opens this archive: it is of another box, or the passphrase is wrong. Name that box’s backup.key with --key, or give the passphrase.',
  },
  'backup.not_empty': {
    zh: '目标目录不是空的，没有写任何东西。换一个空目录。',
    en: 'The target directory is not empty; nothing was written. Name an empty one.',
  },
  'backup.passphrase': { zh: '口令至少 12 个字符', en: 'A passphrase has at least 12 characters' },
  'backup.room': { zh: '磁盘空间不足', en: 'Not enough disk space' },
  auditSound: { zh: '审计记录完整', en: 'The audit records are whole' },
  auditBroken: { zh: '审计记录被改动过', en: 'The audit records were tampered with' },
  auditChecked: { zh: '条已校验', en: 'checked' },
  auditRemoved: { zh: '条按保存期限删除', en: 'removed by retention' },
  'audit.altered': { zh: '被修改', en: 'altered' },
  'audit.missing': { zh: '缺失', en: 'missing' },
  'audit.unchained': { zh: '插入的', en: 'slipped in' },
  'audit.mark': { zh: '保存期限的标记不对', en: 'the mark of retention is wrong' },
  'journal.newer': {
    zh: '数据库由更新的版本写成，请用那个版本',
    en: 'The database was written by a newer version; use that version',
  },
  noneSalvaged: { zh: '没有抢救出的记录', en: 'No salvaged records' },
  records: { zh: '条记录', en: 'records' },
  torn: { zh: '条已残缺', en: 'torn' },
  salvagedWritten: { zh: '导出完成', en: 'Exported' },
  alreadyThere: { zh: '文件已存在，没有写任何东西', en: 'The file is there already; nothing was written' },
  notFound: { zh: '找不到文件', en: 'File not found' },
  notWritable: { zh: '不能写入', en: 'Cannot write' },
} as const satisfies Record<string, Words>;

export type Phrase = keyof typeof words;
