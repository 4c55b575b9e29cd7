/** What the console says at start and when it cannot start. Chinese line first, English below. */
import type { Words } from './contracts/words.ts';

export const words = {
  starting: { zh: '正在启动网关…', en: 'Starting the gateway…' },
  ready: { zh: '门房已启动', en: 'Gatehouse is running' },
  booth: { zh: '岗亭屏幕', en: 'Booth' },
  editor: { zh: '联动编排', en: 'Editor' },
  setup: { zh: '安装维护', en: 'Setup' },
  docs: { zh: '接口文档', en: 'API docs' },
  pushPort: { zh: '相机推送', en: 'Device HTTP' },
  broker: { zh: '设备 MQTT', en: 'Device MQTT' },
  guardLogin: { zh: '保安登录', en: 'Guard log-in' },
  otherLogin: { zh: '其他账号', en: 'Other accounts' },
  platformToken: { zh: '平台令牌', en: 'Platform token' },
  pin: { zh: '密码键', en: 'PIN' },
  password: { zh: '密码', en: 'password' },
  setupCode: { zh: '首次设置码（30 分钟内有效）', en: 'One-time setup code (valid 30 minutes)' },
  demo: {
    zh: '演示小区：模拟设备按真实协议运行，每几秒来一辆车',
    en: 'Demo compound: simulated devices on their real protocols, a car every few seconds',
  },
  stop: { zh: '按 Ctrl+C 停止', en: 'Ctrl+C stops it' },
  stopping: { zh: '正在停止…', en: 'Stopping…' },
  logFile: { zh: '日志', en: 'Log' },
  noBooth: { zh: '岗亭页面还没有构建：运行 npm start', en: 'The booth is not built: run npm start' },
  safety: { zh: '安全模式', en: 'Safety mode' },
  failed: { zh: '无法启动', en: 'Cannot start' },
  portTaken: { zh: '端口被占用', en: 'The port is taken' },
  configWrong: { zh: '配置有误', en: 'The configuration is wrong' },
  siteWrong: { zh: '站点文件有误，没有做任何改动', en: 'The site file has errors; nothing was changed' },
  siteIgnored: {
    zh: '数据目录里已有站点，站点文件未导入；修改请在“安装维护”里进行，或换一个空目录',
    en: 'The data directory has a site already: the site file was not imported. Edit in Setup, or use an empty directory',
  },
  running: { zh: '另一个网关正在使用这个数据目录', en: 'Another gateway is using this data directory' },
  diskFull: {
    zh: '磁盘空间不足，至少需要 256 MB：请清理后重试',
    en: 'Not enough disk space, at least 256 MB is needed: free some and try again',
  },
  demoLoopback: {
    zh: '演示模式只在本机地址上运行：请去掉 GATEHOUSE_HTTP 等变量，或用 --site 指定站点文件',
    en: 'The demo runs on loopback addresses only: unset GATEHOUSE_HTTP and the like, or name a site file with --site',
  },
} as const satisfies Record<string, Words>;

export type Phrase = keyof typeof words;
