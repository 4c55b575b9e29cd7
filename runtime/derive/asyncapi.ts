/**
 * AsyncAPI 3.0 from the contracts: what goes out over the event stream and up to platforms, what comes down, what devices
 * send to the device broker. Pure.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { alarmView, commandView } from '../contracts/api.ts';
import type { Scenario } from '../contracts/contract.ts';
import { commandStates, journalRecord, type Kind, lanes } from '../contracts/record.ts';
import { challengeView, signedCommand } from '../contracts/signed-command.ts';
import { inLanguage, type Language } from './language.ts';

type Json = Readonly<Record<string, unknown>>;
type Words = Readonly<Record<string, string>>;

const ref = (path: string) => ({ $ref: `#/${path}` });
const schemaRef = (name: string) => ref(`components/schemas/${name}`);
const text = (maxLength: number) => ({ type: 'string', maxLength });
const integer = { type: 'integer', minimum: 0 };
const object = (properties: Json, required: readonly string[] = Object.keys(properties)) => ({
  type: 'object',
  properties,
  required,
});

/** @param version of the gateway */
export function asyncapiDocument(scenarios: readonly Scenario[], version: string, language: Language): Json {
  const words = wordsOf(language);
  const messages = { ...recordMessages(scenarios, words, language), ...otherMessages(words) };
  const records = Object.keys(messages).filter((name) => name.startsWith('record.'));
  return inLanguage(
    {
      asyncapi: '3.0.0',
      info: { title: words.title, version, description: words.description },
      defaultContentType: 'application/json',
      servers: {
        api: { host: '{host}', protocol: 'http', description: words['server.api'], variables: { host: {} } },
        platform: { host: '{host}', protocol: 'mqtt', description: words['server.platform'], variables: { host: {} } },
        devices: { host: '{host}', protocol: 'mqtt', description: words['server.devices'], variables: { host: {} } },
      },
      channels: channelsOf(words, records),
      operations: operations,
      components: {
        messages,
        schemas: {
          JournalRecord: journalRecord,
          Command: commandView,
          SignedCommand: signedCommand,
          Challenge: challengeView,
          Alarm: alarmView,
          Batch: object(
            {
              gateway: text(64),
              epoch: integer,
              after: integer,
              through: integer,
              replay: { ...text(64), description: words['batch.replay'] },
              gaps: { type: 'array', items: schemaRef('JournalRecord'), description: words['batch.gaps'] },
              records: { type: 'array', items: schemaRef('JournalRecord') },
            },
            ['gateway', 'epoch', 'after', 'through', 'records'],
          ),
        },
      },
    },
    language,
  ) as Json;
}

const wordsOf = (language: Language): Words =>
  JSON.parse(readFileSync(join(import.meta.dirname, 'locales', `asyncapi.${language}.json`), 'utf8')) as Words;

/** One message per thing a contract can say, named `record.<scenario>.<kind>.<name>`. */
function recordMessages(scenarios: readonly Scenario[], words: Words, language: Language): Json {
  const short = language === 'zh-CN' ? 'zh' : 'en';
  const message = (scenario: string, kind: Kind, name: string | undefined, title: string, data: unknown) => ({
    name: name ?? kind,
    title,
    contentType: 'application/json',
    payload: {
      allOf: [
        schemaRef('JournalRecord'),
        {
          type: 'object',
          properties: {
            scenario: { const: scenario },
            kind: { const: kind },
            ...(name === undefined ? {} : { name: { const: name } }),
            data,
          },
        },
      ],
    },
  });
  const told = (scenario: Scenario, kind: string, thing: string) =>
    `${scenario.title[short]} · ${words[`kind.${kind}`]} · ${thing}`;
  const own = scenarios.flatMap((scenario) => [
    ...Object.entries(scenario.telemetry).map(([name, schema]) => {
      const { description, 'x-zh': zh } = schema as { description?: string; 'x-zh'?: string };
      const title = told(scenario, 'telemetry', (short === 'zh' ? zh : description) ?? name);
      return [
        `record.${scenario.id}.telemetry.${name}`,
        message(scenario.id, 'telemetry', name, title, schema),
      ] as const;
    }),
    ...Object.entries(scenario.events).map(([name, kind]) => {
      const title = told(scenario, 'event', kind.words[short]);
      return [`record.${scenario.id}.event.${name}`, message(scenario.id, 'event', name, title, kind.data)] as const;
    }),
    ...Object.entries(scenario.alarms).map(([name, kind]) => {
      const title = told(scenario, 'alarm', kind.words[short]);
      const data = { ...message(scenario.id, 'alarm', name, title, schemaRef('Alarm')), 'x-priority': kind.priority };
      return [`record.${scenario.id}.alarm.${name}`, data] as const;
    }),
    ...Object.entries(scenario.commands).map(([name, kind]) => {
      const title = told(scenario, 'command', kind.words[short]);
      const data = { allOf: [schemaRef('Command'), { type: 'object', properties: { input: kind.input } }] };
      return [`record.${scenario.id}.command.${name}`, message(scenario.id, 'command', name, title, data)] as const;
    }),
  ]);
  const gateway = (['state', 'audit', 'gap', 'epoch'] as const).map(
    (kind) => [`record.${kind}`, message('gateway', kind, undefined, words[`message.${kind}`] ?? kind, {})] as const,
  );
  // A link's state is told under the scenario of its device.
  return Object.fromEntries([
    ...own,
    ...gateway.map(([name, made]) => [name, name === 'record.state' ? anyScenario(made) : made] as const),
  ]);
}

