/** A gateway of which only journal and uplink are left, as a process that a test can kill. Arguments: directory, port. */
import { systemClock } from '../runtime/clock.ts';
import { Journal } from '../runtime/journal/journal.ts';
import { silentLog } from '../runtime/log.ts';
import { startUplink } from '../runtime/uplink/mqtt.ts';

const [directory = '', port = ''] = process.argv.slice(2);
const journal = await Journal.open({ directory, clock: systemClock, log: silentLog });
startUplink({
  id: 'main',
  url: `mqtt://127.0.0.1:${port}`,
  site: 'site',
  gateway: journal.gateway,
  version: '0.0.0',
  journal,
  clock: systemClock,
  log: silentLog,
  report: () => {},
});
