import { expect, test } from 'vitest';
import { themeAt } from '../theme.ts';
import { dateIn, hourIn, midnightIn, spanOf, timeIn } from './time.ts';

const noonUtc = Date.UTC(2026, 7, 1, 12, 0, 5);

test('T8 what is kept as UTC is shown in site time, 24 hours, with seconds', () => {
  expect(timeIn('Asia/Shanghai', noonUtc)).toBe('20:00:05');
  expect(dateIn('Asia/Shanghai', noonUtc)).toBe('2026-08-01');
  expect(hourIn('Asia/Shanghai', Date.UTC(2026, 7, 1, 16))).toBe(0);
  expect(dateIn('Asia/Shanghai', Date.UTC(2026, 7, 1, 16))).toBe('2026-08-02');
});

test('midnight of the site, also on the day its clocks change', () => {
  expect(midnightIn('Asia/Shanghai', noonUtc)).toBe(Date.UTC(2026, 6, 31, 16));
  expect(midnightIn('Europe/Berlin', Date.UTC(2026, 2, 29, 12))).toBe(Date.UTC(2026, 2, 28, 23));
  expect(midnightIn('Europe/Berlin', Date.UTC(2026, 9, 25, 12))).toBe(Date.UTC(2026, 9, 24, 22));
});

test('spans as minutes and seconds, hours when there are any, never negative', () => {
  expect(spanOf(7_400)).toBe('00:07');
  expect(spanOf(680_000)).toBe('11:20');
  expect(spanOf(3_920_000)).toBe('1:05:20');
  expect(spanOf(-5)).toBe('00:00');
});

test('day from six to eighteen', () => {
  expect([5, 6, 17, 18].map(themeAt)).toEqual(['night', 'day', 'day', 'night']);
});
