import { expect, test } from 'vitest';
import { nextPath, routeOf } from './route.ts';

test('paths of the booth; anything else is Live', () => {
  expect(['/', '/gates', '/search/', '/settings', '/login', '/setup', '/else'].map(routeOf)).toEqual([
    'live',
    'gates',
    'search',
    'settings',
    'login',
    'setup',
    'live',
  ]);
});

test('after log-in only a path of this gateway is followed', () => {
  expect(nextPath('?next=/editor')).toBe('/editor');
  for (const away of ['?next=//evil.example/', '?next=https://evil.example', '?next=/\\evil.example', '?next=', ''])
    expect(nextPath(away), away).toBeUndefined();
});
