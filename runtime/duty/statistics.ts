/** Figures of work orders for a stretch of time. Pure. */
import type { WorkOrderStatistics, WorkOrderView } from '../contracts/duty.ts';

function median(values: readonly number[]): number | undefined {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) / 2)];
}

const isLate = ({ due, closedAt }: WorkOrderView): boolean =>
  due !== undefined && closedAt !== undefined && closedAt > due;

/**
 * @param changed every order that changed since `from`: one that did not was neither created nor closed since
 * @param open those that are unfinished now
 */
export function statisticsOf(
  changed: readonly WorkOrderView[],
  open: readonly WorkOrderView[],
  { from, to, now }: { readonly from: number; readonly to: number; readonly now: number },
): WorkOrderStatistics {
  const within = (at: number | undefined) => at !== undefined && at >= from && at <= to;
  const closed = changed.filter(({ closedAt }) => within(closedAt));
  const done = closed.filter(({ state }) => state === 'done');
  const minutes = median(done.map(({ createdAt, closedAt = 0 }) => (closedAt - createdAt) / 60_000));
  const names = [...new Set([...done, ...open].flatMap(({ assignee }) => (assignee === undefined ? [] : [assignee])))];
  const of = (assignee: string) => (view: WorkOrderView) => view.assignee === assignee;
  return {
    from,
    to,
    created: changed.filter(({ createdAt }) => within(createdAt)).length,
    done: done.length,
    cancelled: closed.filter(({ state }) => state === 'cancelled').length,
    late: done.filter(isLate).length,
    open: open.length,
    overdue: open.filter(({ due }) => due !== undefined && due < now).length,
    ...(minutes === undefined ? {} : { medianMinutes: Math.round(minutes * 10) / 10 }),
    people: names
      .toSorted((a, b) => a.localeCompare(b))
      .map((assignee) => ({
        assignee,
        done: done.filter(of(assignee)).length,
        late: done.filter(of(assignee)).filter(isLate).length,
        open: open.filter(of(assignee)).length,
      })),
  };
}
