/** Which alarm sound is due now (ux.md 2): the pulse pattern carries the priority, 静音 lasts a minute, a new P1 breaks it. */
import { type AlarmBook, isAside, isUnacked } from './alarms.ts';

export interface Sounding {
  /** Alarms already announced once, so that P3 sounds once only. */
  readonly heard: ReadonlySet<string>;
  readonly silenced: ReadonlySet<string>;
  readonly silentUntil: number;
  readonly p1At: number;
  readonly p2At: number;
  /** When each sounding P2 was first heard, monotonic ms: it gives up after ten minutes. */
  readonly p2Since: ReadonlyMap<string, number>;
}

export type AlarmSound = 'p1' | 'p2' | 'p3';

const P1_EVERY_MS = 5000;
/** The pattern of a P1 takes about so long: the next new one is not played into it. */
const P1_LASTS_MS = 1500;
const P2_EVERY_MS = 15_000;
const P2_AT_MOST_MS = 600_000;
export const SILENCE_MS = 60_000;
/** The line is down: the guard cannot acknowledge, so local silence lasts longer. */
export const SILENCE_LOST_MS = 120_000;

/** What is there at log-in is not news, except that unanswered P1 and P2 go on sounding. */
export const soundingFrom = (book: AlarmBook): Sounding => ({
  heard: new Set(book.open.keys()),
  silenced: new Set(),
  silentUntil: -Infinity,
  p1At: -Infinity,
  p2At: -Infinity,
  p2Since: new Map(),
});

/** 静音: what sounds now is quiet for `ms`. */
export const silence = (sounding: Sounding, book: AlarmBook, mono: number, ms: number): Sounding => ({
  ...sounding,
  silenced: new Set(sounders(book).map((alarm) => alarm.id)),
  silentUntil: mono + ms,
});

const sounders = (book: AlarmBook) =>
  [...book.open.values()].filter((alarm) => alarm.priority <= 2 && isUnacked(alarm) && !isAside(alarm));

/**
 * @param mono Now, monotonic ms; call it about twice a second.
 * @param flood Alarms come in floods: P3 is silent, while each P1 is still announced by itself.
 */
export function soundDue(
  sounding: Sounding,
  book: AlarmBook,
  mono: number,
  flood = false,
): { sounding: Sounding; play?: AlarmSound } {
  const quiet = mono < sounding.silentUntil;
  const loud = sounders(book).filter((alarm) => !quiet || !sounding.silenced.has(alarm.id));
  const urgent = loud.filter((alarm) => alarm.priority === 1);
  const fresh = urgent.find((alarm) => !sounding.heard.has(alarm.id));
  if (fresh && mono - sounding.p1At >= P1_LASTS_MS) {
    const heard = new Set([...sounding.heard, fresh.id]);
    return { sounding: { ...sounding, heard, p1At: mono }, play: 'p1' };
  }
  if (urgent.length > 0 && mono - sounding.p1At >= P1_EVERY_MS)
    return { sounding: { ...sounding, p1At: mono }, play: 'p1' };
  if (urgent.length > 0) return { sounding };
  const p2 = due2(
    sounding,
    loud.map((alarm) => alarm.id),
    mono,
  );
  if (p2.play) return p2;
  return due3(p2.sounding, book, flood);
}

function due2(was: Sounding, ids: readonly string[], mono: number): { sounding: Sounding; play?: AlarmSound } {
  const fresh = ids.filter((id) => !was.p2Since.has(id));
  const sounding =
    fresh.length === 0
      ? was
      : { ...was, p2Since: new Map([...was.p2Since, ...fresh.map((id) => [id, mono] as const)]) };
  const due = ids.some((id) => mono - (sounding.p2Since.get(id) ?? mono) < P2_AT_MOST_MS);
  const now = due && (fresh.length > 0 || mono - sounding.p2At >= P2_EVERY_MS);
  return now ? { sounding: { ...sounding, p2At: mono }, play: 'p2' } : { sounding };
}

function due3(sounding: Sounding, book: AlarmBook, flood: boolean): { sounding: Sounding; play?: AlarmSound } {
  const fresh = [...book.open.values()].filter((alarm) => !sounding.heard.has(alarm.id));
  if (fresh.length === 0) return { sounding };
  const heard = new Set([...sounding.heard, ...fresh.map((alarm) => alarm.id)]);
  const soft = !flood && fresh.some((alarm) => alarm.priority === 3 && isUnacked(alarm));
  return soft ? { sounding: { ...sounding, heard }, play: 'p3' } : { sounding: { ...sounding, heard } };
}

/** True while an alarm would sound if it were not silenced. */
export const hasSounders = (book: AlarmBook): boolean => sounders(book).length > 0;
