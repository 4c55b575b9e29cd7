import { clock, second, siteZone } from '../clock.ts';
import { dateIn, spanOf, timeIn } from '../words/time.ts';

/** How long ago, counting. */
export const Age = ({ since }: { since: number }) => <span class="digits">{spanOf(second.value - since)}</span>;

/** What is left of a hold or a silence, counting down. */
export const Left = ({ until }: { until: number }) => <span class="digits">{spanOf(until - clock.value + 999)}</span>;

/** Site time with seconds; with the date when it was not today. */
export function Time({ at }: { at: number }) {
  const zone = siteZone.value;
  const today = dateIn(zone, second.value) === dateIn(zone, at);
  return (
    <time class="digits" dateTime={new Date(at).toISOString()}>
      {today ? timeIn(zone, at) : `${dateIn(zone, at)} ${timeIn(zone, at)}`}
    </time>
  );
}
