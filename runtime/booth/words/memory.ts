/** What this panel remembers by itself: language, theme, lock, last sound test. Never anything personal. */
export type Memory = 'language' | 'theme' | 'locked' | 'sound-test' | 'volume';

const place = (key: Memory): string => `gatehouse.${key}`;

/** @returns undefined where nothing is stored, or outside a browser. */
export const remembered = (key: Memory): string | undefined =>
  typeof localStorage === 'undefined' ? undefined : (localStorage.getItem(place(key)) ?? undefined);

export function remember(key: Memory, value: string): void {
  localStorage.setItem(place(key), value);
}

export function forget(key: Memory): void {
  localStorage.removeItem(place(key));
}
