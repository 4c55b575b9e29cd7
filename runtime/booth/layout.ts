import { type Signal, signal } from '@preact/signals';

/** Full width: the incident area lies beside the screen; below it is a sheet over the screen. */
export const wide = followed('(min-width: 1600px)');
/** A phone: one column, and gates open by a press of one second. */
export const narrow = followed('(max-width: 799px)');

function followed(media: string): Signal<boolean> {
  const query = typeof window === 'undefined' ? undefined : window.matchMedia(media);
  const matches = signal(query?.matches === true);
  query?.addEventListener('change', (event) => {
    matches.value = event.matches;
  });
  return matches;
}
