import { expect, test } from 'vitest';
import { sseReader } from './sse.ts';

const text = 'id: 1:7\nevent: record\ndata: {"a":1}\n\n: comment\n\nevent: beat\ndata: {"now":5}\n\n';

test('events come whole, however the stream is cut', () => {
  for (let size = 1; size <= text.length; size += 1) {
    const read = sseReader();
    const events = [];
    for (let at = 0; at < text.length; at += size) events.push(...read(text.slice(at, at + size)));
    expect(events).toEqual([
      { event: 'record', data: '{"a":1}', id: '1:7' },
      { event: 'beat', data: '{"now":5}' },
    ]);
  }
});

test('several data lines are one text; a last piece without its end is kept', () => {
  const read = sseReader();
  expect(read('data: a\ndata: b\n\ndata: c')).toEqual([{ event: 'message', data: 'a\nb' }]);
  expect(read('\r\n\r\n')).toEqual([{ event: 'message', data: 'c' }]);
});