function anyScenario<T extends { payload: { allOf: readonly unknown[] } }>(message: T): T {
  return {
    ...message,
    payload: { allOf: [schemaRef('JournalRecord'), { type: 'object', properties: { kind: { const: 'state' } } }] },
  };
}

function otherMessages(words: Words): Json {
  const message = (name: string, payload: unknown) => ({ name, title: words[`message.${name}`], payload });
  const at = { ...integer, description: 'ms UTC' };
  return {
    beat: message('beat', object({ now: at, head: text(20) })),
    reset: message('reset', object({ head: text(20) })),
    batch: message('batch', schemaRef('Batch')),
    status: message(
      'status',
      object(
        {
          gateway: text(64),
          state: { enum: ['online', 'offline'] },
          at,
          version: text(32),
          epoch: integer,
          head: integer,
        },
        ['gateway', 'state'],
      ),
    ),
    command: message('command', schemaRef('SignedCommand')),
    challenge: message('challenge', object({ id: text(64) })),
    replay: message(
      'replay',
      object(
        {
          id: { type: 'string', pattern: '^[A-Za-z0-9_.:-]{1,64}$' },
          epoch: integer,
          after: integer,
          through: integer,
          lanes: { type: 'array', items: { enum: lanes } },
        },
        ['id', 'after', 'through'],
      ),
    ),
    accept: message('accept', object({ encoding: { type: 'array', items: { enum: ['zstd'] } } })),
    reply: message('reply', { type: 'object' }),
    commandReply: message(
      'commandReply',
      object(
        {
          gateway: text(64),
          command: { ...text(64), description: words['reply.command'] },
          id: { ...text(64), description: words['reply.id'] },
          state: { enum: [...commandStates, 'refused'] },
          at,
          code: text(64),
          detail: text(256),
          proven: { type: 'boolean' },
        },
        ['gateway', 'command', 'state'],
      ),
    ),
    challengeReply: message('challengeReply', {
      allOf: [schemaRef('Challenge'), object({ gateway: text(64), challenge: text(64) })],
    }),
    deviceTelemetry: {
      name: 'deviceTelemetry',
      title: words['channel.deviceTelemetry'],
      payload: object(
        { at, values: { type: 'object', additionalProperties: { type: ['string', 'number', 'boolean'] } } },
        ['values'],
      ),
    },
    deviceEvent: {
      name: 'deviceEvent',
      title: words['channel.deviceEvent'],
      payload: object({ name: text(256), data: { type: 'object' }, at, key: text(256) }, ['name']),
    },
  };
}

function channelsOf(words: Words, records: readonly string[]): Json {
  const place = 'gatehouse/v1/{site}/{gateway}';
  const channel = (name: string, server: string, address: string, messages: readonly string[]) => [
    name,
    {
      address,
      description: words[`channel.${name}`],
      servers: [ref(`servers/${server}`)],
      ...(address.includes('{') ? { parameters: parametersOf(address) } : {}),
      messages: Object.fromEntries(messages.map((key) => [key, ref(`components/messages/${key}`)])),
    },
  ];
  return Object.fromEntries([
    channel('stream', 'api', '/api/v1/stream', [...records, 'beat', 'reset']),
    channel('urgent', 'platform', `${place}/up/urgent`, ['batch']),
    channel('bulk', 'platform', `${place}/up/bulk`, ['batch']),
    channel('reply', 'platform', `${place}/up/reply`, ['reply', 'commandReply', 'challengeReply', 'batch']),
    channel('status', 'platform', `${place}/status`, ['status']),
    channel('command', 'platform', `${place}/down/command`, ['command']),
    channel('challenge', 'platform', `${place}/down/challenge`, ['challenge']),
    channel('replay', 'platform', `${place}/down/replay`, ['replay']),
    channel('accept', 'platform', `${place}/down/accept`, ['accept']),
    channel('deviceTelemetry', 'devices', 'gatehouse/devices/{device}/up/telemetry', ['deviceTelemetry']),
    channel('deviceEvent', 'devices', 'gatehouse/devices/{device}/up/event', ['deviceEvent']),
  ]);
}

const parametersOf = (address: string): Json =>
  Object.fromEntries([...address.matchAll(/\{(\w+)\}/g)].map(([, name]) => [name, {}]));

/** Seen from the gateway: it sends upward and to screens, it receives from above and from devices. */
const operations: Json = Object.fromEntries(
  (
    [
      ['send', ['stream', 'urgent', 'bulk', 'reply', 'status']],
      ['receive', ['command', 'challenge', 'replay', 'accept', 'deviceTelemetry', 'deviceEvent']],
    ] as const
  ).flatMap(([action, channels]) =>
    channels.map((name) => [`${action}.${name}`, { action, channel: ref(`channels/${name}`) }] as const),
  ),
);
