/** Where the gateway listens and keeps its data: flags win over the environment (design.md 5). */
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { GatehouseError, reasonOf } from './errors.ts';

export interface Listen {
  readonly host: string;
  readonly port: number;
}
export interface Config {
  readonly dataDir: string;
  readonly siteFile?: string;
  readonly http: Listen;
  readonly devices: Listen;
  readonly mqtt: Listen;
  readonly uplink?: string;
  readonly logLevel: string;
  /** Plain lines for a person on the console, logs into a file. */
  readonly console: boolean;
  readonly demoPassword?: string;
  readonly demoPin?: string;
  readonly demoToken?: string;
}

const LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'];

export const isLoopback = (host: string): boolean =>
  host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);

/** @param text `host:port`, `[v6]:port` or a port alone. @throws GatehouseError `config.invalid` naming the variable */
export function parseListen(name: string, text: string): Listen {
  const match = /^(?:(\[[0-9a-fA-F:]+\]|[^:[\]]+):)?(\d{1,5})$/.exec(text);
  const port = Number(match?.[2]);
  if (!match || port > 65_535) {
    throw new GatehouseError('config.invalid', `${name}=${text}: expected host:port, for example 127.0.0.1:8080`);
  }
  return { host: match[1]?.replace(/^\[|\]$/g, '') ?? '127.0.0.1', port };
}

/** @throws GatehouseError `config.invalid` naming the flag or variable and what it should be */
export function readConfig(argv: readonly string[], env: Readonly<Record<string, string | undefined>>): Config {
  const flags = parseFlags(argv);
  const level = flags.log ?? env.GATEHOUSE_LOG ?? 'info';
  if (!LEVELS.includes(level))
    throw new GatehouseError('config.invalid', `GATEHOUSE_LOG=${level}: expected one of ${LEVELS.join(', ')}`);
  const siteFile = flags.site ?? env.GATEHOUSE_SITE;
  const uplink = flags.uplink ?? env.GATEHOUSE_UPLINK;
  const pin = env.GATEHOUSE_DEMO_PIN;
  if (pin !== undefined && !/^\d{6}$/.test(pin))
    throw new GatehouseError('config.invalid', 'GATEHOUSE_DEMO_PIN: expected six digits');
  return {
    dataDir: resolve(flags.data ?? env.GATEHOUSE_DATA ?? 'data'),
    http: parseListen('GATEHOUSE_HTTP', flags.http ?? env.GATEHOUSE_HTTP ?? '127.0.0.1:8080'),
    devices: parseListen('GATEHOUSE_DEVICES', flags.devices ?? env.GATEHOUSE_DEVICES ?? '127.0.0.1:8081'),
    mqtt: parseListen('GATEHOUSE_MQTT', flags.mqtt ?? env.GATEHOUSE_MQTT ?? '127.0.0.1:1883'),
    logLevel: level,
    console: flags.console ?? false,
    ...(siteFile === undefined || siteFile === '' ? {} : { siteFile: resolve(siteFile) }),
    ...(uplink === undefined || uplink === '' ? {} : { uplink }),
    ...(env.GATEHOUSE_DEMO_PASSWORD === undefined ? {} : { demoPassword: env.GATEHOUSE_DEMO_PASSWORD }),
    ...(pin === undefined ? {} : { demoPin: pin }),
    ...(env.GATEHOUSE_DEMO_TOKEN === undefined ? {} : { demoToken: env.GATEHOUSE_DEMO_TOKEN }),
  };
}

function parseFlags(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      options: {
        site: { type: 'string' },
        data: { type: 'string' },
        http: { type: 'string' },
        devices: { type: 'string' },
        mqtt: { type: 'string' },
        uplink: { type: 'string' },
        log: { type: 'string' },
        console: { type: 'boolean' },
      },
    }).values;
  } catch (error) {
    throw new GatehouseError('config.invalid', reasonOf(error), { cause: error });
  }
}
