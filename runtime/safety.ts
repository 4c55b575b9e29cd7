/**
 * Safety mode: the gateway could only do harm, so it does nothing but say so. The process stays up (a supervisor must not
 * start it again and again), `/livez` is 200, `/readyz` 503, and every page and answer tells what is wrong and the remedy.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { securityHeaders } from './api/headers.ts';
import { defaultLimits } from './api/limits.ts';
import { boundConnections, closeServer, httpServer, listenOn, listenOnSocket, socketPathFor } from './api/listeners.ts';
import { type KeyPair, keyPair } from './api/tls.ts';
import { type Clock, every } from './clock.ts';
import { type Config, isLoopback } from './config.ts';
import type { Words } from './contracts/words.ts';
import { catalogue, type ErrorCode, GatehouseError } from './errors.ts';
import { inspect } from './journal/inspect.ts';
import { upgradeCopies } from './journal/migrations.ts';
import type { Log } from './log.ts';
import { again, newerWords, type SafetyWords, unwritableWords } from './safety.words.ts';

const LOOK_MS = 30_000;
const DENIED = /^(EACCES|EPERM|EROFS|EIO|ENXIO|SQLITE_(READONLY|CANTOPEN|IOERR|PERM).*)$/;

export interface SafetyReason {
  readonly code: ErrorCode;
  readonly words: SafetyWords;
  /** The reason is gone: a start can be tried again. */
  isOver(): boolean;
}

/** Whether what ended the start is for safety mode. @returns undefined for anything else */
export function safetyReason(error: unknown, directory: string): SafetyReason | undefined {
  if (error instanceof GatehouseError && error.code === 'journal.newer') {
    const { found, known, file } = error.detail as { found: number; known: number; file: string };
    return {
      code: error.code,
      words: newerWords(file, found, known, upgradeCopies(directory)),
      isOver() {
        try {
          inspect(directory);
          return true;
        } catch {
          return false;
        }
      },
    };
  }
  const { code } = error as NodeJS.ErrnoException;
  const fault = code !== undefined && DENIED.test(code) ? unwritable(directory) : undefined;
  if (fault === undefined) return undefined;
  return {
    code: 'storage.unwritable',
    words: unwritableWords(directory, fault),
    isOver: () => unwritable(directory) === undefined,
  };
}

/** @returns the system's code for why nothing can be written there */
function unwritable(directory: string): string | undefined {
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    const probe = join(directory, `.probe-${process.pid}`);
    writeFileSync(probe, '');
    rmSync(probe);
    return undefined;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code;
  }
}

export interface Safety {
  readonly url: string;
  stop(): Promise<void>;
}

export interface SafetyOptions {
  readonly config: Pick<Config, 'dataDir' | 'http'>;
  readonly reason: SafetyReason;
  readonly clock: Clock;
  readonly log: Log;
  readonly onOver: () => void;
}

/** @throws GatehouseError `http.port_taken`, `http.listen` */
export async function startSafety({ config, reason, clock, log, onOver }: SafetyOptions): Promise<Safety> {
  const { host } = config.http;
  const pair = isLoopback(host) ? undefined : await certificate(config.dataDir, host, clock, log);
  const onRequest = (request: IncomingMessage, response: ServerResponse) =>
    answer(request, response, reason, pair !== undefined);
  const tcp = httpServer({ onRequest }, defaultLimits, pair);
  const local = httpServer({ onRequest }, defaultLimits);
  for (const server of [tcp, local]) boundConnections(server, defaultLimits);
  const port = await listenOn(tcp, config.http, 'GATEHOUSE_HTTP');
  // The health check of a container asks here; a directory that cannot be written has no place for it.
  await listenOnSocket(local, socketPathFor(config.dataDir)).catch((error: unknown) =>
    log.warn({ err: error }, 'no socket in safety mode'),
  );
  const stopLooks = every(clock, LOOK_MS, () => {
    if (reason.isOver()) onOver();
  });
  return {
    url: `${pair ? 'https' : 'http'}://${host}:${port}`,
    async stop() {
      stopLooks();
      await Promise.all([tcp, local].map((server) => closeServer(server, defaultLimits.closeGraceMs, [server])));
    },
  };
}

/** The gateway's own certificate; where it has none and cannot keep one, one for as long as this lasts. */
async function certificate(dataDir: string, host: string, clock: Clock, log: Log): Promise<KeyPair> {
  try {
    return await keyPair(join(dataDir, 'tls'), host, { clock, log });
  } catch {
    const folder = mkdtempSync(join(tmpdir(), 'gatehouse-safety-'));
    try {
      return await keyPair(folder, host, { clock, log });
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }
}

function answer(request: IncomingMessage, response: ServerResponse, reason: SafetyReason, tls: boolean): void {
  request.resume();
  const path = request.url?.split('?', 1)[0] ?? '/';
  const alive = path === '/livez';
  const wantsPage =
    !alive && path !== '/readyz' && !path.startsWith('/api/') && /\btext\/html\b/.test(request.headers.accept ?? '');
  const body = alive ? JSON.stringify({ status: 'ok' }) : wantsPage ? pageOf(reason.words) : problemOf(reason);
  const type = alive ? 'application/json' : wantsPage ? 'text/html' : 'application/problem+json';
  response.writeHead(alive ? 200 : 503, {
    ...securityHeaders(path, tls),
    'content-type': `${type}; charset=utf-8`,
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    ...(alive ? {} : { 'retry-after': String(LOOK_MS / 1000) }),
  });
  response.end(request.method === 'HEAD' ? undefined : body);
}

const linesOf = ({ title, what, meanwhile, remedies }: SafetyWords, language: keyof Words): string[] =>
  [title, what, meanwhile, ...remedies, again].map((words) => words[language]);

/** Lines for the console: all Chinese, then all English. */
export const safetyLines = ({ words }: SafetyReason): string[] => [
  ...linesOf(words, 'zh'),
  '',
  ...linesOf(words, 'en'),
];

const problemOf = ({ code, words }: SafetyReason): string =>
  JSON.stringify({
    type: `urn:gatehouse:problem:${code}`,
    title: catalogue[code].title,
    status: 503,
    code,
    detail: linesOf(words, 'en').join(' '),
    detailZh: linesOf(words, 'zh').join(''),
  });

function pageOf(words: SafetyWords): string {
  const section = (language: keyof Words, tag: string) => {
    const [title = '', what = '', meanwhile = '', ...remedies] = linesOf(words, language).map(escaped);
    const items = remedies.map((line) => `<li>${line}</li>`).join('');
    return `<section lang="${tag}"><h1>${title}</h1><p>${what}</p><p>${meanwhile}</p><ul>${items}</ul></section>`;
  };
  return `<!doctype html><html lang="zh-CN"><head><meta charset="utf-8"><meta http-equiv="refresh" content="30">
<meta name="viewport" content="width=device-width"><title>Gatehouse</title></head><body>
${section('zh', 'zh-CN')}<hr>${section('en', 'en-US')}</body></html>`;
}

const escaped = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
