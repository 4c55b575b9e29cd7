/**
 * Contracts in, Node-RED's palette out: for each node type a page with its form, its help in two languages and a shim
 * that Node-RED can find. The result is committed under nodes/derived, so that a review shows what a contract changes
 * for installers; `node runtime/derive/editor-forms.ts` writes it, a test says when it is old.
 */
import { globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Category, Scenario } from '../contracts/contract.ts';
import { scenarios } from '../contracts/index.ts';
import type { Words } from '../contracts/words.ts';
import { type Form, type FormField, formOf } from './editor-form.ts';
import { helpOf } from './editor-help.ts';
import { type Locale, languages, localeOf } from './editor-words.ts';

/** Colours of ux.md 11.3: body text #333 has at least 4.8:1 on each. */
const colours: Readonly<Record<Category, string>> = {
  'gh-core': '#C0DEED',
  'gh-access': '#87A980',
  'gh-elevator': '#D8BFD8',
  'gh-video': '#A6BBCF',
  'gh-safety': '#E9967A',
  'gh-energy': '#FFCC66',
  'gh-env': '#C7E9C0',
  'gh-notice': '#FDD0A2',
  'gh-link': '#E6E0F8',
};

/** Records of a kind may be wanted one by one only where the contract names them. */
const wordsOf = (entries: Readonly<Record<string, object>>): { id: string; words: Words }[] =>
  Object.entries(entries).map(([id, entry]) => {
    const said = entry as { words?: Words; 'x-zh'?: string; description?: string };
    return { id, words: said.words ?? { zh: said['x-zh'] ?? id, en: said.description?.replace(/\.$/, '') ?? id } };
  });

const kindsAlone = (...names: string[]) => names.map((kind) => ({ kind, items: [] }));

const flowCommands = (scenario: Scenario) =>
  Object.entries(scenario.commands).filter(([, { allow }]) => allow.includes('flow'));

/** One node type: what its page calls, its form, and the module that serves it. */
interface NodeType {
  readonly type: string;
  readonly category: Category;
  readonly icon: string;
  readonly title: (locale: Locale) => string;
  readonly scenario?: Scenario;
  readonly call: { readonly name: string; readonly values: object };
  readonly form: readonly FormField[];
  readonly shim: string;
}

function scenarioNode(scenario: Scenario): NodeType {
  const commands = flowCommands(scenario).map(([id, { words }]) => ({ id, words }));
  const groups = [
    { kind: 'event', items: wordsOf(scenario.events) },
    { kind: 'telemetry', items: wordsOf(scenario.telemetry) },
    { kind: 'alarm', items: wordsOf(scenario.alarms) },
    { kind: 'command', items: wordsOf(scenario.commands) },
    { kind: 'state', items: [] },
  ].filter(({ kind, items }) => kind === 'state' || items.length > 0);
  const ticked = Object.keys(scenario.events).length > 0 ? ['event:*'] : ['telemetry:*'];
  return {
    type: `gh-${scenario.id}`,
    category: scenario.category,
    icon: scenario.icon,
    title: (locale) => scenario.title[locale.words],
    scenario,
    call: { name: 'scenario', values: { scenario: scenario.id, commands, groups, ticked } },
    form: [
      'name',
      'pick',
      'device',
      'zone',
      'records',
      ...(commands.length > 0 ? (['command'] as const) : []),
      'maxAge',
    ],
    shim: `import { registerScenario } from '../scenario-node.ts';\n\nexport default (RED) => registerScenario(RED, '${scenario.id}');\n`,
  };
}

const shimOf = (module: string, register: string) =>
  `import { ${register} } from '../${module}';\n\nexport default (RED) => ${register}(RED);\n`;

const coreNodes: readonly NodeType[] = [
  {
    type: 'gh-records',
    category: 'gh-core',
    icon: 'bolt',
    title: ({ texts }) => texts.node['gh-records'],
    call: {
      name: 'records',
      values: {
        scenarios: scenarios.map(({ id, title }) => ({ id, words: title })),
        groups: kindsAlone('event', 'telemetry', 'alarm', 'command', 'state'),
      },
    },
    form: ['name', 'scenario', 'pick', 'device', 'zone', 'kinds', 'names', 'maxAge'],
    shim: shimOf('records-node.ts', 'registerRecords'),
  },
  {
    type: 'gh-access',
    category: 'gh-access',
    icon: 'id-card',
    title: ({ texts }) => texts.node['gh-access'],
    call: { name: 'access', values: {} },
    form: ['name', 'gate'],
    shim: shimOf('access-node.ts', 'registerAccess'),
  },
  {
    type: 'gh-alarm',
    category: 'gh-core',
    icon: 'bell',
    title: ({ texts }) => texts.node['gh-alarm'],
    call: {
      name: 'alarm',
      values: { alarms: scenarios.map(({ title, alarms }) => ({ scenario: title, kinds: wordsOf(alarms) })) },
    },
    form: ['name', 'action', 'alarmDevice', 'alarm'],
    shim: shimOf('alarm-node.ts', 'registerAlarm'),
  },
];

