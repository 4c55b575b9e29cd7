/**
 * Where the gateway is and what proves who we are. The flow process of a gateway is handed a Unix socket at its start; a
 * Node-RED of somebody else names an address, a token made by an administrator, and the certificate to trust.
 */
import { readFileSync } from 'node:fs';
import type { Red } from './red.ts';
import { isObject, textOf } from './shapes.ts';

interface Common {
  readonly token: string;
  /** Where the position in the journal and the schedules are kept. */
  readonly directory: string;
  /** History is played back: what stands behind the socket only writes down what would be done. */
  readonly replay: boolean;
}
export interface LocalConnection extends Common {
  readonly socket: string;
}
export interface RemoteConnection extends Common {
  /** `https://host[:port]`; plain HTTP only on this machine. */
  readonly url: URL;
  /** PEM; absent: a certificate that the system trusts. */
  readonly ca?: string;
}
export type Connection = LocalConnection | RemoteConnection;

const LOOPBACK = /^(localhost|127(\.\d+){3}|\[::1\])$/;

function urlOf(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol === 'https:' || (url?.protocol === 'http:' && LOOPBACK.test(url.hostname))) return url;
  throw new Error(`gatehouse.url ${text.slice(0, 100)}: expected https://host:port (http only on this machine)`);
}

/** A certificate as text, or the name of the file that holds it. */
const pemOf = (text: string): string => (text.startsWith('-----BEGIN') ? text : readFileSync(text, 'utf8'));

function read(settings: Readonly<Record<string, unknown>>, userDir: string | undefined): Connection {
  const { env } = process;
  const [token, socket] = [textOf(settings.token) ?? textOf(env.GATEHOUSE_TOKEN), textOf(settings.socket)];
  const [url, ca] = [
    textOf(settings.url) ?? textOf(env.GATEHOUSE_URL),
    textOf(settings.ca) ?? textOf(env.GATEHOUSE_CA),
  ];
  const directory = textOf(settings.directory) ?? userDir;
  if (token === undefined || directory === undefined || (socket === undefined && url === undefined)) {
    throw new Error('No gateway: settings.gatehouse needs url and token (or GATEHOUSE_URL and GATEHOUSE_TOKEN)');
  }
  const common = { token, directory, replay: settings.replay === true };
  if (socket !== undefined) return { ...common, socket };
  return { ...common, url: urlOf(url ?? ''), ...(ca === undefined ? {} : { ca: pemOf(ca) }) };
}

const known = new WeakMap<object, Connection>();
/** For a Node-RED that says everything by its environment. */
const ENVIRONMENT: Readonly<Record<string, unknown>> = {};

/** The one connection of this process. @throws Error naming what is missing from the settings */
export function connectionOf({ settings }: Red): Connection {
  const given = isObject(settings.gatehouse) ? settings.gatehouse : ENVIRONMENT;
  const made = known.get(given) ?? read(given, textOf(settings.userDir));
  known.set(given, made);
  return made;
}
