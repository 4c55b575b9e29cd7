import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const css = readFileSync(join(import.meta.dirname, 'tokens.css'), 'utf8');

function coloursOf(theme: string): Map<string, string> {
  const block = new RegExp(`data-theme=["']${theme}["']\\] \\{([^}]*)\\}`).exec(css)?.[1] ?? '';
  return new Map([...block.matchAll(/--([\w-]+): (#[0-9a-f]{6})/g)].map(([, name = '', value = '']) => [name, value]));
}

function luminance(hex: string): number {
  const [r = 0, g = 0, b = 0] = [1, 3, 5].map((at) => {
    const part = Number.parseInt(hex.slice(at, at + 2), 16) / 255;
    return part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function contrast(a: string, b: string): number {
  const [light = 0, dark = 0] = [luminance(a), luminance(b)].sort((x, y) => y - x);
  return (light + 0.05) / (dark + 0.05);
}

/** Text on its ground, at least 4.5 to 1. */
const texts = [
  ['text', 'bg'],
  ['text', 'surface'],
  ['text', 'soft'],
  ['second', 'bg'],
  ['second', 'surface'],
  ['surface', 'text'],
  ['surface', 'second'],
  ['hold', 'surface'],
  ['hold', 'bg'],
  ['on-p1', 'p1'],
  ['on-p2', 'p2'],
  ['on-p3', 'p3'],
  ['on-p4', 'p4'],
  ['on-fault', 'fault'],
  ['on-go', 'go'],
  ['go', 'surface'],
] as const;
/** Shapes and borders, at least 3 to 1; P2 and P3 have a dark border of their own by day. */
const shapes = [
  ['line', 'bg'],
  ['line', 'surface'],
  ['p1', 'surface'],
  ['p4', 'surface'],
  ['fault', 'surface'],
] as const;

for (const theme of ['day', 'night']) {
  const colours = coloursOf(theme);
  const of = (name: string) => colours.get(name) ?? '';
  test(`${theme}: texts and shapes can be told from their ground`, () => {
    for (const [front, back] of texts)
      expect(contrast(of(front), of(back)), `${front} on ${back}`).toBeGreaterThanOrEqual(4.5);
    for (const [front, back] of shapes)
      expect(contrast(of(front), of(back)), `${front} on ${back}`).toBeGreaterThanOrEqual(3);
  });
}

test('the colours are those of the specification', () => {
  const day = coloursOf('day');
  const night = coloursOf('night');
  const pair = (name: string) => [day.get(name), night.get(name)];
  expect(pair('bg')).toEqual(['#dde1e5', '#15191d']);
  expect(pair('surface')).toEqual(['#f3f5f6', '#20262c']);
  expect(pair('text')).toEqual(['#14181c', '#d9dee3']);
  expect(pair('p1')).toEqual(['#b3121d', '#ff4d4f']);
  expect(pair('p2')).toEqual(['#d9660a', '#ff9a3d']);
  expect(pair('p3')).toEqual(['#f0c419', '#f5d451']);
  expect(pair('p4')).toEqual(['#1f6fb2', '#5aa9e6']);
  expect(pair('fault')).toEqual(['#7b3fa0', '#c08be0']);
  expect(pair('go')).toEqual(['#1e7a3c', '#4cc27a']);
});