const nodeTypes: readonly NodeType[] = [...scenarios.map(scenarioNode), ...coreNodes];

/** JSON with the small things on one line each, so that a difference is one line too. */
const pretty = (value: object): string =>
  JSON.stringify(value, null, 2)
    .replace(/\{\n\s+("zh": .*),\n\s+("en": .*)\n\s+\}/g, '{ $1, $2 }')
    .replace(/\{\n\s+("id": .*),\n\s+("words": .*)\n\s+\}/g, '{ $1, $2 }');

/** Node-RED cuts category names at a hyphen. */
const paletteCategory = (category: Category): string => category.replaceAll('-', '_');

function pageOf(node: NodeType): string {
  const form: Form = formOf(node.form);
  const { type, category, icon } = node;
  const values = pretty({
    type,
    category: paletteCategory(category),
    color: colours[category],
    icon,
    ...node.call.values,
  });
  return [
    `<script type="text/html" data-template-name="${type}">`,
    form.html,
    '</script>',
    '<script type="text/javascript">',
    // A value can never end the script element.
    `GatehouseNodes.${node.call.name}(${values.replaceAll('<', '\\u003c')});`,
    '</script>',
    '',
  ].join('\n');
}

/** What the form, the ports and the status of one node say, in one language. */
function catalogOf(node: NodeType, locale: Locale): object {
  const { texts } = locale;
  const { field, option, placeholder, picker, port, kind, status, short, code, failure } = texts;
  return {
    palette: { label: { [paletteCategory(node.category)]: texts.category[node.category] } },
    label: node.title(locale),
    ...{ field, option, placeholder, picker, port, kind, status, short, code, failure },
  };
}

const editorSources = ['red', 'picker', 'checklist', 'editor'];
const editorFolder = fileURLToPath(new URL('../../nodes/editor', import.meta.url));

/** The browser half, as it is but without types. */
function scriptOf(name: string): string {
  const source = readFileSync(join(editorFolder, `${name}.ts`), 'utf8');
  const stripped = stripTypeScriptTypes(source, { mode: 'strip' });
  return `${stripped
    .replace(/from '\.\/(\w+)\.ts'/g, "from './$1.js'")
    .split('\n')
    .map((line) => line.trimEnd())
    .filter((line, index, all) => line !== '' || all[index - 1] !== '')
    .join('\n')
    .trim()}\n`;
}

const flowsFolder = fileURLToPath(new URL('../../flows', import.meta.url));

/** The reference flows, where the editor's import dialog offers them. */
const examples = (): [string, string][] =>
  globSync('*/*.json', { cwd: flowsFolder })
    .toSorted((a, b) => a.localeCompare(b))
    .map((path) => [`examples/${path}`, readFileSync(join(flowsFolder, path), 'utf8')]);

/** @returns every file of nodes/derived by its path there */
export function deriveEditorForms(): ReadonlyMap<string, string> {
  const files = new Map<string, string>();
  const json = (value: object) => `${JSON.stringify(value, null, 2)}\n`;
  files.set(
    'package.json',
    json({
      name: '@gatehouse/nodes',
      version: '0.1.0',
      private: true,
      type: 'module',
      keywords: ['node-red'],
      'node-red': {
        version: '>=5.0.0',
        nodes: Object.fromEntries(nodeTypes.map(({ type }) => [type, `${type}.js`])),
        plugins: { 'gatehouse-editor': 'gatehouse-editor.html' },
      },
    }),
  );
  for (const [path, text] of examples()) files.set(path, text);
  // A plug-in page is loaded before every node: the functions that the pages of the nodes call.
  files.set('gatehouse-editor.html', '<script type="module" src="resources/@gatehouse/nodes/editor.js"></script>\n');
  for (const name of editorSources) files.set(`resources/${name}.js`, scriptOf(name));
  for (const node of nodeTypes) {
    files.set(`${node.type}.js`, node.shim);
    files.set(`${node.type}.html`, pageOf(node));
    for (const language of languages) {
      const locale = localeOf(language);
      const help = helpOf(
        { type: node.type, form: node.form, ...(node.scenario ? { scenario: node.scenario } : {}) },
        locale,
      );
      files.set(`locales/${language}/${node.type}.json`, json(catalogOf(node, locale)));
      files.set(
        `locales/${language}/${node.type}.html`,
        `<script type="text/markdown" data-help-name="${node.type}">\n${help}</script>\n`,
      );
    }
  }
  return files;
}

/** Where the derived palette lives, and where Node-RED loads it from. */
export const derivedFolder = fileURLToPath(new URL('../../nodes/derived', import.meta.url));

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  rmSync(derivedFolder, { recursive: true, force: true });
  for (const [path, text] of deriveEditorForms()) {
    const file = join(derivedFolder, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  }
}
