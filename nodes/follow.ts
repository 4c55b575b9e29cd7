/**
 * One stream of records for all nodes of the process: opened once the flows stand, narrowed to what they ask for, held
 * back while a deploy rebuilds them, and taken up again where it was after any break.
 */
import type { IncomingMessage } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { RecordsPage, Status } from '../runtime/contracts/api.ts';
import { formatPosition, type JournalRecord, parsePosition } from '../runtime/contracts/record.ts';
import type { ApiClient } from './api-client.ts';
import type { PositionFile } from './position.ts';
import { type Selection, type StreamFilter, unionOf, wants } from './selection.ts';
import { readEvents, type ServerEvent } from './sse.ts';
import type { Zones } from './zones.ts';

/** The gateway beats every second. */
const SILENT_MS = 5000;
const FIRST_RETRY_MS = 250;
const LONGEST_RETRY_MS = 5000;

export type Connection = { readonly online: true } | { readonly online: false; readonly attempt: number };

export interface Listener {
  record(record: JournalRecord): void;
  connection(connection: Connection): void;
}

export interface Follower {
  follow(selection: Selection, listener: Listener): () => void;
  /** Flows are being rebuilt: hand nothing out until {@link ready}. */
  hold(): void;
  ready(): void;
  /** Of the gateway, once it has been reached. */
  site(): { id: string; timeZone: string } | undefined;
  close(): void;
}

interface FollowerParts {
  readonly client: ApiClient;
  readonly positions: PositionFile;
  readonly zones: Zones;
  readonly warn: (text: string) => void;
}

function queryOf({ kinds, scenarios }: StreamFilter, after: string): string {
  const query = new URLSearchParams({ after });
  for (const kind of kinds) query.append('kind', kind);
  // The gateway filters by one scenario or none; what comes too much is dropped here.
  const [only] = scenarios;
  if (only !== undefined && scenarios.length === 1) query.append('scenario', only);
  return query.toString();
}

/** How far back a starting process looks at all: what is older would only be counted as too old to act on. */
const LOOK_BACK_MS = 600_000;

export function createFollower({ client, positions, zones, warn }: FollowerParts): Follower {
  const followers = new Map<symbol, { selection: Selection; listener: Listener }>();
  let position = positions.kept;
  let site: Status['site'] | undefined;
  let connection: Connection = { online: false, attempt: 0 };
  let started = false;
  let held = true;
  let release = Promise.withResolvers<void>();
  let closed = false;
  let stream: { readonly abort: AbortController; readonly filter: string } | undefined;
  /** The stream before has handed out its last record. */
  let over: Promise<void> = Promise.resolve();

  function tell(next: Connection): void {
    connection = next;
    for (const { listener } of followers.values()) listener.connection(next);
  }

  const filterNow = (): StreamFilter => unionOf([...followers.values()].map(({ selection }) => selection));

  async function handOut(record: JournalRecord): Promise<void> {
    const byZone = [...followers.values()].some(({ selection }) => selection.pick.by === 'zone');
    if (byZone && record.device !== '' && zones.of(record.device) === undefined) await zones.learn(record.device);
    for (const { selection, listener } of [...followers.values()]) {
      if (wants(selection, record, zones.of)) listener.record(record);
    }
  }

  /** The gateway's journal is another one than ours was (restored, rebuilt): its present is where we go on. */
  async function startOver(head: string): Promise<void> {
    warn(`journal position ${position ?? 'none'} is not in this journal; going on from ${head}`);
    position = head;
    await positions.begin(head);
  }

  async function take({ event, data, id }: ServerEvent): Promise<void> {
    if (event === 'reset') {
      const { head } = JSON.parse(data) as { head?: string };
      await startOver(head ?? (await look()).head);
    } else if (event === 'record') {
      await handOut(JSON.parse(data) as JournalRecord);
      if (id === undefined) return;
      position = id;
      positions.reached(id);
    }
  }

  async function look(): Promise<Status> {
    const status = (await client.call('/status')).body as Status;
    site = status.site;
    return status;
  }

  /** Reads one stream to its end. Records wait while flows are rebuilt and while a zone is looked up. */
  async function read(response: IncomingMessage, signal: AbortSignal, giveUp: () => void): Promise<void> {
    const events: ServerEvent[] = [];
    const feed = readEvents((event) => events.push(event));
    let heard = performance.now();
    const silence = setInterval(() => {
      if (held) heard = performance.now();
      else if (performance.now() - heard > SILENT_MS) giveUp();
    }, 1000);
    try {
      for await (const chunk of response.setEncoding('utf8')) {
        heard = performance.now();
        feed(chunk as string);
        for (let event = events.shift(); event; event = events.shift()) {
          while (held && !signal.aborted) await release.promise;
          if (signal.aborted) return;
          await take(event);
        }
      }
    } finally {
      clearInterval(silence);
    }
  }

  /** Where to begin: where we were, but not days ago; on the very first start with what comes next. */
  async function beginning(head: string, now: number): Promise<string> {
    const kept = parsePosition(position ?? '');
    if (!kept) return head;
    const path = `/records?limit=1&from=${now - LOOK_BACK_MS}`;
    const [first] = ((await client.call(path)).body as RecordsPage).items;
    if (!first) return head;
    const recent = { epoch: first.epoch, seq: first.seq - 1 };
    const older = kept.epoch < recent.epoch || (kept.epoch === recent.epoch && kept.seq < recent.seq);
    return formatPosition(older ? recent : kept);
  }

  /** Reads until the stream breaks. @returns whether it had been open */
  async function followOnce(filter: StreamFilter, signal: AbortSignal): Promise<boolean> {
    const own = new AbortController();
    let open = false;
    try {
      const { head, now } = await look();
      if (!started) {
        position = await beginning(head, now);
        await positions.begin(position);
        started = true;
      }
      const query = queryOf(filter, position ?? head);
      const response = await client.open(`/stream?${query}`, AbortSignal.any([signal, own.signal]));
      open = true;
      tell({ online: true });
      await read(response, signal, () => own.abort());
    } catch (error) {
      if (!signal.aborted) warn(`stream: ${error instanceof Error ? error.message : String(error)}`);
    } finally {
      own.abort();
    }
    return open;
  }

  async function keepFollowing(filter: StreamFilter, signal: AbortSignal): Promise<void> {
    for (let attempt = 0; !signal.aborted; ) {
      attempt = (await followOnce(filter, signal)) ? 1 : attempt + 1;
      if (signal.aborted) return;
      tell({ online: false, attempt });
      const wait = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** (attempt - 1));
      await sleep(wait, undefined, { signal }).catch(() => {}); // aborted: the loop ends by itself
    }
  }

  /** Opens the stream that serves everybody, unless it is open already. */
  function adjust(): void {
    const filter = filterNow();
    const key = filter.kinds.length === 0 ? '' : JSON.stringify(filter);
    if (stream?.filter === key) return;
    stream?.abort.abort();
    stream = undefined;
    if (key === '' || closed) return;
    const abort = new AbortController();
    stream = { abort, filter: key };
    over = over.then(() => keepFollowing(filter, abort.signal));
  }

  return {
    follow(selection, listener) {
      const key = Symbol('follower');
      followers.set(key, { selection, listener });
      listener.connection(connection);
      if (!held) adjust();
      return () => {
        followers.delete(key);
      };
    },
    hold() {
      held = true;
    },
    ready() {
      held = false;
      release.resolve();
      release = Promise.withResolvers<void>();
      adjust();
    },
    site: () => site,
    close() {
      closed = true;
      stream?.abort.abort();
      stream = undefined;
      release.resolve();
      positions.close();
    },
  };
}
