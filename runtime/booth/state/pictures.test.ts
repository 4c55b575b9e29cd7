import { expect, test } from 'vitest';
import { record } from './fixture.ts';
import { foldPictures } from './pictures.ts';

const read = (at: number, picture?: string) =>
  record({ name: 'plate.read', device: 'camera', at, data: picture === undefined ? {} : { picture } });

test('the newest picture by the time it was taken; one sent late from memory is not what is seen now', () => {
  const book = foldPictures(new Map(), [read(10, 'a'), read(20, 'b'), read(15, 'late')]);
  expect(book.get('camera')).toEqual({ hash: 'b', at: 20 });
  expect(foldPictures(book, [read(30), record({ kind: 'telemetry', data: 5 })])).toBe(book);
});
