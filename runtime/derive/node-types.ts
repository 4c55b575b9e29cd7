/** The node types of the palette: what each page calls, its form, and the module that serves it. */
import type { Category, Scenario } from '../contracts/contract.ts';
import { scenarios } from '../contracts/index.ts';
import type { Words } from '../contracts/words.ts';
import type { FormField } from './editor-form.ts';
import type { Locale } from './editor-words.ts';

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
export interface NodeType {
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
  {
    type: 'gh-query',
    category: 'gh-core',
    icon: 'search',
    title: ({ texts }) => texts.node['gh-query'],
    call: { name: 'query', values: { scenarios: scenarios.map(({ id, title }) => ({ id, words: title })) } },
    form: ['name', 'ask', 'scenario', 'pick', 'device', 'zone', 'names', 'kind', 'pastMinutes', 'limit'],
    shim: shimOf('query-node.ts', 'registerQuery'),
  },
  {
    type: 'gh-schedule',
    category: 'gh-core',
    icon: 'calendar',
    title: ({ texts }) => texts.node['gh-schedule'],
    call: { name: 'schedule', values: {} },
    form: ['name', 'times', 'grace'],
    shim: shimOf('schedule-node.ts', 'registerSchedule'),
  },
  {
    type: 'gh-notice',
    category: 'gh-notice',
    icon: 'bullhorn',
    title: ({ texts }) => texts.node['gh-notice'],
    call: { name: 'notice', values: {} },
    form: ['name', 'title', 'text', 'priority', 'roles', 'booths', 'screens', 'minutes'],
    shim: shimOf('notice-node.ts', 'registerNotice'),
  },
  {
    type: 'gh-workorder',
    category: 'gh-notice',
    icon: 'wrench',
    title: ({ texts }) => texts.node['gh-workorder'],
    call: { name: 'workOrder', values: {} },
    form: ['name', 'orderTitle', 'orderText', 'orderPriority', 'alarmDevice', 'orderZone', 'assignee', 'dueMinutes'],
    shim: shimOf('work-order-node.ts', 'registerWorkOrder'),
  },
];

/** Every node of the palette: one per scenario, and the core nodes. */
export const nodeTypes: readonly NodeType[] = [...scenarios.map(scenarioNode), ...coreNodes];
