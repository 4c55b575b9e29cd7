import { describe, expect, test } from 'vitest';
import { isPlainTopic, topicRules } from './topics.ts';

describe('what counts as a plain topic', () => {
  test.each(['a', 'vendor/a1b2/report', '烟感/状态', `${'x'.repeat(256)}`, 'a/b/c/d/e/f/g/h'])('%s does', (topic) => {
    expect(isPlainTopic(topic)).toBe(true);
  });
  test.each([
    ['', 'nothing'],
    ['$SYS/x', 'a broker topic'],
    ['a/#', 'a wildcard'],
    ['a/+/b', 'a wildcard'],
    ['a\u0000b', 'NUL'],
    ['a\u0085b', 'a C1 control'],
    ['a\uFFFDb', 'what was not UTF-8'],
    ['a\uD800b', 'half a surrogate pair'],
    ['x'.repeat(257), '257 bytes'],
    ['高'.repeat(86), '258 bytes in 86 characters'],
    ['a/b/c/d/e/f/g/h/i', 'nine levels'],
  ])('%j does not: %s', (topic) => {
    expect(isPlainTopic(topic)).toBe(false);
  });
});

test("a profile's topics are dropped when they are not plain", () => {
  const rules = topicRules('d1', { publish: ['vendor/#', 'vendor/d1'], subscribe: ['+/x', 'vendor/d1/set'] });
  expect(rules.mayPublish('vendor/#')).toBe(false);
  expect(rules.mayPublish('vendor/d1')).toBe(true);
  expect(rules.maySubscribe('+/x')).toBe(false);
  expect(rules.maySubscribe('vendor/d1/set')).toBe(true);
  expect(rules.maySubscribe('gatehouse/devices/d1/down/a/b')).toBe(true);
  expect(rules.maySubscribe('gatehouse/devices/d1/down/+')).toBe(false);
});
