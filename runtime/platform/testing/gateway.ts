/** What a gateway publishes, written by hand: the platform's side is tested by the form that is documented. */
import type { JournalRecord, Lane } from '../../contracts/record.ts';
import type { Delivery } from '../message.ts';

export const topicOf = (name: string, gateway = 'gh-1'): string => `gatehouse/v1/site/${gateway}/${name}`;

export const record = (seq: number, lane: Lane = 'L3', more: Partial<JournalRecord> = {}): JournalRecord => ({
  gateway: 'gh-1',
  epoch: 1,
  seq,
  id: `0190a000-0000-7000-8000-${String(seq).padStart(12, '0')}`,
  at: 1_767_225_600_000 + seq,
  received: 1_767_225_600_001 + seq,
  clock: 'synced',
  lane,
  kind: lane === 'L3' ? 'telemetry' : 'event',
  scenario: 'vehicle-gate',
  device: 'gate-east-in',
  name: 'something',
  data: seq,
  quality: 'good',
  ...more,
});

interface Stretch {
  readonly gateway?: string;
  readonly epoch?: number;
  readonly after: number;
  readonly through: number;
  readonly records?: readonly unknown[];
}
export const batch = ({ gateway = 'gh-1', epoch = 1, after, through, records = [] }: Stretch) => ({
  ...{ gateway, epoch, after, through, records },
});

export const delivery = (name: string, body: object, gateway = 'gh-1'): Delivery => ({
  topic: topicOf(name, gateway),
  payload: Buffer.from(JSON.stringify(body)),
});

/** A link of a chain that holds these records and no others. */
export const link = (name: 'urgent' | 'bulk', after: number, through: number, ...records: JournalRecord[]): Delivery =>
  delivery(`up/${name}`, batch({ epoch: records[0]?.epoch ?? 1, after, through, records }));
