/** One tab of a flow file by itself: what it needs to run, and nothing that would act by itself or reach out. Pure. */

export interface FlowEntry {
  readonly id: string;
  readonly type: string;
  readonly [property: string]: unknown;
}

export interface Isolated {
  readonly tab: { readonly id: string; readonly name: string };
  readonly nodes: readonly FlowEntry[];
  /** Names of nodes that reach out of the flow, by other means than the gateway: they stand still. */
  readonly outside: readonly string[];
  /** Everybody who may act for the tab: itself and the subflows that stand on it. */
  readonly actors: ReadonlySet<string>;
}

/** Speaks to other machines, starts programs, writes files, serves pages. */
const REACHES_OUT =
  /^(mqtt (in|out)|http (in|request|response)|websocket (in|out)|tcp (in|out|request)|udp (in|out)|link (out|call)|e-mail|exec|file|file in|tail|watch|serial (in|out))$/;

const labelOf = ({ label, name, type }: FlowEntry): string =>
  [label, name, type].find((text): text is string => typeof text === 'string' && text !== '') ?? type;

/** @param wanted id or name. @returns undefined when there is no such tab */
export function findTab(flow: readonly FlowEntry[], wanted: string): FlowEntry | undefined {
  const tabs = flow.filter(({ type }) => type === 'tab');
  return tabs.find(({ id }) => id === wanted) ?? tabs.find((tab) => labelOf(tab) === wanted);
}

/** Ids anywhere inside a node's properties: configuration nodes and link partners. */
function mentioned(node: FlowEntry, known: ReadonlySet<string>): string[] {
  const found: string[] = [];
  const look = (value: unknown): void => {
    if (typeof value === 'string') {
      if (known.has(value)) found.push(value);
    } else if (typeof value === 'object' && value !== null) for (const inner of Object.values(value)) look(inner);
  };
  const { id: _id, z: _z, wires: _wires, ...rest } = node;
  look(rest);
  return found;
}

/** The nodes of the tab, with the subflows and configuration nodes they use, in the order of the file. */
function closure(flow: readonly FlowEntry[], tab: string): Set<string> {
  const byId = new Map(flow.map((node) => [node.id, node]));
  const config = new Set(
    flow.filter(({ type, z }) => type !== 'tab' && type !== 'subflow' && z === undefined).map(({ id }) => id),
  );
  const kept = new Set<string>();
  const keep = (id: string): void => {
    const node = byId.get(id);
    if (!node || kept.has(id)) return;
    kept.add(id);
    if (node.type === 'tab' || node.type === 'subflow') {
      for (const inner of flow) if (inner.z === id) keep(inner.id);
    }
    if (node.type.startsWith('subflow:')) keep(node.type.slice('subflow:'.length));
    for (const other of mentioned(node, config)) keep(other);
  };
  keep(tab);
  return kept;
}

/** What fires by itself would mix the present into the past. */
function quiet(node: FlowEntry): FlowEntry {
  if (node.type !== 'inject') return node;
  return { ...node, once: false, repeat: '', crontab: '' };
}

export function isolate(flow: readonly FlowEntry[], tab: FlowEntry): Isolated {
  const kept = closure(flow, tab.id);
  const nodes = flow.filter(({ id }) => kept.has(id));
  const outside = nodes.filter(({ type }) => REACHES_OUT.test(type));
  const still = new Set(outside.map(({ id }) => id));
  return {
    tab: { id: tab.id, name: labelOf(tab) },
    nodes: nodes.map((node) => {
      if (node.id === tab.id) return { ...node, disabled: false };
      return still.has(node.id) ? { ...node, d: true } : quiet(node);
    }),
    outside: outside.map((node) => `${labelOf(node)} (${node.type})`),
    actors: new Set([tab.id, ...nodes.filter(({ type }) => type.startsWith('subflow')).map(({ id }) => id)]),
  };
}

/** Name of a node for people. */
export const nameOfNode = (flow: readonly FlowEntry[], id: string): string | undefined => {
  const node = flow.find((one) => one.id === id);
  return node && labelOf(node);
};
