/** What a gateway in safety mode says, on the console, on every page and in every answer. Chinese line first, English below. */
import type { Words } from './contracts/words.ts';

export interface SafetyWords {
  readonly title: Words;
  /** What is wrong. */
  readonly what: Words;
  /** What goes on and what does not. */
  readonly meanwhile: Words;
  /** What to do, one after the other or one instead of the other. */
  readonly remedies: readonly Words[];
}

const meanwhile: Words = {
  zh: '网关已停在安全模式：没有写入任何数据，不控制任何设备。道闸、门禁、消防联动的硬接线不受影响，请人工值守。',
  en: 'The gateway stands in safety mode: it writes nothing and controls nothing. Hard-wired gates, doors and fire links are not affected; attend to them by hand.',
};

/** @param copies made before upgrades, below the data directory, newest first */
export const newerWords = (file: string, found: number, known: number, copies: readonly string[]): SafetyWords => ({
  title: { zh: '数据库由更新的版本写成', en: 'The database was written by a newer version' },
  what: {
    zh: `${file} 的结构版本是 ${found}，本程序只认识到 ${known}。继续写入会损坏数据。`,
    en: `${file} has schema version ${found}; this program knows versions up to ${known}. Writing to it would damage it.`,
  },
  meanwhile,
  remedies: [
    {
      zh: '推荐：重新安装更新的版本，数据原样可用。',
      en: 'Best: install the newer version again; the data is as it was.',
    },
    copies.length > 0
      ? {
          zh: `要留在旧版本：停止网关，把 gatehouse.db、gatehouse.db-wal、gatehouse.db-shm 移到别处，再把升级前的备份 backups/${copies[0]} 复制为 gatehouse.db。升级之后的记录不在其中，网关会开始新的纪元。`,
          en: `To stay with the old version: stop the gateway, move gatehouse.db, gatehouse.db-wal and gatehouse.db-shm away, and copy backups/${copies[0]}, made before the upgrade, to gatehouse.db. It has no records from after the upgrade; the gateway begins a new epoch.`,
        }
      : {
          zh: '要留在旧版本：用升级前的备份恢复到一个空目录 (npm run gatehouse -- restore)。',
          en: 'To stay with the old version: restore a backup from before the upgrade into an empty directory (npm run gatehouse -- restore).',
        },
  ],
});

export const unwritableWords = (directory: string, code: string): SafetyWords => ({
  title: { zh: '数据目录不能写入', en: 'The data directory cannot be written' },
  what: {
    zh: `不能写入 ${directory} (${code})。没有存储，就不能记录，也不能执行指令。`,
    en: `Cannot write to ${directory} (${code}). Without storage nothing can be recorded and no command carried out.`,
  },
  meanwhile,
  remedies: [
    {
      zh: '检查磁盘是否变成只读 (dmesg、mount)：多半是存储损坏，请更换。',
      en: 'See whether the disk has become read-only (dmesg, mount): mostly it is failing and must be replaced.',
    },
    {
      zh: '检查目录的所有者和权限：它属于运行网关的用户，权限 0700。',
      en: 'Check owner and rights of the directory: it belongs to the user the gateway runs as, with mode 0700.',
    },
  ],
});

export const again: Words = {
  zh: '每 30 秒检查一次，问题消除后网关自动启动。',
  en: 'Looked at every 30 seconds; once it is mended the gateway starts by itself.',
};
