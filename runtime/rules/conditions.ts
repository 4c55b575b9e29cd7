/** Alarm conditions of the contracts, as pure functions. */
import type { Condition, Scalar } from '../contracts/contract.ts';

/** `hold`: inside the hysteresis, whatever was so stays so. */
export type Verdict = 'on' | 'off' | 'hold';

/** @param limit the device's own limit, if its settings have one; the width of the hysteresis stays. */
export function judge(condition: Condition, value: Scalar, limit?: Scalar): Verdict {
  if ('equals' in condition) return value === condition.equals ? 'on' : 'off';
  if (typeof value !== 'number') return 'hold';
  const standard = 'above' in condition ? condition.above : condition.below;
  const moved = typeof limit === 'number' ? limit - standard : 0;
  if ('above' in condition) {
    if (value > condition.above + moved) return 'on';
    return value < condition.clearAt + moved ? 'off' : 'hold';
  }
  if (value < condition.below + moved) return 'on';
  return value > condition.clearAt + moved ? 'off' : 'hold';
}
