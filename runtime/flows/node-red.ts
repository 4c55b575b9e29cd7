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
  readonly events: {
    on(name: 'flows:started', listener: () => void): void;
    on(name: 'runtime-event', listener: (event: RuntimeEvent) => void): void;
  };
}

/**
 * Loads Node-RED. Node refuses fsync under `--permission`, and Node-RED then warns at every write; the core flushes a
 * deployed flow itself (supervisor.ts), so here it is a step that is left out.
 */
export function loadNodeRed(): NodeRed {
  const require = createRequire(import.meta.url);
  const fs = require('node:fs') as { fsync(handle: number, done: (error: null) => void): void };
  fs.fsync = (_handle, done) => process.nextTick(done, null);
  return require('node-red') as NodeRed;
}
