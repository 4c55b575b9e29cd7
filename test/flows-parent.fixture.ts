/** A parent for one flow process that a test can kill: prints the child's pid, and what its flow says. */
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { systemClock } from '../runtime/clock.ts';
import { startFlows } from '../runtime/flows/supervisor.ts';
import { createLog } from '../runtime/log.ts';

const [directory = '', useSetpriv] = process.argv.slice(2);
const sink = new Writable({
  write(chunk, _encoding, done) {
    const { msg } = JSON.parse(String(chunk)) as { msg: string };
    if (msg === 'looping') process.stdout.write('looping\n');
    done();
  },
});
const flows = startFlows({
  directory: join(directory, 'flows'),
  secrets: join(directory, 'secrets'),
  socket: join(directory, 'gatehouse.sock'),
  token: 'token',
  log: createLog('debug', sink),
  clock: systemClock,
  functionTimeout: 0,
  useSetpriv: useSetpriv === 'true',
});
process.stdout.write(`pid ${flows.pid()}\n`);
setInterval(() => {}, 60_000); // stays until it is killed
