/**
 * Who runs in the flow process: every node's code, its timers, promises and sockets carry the node they belong to, so that
 * a loop, a throw or an exit is that of one tab. Also counts what each tab is handed, for loops that keep the heart beating.
 */
import { AsyncLocalStorage, createHook } from 'node:async_hooks';
import { crumbOf, dropCrumb, dropWords, type Owner } from './crumb.ts';
import { runtimePart } from './node-red.ts';

interface Runner extends Owner {
  readonly crumb: Buffer | undefined;
  readonly load: Load;
}
/** Of one tab, since it was last asked for. */
interface Load {
  readonly tab: string;
  node: string;
  messages: number;
}

/** The parts of Node-RED's runtime that start somebody's code. */
interface TracedNode {
  readonly id: string;
  readonly _alias?: string;
  readonly _path?: string;
  readonly z?: string;
  readonly type?: string;
  /** Of an inject node: fires by itself after each deploy. */
  readonly once?: boolean;
}
interface NodeClass {
  readonly prototype: {
    _emitInput(this: TracedNode, message: unknown): void;
    receive(this: TracedNode, message: unknown): void;
    close(this: TracedNode, removed: boolean): Promise<void>;
  };
}
interface FlowUtil {
  createNode(flow: { path: string }, config: TracedNode): Promise<unknown>;
}

/** As sysexits.h has it: over an error nobody caught (V5). */
const EX_SOFTWARE = 70;

const runners = new AsyncLocalStorage<Runner>();
/**
 * What goes on began with the making of a node, that is with a start or a deploy: for good (an inject node that fires once,
 * the set-up code of a function), or for a while (a socket that is opened then brings what others send for as long as it
 * lives, but what it brings at once, such as a retained message, is the deploy's doing).
 */
const made = new AsyncLocalStorage<{ readonly forGood: boolean } | undefined>();
const DEPLOY_MS = 10_000;
let startedAt = 0;
const loads = new Map<string, Load>();
const known = new WeakMap<object, Runner>();
let inHand: Runner | undefined;

function mark(runner: Runner | undefined): void {
  if (runner === inHand) return;
  inHand = runner;
  dropCrumb(runner?.crumb);
}

/** A node inside a subflow belongs to the tab its outermost instance stands on. */
function runnerOf(node: TracedNode, path: string): Runner {
  const found = known.get(node);
  if (found) return found;
  const tab = path.split('/', 1)[0] ?? 'global';
  const owner = { tab, node: node._alias ?? node.id };
  const load = loads.get(tab) ?? { tab, node: owner.node, messages: 0 };
  loads.set(tab, load);
  const runner = { ...owner, crumb: crumbOf(owner), load };
  known.set(node, runner);
  return runner;
}

function run<T>(runner: Runner, act: () => T): T {
  const outer = inHand;
  mark(runner);
  try {
    return runners.run(runner, act);
  } finally {
    mark(outer);
  }
}

/** The tab that was handed most messages since the last call. */
export function takeBusiest(): { readonly tab: string; readonly node: string; readonly messages: number } | undefined {
  let busiest: Load | undefined;
  for (const load of loads.values()) if (load.messages > (busiest?.messages ?? 0)) busiest = load;
  const found = busiest && { ...busiest };
  for (const load of loads.values()) load.messages = 0;
  return found;
}

/** The flows run from now on. */
export function noteStart(): void {
  startedAt = performance.now();
}

/** Whatever goes on now was set off by a start or a deploy, not by something that happened. */
export function beganWithDeploy(): boolean {
  const origin = made.getStore();
  return origin !== undefined && (origin.forGood || performance.now() - startedAt < DEPLOY_MS);
}

/** What ends this process by itself leaves word whose it was. No "carry on": what a throw left half done stays so (V5). */
function leaveWord(): { forgetExit(): void } {
  let expected = false;
  const stackOf = (error: unknown) => (error instanceof Error ? (error.stack ?? error.message) : String(error));
  const die = (error: unknown) => {
    dropWords(runners.getStore(), stackOf(error));
    process.stderr.write(`${stackOf(error)}\n`);
    expected = true;
    process.exit(EX_SOFTWARE);
  };
  process.on('uncaughtException', die);
  process.on('unhandledRejection', die);
  process.on('exit', (code) => {
    if (!expected) dropWords(runners.getStore(), `process.exit(${code})`);
  });
  return {
    forgetExit() {
      expected = true;
    },
  };
}

/** Only we talk to the core: a flow that does it got out of its sandbox, and what it said may be still on its way later. */
function watchTalk(): void {
  const { send } = process;
  if (!send) return;
  let told = false;
  process.send = function watched(...args: unknown[]) {
    const owner = runners.getStore();
    if (owner && !told) dropWords(owner, 'process.send()');
    told ||= owner !== undefined;
    return Reflect.apply(send, process, args) as boolean;
  };
}

/**
 * Begins to watch; to be called before Node-RED makes its first node.
 * @returns tells that the next exit is our own wish
 */
export function traceNodes(): { forgetExit(): void } {
  const { prototype } = runtimePart('nodes/Node.js') as NodeClass;
  const flowUtil = runtimePart('flows/util.js') as FlowUtil;
  const { _emitInput: emitInput, receive, close } = prototype;
  const fired = new WeakSet<object>();
  let handed = false;
  prototype.receive = function traced(message) {
    handed = true;
    receive.call(this, message);
    handed = false;
  };
  prototype._emitInput = function traced(message) {
    const runner = runnerOf(this, this._path ?? this.z ?? 'global');
    runner.load.messages += 1;
    runner.load.node = runner.node;
    const act = () => run(runner, () => emitInput.call(this, message));
    if (this.type !== 'inject') return act();
    // Its button hands it a message; its first of its own is that of the deploy, all others are those of a timetable.
    const atDeploy = !handed && this.once === true && !fired.has(this);
    if (!handed) fired.add(this);
    made.run(atDeploy ? { forGood: true } : undefined, act);
  };
  prototype.close = function traced(removed) {
    return run(runnerOf(this, this._path ?? this.z ?? 'global'), () => close.call(this, removed));
  };
  const { createNode } = flowUtil;
  flowUtil.createNode = (flow, config) =>
    made.run({ forGood: config.type === 'function' }, () =>
      run(runnerOf({ id: config.id, ...(config._alias ? { _alias: config._alias } : {}) }, flow.path), () =>
        createNode(flow, config),
      ),
    );
  // Timers, promises and sockets go on in the name of whoever began them.
  createHook({ before: () => mark(runners.getStore()), after: () => mark(undefined) }).enable();
  watchTalk();
  return leaveWord();
}
