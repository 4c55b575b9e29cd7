import { describe, expect, test } from 'vitest';
import { parseAddress, uplinkTopics } from './topics.ts';

test('names on the way up and down', () => {
  expect(uplinkTopics('garden-1', 'gh-0a1b')).toEqual({
    urgent: 'gatehouse/v1/garden-1/gh-0a1b/up/urgent',
    bulk: 'gatehouse/v1/garden-1/gh-0a1b/up/bulk',
    reply: 'gatehouse/v1/garden-1/gh-0a1b/up/reply',
    status: 'gatehouse/v1/garden-1/gh-0a1b/status',
    command: 'gatehouse/v1/garden-1/gh-0a1b/down/command',
    challenge: 'gatehouse/v1/garden-1/gh-0a1b/down/challenge',
    replay: 'gatehouse/v1/garden-1/gh-0a1b/down/replay',
    accept: 'gatehouse/v1/garden-1/gh-0a1b/down/accept',
  });
});

describe('addresses', () => {
  test.each([
    ['mqtt://n1', [{ host: 'n1', port: 1883, tls: false }]],
    ['mqtts://n1', [{ host: 'n1', port: 8883, tls: true }]],
    [
      'mqtt://n1:1881,n2:1882, mqtts://n3/',
      [
        { host: 'n1', port: 1881, tls: false },
        { host: 'n2', port: 1882, tls: false },
        { host: 'n3', port: 8883, tls: true },
      ],
    ],
    ['mqtts://[::1]:8884', [{ host: '::1', port: 8884, tls: true }]],
  ])('%s', (text, servers) => {
    expect(parseAddress(text)).toEqual({ servers });
  });

  test('credentials of the first server count, written as URLs write them', () => {
    expect(parseAddress('mqtt://gate:p%40ss%2Cword@n1,n2').credentials).toEqual({
      username: 'gate',
      password: 'p@ss,word',
    });
  });

  test.each([
    '',
    'n1:1883',
    'http://n1',
    'mqtt://',
    'mqtt://n1,',
    'mqtt://n1/path',
    'mqtt://n1,http://n2',
    'mqtt://n1:99999',
  ])('%j is none', (text) => {
    expect(() => parseAddress(text)).toThrow(expect.objectContaining({ code: 'config.invalid' }));
  });

  test('a password never gets into the message', () => {
    expect(() => parseAddress('mqtt://gate:secret@n1/path')).toThrow(
      expect.objectContaining({ message: expect.not.stringContaining('secret') }),
    );
  });
});
