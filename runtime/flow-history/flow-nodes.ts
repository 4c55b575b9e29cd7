/** What is in a flow file: which node stands on which tab, what differs between two, a tab that is turned off. Pure. */
import type { FlowVersionDetail } from '../contracts/api.ts';

/** A node, tab, subflow, group or configuration, with whatever its type keeps. */
export interface FlowEntry {
  readonly id: string;
  readonly type: string;
  /** Tab or subflow it stands on; absent: a configuration for all. */
  readonly z?: string;
  readonly label?: string;
  readonly name?: string;
  readonly disabled?: boolean;
  readonly info?: string;
  readonly [field: string]: unknown;
}

const SUBFLOW = 'subflow:';

export const tabsOf = (nodes: readonly FlowEntry[]): FlowEntry[] => nodes.filter(({ type }) => type === 'tab');
export const labelOf = ({ id, label, name, type }: FlowEntry): string => label || name || `${type} ${id}`;

/** Every tab on which one of these nodes works: itself, inside a subflow, or as a configuration that others use. */
export function tabsWith(nodes: readonly FlowEntry[], wanted: (node: FlowEntry) => boolean): string[] {
  const tabs = new Set(tabsOf(nodes).map(({ id }) => id));
  const found = new Set<string>();
  const visited = new Set<string>();
  const visit = (node: FlowEntry): void => {
    if (visited.has(node.id)) return;
    visited.add(node.id);
    if (node.type === 'tab') found.add(node.id);
    else if (node.type === 'subflow')
      for (const use of nodes.filter(({ type }) => type === SUBFLOW + node.id)) visit(use);
    else if (node.z !== undefined && tabs.has(node.z)) found.add(node.z);
    else if (node.z !== undefined) for (const use of nodes.filter(({ type }) => type === SUBFLOW + node.z)) visit(use);
    else for (const user of nodes) if (Object.values(user).includes(node.id) && user.id !== node.id) visit(user);
  };
  for (const node of nodes) if (wanted(node)) visit(node);
  return [...found];
}

/** Begins the line of a tab's description that says who turned it off; a later one takes its place. */
const MARK = '> ⛔ ';

/** @returns the nodes with these tabs disabled, each saying so in its description */
export const withTabsOff = (nodes: readonly FlowEntry[], ids: readonly string[], words: string): FlowEntry[] =>
  nodes.map((node) => {
    if (node.type !== 'tab' || !ids.includes(node.id)) return node;
    const rest = (node.info ?? '').split('\n').filter((line) => !line.startsWith(MARK));
    return { ...node, disabled: true, info: [`${MARK}${words}`, ...rest].join('\n').trim() };
  });

/** Where a node stands says nothing about what it does. */
const PLACES = new Set(['x', 'y', 'w', 'h']);
const LONGEST_VALUE = 4000;
const MOST_CHANGES = 1000;

type FlowChange = FlowVersionDetail['changes'][number];
type FieldChange = NonNullable<FlowChange['fields']>[number];

const textOf = (value: unknown): string | undefined => {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return text === undefined || text.length <= LONGEST_VALUE ? text : `${text.slice(0, LONGEST_VALUE)}…`;
};

function fieldsOf(before: FlowEntry, after: FlowEntry): FieldChange[] {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].filter((name) => !PLACES.has(name));
  return names
    .filter((name) => JSON.stringify(before[name]) !== JSON.stringify(after[name]))
    .map((field) => {
      const [old, now] = [textOf(before[field]), textOf(after[field])];
      return { field, ...(old === undefined ? {} : { before: old }), ...(now === undefined ? {} : { after: now }) };
    });
}

/** What differs, positions left out, in the order of the newer file; removed ones last. */
export function diffFlows(before: readonly FlowEntry[], after: readonly FlowEntry[]): FlowChange[] {
  const old = new Map(before.map((node) => [node.id, node]));
  const now = new Map(after.map((node) => [node.id, node]));
  const about = (node: FlowEntry, nodes: ReadonlyMap<string, FlowEntry>) => {
    const tab = node.type === 'tab' || node.type === 'subflow' ? node : nodes.get(node.z ?? '');
    const { id, type } = node;
    return { node: id, type, label: labelOf(node), ...(tab ? { tab: { id: tab.id, label: labelOf(tab) } } : {}) };
  };
  const changes: FlowChange[] = [];
  for (const node of after) {
    const former = old.get(node.id);
    if (!former) changes.push({ change: 'added', ...about(node, now) });
    else {
      const fields = fieldsOf(former, node);
      if (fields.length > 0) changes.push({ change: 'changed', ...about(node, now), fields });
    }
  }
  for (const node of before) if (!now.has(node.id)) changes.push({ change: 'removed', ...about(node, old) });
  return changes.slice(0, MOST_CHANGES);
}

/** The tabs that a diff touches, each once. */
export function changedTabs(changes: readonly FlowChange[]): { id: string; label: string }[] {
  const tabs = new Map(changes.flatMap(({ tab }) => (tab ? [[tab.id, tab.label] as const] : [])));
  return [...tabs].map(([id, label]) => ({ id, label }));
}
