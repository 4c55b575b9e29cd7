import { signal } from '@preact/signals';

/** Full width: the incident area lies beside the screen; below it is a sheet over the screen. */
const query = typeof window === 'undefined' ? undefined : window.matchMedia('(min-width: 1600px)');
export const wide = signal(query?.matches === true);
query?.addEventListener('change', ({ matches }) => {
  wide.value = matches;
});
