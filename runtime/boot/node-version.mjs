// @ts-check
// Syntax of Node 12: this file has to be read by the very versions it turns away.

/** The oldest Node that can install the rest, and fetch a newer Node beside it. @type {[number, number]} */
export const OLDEST = [20, 19];
/** The oldest Node the gateway itself runs on: type stripping without a build, and argon2 in `node:crypto`. @type {[number, number]} */
export const WANTED = [24, 7];

/**
 * @param {string} version As in `process.versions.node`, `24.21.0`.
 * @param {[number, number]} least Major and minor.
 * @returns {boolean}
 */
export function atLeast(version, least) {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major > least[0] || (major === least[0] && minor >= least[1]);
}

/**
 * What to tell somebody whose Node cannot even install the gateway.
 * @param {string} version As in `process.versions.node`.
 * @returns {{ zh: string, en: string } | undefined} Nothing if this Node will do.
 */
export function nodeTooOld(version) {
  if (atLeast(version, OLDEST)) {
    return undefined;
  }
  const least = OLDEST.join('.');
  return {
    zh: `Node ${version} 太旧,需要 ${least} 或更新。请安装 Node 24 LTS (https://nodejs.org 或 nvm install 24),再运行一次。`,
    en: `Node ${version} is too old: ${least} or newer is needed. Install Node 24 LTS (https://nodejs.org or nvm install 24) and run this again.`,
  };
}
