/** The help of a node: Markdown, the sections of ux.md 11.3, from contract and locale file. */
import type { TSchema } from 'typebox';
import type { Proof, Scenario } from '../contracts/contract.ts';
import { coreOutputs, originSchema, outcomeSchema, payloadSchemas } from '../contracts/flow-messages.ts';
import type { Words } from '../contracts/words.ts';
import { type FormField, propertyOf } from './editor-form.ts';
import type { Locale } from './editor-words.ts';

export interface HelpSubject {
  readonly type: string;
  readonly form: readonly FormField[];
  /** Absent: one of the core nodes, whose texts are all in the locale file. */
  readonly scenario?: Scenario;
}

interface Texts {
  readonly summary: string;
  readonly input: readonly string[];
  readonly output: readonly string[];
  readonly wiring: readonly string[];
  readonly example: readonly string[];
  readonly standards: readonly string[];
}

/** A bar inside a cell would end it. */
const cell = (text: string): string => text.replaceAll('|', '\\|');
const table = (head: readonly string[], rows: readonly (readonly string[])[]): string[] => [
  `| ${head.map(cell).join(' | ')} |`,
  `|${head.map(() => '---').join('|')}|`,
  ...rows.map((row) => `| ${row.map(cell).join(' | ')} |`),
  '',
];

type Said = TSchema & {
  description?: string;
  'x-zh'?: string;
  'x-unit'?: string;
  type?: string;
  enum?: readonly unknown[];
  properties?: Record<string, Said>;
  required?: readonly string[];
};

const meaningOf = (schema: Said, { words }: Locale): string =>
  (words === 'zh' ? schema['x-zh'] : schema.description?.replace(/\.$/, '')) ?? '';

const typeOf = (schema: Said): string =>
  schema.enum ? schema.enum.map((value) => `\`${String(value)}\``).join(' ') : (schema.type ?? '');

const fill = (text: string, values: Readonly<Record<string, string>>): string =>
  text.replace(/\{(\w+)\}/g, (whole, name: string) => values[name] ?? whole);

/** `direction` in out, `plate`? string … on one line. */
const fieldsOf = (schema: Said, locale: Locale): string =>
  Object.entries(schema.properties ?? {})
    .map(([name, field]) =>
      `\`${name}\`${schema.required?.includes(name) ? '' : '?'} ${meaningOf(field, locale)}`.trim(),
    )
    .join(', ');

const proofOf = (proof: Proof): string =>
  'equals' in proof ? `\`${proof.point}\` = \`${String(proof.equals)}\`` : `\`${proof.point}\` < ${proof.below}`;

function commandTable(scenario: Scenario, locale: Locale): string[] {
  const { column, none, seconds } = locale.texts.help;
  const rows = Object.entries(scenario.commands)
    .filter(([, { allow }]) => allow.includes('flow'))
    .map(([id, { words, input, deadlineMs, proof }]) => [
      `\`${id}\``,
      words[locale.words],
      fieldsOf(input as Said, locale) || none,
      fill(seconds, { n: String(deadlineMs / 1000) }),
      proof ? proofOf(proof) : none,
    ]);
  return table([column.id, column.meaning, column.input, column.deadline, column.proof], rows);
}

function recordTables(scenario: Scenario, locale: Locale): string[] {
  const { column, list } = locale.texts.help;
  const lines: string[] = [];
  const section = (title: string, head: string[], rows: string[][]) => {
    if (rows.length > 0) lines.push(title, '', ...table(head, rows));
  };
  const said = (words: Words) => words[locale.words];
  section(
    list.event,
    [column.id, column.meaning, column.field],
    Object.entries(scenario.events).map(([id, { words, data }]) => [
      `\`${id}\``,
      said(words),
      fieldsOf(data as Said, locale),
    ]),
  );
  section(
    list.telemetry,
    [column.id, column.meaning, column.unit],
    Object.entries(scenario.telemetry).map(([id, schema]) => {
      const point = schema as Said;
      return [`\`${id}\``, meaningOf(point, locale), point['x-unit'] ?? typeOf(point)];
    }),
  );
  section(
    list.alarm,
    [column.id, column.meaning],
    Object.entries(scenario.alarms).map(([id, { words }]) => [`\`${id}\``, said(words)]),
  );
  return lines;
}

function originTable({ texts: { help } }: Locale): string[] {
  const { intro, ...fields } = help.origin;
  return [
    intro,
    '',
    ...table(
      [help.column.field, help.column.meaning],
      Object.entries(fields).map(([name, text]) => [`\`gh.${name}\``, text]),
    ),
  ];
}

/** `msg.payload` by kind, as the contract has it. */
function schemasOf({ events, telemetry }: Scenario): Record<string, TSchema> {
  const named = (kind: string, entries: readonly (readonly [string, TSchema])[]) =>
    Object.fromEntries(entries.map(([name, schema]) => [`${kind} ${name}`, schema]));
  const { alarm, state } = payloadSchemas;
  return {
    ...named(
      'event',
      Object.entries(events).map(([name, { data }]) => [name, data] as const),
    ),
    ...named('telemetry', Object.entries(telemetry)),
    alarm,
    state,
  };
}

