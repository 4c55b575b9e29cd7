/** What really happened in the demo compound: asks its process, not the gateway. */
import { connect } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { DemoStats } from '../runtime/demo/messages.ts';

/** Physical pulses and cars so far. */
export async function compoundStats(data: string): Promise<DemoStats> {
  const socket = connect(join(data, 'demo.sock'));
  try {
    socket.write(`${JSON.stringify({ id: 1, do: 'stats' })}\n`);
    for await (const line of createInterface({ input: socket })) {
      const reply = JSON.parse(line) as { result?: DemoStats; error?: string };
      if (!reply.result) throw new Error(reply.error);
      return reply.result;
    }
    throw new Error('the compound closed the connection');
  } finally {
    socket.destroy();
  }
}
