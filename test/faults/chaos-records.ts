/** What the oracle holds the journal to, as it is pulled, followed and received above: no hole, no double, nothing acknowledged missing. */
import { type JournalRecord, type Lane, lanes } from '../../runtime/contracts/record.ts';
import { type Receiver, type Track, take } from '../uplink-receiver.ts';
import type { DeviceLog } from './chaos-log.ts';
import { hold } from './trial.ts';

const URGENT: readonly Lane[] = ['L0', 'L1'];

const placeOf = ({ epoch, seq }: JournalRecord): string => `${epoch}:${seq}`;

/** One after the other, none twice (R3). */
export function checkSequence(records: readonly JournalRecord[]): void {
  const ids = new Set<string>();
  for (const [index, record] of records.entries()) {
    const before = records[index - 1];
    const follows =
      before === undefined
        ? record.seq === 1
        : record.epoch === before.epoch
          ? record.seq === before.seq + 1
          : record.epoch > before.epoch && record.seq === 1;
    hold('R3', follows, () => `${placeOf(record)} follows ${before ? placeOf(before) : 'nothing'}`);
    hold('R3', !ids.has(record.id), () => `the record ${record.id} is there twice`);
    ids.add(record.id);
  }
}

/** Pulled once while it grew and once at the end: the same (R6). */
export function checkSame(grown: readonly JournalRecord[], again: readonly JournalRecord[]): void {
  hold(
    'R6',
    grown.length === again.length,
    `${grown.length} records were pulled, and ${again.length} when it was repeated`,
  );
  for (const [index, record] of grown.entries()) {
    const other = again[index] as JournalRecord;
    hold(
      'R3',
      record.id === other.id && JSON.stringify(record.data) === JSON.stringify(other.data),
      () => `${placeOf(record)} is another record now`,
    );
  }
}

/** What a device was told is kept is there, once (R1). */
export function checkInputs(records: readonly JournalRecord[], { samples, seen, answered }: DeviceLog): void {
  const kept = new Set(
    records.filter(({ name }) => name === 'smoke').map(({ device, at, data }) => `${device} ${at} ${String(data)}`),
  );
  for (const { device, at, value } of samples)
    hold('R1', kept.has(`${device} ${at} ${value}`), `a sample of ${device} at ${at} had its PUBACK and is gone`);
  const tally = (plates: readonly string[]) => {
    const counts = new Map<string, number>();
    for (const plate of plates) counts.set(plate, (counts.get(plate) ?? 0) + 1);
    return counts;
  };
  const [sent, acked] = [tally(seen), tally(answered)];
  const reads = records.filter(({ kind, name }) => kind === 'event' && name === 'plate.read');
  const there = tally(reads.flatMap(({ data }) => (data as { plate?: string }).plate ?? []));
  for (const [plate, count] of acked)
    hold(
      'R2',
      (there.get(plate) ?? 0) >= count,
      `${plate} was answered ${count} times and is there ${there.get(plate) ?? 0} times`,
    );
  for (const [plate, count] of there)
    hold(
      'R3',
      count <= (sent.get(plate) ?? 0),
      `${plate} was sent ${sent.get(plate) ?? 0} times and is there ${count} times`,
    );
}

/** A follower that came back with its last place has missed nothing of what it follows. */
export function checkFollowed(
  records: readonly JournalRecord[],
  seen: readonly string[],
  wants: (record: JournalRecord) => boolean,
  who: string,
): void {
  const places = new Set(seen);
  hold('R3', places.size === seen.length, `${who} was told something twice`);
  const [first, last] = [seen[0], seen.at(-1)];
  let within = false;
  for (const record of records) {
    const place = placeOf(record);
    if (place === first) within = true;
    if (within && wants(record))
      hold('R3', places.has(place), `${who} was never told of ${place}, ${record.name} of ${record.device}`);
    if (place === last) break;
  }
}

/** Asks for what a broker that was killed had taken and never passed on. @returns how many stretches */
export async function fillHoles(
  receiver: Receiver,
  until: (holds: () => boolean) => Promise<boolean>,
): Promise<number> {
  let count = 0;
  for (const [name, track] of [
    ['urgent', receiver.urgent],
    ['bulk', receiver.bulk],
  ] as const) {
    for (const hole of track.holes.splice(0)) {
      const id = `hole-${name}-${++count}`;
      const asked = name === 'urgent' ? URGENT : lanes.filter((lane) => lane === 'L2' || lane === 'L3');
      await receiver.ask(id, hole, { lanes: asked });
      const filled = newHoleTrack(hole.epoch, hole.after);
      const came = await until(() => {
        for (const reply of receiver.replies.splice(0)) if (reply.replay === id && reply.records) take(filled, reply);
        return filled.through >= hole.through;
      });
      hold(
        'U1',
        came,
        `the ${name} records ${hole.epoch}:(${hole.after}, ${hole.through}] never came, asked for or not`,
      );
      track.records.push(...filled.records);
    }
  }
  return count;
}

const newHoleTrack = (epoch: number, through: number): Track => ({
  epoch,
  through,
  records: [],
  holes: [],
  again: 0,
  batches: 0,
});

/** What the platform received is what the journal has of its lanes (U1, R3). */
export function checkReceived(records: readonly JournalRecord[], { urgent, bulk }: Receiver): void {
  const last = records.at(-1) as JournalRecord;
  for (const [name, track, own] of [
    ['urgent', urgent, (lane: Lane) => URGENT.includes(lane)],
    ['bulk', bulk, (lane: Lane) => lane === 'L2' || lane === 'L3'],
  ] as const) {
    // More came up while all of it was pulled.
    const pulled = track.records.filter(({ epoch, seq }) => epoch < last.epoch || seq <= last.seq);
    const got = new Map(pulled.map((record) => [placeOf(record), record.id]));
    const wanted = records.filter(
      ({ lane, epoch, seq }) => own(lane) && (epoch < track.epoch || (epoch === track.epoch && seq <= track.through)),
    );
    for (const record of wanted) {
      const place = placeOf(record);
      hold('U1', got.has(place), `${name} ${place} (${record.name} of ${record.device}) never arrived`);
      hold('R3', got.get(place) === record.id, `${name} ${place} arrived as another record`);
    }
    hold('R3', got.size === wanted.length, `${name}: ${got.size} records arrived of ${wanted.length}`);
  }
}