function scenarioTexts(scenario: Scenario, locale: Locale): Texts {
  const { scenario: words, standards } = locale.texts.help;
  const first = Object.entries(scenario.commands).find(([, { allow }]) => allow.includes('flow'));
  const values = {
    title: scenario.title[locale.words],
    scenario: scenario.id,
    commands: first ? words.summaryCommands : '',
    example: first?.[0] ?? '',
    exampleWords: first?.[1].words[locale.words] ?? '',
  };
  const filled = (lines: readonly string[]) => lines.map((line) => fill(line, values));
  const clauses: Readonly<Record<string, readonly string[]>> = standards;
  return {
    summary: fill(words.summary, values),
    input: first ? [...filled(words.input), '', ...commandTable(scenario, locale)] : words.noInput,
    output: [
      ...filled(words.records),
      '',
      ...recordTables(scenario, locale),
      ...originTable(locale),
      ...(first ? [...filled(words.outcome), '', ...schemaBlocks({ 'msg.payload (2)': outcomeSchema })] : []),
      locale.texts.help.schemaKinds,
      '',
      ...schemaBlocks({ 'msg.gh': originSchema, ...schemasOf(scenario) }),
    ],
    wiring: words.wiring,
    example: words.example,
    standards: clauses[scenario.id] ?? [locale.texts.help.none],
  };
}

/** Schemas as a reader pastes them into a checker. */
const schemaBlocks = (schemas: Readonly<Record<string, TSchema>>): string[] =>
  Object.entries(schemas).flatMap(([about, schema]) => [
    `\`${about}\``,
    '',
    '```json',
    JSON.stringify(schema),
    '```',
    '',
  ]);

function coreTexts(type: string, locale: Locale): Texts {
  const { help } = locale.texts;
  const texts: Readonly<Record<string, Texts>> = {
    'gh-records': help['gh-records'],
    'gh-access': help['gh-access'],
    'gh-alarm': help['gh-alarm'],
    'gh-query': help['gh-query'],
    'gh-schedule': help['gh-schedule'],
    'gh-notice': help['gh-notice'],
    'gh-workorder': help['gh-workorder'],
  };
  const found = texts[type];
  if (!found) throw new Error(`No help for ${type}`);
  const schemas = coreOutputs[type] ?? {};
  const own = Object.keys(schemas).length > 0 ? ['', help.schema, '', ...schemaBlocks(schemas)] : [];
  const kinds =
    type === 'gh-records'
      ? [
          '',
          ...originTable(locale),
          help.schemaKinds,
          '',
          ...schemaBlocks({ 'msg.gh': originSchema, ...payloadSchemas }),
        ]
      : [];
  return { ...found, output: [...found.output, ...own, ...kinds] };
}

function statusTable(type: string, { texts: { help, status, short } }: Locale): string[] {
  const { light, column } = help;
  const say = (text: string, values: Readonly<Record<string, string>>) =>
    text.replace(/__(\w+?)__/g, (_whole, name: string) => values[name] ?? '');
  return table(
    [column.light, column.text, column.meaning],
    [
      [light.grey, status.unconfigured, light.unconfigured],
      [light.yellowRing, say(status.connecting, { attempt: '3' }), light.connecting],
      [light.yellow, say(status.stale, { time: '3m', count: '2' }), light.stale],
      [light.green, say(status.online, { time: '14:02:31' }), light.online],
      ...(type === 'gh-schedule' ? [[light.green, say(status.next, { time: '18:05' }), light.next]] : []),
      [light.blue, status.running, light.running],
      [light.redRing, say(status.offline, { time: '12m' }), light.offline],
      [light.red, say(status.failed, { why: short.GH_TIMEOUT }), light.failed],
    ],
  );
}

/** @returns Markdown; its first line is the one-sentence summary that the palette shows as a tooltip */
export function helpOf({ type, form, scenario }: HelpSubject, locale: Locale): string {
  const { help, field } = locale.texts;
  const texts = scenario ? scenarioTexts(scenario, locale) : coreTexts(type, locale);
  const named: Readonly<Record<string, string>> = field;
  const meant: Readonly<Record<string, string>> = help.config;
  const config = form.map(propertyOf).map((property) => [named[property] ?? property, meant[property] ?? '']);
  const codes = Object.entries(help.codes).map(([code, meaning]) => [`\`${code}\``, meaning]);
  const section = (title: string, lines: readonly string[]) => [`### ${title}`, '', ...lines, ''];
  return `${[
    texts.summary,
    '',
    ...section(help.section.input, texts.input),
    ...section(help.section.output, texts.output),
    ...section(help.section.config, table([help.column.field, help.column.meaning], config)),
    ...section(help.section.status, statusTable(type, locale)),
    ...section(help.section.errors, [help.errors, '', ...table([help.column.id, help.column.meaning], codes)]),
    ...section(help.section.wiring, texts.wiring),
    ...section(help.section.example, texts.example),
    ...section(help.section.standards, texts.standards),
  ]
    .join('\n')
    .replace(/\n{3,}/g, '\n\n')
    .trim()}\n`;
}
