/** What really happened in the demo compound: asks its process, not the gateway. */
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import { type DemoStats, socketPathOf } from '../runtime/demo/messages.ts';

/** @throws if the compound does not run or refuses */
async function ask(data: string, what: 'stats' | 'stop'): Promise<unknown> {
  const socket = connect(socketPathOf(data));
  try {
    socket.write(`${JSON.stringify({ id: 1, do: what })}\n`);
    for await (const line of createInterface({ input: socket })) {
      const reply = JSON.parse(line) as { result?: unknown; error?: string };
      if (reply.result === undefined) throw new Error(reply.error);
      return reply.result;
    }
    throw new Error('the compound closed the connection');
  } finally {
    socket.destroy();
  }
}

/** Physical pulses and cars so far. */
export const compoundStats = async (data: string): Promise<DemoStats> => (await ask(data, 'stats')) as DemoStats;

/** Ends a compound that a killed core left behind; one that has gone is fine. */
export async function endCompound(data: string): Promise<void> {
  await ask(data, 'stop').catch(() => undefined);
}
