/** Node-RED's settings in the flow process: nothing installable, nothing from the internet, no second login. */
import { fileURLToPath } from 'node:url';
import { inspect, types } from 'node:util';
import { EDITOR_HEADER, verifyEditorToken } from './editor-token.ts';
import type { StartMessage } from './messages.ts';
import { beganWithDeploy } from './trace.ts';

/** Where the editor lives, in the child and behind the gateway's login alike. */
export const EDITOR_ROOT = '/editor';

/** Our palette: derived from the contracts, part of the code, so not writable by the flow process. */
export const paletteDirectory = fileURLToPath(new URL('../../nodes/derived', import.meta.url));

/** Shell, log tail, files and folders of the box are no business of a flow (reliability.md N8). */
const FORBIDDEN_NODES = ['90-exec.js', '28-tail.js', '10-file.js', '23-watch.js'];

/** A node that never says it has closed holds up a deploy, or our end, no longer than this. */
const CLOSE_MS = 3000;

/** Order of the palette: ours first. */
const PALETTE_ORDER = [
  'gh_access',
  'gh_elevator',
  'gh_video',
  'gh_safety',
  'gh_energy',
  'gh_env',
  'gh_notice',
  'gh_core',
  'gh_link',
  'subflows',
  'common',
  'function',
  'sequence',
  'parser',
  'network',
  'storage',
];

const words = {
  'zh-CN': { title: '联动编排', leave: '返回岗亭' },
  'en-US': { title: 'Flows', leave: 'Back to the booth' },
} as const;

interface LogLine {
  readonly level: number;
  readonly msg: unknown;
  readonly type?: string;
  readonly id?: string;
}

/** Node-RED's levels as ours: what it tells about its own life is detail to the core, which reports the outcome itself. */
const levelOf = (level: number): string => (level <= 20 ? 'error' : level === 30 ? 'warn' : 'debug');

/** One JSON line per entry on stdout; the core adds it to its own log. */
function logEntry({ level, msg, type, id }: LogLine): string {
  // Errors of function nodes come from another realm, so `instanceof` does not know them.
  const text = types.isNativeError(msg) ? (msg.stack ?? msg.message) : typeof msg === 'string' ? msg : inspect(msg);
  return JSON.stringify({ level: levelOf(level), msg: text.slice(0, 2000), ...(type && id ? { node: id, type } : {}) });
}

export function flowSettings(start: StartMessage, contextStorage: object, writeLine: (line: string) => void): object {
  return {
    userDir: start.directory,
    flowFile: 'flows.json',
    flowFilePretty: true,
    credentialSecret: start.credentialSecret,
    nodesDir: [paletteDirectory],
    nodesExcludes: FORBIDDEN_NODES,
    httpAdminRoot: EDITOR_ROOT,
    httpNodeRoot: false,
    lang: start.language,
    safeMode: start.safeMode,
    globalFunctionTimeout: start.functionTimeout,
    functionTimeout: start.functionTimeout,
    functionExternalModules: false,
    externalModules: {
      autoInstall: false,
      palette: { allowInstall: false, allowUpload: false },
      modules: { allowInstall: false },
    },
    telemetry: { enabled: false, updateNotification: false },
    diagnostics: { enabled: false, ui: false },
    runtimeState: { enabled: false, ui: false },
    contextStorage,
    nodeCloseTimeout: CLOSE_MS,
    debugMaxLength: 1000,
    nodeMessageBufferMaxLength: 1000,
    editorTheme: {
      tours: false,
      projects: { enabled: false },
      page: { title: words[start.language].title },
      header: { title: words[start.language].title, image: null },
      logout: { redirect: '/' },
      palette: { categories: { order: PALETTE_ORDER } },
      userMenu: false,
      codeEditor: { lib: 'monaco' },
    },
    logging: {
      gatehouse: {
        beganWithDeploy,
        level: 'info',
        metrics: false,
        audit: false,
        handler: () => (line: LogLine) => writeLine(logEntry(line)),
      },
    },
    adminAuth: {
      type: 'credentials',
      users: async (username: string) => ({ username, permissions: 'read' }),
      authenticate: async () => null, // no password form: the gateway's own login is the only way in
      tokens: async (token: string) => verifyEditorToken(start.editorKey, token, Date.now()),
      tokenHeader: EDITOR_HEADER,
    },
    // Read by nodes/gateway.ts; never exported to the editor.
    gatehouse: {
      socket: start.socket,
      token: start.token,
      directory: start.directory,
      beganWithDeploy,
      ...(start.replay ? { replay: true } : {}),
    },
  };
}
