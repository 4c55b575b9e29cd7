/** A journal in a process of its own, told what to do over IPC. Argument: directory. */
import { systemClock } from '../../runtime/clock.ts';
import { Journal } from '../../runtime/journal/journal.ts';
import { silentLog } from '../../runtime/log.ts';
import { type Ack, digestOf, trialSchema } from './journal-acks.ts';

export type ToDiskChild = { readonly do: 'open' } | { readonly do: 'append'; readonly count: number };
export type FromDiskChild =
  | { readonly acks: readonly Ack[]; readonly epoch: number }
  /** A GatehouseError's code, or what else was thrown. */
  | { readonly refused: string };

const [directory = ''] = process.argv.slice(2);
const PAD = 'x'.repeat(900);
let journal: Journal | undefined;

async function obey(message: ToDiskChild): Promise<FromDiskChild> {
  if (message.do === 'open') {
    journal = await Journal.open({ directory, clock: systemClock, log: silentLog, schema: trialSchema });
    return { acks: [], epoch: journal.epoch };
  }
  const open = journal;
  if (!open) throw new Error('not open');
  const units = await Promise.all(
    Array.from({ length: message.count }, (_, n) =>
      open.append({ lane: 'L1', kind: 'event', scenario: 'trial', device: '', name: 'disk', data: { n, pad: PAD } }),
    ),
  );
  const acks = units.map((records) => ({
    records: records.map(({ epoch, seq, id, lane, data }) => ({ epoch, seq, id, lane, digest: digestOf(data) })),
  }));
  return { acks, epoch: open.epoch };
}

process.on('message', (message: ToDiskChild) => {
  obey(message).then(
    (answer) => process.send?.(answer),
    (error: Error & { code?: string }) => process.send?.({ refused: error.code ?? error.message }),
  );
});
process.on('disconnect', () => process.exit(0));
