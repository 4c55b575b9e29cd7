/**
 * The part of Node-RED's node interface that our nodes use. Its own type package brings the browser's globals with it,
 * so that `name` or `event` would type-check here; only the editor half (nodes/editor) uses it.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';

/** What travels along the wires; nodes of others add whatever they like. */
export interface Message {
  _msgid?: string;
  topic?: unknown;
  payload?: unknown;
  [property: string]: unknown;
}

export interface NodeStatus {
  fill?: 'red' | 'green' | 'yellow' | 'blue' | 'grey';
  shape?: 'ring' | 'dot';
  text?: string;
}

type Send = (message: Message | (Message | null)[]) => void;
type Done = (error?: Error) => void;

export interface FlowNode {
  readonly id: string;
  /** Tab or subflow it stands on. */
  readonly z: string;
  readonly type: string;
  status(status: NodeStatus): void;
  /** What no message led to still reaches a Catch node. */
  error(error: Error, message: Message): void;
  send: Send;
  on(event: 'input', listener: (message: Message, send: Send, done: Done) => void): void;
  on(event: 'close', listener: () => void): void;
}

/** Properties of a node as saved in the flow file: written by the edit form, by hand or by an importer. */
export type NodeDefinition = Readonly<Record<string, unknown>>;

export interface EditorRequest extends IncomingMessage {
  readonly query: Readonly<Record<string, unknown>>;
}

type Route = (request: EditorRequest, response: ServerResponse, next: () => void) => void;

export interface Red {
  readonly nodes: {
    registerType(type: string, create: (this: FlowNode, definition: NodeDefinition) => void): void;
    createNode(node: FlowNode, definition: NodeDefinition): void;
  };
  readonly settings: { readonly gatehouse?: unknown; readonly userDir?: string };
  readonly events: {
    on(name: string, listener: () => void): void;
  };
  readonly httpAdmin: { get(path: string, ...handlers: Route[]): void };
  readonly auth: { needsPermission(permission: string): Route };
  readonly log: { warn(text: string): void };
  /** The words of the node's locale file, in the language of the server. */
  _(key: string, values?: Readonly<Record<string, unknown>>): string;
}
