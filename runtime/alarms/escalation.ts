/** Who is told when nobody answers, and when (ux.md 5); a site may say otherwise in its section `alarms`. */
import type { AlarmSettings, Recipient } from '../contracts/api.ts';

export interface EscalationStep {
  /** Unanswered for so long. */
  readonly afterMs: number;
  readonly to: readonly Recipient[];
}

const MINUTE = 60_000;
const SHIFT = 8 * 60 * MINUTE;
const standard: Readonly<Record<number, readonly EscalationStep[]>> = {
  1: [
    { afterMs: MINUTE, to: ['shift-leader', 'siren'] },
    { afterMs: 3 * MINUTE, to: ['manager', 'second-booth', 'siren', 'sms', 'voice'] },
  ],
  2: [{ afterMs: 5 * MINUTE, to: ['shift-leader'] }],
  3: [{ afterMs: 30 * MINUTE, to: ['shift-report'] }],
  4: [{ afterMs: SHIFT, to: ['work-order'] }],
};
/** Priority 1 that nobody answers is told again and again. */
const REPEAT_MS = 3 * MINUTE;

export function stepsOf(settings: AlarmSettings | undefined, priority: number): readonly EscalationStep[] {
  const own = settings?.escalation?.[`p${priority}` as 'p1'];
  return own ? own.map(({ afterSeconds, to }) => ({ afterMs: afterSeconds * 1000, to })) : (standard[priority] ?? []);
}

export interface NextStep {
  readonly level: number;
  readonly to: readonly Recipient[];
}

/** @param taken steps already taken @returns the next one; the last one again for priority 1 */
export function stepAfter(settings: AlarmSettings | undefined, priority: number, taken: number): NextStep | undefined {
  const steps = stepsOf(settings, priority);
  const level = Math.min(taken + 1, priority === 1 ? steps.length : taken + 1);
  const step = steps[level - 1];
  return step && { level, to: step.to };
}

/** @param since when it began to wait @param now when the last step was taken @returns when the next one is due */
export function dueAfter(
  settings: AlarmSettings | undefined,
  { priority, taken, since, now }: { priority: number; taken: number; since: number; now: number },
): number | undefined {
  const step = stepsOf(settings, priority)[taken];
  if (step) return Math.max(since + step.afterMs, now);
  const repeat = settings?.escalation?.repeatSeconds;
  return priority === 1 ? now + (repeat === undefined ? REPEAT_MS : repeat * 1000) : undefined;
}
