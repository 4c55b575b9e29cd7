/**
 * Messages of devices that arrive in one turn of the event loop are committed together: one unit of the journal, one
 * promise, one answer for all of them. Each is still answered only once it is durable itself (reliability.md R1).
 */
import type { Draft } from '../contracts/record.ts';
import { GatehouseError } from '../errors.ts';
import type { Journal } from '../journal/journal.ts';

/** Called once: with nothing when the message is durable, with the error of the journal when it is not. */
export type Settled = (error?: unknown) => void;

/** A device of which only changes are recorded: what it says may rest on something said before. */
export interface Speaker {
  readonly id: string;
  /** Messages that are not durable yet. */
  pending: number;
  /** How often one could not be made durable. */
  failures: number;
  /** What could not be stored was never said: the same said again is news. */
  forget(): void;
}

export interface Turn {
  /** @param settled called even when `records` is empty, and then too after all that was added before it. */
  add(speaker: Speaker, records: readonly Draft[], settled: Settled): void;
  /** Hands over what has been added, so that whatever is committed next comes after it. */
  flush(): void;
}

/** More would make the writer wait for the whole turn instead of working beside it. */
const MOST = 128;

/**
 * What the end of a commit means for a message of this speaker.
 * @param failures of the speaker when the message came: one that left out as known what was not stored is not stored either.
 */
function outcome(speaker: Speaker, failures: number, error: unknown): unknown {
  speaker.pending--;
  if (error !== undefined) {
    speaker.failures++;
    speaker.forget();
    return error;
  }
  return speaker.failures === failures
    ? undefined
    : new GatehouseError('journal.write', `${speaker.id}: what came before was not stored`);
}

/** A message with a commit of its own. @throws what `commit` throws, or `journal.write` */
export async function spoken(speaker: Speaker, commit: Promise<unknown>): Promise<void> {
  const { failures } = speaker;
  speaker.pending++;
  const failed = await commit.then(
    () => outcome(speaker, failures, undefined),
    (error: unknown) => outcome(speaker, failures, error),
  );
  if (failed !== undefined) throw failed;
}

interface Said {
  readonly speaker: Speaker;
  readonly failures: number;
  readonly settled: Settled;
}

export function createTurn(journal: Pick<Journal, 'commit'>): Turn {
  let records: Draft[] = [];
  let said: Said[] = [];
  let scheduled = false;

  function flush(): void {
    if (said.length === 0) return;
    const all = said;
    const unit = { records };
    records = [];
    said = [];
    const tell = (error?: unknown) => {
      for (const { speaker, failures, settled } of all) settled(outcome(speaker, failures, error));
    };
    journal.commit(unit).then(() => tell(), tell);
  }

  return {
    add(speaker, more, settled) {
      for (const record of more) records.push(record);
      speaker.pending++;
      said.push({ speaker, failures: speaker.failures, settled });
      if (records.length >= MOST) flush();
      else if (!scheduled) {
        scheduled = true;
        setImmediate(() => {
          scheduled = false;
          flush();
        });
      }
    },
    flush,
  };
}
