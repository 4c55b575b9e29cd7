/** Safety linkages at work, folded from what they record of themselves (reliability.md F1-F7). */
import type { DeviceView } from '../../contracts/api.ts';
import type { LinkageView } from '../../contracts/linkage-view.ts';
import { linkages } from '../../contracts/linkages.ts';
import { finalStates, type JournalRecord } from '../../contracts/record.ts';

/** One thing a linkage does: a command it sends, or a device it watches. */
export interface LinkageOutput {
  readonly device: string;
  readonly command?: string;
  readonly point?: string;
  /** State of the command, as the journal tells it; absent: not begun. */
  readonly state?: string;
  readonly detail?: string;
}
export interface RunningLinkage {
  readonly linkage: string;
  /** Zone, device or part of the compound where it acts. */
  readonly place: string;
  readonly since: number;
  readonly sources: readonly { readonly device: string; readonly alarm: string }[];
  readonly outputs: readonly LinkageOutput[];
}
export type LinkageBook = ReadonlyMap<string, RunningLinkage>;

interface Said {
  readonly linkage?: string;
  readonly place?: string;
  readonly sources?: RunningLinkage['sources'];
  readonly outputs?: readonly { readonly device: string; readonly command: string }[];
  readonly device?: string;
  readonly command?: string;
  readonly point?: string;
  readonly state?: string;
  readonly detail?: string;
}

/** What is at work now, from `GET /linkages`; how each output fares comes with the records after it. */
export function linkagesFrom(items: readonly LinkageView[]): LinkageBook {
  const running = items.flatMap(({ id, places }) =>
    places
      .filter(({ state }) => state === 'active' || state === 'ending')
      .map((place) => {
        const outputs: LinkageOutput[] = [
          ...place.outputs.map(({ device, command, done: proved }) => ({
            device,
            command,
            ...(proved === true ? { state: 'succeeded' } : {}),
          })),
          ...place.watches.map(({ device, point }) => ({ device, point })),
        ];
        return { linkage: id, place: place.id, since: place.since ?? 0, sources: place.triggeredBy, outputs };
      }),
  );
  return new Map(running.map((run) => [`${run.linkage} ${run.place}`, run]));
}

/** @returns The same book when no record is of a linkage. */
export function foldLinkages(book: LinkageBook, records: readonly JournalRecord[]): LinkageBook {
  let next: Map<string, RunningLinkage> | undefined;
  for (const record of records) {
    if (record.kind !== 'event' || !record.name.startsWith('linkage.')) continue;
    const said = record.data as Said;
    if (said.linkage === undefined) continue;
    const key = `${said.linkage} ${said.place ?? ''}`;
    next ??= new Map(book);
    const known = next.get(key);
    if (record.name === 'linkage.ended') next.delete(key);
    else if (record.name === 'linkage.started') next.set(key, started(said, record.received));
    else if (record.name === 'linkage.output' && known) next.set(key, { ...known, outputs: done(known.outputs, said) });
  }
  return next ?? book;
}

const started = ({ linkage = '', place = '', sources = [], outputs = [] }: Said, since: number): RunningLinkage => ({
  linkage,
  place,
  since,
  sources,
  outputs: outputs.map(({ device, command }) => ({ device, command })),
});

function done(outputs: readonly LinkageOutput[], said: Said): LinkageOutput[] {
  const output: LinkageOutput = {
    device: said.device ?? '',
    ...(said.command === undefined ? {} : { command: said.command }),
    ...(said.point === undefined ? {} : { point: said.point }),
    ...(said.state === undefined ? {} : { state: said.state }),
    ...(said.detail === undefined ? {} : { detail: said.detail }),
  };
  const same = (other: LinkageOutput) =>
    other.device === output.device && other.command === output.command && other.point === output.point;
  return outputs.some(same) ? outputs.map((other) => (same(other) ? output : other)) : [...outputs, output];
}

/** The linkage that forbids a command of a device as long as it is at work; undefined: none minds. */
export function linkageForbids(book: LinkageBook, device: Pick<DeviceView, 'id' | 'scenario'>, command: string) {
  for (const run of book.values()) {
    const kind = linkages.find(({ id }) => id === run.linkage);
    const reaches = run.outputs.some((output) => output.device === device.id);
    if (reaches && kind?.forbids?.[device.scenario]?.includes(command)) return kind;
  }
  return undefined;
}

export type OutputPhase = 'done' | 'failed' | 'unconfirmed';

/** Done only what was read back or answered; everything else has still to be looked at. */
export function phaseOfOutput({ state }: LinkageOutput): OutputPhase {
  if (state === 'succeeded') return 'done';
  return state === undefined || !finalStates.some((final) => final === state) ? 'unconfirmed' : 'failed';
}
