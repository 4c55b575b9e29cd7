/** What a flow would do beside what was done then. Pure. */
import { isDeepStrictEqual } from 'node:util';
import type { Act, ComparisonRow } from '../contracts/replay.ts';

/** A time counted from now, and texts that the record does not keep, say nothing about whether it is the same act. */
function comparable({ kind, input }: Act): unknown {
  if (kind !== 'notice' && kind !== 'work-order') return input;
  const { until: _until, due: _due, text, to, ...rest } = input as Readonly<Record<string, unknown>>;
  const addressed = typeof to === 'object' && to !== null && Object.keys(to).length > 0;
  return { ...rest, ...(kind === 'notice' ? { text } : {}), ...(addressed ? { to } : {}) };
}

const aboutSame = (a: Act, b: Act): boolean => a.record === b.record && a.kind === b.kind;
const sameThing = (a: Act, b: Act): boolean => aboutSame(a, b) && a.device === b.device && a.action === b.action;

/**
 * Pairs acts of one record: first those that are the same thing, then what was done instead.
 * @returns one row for each act of either side: `same`; `different` when something else was done, or nothing; `missing`
 */
export function compare(would: readonly Act[], happened: readonly Act[]): ComparisonRow[] {
  const left = [...happened];
  const take = (fits: (act: Act) => boolean): Act | undefined => {
    const index = left.findIndex(fits);
    return index < 0 ? undefined : left.splice(index, 1)[0];
  };
  const exact = would.map((act) =>
    take((one) => sameThing(act, one) && isDeepStrictEqual(comparable(act), comparable(one))),
  );
  const near = would.map((act, index) => exact[index] ?? take((one) => sameThing(act, one)));
  const rows = would.map((act, index): ComparisonRow => {
    const found = near[index] ?? take((one) => aboutSame(act, one));
    const verdict = exact[index] ? 'same' : 'different';
    return { verdict, would: act, ...(found ? { happened: found } : {}) };
  });
  return [...rows, ...left.map((act): ComparisonRow => ({ verdict: 'missing', happened: act }))];
}
