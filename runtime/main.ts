/** The core process: reads the configuration, starts the gateway, ends it in order. */
import { writeSync } from 'node:fs';
import { failureText, safetyText, saying } from './announce.ts';
import { showLife } from './boot/life.ts';
import { systemClock } from './clock.ts';
import { type Config, readConfig } from './config.ts';
import { GatehouseError, reasonOf } from './errors.ts';
import { CannotStart, EXIT } from './exit.ts';
import { type Gateway, startGateway } from './gateway.ts';
import { createLog } from './log.ts';
import { type Safety, safetyLines, safetyReason, startSafety } from './safety.ts';

const STOP_MS = 10_000;

/**
 * Synchronous, so that the last words of a process that ends are there. Where nobody reads them any more, because whoever
 * started this process has gone, they are lost: the process must end all the same.
 */
function write(stream: 1 | 2, text: string): void {
  try {
    writeSync(stream, text);
  } catch {
    // nobody is there to tell
  }
}
const say = (text: string) => write(1, `${text}\n`);

function cannotStart(error: unknown): CannotStart | undefined {
  if (error instanceof CannotStart) return error;
  if (!(error instanceof GatehouseError)) {
    const { code } = error as NodeJS.ErrnoException;
    return code === 'ENOSPC' || code === 'SQLITE_FULL'
      ? new CannotStart(EXIT.config, 'diskFull', [reasonOf(error)])
      : undefined;
  }
  if (error.code === 'http.port_taken') return new CannotStart(EXIT.taken, 'portTaken', [error.message]);
  const final = ['config.invalid', 'http.listen', 'profile.invalid', 'site.unreadable'];
  return final.includes(error.code) ? new CannotStart(EXIT.config, 'configWrong', [error.message]) : undefined;
}

let gateway: Gateway | undefined;
let safety: Safety | undefined;
let stopping = false;

/** @param code what the supervisor makes of it; 0: it was asked for, nobody starts it again */
async function stop(code = 0): Promise<void> {
  if (stopping) return;
  stopping = true;
  life.stop();
  say(saying('stopping'));
  setTimeout(() => process.exit(EXIT.failed), STOP_MS).unref();
  await gateway?.stop();
  await safety?.stop();
  process.exit(code);
}

/** No "catch and carry on": what nobody expected ends the process, and the supervisor starts it afresh (V5). */
function die(error: unknown): void {
  gateway?.log.fatal({ err: error }, 'unexpected');
  write(2, `${error instanceof Error ? error.stack : String(error)}\n`);
  process.exit(EXIT.failed);
}

process.on('uncaughtException', die);
process.on('unhandledRejection', die);
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => stop().catch(die));
const life = showLife({
  healthy: async () => (await gateway?.healthy()) ?? safety !== undefined,
  onOrphaned: () => stop().catch(die),
});

/** A start that ended for a reason that starting again cannot mend, and a page can tell. @returns false for any other */
async function standSafe(config: Config, error: unknown): Promise<boolean> {
  const reason = safetyReason(error, config.dataDir);
  if (!reason) return false;
  const log = createLog(config.console ? 'silent' : config.logLevel);
  const onOver = () => process.exit(EXIT.again);
  safety = await startSafety({ config, reason, clock: systemClock, log, onOver });
  write(2, safetyText(safety.url, safetyLines(reason)));
  return true;
}

let config: Config | undefined;
try {
  config = readConfig(process.argv.slice(2), process.env);
  if (config.console) say(saying('starting'));
  gateway = await startGateway(config, say, () => void stop(EXIT.again).catch(die));
  life.ready();
} catch (error) {
  await giveUp(error).catch(die);
}

async function giveUp(error: unknown): Promise<void> {
  if (config && (await standSafe(config, error).catch(told))) {
    life.ready();
    return;
  }
  told(error);
}

/** The last words of a start that cannot be. */
function told(error: unknown): false {
  const known = cannotStart(error);
  if (!known) die(error);
  else {
    write(2, failureText(known.phrase, known.lines));
    process.exit(known.exitCode);
  }
  return false;
}
