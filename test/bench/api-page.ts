/** A page of 20 records to somebody logged in, against Fastify alone that answers `{"ok":true}`. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { fileURLToPath } from 'node:url';
import type { ApiUp } from './api-host.ts';
import { alternate, type Benchmark, compare } from './measure.ts';

const SECONDS = 2;
const CONNECTIONS = 16;
const HEAD_END = '\r\n\r\n';

/** Requests answered in a second over connections that are kept, one under way on each. */
async function rate(port: number, path: string, cookie: string): Promise<number> {
  const request = `GET ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncookie: ${cookie}\r\n\r\n`;
  let answered = 0;
  const start = performance.now();
  const end = start + SECONDS * 1000;
  const one = () =>
    new Promise<void>((resolve, reject) => {
      const socket = connect({ host: '127.0.0.1', port, noDelay: true }, () => socket.write(request));
      let text = '';
      socket.setEncoding('latin1').on('data', (chunk: string) => {
        text += chunk;
        const head = text.indexOf(HEAD_END);
        if (head < 0) return;
        const length = Number(/content-length: (\d+)/i.exec(text.slice(0, head))?.[1]);
        if (!text.startsWith('HTTP/1.1 200')) return reject(new Error(text.slice(0, 200)));
        if (text.length < head + HEAD_END.length + length) return;
        answered++;
        text = '';
        if (performance.now() < end) socket.write(request);
        else socket.destroy();
      });
      socket.once('error', reject).once('close', () => resolve());
    });
  await Promise.all(Array.from({ length: CONNECTIONS }, one));
  return (answered * 1000) / (performance.now() - start);
}

export const apiPage: Benchmark = {
  name: 'api-page',
  about: 'the last 20 of 5,000 records to somebody logged in, against Fastify alone with {"ok":true}',
  async run(rounds) {
    const host = fork(fileURLToPath(new URL('./api-host.ts', import.meta.url)), {
      execArgv: ['--disable-warning=ExperimentalWarning'],
    });
    try {
      const [up] = (await once(host, 'message')) as [ApiUp];
      const page = () => rate(up.page, '/api/v1/records?limit=20&order=desc', up.cookie);
      const bare = () => rate(up.bare, '/', '');
      await page();
      await bare();
      return [compare('API page of 20 records', 'req/s', 'Fastify alone', await alternate(rounds, page, bare))];
    } finally {
      const gone = once(host, 'exit');
      host.disconnect();
      await gone;
    }
  },
};
