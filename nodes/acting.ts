/** The part of a node that does something for a message: who acts and why, light, one kind of failure, a clean end. */
import { createHash } from 'node:crypto';
import { connectionOf } from './connection.ts';
import { explain, NodeFailure } from './failures.ts';
import type { Acting } from './gateway.ts';
import type { Light } from './light.ts';
import { originOf } from './message.ts';
import type { FlowNode, Message, Red } from './red.ts';

/**
 * Does what a message asks for. @returns what leaves, by output
 * @param actingFor makes the key for what is done: the same record through the same node always has the same
 */
export type Run = (message: Message, actingFor: (what: string) => Acting) => Promise<(Message | null)[]>;

/** What the gateway takes as Idempotency-Key and as a cause; ids of foreign messages may be anything. */
const keyOf = (text: string): string =>
  /^[\x21-\x7e]{1,128}$/.test(text) ? text : createHash('sha256').update(text).digest('base64url');
const LONGEST_CAUSE = 64;

/** Answers a message and changes nothing anywhere: it may look at history as well as at the present. */
export type Asks = (message: Message, signal: AbortSignal) => Promise<(Message | null)[]>;

interface Work<Answer> {
  readonly red: Red;
  readonly node: FlowNode;
  readonly light: Light;
  readonly run: Answer;
}

/**
 * Answers every input with `run`, and refuses history that is played back to flows that are at work.
 * @returns what ends it: nobody waits any more, but what was sent goes on in the gateway
 */
export function actOnInput({ run, ...work }: Work<Run>): () => void {
  const { node, red } = work;
  return askOnInput({ ...work, run: (message, signal) => act(message, signal) });

  async function act(message: Message, signal: AbortSignal): Promise<(Message | null)[]> {
    const { id: cause, replay } = originOf(message);
    // Where history has a process of its own, nothing it can reach moves anything.
    if (replay && !connectionOf(red).replay) throw new NodeFailure('GH_REPLAY', 'replay');
    // A message that no record caused (an inject button) stands for itself.
    const origin = cause ?? message._msgid ?? '';
    return run(message, (what) => ({
      flow: node.z,
      node: node.id,
      key: keyOf(`${node.id}:${origin}:${what}`),
      ...(cause === undefined || cause.length > LONGEST_CAUSE ? {} : { cause }),
      signal,
    }));
  }
}

/** @returns what ends it */
export function askOnInput({ red, node, light, run }: Work<Asks>): () => void {
  const closing = new AbortController();
  const count = (by: number) => ({ running: (light.condition().running ?? 0) + by });

  node.on('input', (message, send, done) => {
    light.set(count(1));
    run(message, closing.signal).then(
      (outputs) => {
        light.set({ ...count(-1), failed: undefined, goodAt: Date.now() });
        send(outputs);
        done();
      },
      (error: unknown) => {
        if (closing.signal.aborted) return done();
        const failure = explain(red, error);
        light.set({ ...count(-1), failed: failure.code });
        done(failure);
      },
    );
  });
  return () => closing.abort();
}
