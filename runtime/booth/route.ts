import { signal } from '@preact/signals';

/** Screens that exist; the rail shows those a guard uses, in the order of ux.md 4. */
export const screens = ['live', 'gates', 'devices', 'search', 'settings'] as const;
export type Screen = (typeof screens)[number];
export type Route = Screen | 'login' | 'setup';

const paths: Readonly<Record<Route, string>> = {
  live: '/',
  gates: '/gates',
  devices: '/devices',
  search: '/search',
  settings: '/settings',
  login: '/login',
  setup: '/setup',
};

export const pathOf = (to: Route): string => paths[to];

export function routeOf(path: string): Route {
  const found = (Object.keys(paths) as Route[]).find((route) => paths[route] === path.replace(/(.)\/$/, '$1'));
  return found ?? 'live';
}

export const route = signal<Route>(typeof location === 'undefined' ? 'live' : routeOf(location.pathname));

export function go(to: Route, query = ''): void {
  if (location.pathname !== paths[to] || location.search !== query) history.pushState(null, '', paths[to] + query);
  route.value = to;
}

export function followHistory(): void {
  window.addEventListener('popstate', () => {
    route.value = routeOf(location.pathname);
  });
}

/**
 * Where to go after log-in: a path of this gateway only, so that a link from outside cannot lead a guard elsewhere.
 * @returns undefined without a `next`, or with one that leaves the gateway.
 */
export function nextPath(search: string): string | undefined {
  const next = new URLSearchParams(search).get('next');
  return next !== null && /^\/(?![/\\])/.test(next) ? next : undefined;
}
