// @ts-check
// What people see before anything is installed. The gateway's own texts live in its locale files, which need packages.

/** @typedef {{ zh: string, en: string }} Words */

const offline = {
  zh: '现场没有外网:在能联网的同型号电脑上运行一次 npm start,再把 node_modules 和 runtime/boot/node24/node_modules 拷过来。',
  en: 'No internet on site: run npm start on a connected machine of the same kind, then copy node_modules and runtime/boot/node24/node_modules here.',
};

export const words = {
  usage: () => ({
    zh: '用法:npm start [-- --site 文件]、npm test [-- 测试文件]、npm run bench [-- 名称]、npm run faults [-- --seed 数 --only 名称 --long]、npm run gatehouse -- help',
    en: 'Usage: npm start [-- --site FILE], npm test [-- TEST FILE], npm run bench [-- NAME], npm run faults [-- --seed N --only NAME --long], npm run gatehouse -- help',
  }),
  fetchNode: (/** @type {string} */ found, /** @type {string} */ wanted) => ({
    zh: `本机 Node ${found},下载 Node ${wanted} 放在一旁 (仅一次)`,
    en: `This machine has Node ${found}; fetching Node ${wanted} beside it (once)`,
  }),
  noNodeForPlatform: (/** @type {string} */ platform) => ({
    zh: `没有适合 ${platform} 的 Node 24 可下载。请自行安装 Node 24 (https://nodejs.org),再运行一次。`,
    en: `There is no Node 24 to fetch for ${platform}. Install Node 24 yourself (https://nodejs.org) and run this again.`,
  }),
  installPackages: () => ({ zh: '安装依赖包', en: 'Installing packages' }),
  fetched: (/** @type {number} */ count) => ({ zh: `已取 ${count} 个文件`, en: `${count} files fetched` }),
  retrying: (/** @type {string} */ code) => ({
    zh: `仓库没有回应 (${code}),正在重试`,
    en: `the registry does not answer (${code}), trying again`,
  }),
  otherInstall: () => ({ zh: '另一个安装正在进行,等它结束', en: 'Another install is running; waiting for it' }),
  buildBooth: () => ({ zh: '构建岗亭画面', en: 'Building the booth screens' }),
  noBooth: () => ({
    zh: '缺少 runtime/booth/vite.config.ts:岗亭画面不构建。',
    en: 'runtime/booth/vite.config.ts is missing: the booth screens are not built.',
  }),
  boothFailed: () => ({
    zh: '岗亭画面构建失败,原因见上。',
    en: 'The booth screens could not be built; the reason is above.',
  }),
  installSystem: (/** @type {string[]} */ names) => ({
    zh: `安装测试用的系统软件包:${names.join(' ')}`,
    en: `Installing system packages for the tests: ${names.join(' ')}`,
  }),
  systemMissing: (/** @type {string} */ line) => ({
    zh: `缺少测试用的系统软件包,用到它们的测试会失败。请运行:\n    ${line}`,
    en: `System packages for the tests are missing; the tests that need them will fail. Run:\n    ${line}`,
  }),
  coreEnded: (/** @type {string} */ how, /** @type {number} */ seconds) => ({
    zh: `网关退出 (${how}),${seconds} 秒后重新启动`,
    en: `The gateway ended (${how}); starting it again in ${seconds} s`,
  }),
  coreKilled: () => ({ zh: '网关没有反应,已强制结束', en: 'The gateway does not respond and was killed' }),
  unreachable: (/** @type {string} */ registry, /** @type {string} */ code) => ({
    zh: `连不上软件包仓库 ${registry} (${code})。\n  请检查网络、代理 (npm config get proxy) 和仓库地址 (npm config get registry)。\n  ${offline.zh}`,
    en: `npm cannot reach the package registry ${registry} (${code}).\n  Check the network, the proxy (npm config get proxy) and the address (npm config get registry).\n  ${offline.en}`,
  }),
  refused: (/** @type {string} */ registry, /** @type {string} */ code) => ({
    zh: `软件包仓库 ${registry} 拒绝了请求 (${code})。\n  请检查仓库地址 (npm config get registry)、登录和代理;镜像可能缺包,可换一个。\n  ${offline.zh}`,
    en: `The package registry ${registry} refused (${code}).\n  Check its address (npm config get registry), log-in and proxy; a mirror may lack a package, try another.\n  ${offline.en}`,
  }),
  certificate: (/** @type {string} */ registry, /** @type {string} */ code) => ({
    zh: `软件包仓库 ${registry} 的证书不受信任 (${code})。\n  多半是公司代理:npm config set cafile <代理的 CA 证书>;并核对本机时间。`,
    en: `The certificate of the package registry ${registry} is not trusted (${code}).\n  Mostly a company proxy: npm config set cafile <CA file of the proxy>; and check this machine's clock.`,
  }),
  diskFull: (/** @type {string} */ path, /** @type {string} */ free, needed = '1.2 GB') => ({
    zh: `磁盘空间不足:${path} 剩余 ${free},安装需要约 ${needed}。\n  请清理磁盘 (df -h;npm cache clean --force),再运行一次。`,
    en: `The disk is full: ${free} free at ${path}, the install needs about ${needed}.\n  Make room (df -h; npm cache clean --force) and run this again.`,
  }),
  notWritable: (/** @type {string} */ path, /** @type {string} */ code) => ({
    zh: `不能写入 ${path} (${code})。\n  请用拥有该文件夹的用户运行,或改正权限 (chown)。`,
    en: `Cannot write to ${path} (${code}).\n  Run as the user who owns the folder, or correct its owner (chown).`,
  }),
  damaged: (/** @type {string} */ code) => ({
    zh: `下载的软件包与 package-lock.json 不符 (${code})。\n  请运行 npm cache clean --force 后重试;仍不行就换仓库地址。`,
    en: `A package fetched does not match package-lock.json (${code}).\n  Run npm cache clean --force and try again; if it stays so, use another registry.`,
  }),
  npmFailed: (/** @type {string} */ code) => ({
    zh: `npm 安装失败 (${code}),原因见上。`,
    en: `npm could not install (${code}); the reason is above.`,
  }),
};
