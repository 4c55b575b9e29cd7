/** The report as a table for a person. */
import type { LifeReport, Report } from './report.ts';
import { type Phrase, words } from './words.ts';

const columns = [
  'gateway',
  'epoch',
  'through',
  'behind',
  'held',
  'removed',
  'unexplained',
  'duplicates',
  'verdict',
] as const;

/** @param language of the words; numbers and ids are the same in both */
export function reportText({ lives, strayPoison }: Report, language: 'zh' | 'en'): string {
  const say = (phrase: Phrase) => words[phrase][language];
  if (lives.length === 0 && strayPoison === 0) return say('none');
  const cell = (life: LifeReport, column: (typeof columns)[number]): string => {
    if (column === 'verdict') return say(life.complete ? 'complete' : 'incomplete');
    return String(life[column] ?? '?');
  };
  const rows = [
    columns.map((column) => say(column)),
    ...lives.map((life) => columns.map((column) => cell(life, column))),
  ];
  const widths = columns.map((_column, index) => Math.max(...rows.map((row) => width(row[index] ?? ''))));
  const lines = rows.map((row) =>
    row
      .map((text, index) => text + ' '.repeat((widths[index] ?? 0) - width(text)))
      .join('  ')
      .trimEnd(),
  );
  for (const life of lives) {
    const of = `${life.gateway} ${life.epoch}`;
    for (const { chain, after, through, request, detail } of life.holes) {
      lines.push([`${say('hole')}: ${of} ${chain} (${after}, ${through}]`, request, detail].filter(Boolean).join(' '));
    }
    if (life.conflicts.length > 0) lines.push(`${say('conflict')}: ${of} ${life.conflicts.join(', ')}`);
    if (life !== lives.find(({ gateway }) => gateway === life.gateway)) continue;
    if (life.falseGaps.length > 0) lines.push(`${say('falseGap')}: ${life.gateway} ${life.falseGaps.join(', ')}`);
    if (life.poison > 0) lines.push(`${say('poison')}: ${life.gateway} ${life.poison}`);
  }
  if (strayPoison > 0) lines.push(`${say('poison')}: ${strayPoison}`);
  return lines.join('\n');
}

/** Columns a text takes on a terminal: Chinese characters are two wide. */
const width = (text: string): number =>
  [...text].reduce((sum, char) => sum + (/[\u1100-\uffe6]/u.test(char) ? 2 : 1), 0);
