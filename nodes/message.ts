/** A journal record as a message on the wire: small typed payload, path as topic, everything else under `gh`. */
import type { JournalRecord, Kind } from '../runtime/contracts/record.ts';
import type { Message } from './red.ts';
import { isObject, textOf } from './shapes.ts';

/** `msg.gh`: where the message comes from. Nodes along the way leave it alone, so that causes stay traceable. */
export interface Origin {
  readonly v: 1;
  readonly kind: Kind;
  /** Record id; the cause of whatever follows from this message. */
  readonly id: string;
  /** When it happened, ms UTC. */
  readonly ts: number;
  readonly site: string;
  readonly device: string;
  readonly name: string;
  /** Same as `name`, telemetry only. */
  readonly point?: string;
  readonly quality: JournalRecord['quality'];
  /** Id of the record this message began with. */
  readonly corr: string;
  readonly cause?: string;
  readonly actor?: string;
  /** True while history is played back: nothing may act on it. */
  readonly replay: boolean;
}

/** What a flow needs of the record's data: the value itself for readings, the state for links. */
function payloadOf({ kind, data }: JournalRecord): unknown {
  return kind === 'state' && isObject(data) && typeof data.state === 'string' ? data.state : data;
}

/** @param replay history is played back */
export function messageOf(record: JournalRecord, site: string, replay = false): Message & { gh: Origin } {
  const { id, kind, device, name, cause, actor } = record;
  return {
    topic: `${record.scenario}/${device}/${name}`,
    payload: payloadOf(record),
    gh: {
      v: 1,
      kind,
      id,
      ts: record.at,
      site,
      device,
      name,
      ...(kind === 'telemetry' ? { point: name } : {}),
      quality: record.quality,
      corr: id,
      ...(cause === undefined ? {} : { cause }),
      ...(actor === undefined ? {} : { actor }),
      replay,
    },
  };
}

/** What a message says of its origin; any of it may be missing or made up by another node. */
export function originOf(message: Message): { id?: string; device?: string; replay: boolean } {
  const gh = isObject(message.gh) ? message.gh : {};
  const id = textOf(gh.id);
  const device = textOf(gh.device);
  return {
    ...(id === undefined ? {} : { id }),
    ...(device === undefined ? {} : { device }),
    replay: gh.replay === true,
  };
}
