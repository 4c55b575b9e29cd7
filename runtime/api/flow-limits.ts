/**
 * How much the flow process may ask of the gateway (reliability.md N9). What acts is bounded in all and for each flow, so
 * that one flow in a loop leaves room for the others; what is refused is answered late, so that asking again at once gains
 * nothing; a flow that goes on all the same is told on.
 */
import type { FastifyRequest } from 'fastify';
import type { Clock } from '../clock.ts';
import { GatehouseError } from '../errors.ts';
import { createBuckets, type Limits } from './limits.ts';

/** Of one flow, of the whole allowance: the others must get a word in. */
const SHARE = 0.5;
/** Half a second for each refused request, of at most as many as there are connections. */
export const REFUSED_AFTER_MS = 500;
/** So many refusals of one flow within the time are a loop, not a busy hour. */
const HAMMER = 100;
const HAMMER_WITHIN_MS = 5000;

export interface FlowLimits {
  /** @throws GatehouseError `http.rate`, `http.too_large` */
  admit(request: FastifyRequest, flow: string): void;
}

/** @param onHammer told of a flow that does not stop */
export function createFlowLimits(clock: Clock, limits: Limits, onHammer: (flow: string) => void): FlowLimits {
  const all = createBuckets(clock, limits.flowRequestsPerSecond);
  const each = createBuckets(clock, limits.flowRequestsPerSecond * SHARE);
  const reads = createBuckets(clock, limits.flowReadsPerSecond);
  const refused = new Map<string, number>();
  let since = clock.mono();

  function noteRefusal(flow: string): void {
    if (clock.mono() - since > HAMMER_WITHIN_MS) {
      since = clock.mono();
      refused.clear();
    }
    const count = (refused.get(flow) ?? 0) + 1;
    refused.set(flow, count);
    if (count === HAMMER) onHammer(flow);
  }

  return {
    admit({ method, headers }, flow) {
      const acts = method !== 'GET';
      if (acts && Number(headers['content-length'] ?? 0) > limits.flowBodyBytes)
        throw new GatehouseError('http.too_large', `A flow sends at most ${limits.flowBodyBytes} bytes at once`);
      const wait = acts ? each.take(flow) || all.take('all') : reads.take('all');
      if (wait === 0) return;
      noteRefusal(flow);
      const { flowRequestsPerSecond: most } = limits;
      const text = acts
        ? `Flows may act ${most} times a second in all, one flow ${most * SHARE} times`
        : `Flows may ask ${limits.flowReadsPerSecond} times a second`;
      throw new GatehouseError('http.rate', text, { detail: { retryAfterMs: wait } });
    },
  };
}
