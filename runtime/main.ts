/** The core process: reads the configuration, starts the gateway, ends it in order. */
import { writeSync } from 'node:fs';
import { failureText, saying } from './announce.ts';
import { showLife } from './boot/life.ts';
import { readConfig } from './config.ts';
import { GatehouseError, reasonOf } from './errors.ts';
import { CannotStart, EXIT } from './exit.ts';
import { type Gateway, startGateway } from './gateway.ts';

const STOP_MS = 10_000;

/** Synchronous, so that the last words of a process that ends are there. */
const say = (text: string) => void writeSync(1, `${text}\n`);

function cannotStart(error: unknown): CannotStart | undefined {
  if (error instanceof CannotStart) return error;
  if (!(error instanceof GatehouseError)) {
    const { code } = error as NodeJS.ErrnoException;
    return code === 'ENOSPC' || code === 'SQLITE_FULL'
      ? new CannotStart(EXIT.config, 'diskFull', [reasonOf(error)])
      : undefined;
  }
  if (error.code === 'http.port_taken') return new CannotStart(EXIT.taken, 'portTaken', [error.message]);
  const final = ['config.invalid', 'http.listen', 'journal.newer', 'profile.invalid', 'site.unreadable'];
  return final.includes(error.code) ? new CannotStart(EXIT.config, 'configWrong', [error.message]) : undefined;
}

let gateway: Gateway | undefined;
let stopping = false;

async function stop(): Promise<void> {
  if (stopping) return;
  stopping = true;
  life.stop();
  say(saying('stopping'));
  setTimeout(() => process.exit(EXIT.failed), STOP_MS).unref();
  await gateway?.stop();
  process.exit(0);
}

/** No "catch and carry on": what nobody expected ends the process, and the supervisor starts it afresh (V5). */
function die(error: unknown): void {
  gateway?.log.fatal({ err: error }, 'unexpected');
  writeSync(2, `${error instanceof Error ? error.stack : String(error)}\n`);
  process.exit(EXIT.failed);
}

process.on('uncaughtException', die);
process.on('unhandledRejection', die);
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => stop().catch(die));
const life = showLife({
  healthy: async () => (await gateway?.healthy()) ?? false,
  onOrphaned: () => stop().catch(die),
});

try {
  const config = readConfig(process.argv.slice(2), process.env);
  if (config.console) say(saying('starting'));
  gateway = await startGateway(config, say);
  life.ready();
} catch (error) {
  const known = cannotStart(error);
  if (!known) die(error);
  else {
    writeSync(2, failureText(known.phrase, known.lines));
    process.exit(known.exitCode);
  }
}
