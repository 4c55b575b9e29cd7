/** Which tab ended the flow process, and whether it has done so too often. */
import type { LastSigns, Owner } from './crumb.ts';

/** How a life of the process ended, with all that is known of it. */
export interface Ending {
  readonly why: string;
  readonly signs: LastSigns;
  /** The tab that was handed too many messages, or asked the gateway too often. */
  readonly caught?: Owner;
  /** Whose context held most, as Node-RED names scopes: `<tab>`, `<node>:<tab>`, `global`. */
  readonly heaviest?: string;
}

function ownerOfScope(scope: string): Owner | undefined {
  const [first = '', tab] = scope.split(':');
  if (scope === 'global') return undefined; // anybody may have filled it
  return tab === undefined ? { tab: first, node: first } : { tab, node: first };
}

/** @returns undefined where nobody can be named: a wrong tab turned off would be worse than one more restart */
export function culpritOf({ why, signs, caught, heaviest }: Ending): Owner | undefined {
  if (caught) return caught;
  switch (why) {
    case 'memory':
      return (heaviest === undefined ? undefined : ownerOfScope(heaviest)) ?? signs.inHand ?? signs.before;
    case 'noise':
      return signs.words?.owner ?? signs.inHand ?? signs.before;
    case 'exit':
      return signs.words ? signs.words.owner : signs.inHand;
    default:
      return signs.inHand;
  }
}

export interface StrikeLimits {
  /** So many endings by one tab within this time, and it is turned off. */
  readonly strikes: number;
  readonly strikesWithinMs: number;
}

export interface Strikes {
  /** Notes one more ending by this tab. @returns whether that is too often */
  struck(tab: string, now: number): boolean;
}

export function countStrikes({ strikes, strikesWithinMs }: StrikeLimits): Strikes {
  const ends = new Map<string, number[]>();
  return {
    struck(tab, now) {
      const recent = [...(ends.get(tab) ?? []).filter((at) => now - at < strikesWithinMs), now];
      const tooOften = recent.length >= strikes;
      if (tooOften) ends.delete(tab);
      else ends.set(tab, recent);
      return tooOften;
    },
  };
}
