/** A parent for one flow process that a test can kill: prints the child's pid, and what its flow says. */
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { systemClock } from '../runtime/clock.ts';
import { openFlowHistory, schema } from '../runtime/flow-history/history.ts';
import { startFlows } from '../runtime/flows/supervisor.ts';
import { Journal } from '../runtime/journal/journal.ts';
import { createLog } from '../runtime/log.ts';

const [directory = '', useSetpriv] = process.argv.slice(2);
const sink = new Writable({
  write(chunk, _encoding, done) {
    const { msg } = JSON.parse(String(chunk)) as { msg: string };
    if (msg === 'looping') process.stdout.write(`pid ${flows.pid()}\nlooping\n`);
    done();
  },
});
const log = createLog('debug', sink);
const journal = await Journal.open({ directory, clock: systemClock, log, schema: [schema] });
const book = openFlowHistory({
  ...{ journal, directory: join(directory, 'flows'), key: 'key-of-this-test', clock: systemClock, log },
});
const flows = startFlows({
  directory: join(directory, 'flows'),
  book,
  secrets: join(directory, 'secrets'),
  socket: join(directory, 'gatehouse.sock'),
  token: 'token',
  log,
  clock: systemClock,
  functionTimeout: 0,
  useSetpriv: useSetpriv === 'true',
});
setInterval(() => {}, 60_000); // stays until it is killed
