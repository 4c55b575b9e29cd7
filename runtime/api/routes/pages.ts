/** The booth app: one page for all its addresses, and its files. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fastifyStatic from '@fastify/static';
import type { FastifyReply } from 'fastify';
import type { App, RouteContext } from '../parts.ts';

const DEFAULT_DIRECTORY = join(import.meta.dirname, '..', '..', 'booth', 'dist');
/** Addresses of the app itself; it shows the screen by the path. */
const SCREENS = ['/', '/login', '/setup', '/gates', '/devices', '/search', '/settings'];
const BUILD_COMMAND = 'npx vite build runtime/booth';
const file = { right: 'open', file: true } as const;

export async function pageRoutes(app: App, { parts }: RouteContext): Promise<void> {
  const root = parts.boothDirectory ?? DEFAULT_DIRECTORY;
  // Looked up at each request: a build may come after the start.
  await app.register(fastifyStatic, { root, serve: false });
  const hide = { hide: true };

  const page = (reply: FastifyReply) =>
    existsSync(join(root, 'index.html'))
      ? reply.header('cache-control', 'no-cache').sendFile('index.html', { cacheControl: false })
      : reply.code(503).header('content-type', 'text/html; charset=utf-8').send(unbuiltPage());

  for (const path of SCREENS) {
    app.get(path, { config: file, schema: hide }, (_request, reply) => page(reply));
  }
  // Named by their content, so they never change.
  app.get<{ Params: { '*': string } }>('/assets/*', { config: file, schema: hide }, (request, reply) =>
    reply.sendFile(`assets/${request.params['*']}`, { immutable: true, maxAge: '365d' }),
  );
  // Files the build copies beside the page: icon, manifest, robots.
  app.get<{ Params: { name: string } }>(
    '/:name([\\w-]+\\.(?:svg|png|ico|webmanifest|txt))',
    { config: file, schema: hide },
    (request, reply) => reply.sendFile(request.params.name, { maxAge: '1h' }),
  );
}

type Locale = Readonly<Record<string, string>>;

const localeOf = (language: string): Locale =>
  JSON.parse(readFileSync(join(import.meta.dirname, '..', 'locales', `${language}.json`), 'utf8')) as Locale;

function unbuiltPage(): string {
  const sections = ['zh-CN', 'en-US'].map(localeOf).map(
    (words) => `<section lang="${words['page.lang']}"><h1>${words['page.unbuilt.title']}</h1>
<p>${words['page.unbuilt.text']}</p><p>${words['page.unbuilt.remedy']}</p></section>`,
  );
  return `<!doctype html><html lang="zh-CN"><head><meta charset="utf-8"><title>Gatehouse</title></head><body>
${sections.join('\n')}<pre>${BUILD_COMMAND}</pre></body></html>`;
}
