import { signal } from '@preact/signals';
import { get } from '../api.ts';

/** True while the gateway has no administrator yet. */
export const setupNeeded = signal(false);

/** @returns Whether the first-run page has to be shown; a gateway that does not answer is asked again by the log-in. */
export async function askSetup(): Promise<boolean> {
  const { needed } = await get<{ needed: boolean }>('/setup').catch(() => ({ needed: false }));
  setupNeeded.value = needed;
  return needed;
}
