// @ts-check
// Docker's health check: is the gateway alive? It asks on the gateway's own Unix socket, where no certificate, no log-in
// and no chosen port stand between. Prints why not; exit status 0 or 1.
import { request } from 'node:http';
import { join } from 'node:path';

const socketPath = join(process.env.GATEHOUSE_DATA ?? 'data', 'gatehouse.sock');
const asked = request({ socketPath, path: '/livez', timeout: 4_000 }, (response) => {
  response.resume();
  answer(response.statusCode === 200 ? undefined : `HTTP ${response.statusCode}`);
});
asked.on('timeout', () => answer('no answer in 4 s'));
asked.on('error', (error) => answer(error.message));
asked.end();

/** @param {string} [fault] */
function answer(fault) {
  if (fault) {
    console.error(`${socketPath}: ${fault}`);
  }
  process.exit(fault ? 1 : 0);
}
