/** Audit records of the HTTP side (reliability.md AU4). What can come in floods is counted and written once a minute. */
import { type Clock, every } from '../clock.ts';
import type { Draft } from '../contracts/record.ts';
import type { Journal } from '../journal/journal.ts';
import type { Log } from '../log.ts';

/** @param name `area.thing.verb`. @param data never a secret. */
export const auditDraft = (name: string, data: object, actor: string, device = ''): Draft => ({
  lane: 'L0',
  kind: 'audit',
  scenario: 'gateway',
  device,
  name,
  data,
  actor,
});

export interface Refusals {
  /** Notes a refusal: the first of its kind at once, the rest of that minute as a count. Never throws. */
  note(name: string, data: Readonly<Record<string, unknown>>, actor: string): void;
  close(): void;
}

const MINUTE_MS = 60_000;
/** Beyond it, new kinds are only counted together: an attacker must not choose how much we remember. */
const MAX_KINDS = 500;

export function createRefusals(journal: Pick<Journal, 'append'>, clock: Clock, log: Log): Refusals {
  let counts = new Map<string, { draft: Draft; more: number }>();
  const write = (draft: Draft) => {
    journal
      .append(draft)
      .catch((error) => log.error({ err: error, name: draft.name }, 'an audit record is not written'));
  };
  const flush = () => {
    const last = counts;
    counts = new Map();
    for (const { draft, more } of last.values()) {
      if (more > 0) write({ ...draft, data: { ...(draft.data as object), count: more, withinMs: MINUTE_MS } });
    }
  };
  const stop = every(clock, MINUTE_MS, flush);
  return {
    note(name, data, actor) {
      const full = counts.size >= MAX_KINDS;
      const draft = full ? auditDraft('http.refused', { others: true }, 'system:http') : auditDraft(name, data, actor);
      const key = JSON.stringify([draft.name, draft.actor, draft.data]);
      const known = counts.get(key);
      if (known) known.more++;
      else {
        counts.set(key, { draft, more: 0 });
        write(draft);
      }
    },
    close() {
      stop();
      flush();
    },
  };
}
