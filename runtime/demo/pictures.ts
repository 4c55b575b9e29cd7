/** Drawn pictures of cars; the same plate always gets the same car. */
import { readFileSync } from 'node:fs';

const load = (name: string): Uint8Array => readFileSync(new URL(`pictures/${name}.jpg`, import.meta.url));

const blue = ['blue-1', 'blue-2', 'blue-3', 'blue-4'].map(load);
const green = ['green-1', 'green-2'].map(load);
const unread = load('unread');

/** JPEG, 640 × 400. @param plate absent: its plate cannot be read. */
export function pictureOf(plate: string | undefined): Uint8Array {
  if (plate === undefined) return unread;
  const cars = plate.length >= 8 ? green : blue;
  const sum = [...plate].reduce((total, letter) => (total * 31 + (letter.codePointAt(0) ?? 0)) >>> 0, 7);
  return cars[sum % cars.length] ?? unread;
}
