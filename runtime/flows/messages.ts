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
  /** Seconds after which a looping function node is interrupted; 0: never. */
  readonly functionTimeout: number;
  /** History is played back: what stands behind the socket only writes down what would be done (replay/). */
  readonly replay?: boolean;
}

export type ToChild = StartMessage | { readonly do: 'editor'; readonly open: boolean } | { readonly do: 'stop' };

/** Why flows do not run although the process does. */
export const idleReasons = ['safe-mode', 'missing-types', 'missing-modules', 'flow-file'] as const;
export type IdleReason = (typeof idleReasons)[number];

export type FromChild =
  | { readonly is: 'beat'; readonly rss: number }
  | { readonly is: 'flows'; readonly running: true }
  | { readonly is: 'flows'; readonly running: false; readonly reason: IdleReason; readonly detail: string }
  | { readonly is: 'editor'; readonly open: boolean; readonly error?: string }
  | { readonly is: 'failed'; readonly error: string };

export const BEAT_EVERY_MS = 500;

/** @returns undefined for anything the child of our making does not say: a function node that got out may send what it likes. */
export function readFromChild(value: unknown): FromChild | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const message = value as Record<string, unknown>;
  const text = (field: string) => (typeof message[field] === 'string' ? message[field].slice(0, 500) : '');
  switch (message.is) {
    case 'beat':
      return typeof message.rss === 'number' ? { is: 'beat', rss: message.rss } : undefined;
    case 'flows': {
      if (message.running === true) return { is: 'flows', running: true };
      const reason = idleReasons.find((known) => known === message.reason);
      return reason && { is: 'flows', running: false, reason, detail: text('detail') };
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
