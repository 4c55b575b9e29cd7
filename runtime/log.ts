import { type DestinationStream, type Logger, pino } from 'pino';

export type Log = Logger;

/** Keys whose values never reach a log line, at any of the first three levels. */
const SECRET_KEYS = ['password', 'pin', 'token', 'secret', 'key', 'authorization', 'cookie', 'setupCode'];
const redact = SECRET_KEYS.flatMap((key) => [key, `*.${key}`, `*.*.${key}`]);

/**
 * JSON logs, one child logger per device, uplink or child process.
 * @param level `error` needs a person, `warn` may, `info` is life cycle, `debug` is frames.
 */
export const createLog = (level: string, destination?: DestinationStream): Log =>
  pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime, redact }, destination ?? pino.destination(1));

/** For tests and for parts built without a logger. */
export const silentLog: Log = pino({ level: 'silent' });
