/** Which part of the screen of devices is shown. */
import { signal } from '@preact/signals';
import type { Category } from '../../contracts/contract.ts';
import { go } from '../route.ts';

export const tab = signal<Category | 'linkages' | undefined>(undefined);

export function showLinkages(): void {
  tab.value = 'linkages';
  go('devices');
}
