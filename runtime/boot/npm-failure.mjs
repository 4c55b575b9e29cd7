// @ts-check
// Why npm failed, from what it printed: npm's own exit status is 1 for nearly everything.
import { words } from './words.mjs';

const UNREACHABLE =
  /\b(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ECONNABORTED|ETIMEDOUT|ERR_SOCKET_TIMEOUT|EIDLETIMEOUT|ECONNECTIONTIMEOUT|ERESPONSETIMEOUT|ETRANSFERTIMEOUT|EHOSTUNREACH|ENETUNREACH|ENETDOWN|EPROTO|ENOTCACHED)\b/;
const CERTIFICATE =
  /\b(SELF_SIGNED_CERT_IN_CHAIN|DEPTH_ZERO_SELF_SIGNED_CERT|UNABLE_TO_VERIFY_LEAF_SIGNATURE|UNABLE_TO_GET_ISSUER_CERT(?:_LOCALLY)?|CERT_HAS_EXPIRED|CERT_NOT_YET_VALID|ERR_TLS_CERT_ALTNAME_INVALID)\b/;
const REFUSED = /\b(E4\d\d|E5\d\d|ETARGET|ENEEDAUTH)\b/;
const FULL = /\b(ENOSPC|EDQUOT)\b/;
const NOT_WRITABLE = /\b(EACCES|EPERM|EROFS)\b/;
const DAMAGED = /\b(EINTEGRITY|EBADSIZE|TAR_BAD_ARCHIVE|Z_DATA_ERROR)\b/;

/**
 * @param {string[]} lines What npm printed.
 * @param {{ registry: string, folder: string, free: string }} where Named in the message.
 * @returns {import('./words.mjs').Words}
 */
export function explainNpmFailure(lines, { registry, folder, free }) {
  // Requests that failed and then went well on a retry are printed as well, so npm's verdict counts. It gives none when
  // it was ended early, and none about a package that is optional: the Node fetched beside an old one is.
  const said = errorLines(lines);
  const verdict = (said.some((line) => / code |TAR_ENTRY/.test(line)) ? said : failedRequests(lines)).join('\n');
  const first = (/** @type {RegExp} */ pattern) => pattern.exec(verdict)?.[0];
  const full = first(FULL);
  if (full) {
    return words.diskFull(folder, free);
  }
  const certificate = first(CERTIFICATE);
  if (certificate) {
    return words.certificate(registry, certificate);
  }
  const unreachable = first(UNREACHABLE);
  if (unreachable) {
    return words.unreachable(registry, unreachable);
  }
  const refused = first(REFUSED);
  if (refused) {
    return words.refused(registry, refused);
  }
  const notWritable = first(NOT_WRITABLE);
  if (notWritable) {
    return words.notWritable(folder, notWritable);
  }
  const damaged = first(DAMAGED);
  if (damaged) {
    return words.damaged(damaged);
  }
  return words.npmFailed(/code (\S+)/.exec(verdict)?.[1] ?? '?');
}

/**
 * npm's own verdict, without credentials that an address may carry.
 * @param {string[]} lines
 * @returns {string[]}
 */
export function errorLines(lines) {
  return lines.filter((line) => /^npm (error|ERR!|warn tar) (?! {4}at )/.test(line)).map(withoutCredentials);
}

/** @param {string[]} lines */
function failedRequests(lines) {
  return lines.flatMap((line) => {
    const [, code, status] = /^npm http fetch GET (?:.* failed with (\w+)|([45]\d\d) )/.exec(line) ?? [];
    return code ?? (status ? `E${status}` : []);
  });
}

/** @param {string} text */
export function withoutCredentials(text) {
  return text.replace(/(\w+:\/\/)[^/@\s]+@/g, '$1');
}
