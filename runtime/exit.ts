import type { Phrase } from './announce.words.ts';

/** What the supervisor makes of it: 69 and 78 need a person, anything else is started again (75: at once, nothing failed). */
export const EXIT = { taken: 69, failed: 70, again: 75, config: 78 } as const;

/** The gateway cannot start, and starting it again would not help. `lines` name the thing and the remedy. */
export class CannotStart extends Error {
  readonly exitCode: number;
  readonly phrase: Phrase;
  readonly lines: readonly string[];

  constructor(exitCode: number, phrase: Phrase, lines: readonly string[]) {
    super(`${phrase}: ${lines.join('; ')}`);
    this.name = 'CannotStart';
    this.exitCode = exitCode;
    this.phrase = phrase;
    this.lines = lines;
  }
}
