/** A page of 20 records to somebody logged in, against Fastify alone: with the same page as an object, and with `{"ok":true}`. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { fileURLToPath } from 'node:url';
import { type ApiUp, PAGE } from './api-host.ts';
import { alternate, type Benchmark, compare } from './measure.ts';

const SECONDS = 2;
const CONNECTIONS = 16;
const OK = 'HTTP/1.1 200';
const HEAD_END = '\r\n\r\n';

/** One answer, whole; all further ones to the same request have the same length. */
async function answerTo(port: number, request: string): Promise<number> {
  const socket = connect({ host: '127.0.0.1', port }, () => socket.write(request));
  let text = '';
  for await (const chunk of socket.setEncoding('latin1')) {
    text += chunk;
    const head = text.indexOf(HEAD_END);
    const length = head + HEAD_END.length + Number(/content-length: (\d+)/i.exec(text)?.[1]);
    if (head < 0 || text.length < length) continue;
    if (!text.startsWith(OK)) throw new Error(text.slice(0, 200));
    return length;
  }
  throw new Error(`no answer: ${text}`);
}

/** Requests answered in a second over connections that are kept, one under way on each. */
async function rate(port: number, path: string, cookie: string): Promise<number> {
  const request = `GET ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncookie: ${cookie}\r\n\r\n`;
  const length = await answerTo(port, request);
  let answered = 0;
  const start = performance.now();
  const end = start + SECONDS * 1000;
  const one = () =>
    new Promise<void>((resolve, reject) => {
      const socket = connect({ host: '127.0.0.1', port, noDelay: true }, () => socket.write(request));
      let received = 0;
      socket.on('data', (chunk: Buffer) => {
        if (received === 0 && chunk.toString('latin1', 0, OK.length) !== OK) reject(new Error(chunk.toString()));
        received += chunk.length;
        if (received < length) return;
        answered++;
        received = 0;
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
  about:
    'the last 20 of 5,000 records to somebody logged in, against Fastify alone with the same page, and with {"ok":true}',
  async run(rounds) {
    const host = fork(fileURLToPath(new URL('./api-host.ts', import.meta.url)), {
      execArgv: ['--disable-warning=ExperimentalWarning'],
    });
    try {
      const [up] = (await once(host, 'message')) as [ApiUp];
      const page = () => rate(up.page, PAGE, up.cookie);
      const same = () => rate(up.bare, '/page', '');
      const bare = () => rate(up.bare, '/', '');
      for (const one of [page, same, bare]) await one();
      const name = 'API page of 20 records';
      return [
        compare(name, 'req/s', 'Fastify alone, same page', await alternate(rounds, page, same)),
        compare(name, 'req/s', 'Fastify alone, {"ok":true}', await alternate(rounds, page, bare)),
      ];
    } finally {
      const gone = once(host, 'exit');
      host.disconnect();
      await gone;
    }
  },
};
