/** Which tab's context holds most of a process that grew too large: where a leak of a flow usually is. */
import { runtimePart } from './node-red.ts';

/** Objects looked at; enough to tell a leak of hundreds of megabytes, and done in a tenth of a second. */
const BUDGET = 500_000;
const OBJECT_BYTES = 64;

interface MemoryStore {
  readonly data: Readonly<Record<string, unknown>>;
}

/** About how many bytes hang on it, as far as the budget goes. */
export function weigh(root: unknown, budget = BUDGET): number {
  const seen = new Set<object>();
  const open: unknown[] = [root];
  let bytes = 0;
  for (let left = budget; open.length > 0 && left > 0; left--) {
    const value = open.pop();
    if (typeof value === 'string') bytes += 2 * value.length;
    if (typeof value !== 'object' || value === null || seen.has(value)) continue;
    seen.add(value);
    bytes += OBJECT_BYTES;
    if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) bytes += value.byteLength;
    else if (value instanceof Map) open.push(...value.keys(), ...value.values());
    else if (value instanceof Set) open.push(...value);
    else for (const item of Object.values(value)) open.push(item);
  }
  return bytes;
}

export interface Contexts {
  /** For Node-RED's settings: its own store in memory, of which we keep hold. */
  readonly storage: object;
  /** The scope that holds most: `<tab>`, `<node>:<tab>` or `global`, as Node-RED names them. */
  heaviest(): { readonly scope: string; readonly bytes: number } | undefined;
}

export function watchContexts(): Contexts {
  const memory = runtimePart('nodes/context/memory.js') as (config: object) => MemoryStore;
  let store: MemoryStore | undefined;
  return {
    storage: {
      default: {
        module: (config: object) => {
          store = memory(config);
          return store;
        },
      },
    },
    heaviest() {
      const scopes = Object.entries(store?.data ?? {}).map(([scope, data]) => ({ scope, bytes: weigh(data) }));
      return scopes.toSorted((a, b) => b.bytes - a.bytes)[0];
    },
  };
}
