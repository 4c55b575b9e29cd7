/** OpenAPI and AsyncAPI, made from the routes and contracts that run, and the page that shows them. */
import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import { Type } from 'typebox';
import { scenarios } from '../../contracts/index.ts';
import { asyncapiDocument } from '../../derive/asyncapi.ts';
import { languages } from '../../derive/language.ts';
import { openapiDocument } from '../../derive/openapi.ts';
import type { App, RouteContext } from '../parts.ts';
import { rights } from '../rights.ts';

const query = Type.Object({ lang: Type.Optional(Type.Enum(languages)) }, { additionalProperties: false });
const document = Type.Record(Type.String(), Type.Unknown());
const docsConfig = { right: 'docs.read', file: true } as const;

/** Before the routes: notes each one, with what it asks of the caller. */
export async function describeRoutes(app: App, { parts }: RouteContext): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'Gatehouse', version: parts.version },
      components: {
        securitySchemes: {
          session: { type: 'apiKey', in: 'cookie', name: 'gh_session' },
          token: { type: 'http', scheme: 'bearer' },
        },
      },
    },
    transform: ({ schema, url, route }) => {
      const right = route.config?.right;
      const roles = right === undefined ? [] : rights[right];
      const open = typeof roles === 'string';
      const plain = { ...schema, security: open ? [] : [{ session: [] }, { token: [] }] };
      return { schema: { ...plain, ...(open ? {} : { 'x-roles': [...roles] }) }, url };
    },
  });
}

/** After the routes. */
export async function docsRoutes(app: App, { parts }: RouteContext): Promise<void> {
  const made = new Map<string, object>();
  const once = (key: string, make: () => object): object => {
    const known = made.get(key) ?? make();
    made.set(key, known);
    return known;
  };

  app.get(
    '/api/v1/openapi.json',
    {
      config: { right: 'docs.read' },
      schema: { operationId: 'getOpenApi', tags: ['docs'], querystring: query, response: { 200: document } },
    },
    (request) => {
      const { lang = 'zh-CN' } = request.query;
      return once(lang, () => openapiDocument(app.swagger(), lang));
    },
  );

  app.get(
    '/api/v1/asyncapi.json',
    {
      config: { right: 'docs.read' },
      schema: { operationId: 'getAsyncApi', tags: ['docs'], querystring: query, response: { 200: document } },
    },
    (request) => {
      const { lang = 'zh-CN' } = request.query;
      return once(`events ${lang}`, () => asyncapiDocument(scenarios, parts.version, lang));
    },
  );

  await app.register(async (page) => {
    // The plugin's routes know nothing of our rights.
    page.addHook('onRoute', (route) => {
      route.config = { ...route.config, ...docsConfig };
    });
    await page.register(swaggerUi, {
      routePrefix: '/docs',
      uiConfig: {
        docExpansion: 'none',
        urls: [
          { url: '/api/v1/openapi.json?lang=zh-CN', name: '中文' },
          { url: '/api/v1/openapi.json?lang=en-US', name: 'English' },
        ],
      },
      // The plugin's own logo is no logo of ours.
      theme: {
        title: 'Gatehouse API',
        css: [{ filename: 'gatehouse.css', content: '.topbar a.link { display: none }' }],
      },
    });
  });
}
