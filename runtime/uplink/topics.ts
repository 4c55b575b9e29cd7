/** Names on the way up and down (design.md 5), and the servers an uplink address names. Pure. */
import { GatehouseError } from '../errors.ts';

export interface UplinkTopics {
  /** Lanes L0 and L1. */
  readonly urgent: string;
  /** Lanes L2 and L3. */
  readonly bulk: string;
  /** Answers to what came down: refused commands, replays. */
  readonly reply: string;
  /** Retained, with a will. */
  readonly status: string;
  readonly command: string;
  /** A nonce is asked for, with which a command is fresh whatever the clocks say. */
  readonly challenge: string;
  readonly replay: string;
  /** Retained by the receiver: `{"encoding":["zstd"]}`. */
  readonly accept: string;
}

/**
 * The characters every broker passes unharmed: a dot or a space in a topic makes NATS close the connection.
 * @throws GatehouseError `uplink.topic`
 */
function checkLevel(level: string): string {
  if (/^[A-Za-z0-9_-]{1,64}$/.test(level)) return level;
  throw new GatehouseError('uplink.topic', `"${level}": a topic level is 1 to 64 of A-Z, a-z, 0-9, _ and -`);
}

/** @throws GatehouseError `uplink.topic` */
export function uplinkTopics(site: string, gateway: string): UplinkTopics {
  const base = `gatehouse/v1/${checkLevel(site)}/${checkLevel(gateway)}`;
  return {
    urgent: `${base}/up/urgent`,
    bulk: `${base}/up/bulk`,
    reply: `${base}/up/reply`,
    status: `${base}/status`,
    command: `${base}/down/command`,
    challenge: `${base}/down/challenge`,
    replay: `${base}/down/replay`,
    accept: `${base}/down/accept`,
  };
}

export interface Server {
  readonly host: string;
  readonly port: number;
  readonly tls: boolean;
}
export interface Credentials {
  readonly username: string;
  readonly password: string;
}

const schemes: Readonly<Record<string, boolean>> = { mqtt: false, tcp: false, mqtts: true, ssl: true, tls: true };

/**
 * Reads `mqtt://user:password@host:1883`, or several servers of one cluster in a comma list, where the later ones may leave
 * out the scheme: `mqtts://n1,n2:8884`. Credentials of the first count for all.
 * @throws GatehouseError `config.invalid`; the text never holds a password.
 */
export function parseAddress(text: string): { servers: Server[]; credentials?: Credentials } {
  const [first = '', ...others] = text.split(',').map((part) => part.trim());
  const scheme = /^([a-z]+):\/\//.exec(first)?.[1] ?? '';
  let credentials: Credentials | undefined;
  const servers = [first, ...others].map((part, index): Server => {
    const url = URL.parse(part.includes('://') ? part : `${scheme}://${part}`);
    const tls = schemes[url?.protocol.slice(0, -1) ?? ''];
    if (!url || tls === undefined || !url.hostname || !/^\/?$/.test(url.pathname)) {
      throw new GatehouseError(
        'config.invalid',
        `Uplink address, server ${index + 1}: expected mqtt://host:port or mqtts://host:port`,
      );
    }
    if (index === 0 && url.username) {
      credentials = { username: decodeURIComponent(url.username), password: decodeURIComponent(url.password) };
    }
    return { host: url.hostname.replace(/^\[|\]$/g, ''), port: Number(url.port) || (tls ? 8883 : 1883), tls };
  });
  return { servers, ...(credentials ? { credentials } : {}) };
}
