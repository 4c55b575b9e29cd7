/** The newest picture of each camera, from the events that name one. */
import type { JournalRecord } from '../../contracts/record.ts';

export interface Picture {
  /** SHA-256: `GET /evidence/{hash}`. */
  readonly hash: string;
  /** When it was taken, by the camera. */
  readonly at: number;
}
export type PictureBook = ReadonlyMap<string, Picture>;

/** @returns The same book when no record has a newer picture. */
export function foldPictures(book: PictureBook, records: readonly JournalRecord[]): PictureBook {
  let next: Map<string, Picture> | undefined;
  for (const record of records) {
    const hash = pictureOf(record);
    if (hash === undefined) continue;
    const known = (next ?? book).get(record.device);
    if (known && known.at >= record.at) continue; // sent late from the camera's memory: not what it sees now
    next ??= new Map(book);
    next.set(record.device, { hash, at: record.at });
  }
  return next ?? book;
}

function pictureOf(record: JournalRecord): string | undefined {
  if (record.kind !== 'event' || typeof record.data !== 'object' || record.data === null) return undefined;
  return 'picture' in record.data && typeof record.data.picture === 'string' ? record.data.picture : undefined;
}
