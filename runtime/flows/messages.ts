/** What core and flow process say to each other over IPC: life signs and switches only; data goes over the API socket. */

/** Core → child, once, right after the start. Secrets travel here and never in the environment. */
export interface StartMessage {
  readonly do: 'start';
  /** `<data>/flows`: the only folder the child may write. */
  readonly directory: string;
  /** Unix socket of the gateway's API, and the token of the flow actor. */
  readonly socket: string;
  readonly token: string;
  readonly credentialSecret: string;
  readonly editorKey: string;
  readonly editorSocket: string;
  readonly language: 'zh-CN' | 'en-US';
  readonly safeMode: boolean;
  /** Node types that are not there, of tabs that are off: they must not keep the others from running. */
  readonly standIns: readonly string[];
  /** Seconds after which a looping function node is interrupted; 0: never. */
  readonly functionTimeout: number;
  /** History is played back: what stands behind the socket only writes down what would be done (replay/). */
  readonly replay?: boolean;
}

export type ToChild =
  | StartMessage
  | { readonly do: 'editor'; readonly open: boolean }
  /** The flow file has been replaced: take it up. */
  | { readonly do: 'reload' }
  | { readonly do: 'stop' };

/** Why flows do not run although the process does. */
export const idleReasons = ['safe-mode', 'missing-types', 'missing-modules', 'flow-file'] as const;
export type IdleReason = (typeof idleReasons)[number];

export type FromChild =
  | {
      readonly is: 'beat';
      readonly rss: number;
      /** Share of the time since the last beat that its main loop was at work, 0 to 1. */
      readonly busy?: number;
      /** The tab that was handed most messages since the last beat. */
      readonly busiest?: { readonly tab: string; readonly node: string; readonly messages: number };
      /** Of a process that is too large: whose context holds most. */
      readonly heaviest?: { readonly scope: string; readonly bytes: number };
    }
  | { readonly is: 'flows'; readonly running: true }
  | {
      readonly is: 'flows';
      readonly running: false;
      readonly reason: IdleReason;
      readonly detail: string;
      /** Node types that are not there. */
      readonly types?: readonly string[];
    }
  | { readonly is: 'editor'; readonly open: boolean; readonly error?: string }
  | { readonly is: 'failed'; readonly error: string };

export const BEAT_EVERY_MS = 500;
/** Of resident memory (reliability.md V4); beyond it the child also says whose context holds most. */
export const RSS_LIMIT = 512 * 1024 * 1024;
const MOST_TYPES = 100;

function readBeat({ rss, busy: share, busiest, heaviest }: Record<string, unknown>): FromChild | undefined {
  if (typeof rss !== 'number') return undefined;
  const busy = busiest as { tab?: unknown; node?: unknown; messages?: unknown } | null | undefined;
  const heavy = heaviest as { scope?: unknown; bytes?: unknown } | null | undefined;
  return {
    is: 'beat',
    rss,
    ...(typeof share === 'number' ? { busy: share } : {}),
    ...(typeof busy?.tab === 'string' && typeof busy.node === 'string' && typeof busy.messages === 'number'
      ? { busiest: { tab: busy.tab.slice(0, 64), node: busy.node.slice(0, 64), messages: busy.messages } }
      : {}),
    ...(typeof heavy?.scope === 'string' && typeof heavy.bytes === 'number'
      ? { heaviest: { scope: heavy.scope.slice(0, 128), bytes: heavy.bytes } }
      : {}),
  };
}

/** @returns undefined for anything the child of our making does not say: a function node that got out may send what it likes. */
export function readFromChild(value: unknown): FromChild | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const message = value as Record<string, unknown>;
  const text = (field: string) => (typeof message[field] === 'string' ? message[field].slice(0, 500) : '');
  switch (message.is) {
    case 'beat':
      return readBeat(message);
    case 'flows': {
      if (message.running === true) return { is: 'flows', running: true };
      const reason = idleReasons.find((known) => known === message.reason);
      if (!reason) return undefined;
      const types = Array.isArray(message.types) ? message.types.filter((type) => typeof type === 'string') : [];
      return {
        ...{ is: 'flows', running: false, reason, detail: text('detail') },
        ...(types.length > 0 ? { types: types.slice(0, MOST_TYPES).map((type) => type.slice(0, 100)) } : {}),
      };
    }
    case 'editor':
      return {
        is: 'editor',
        open: message.open === true,
        ...(message.error === undefined ? {} : { error: text('error') }),
      };
    case 'failed':
      return { is: 'failed', error: text('error') };
    default:
      return undefined;
  }
}
