import { deviceName, personName } from '../store.ts';
import { t } from './words.ts';

/** `user:…`, `flow:…` and the like as a guard reads them; empty for nobody. */
export function actorWords(actor: string | undefined): string {
  if (actor === undefined || actor === '') return '';
  const colon = actor.indexOf(':');
  const kind = actor.slice(0, colon);
  const name = actor.slice(colon + 1);
  switch (kind) {
    case 'user':
      return personName(name);
    case 'flow':
      return t('actor.flow');
    case 'platform':
      return t('actor.platform', { name });
    case 'device':
      return deviceName(name);
    case 'booth':
      return t('actor.booth', { name });
    case 'linkage':
      return t('actor.linkage');
    case 'system':
      return t('actor.system');
    default:
      return actor;
  }
}

/** True for a person: what a person opened is a manual opening. */
export const isPerson = (actor: string | undefined): boolean => actor?.startsWith('user:') === true;
