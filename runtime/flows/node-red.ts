/**
 * The part of Node-RED's interface that the flow process uses. Its own type package pulls the browser's globals into
 * every file of the program, so that `name` or `event` would type-check in the core; the editor half uses it instead.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createRequire } from 'node:module';

export interface RuntimeEvent {
  readonly id: string;
  readonly payload?: {
    readonly error?: string;
    readonly types?: readonly string[];
    readonly modules?: readonly object[];
  };
}

export interface NodeRed {
  init(server: Server, settings: object): void;
  start(): Promise<void>;
  stop(): Promise<void>;
  readonly httpAdmin: (request: IncomingMessage, response: ServerResponse) => void;
  readonly nodes: {
    registerType(module: string, type: string, create: (this: object, definition: object) => void): void;
    createNode(node: object, definition: object): void;
  };
  readonly runtime: { readonly flows: { setFlows(options: object): Promise<unknown> } };
  readonly events: {
    on(name: 'flows:started', listener: () => void): void;
    on(name: 'runtime-event', listener: (event: RuntimeEvent) => void): void;
  };
}

const require = createRequire(import.meta.url);

/** A module of Node-RED's runtime that its own interface does not show; its version is pinned, and tests hold it to us. */
export const runtimePart = (path: string): unknown =>
  createRequire(require.resolve('node-red'))(`@node-red/runtime/lib/${path}`);

/**
 * Loads Node-RED. Node refuses fsync under `--permission`, and Node-RED then warns at every write; the core flushes a
 * deployed flow itself (supervisor.ts), so here it is a step that is left out.
 */
export function loadNodeRed(): NodeRed {
  const fs = require('node:fs') as { fsync(handle: number, done: (error: null) => void): void };
  fs.fsync = (_handle, done) => process.nextTick(done, null);
  return require('node-red') as NodeRed;
}
