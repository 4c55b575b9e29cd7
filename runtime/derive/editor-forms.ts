/**
 * Contracts in, Node-RED's palette out: for each node type a page with its form, its help in two languages and a shim
 * that Node-RED can find. The result is committed under nodes/derived, so that a review shows what a contract changes
 * for installers; `node runtime/derive/editor-forms.ts` writes it, a test says when it is old.
 */
import { globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Category } from '../contracts/contract.ts';
import { type Form, formOf } from './editor-form.ts';
import { helpOf } from './editor-help.ts';
import { type Locale, languages, localeOf } from './editor-words.ts';
import { type NodeType, nodeTypes } from './node-types.ts';

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
  const { field, option, placeholder, picker, port, kind, status, short, code, failure, schedule } = texts;
  return {
    palette: { label: { [paletteCategory(node.category)]: texts.category[node.category] } },
    label: node.title(locale),
    ...{ field, option, placeholder, picker, port, kind, status, short, code, failure },
    ...(node.type === 'gh-schedule' ? { schedule } : {}),
  };
}

const editorFolder = fileURLToPath(new URL('../../nodes/editor', import.meta.url));
const editorSources = globSync('*.ts', { cwd: editorFolder })
  .map((file) => file.slice(0, -'.ts'.length))
  .toSorted((a, b) => a.localeCompare(b));

/** The browser half, as it is but without types. */
function scriptOf(name: string): string {
  const source = readFileSync(join(editorFolder, `${name}.ts`), 'utf8');
  const stripped = stripTypeScriptTypes(source, { mode: 'strip' });
  return `${stripped
    .replace(/from '\.\/([\w.]+)\.ts'/g, "from './$1.js'")
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

/** For a node that no reference flow shows: its records to the sidebar, and its first command at the push of a button. */
function exampleOf({ type, scenario }: NodeType): string {
  const z = `${type}-example`;
  const title = scenario?.title.zh ?? type;
  const [command] = Object.entries(scenario?.commands ?? {}).find(([, { allow }]) => allow.includes('flow')) ?? [];
  const records = Object.keys(scenario?.events ?? {}).length > 0 ? ['event:*', 'alarm:*'] : ['telemetry:*', 'alarm:*'];
  const node = { id: `${z}-node`, type, z, name: '', pick: 'all', device: '', deviceName: '', zone: '', records };
  const outputs = command === undefined ? [[`${z}-seen`]] : [[`${z}-seen`], [`${z}-seen`]];
  const debug = { tosidebar: true, console: false, tostatus: false, complete: 'true', targetType: 'full' };
  const press = {
    ...{ id: `${z}-press`, type: 'inject', z, name: title, props: [{ p: 'payload' }], repeat: '', crontab: '' },
    ...{ once: false, topic: '', payload: command, payloadType: 'str', wires: [[node.id]], x: 150, y: 160 },
  };
  const nodes = [
    { id: z, type: 'tab', label: title, disabled: false, info: '', env: [] },
    {
      ...{ ...node, ...(command === undefined ? {} : { command }), maxAgeSeconds: 30, wires: outputs },
      ...{ x: 370, y: 160 },
    },
    { id: `${z}-seen`, type: 'debug', z, name: '', active: true, ...debug, wires: [], x: 600, y: 160 },
    ...(command === undefined ? [] : [press]),
  ];
  return `${JSON.stringify(nodes, null, 2)}\n`;
}

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
      description: 'Typed nodes of the Gatehouse edge gateway: records, commands, alarms, notices, schedules.',
      license: 'Apache-2.0',
      engines: { node: '>=24' },
      type: 'module',
      keywords: ['node-red'],
      'node-red': {
        version: '>=5.0.0',
        nodes: Object.fromEntries(nodeTypes.map(({ type }) => [type, `${type}.js`])),
        plugins: { 'gatehouse-editor': 'gatehouse-editor.html' },
      },
    }),
  );
  const references = examples();
  for (const [path, text] of references) files.set(path, text);
  for (const node of nodeTypes) {
    const shown = references.some(([, text]) => text.includes(`"type": "${node.type}"`));
    if (!shown) files.set(`examples/${node.scenario?.id ?? 'core'}/${node.type}.json`, exampleOf(node));
  }
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
