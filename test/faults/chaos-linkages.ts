/**
 * What the oracle holds the safety linkages to, by the relays of the devices alone: fire releases and holds whatever else
 * happens, an e-bike holds its elevator until it leaves, heat cuts off charging (reliability.md F1-F4, F7).
 */
import type { AlarmChange } from '../../runtime/contracts/record.ts';
import { clearFrom, type Disturbance, type Evidence, type Occurrence, type Truth } from './chaos-log.ts';
import { hold } from './trial.ts';

/** From the input to the output (F7). */
const REACTS_MS = 3000;
/** The devices are looked at twenty times a second, by a process that waits for the processor, too. */
const LOOK_MS = 300;
/** A disk is no excuse for what only makes safe. */
const isExcuse = ({ kind }: Disturbance): boolean => !kind.startsWith('disk');
const ENDS: readonly string[] = ['reset', 'cleared-false'];

interface Output {
  readonly device: string;
  readonly point: string;
  readonly value: Truth['value'];
}
interface Span {
  readonly from: number;
  readonly to: number;
}

export interface LinkageTally {
  readonly fires: number;
  /** From the contact of the panel to each output, ms. */
  readonly waits: readonly number[];
  readonly ebikes: number;
  readonly cutOffs: number;
}

/** When a point of a device was so. */
function spansOf({ log }: Evidence, { device, point, value }: Output): Span[] {
  const own = log.truths.filter((truth) => truth.device === device && truth.point === point);
  return own.flatMap((truth, index) =>
    truth.value === value ? [{ from: truth.at, to: own[index + 1]?.at ?? Number.POSITIVE_INFINITY }] : [],
  );
}

const boardsOf = ({ layout }: Evidence, profile: string): string[] =>
  layout.boards.filter((board) => board.profile === profile).map(({ id }) => id);

const occurrencesOf = ({ log }: Evidence, alarm: string): Occurrence[] =>
  log.occurrences.filter((occurrence) => occurrence.alarm === alarm);

/** @throws Broken */
export function checkLinkages(evidence: Evidence): LinkageTally {
  const fires = firesOf(evidence);
  const waits = fires.flatMap((fire) => checkFire(evidence, fire));
  return { fires: fires.length, waits, ebikes: checkElevators(evidence, fires), cutOffs: checkCharging(evidence) };
}

interface Fire extends Span {
  readonly panel: string;
  /** Nobody can say that it was not noticed: it was undisturbed for long enough, or it is on record. */
  readonly due: number | undefined;
}

/** From the contact of the panel until somebody has reset it; what comes meanwhile is the same fire. */
function firesOf(evidence: Evidence): Fire[] {
  const { records, whenOf } = evidence;
  const fires: Fire[] = [];
  for (const { device, alarm, on, off } of occurrencesOf(evidence, 'fire')) {
    const changes = records.filter(
      (record) => record.kind === 'alarm' && record.device === device && record.name === alarm,
    );
    const told = changes.find((record) => whenOf(record) >= on - LOOK_MS);
    const ended = changes.find((record) => whenOf(record) >= on && ENDS.includes((record.data as AlarmChange).change));
    if (fires.some(({ to }) => to > on)) continue;
    const disturbances = evidence.disturbances.filter(isExcuse);
    const clear = clearFrom({ disturbances }, on, device, REACTS_MS);
    const due = clear !== undefined && clear <= off + REACTS_MS ? clear : told && whenOf(told) + REACTS_MS;
    fires.push({ panel: device, from: on, to: ended ? whenOf(ended) : Number.POSITIVE_INFINITY, due });
  }
  return fires;
}

/** @returns from the input to each output that nothing stood in the way of, ms */
function checkFire(evidence: Evidence, fire: Fire): number[] {
  if (fire.due === undefined) return [];
  const disturbances = evidence.disturbances.filter(isExcuse);
  const outputs: Output[] = [
    ...evidence.layout.gates.map(({ id }) => ({ device: id, point: 'held', value: true })),
    ...boardsOf(evidence, 'generic/relay-door').map((device) => ({ device, point: 'lockState', value: 'released' })),
  ];
  return outputs.flatMap((output) => {
    const named = `${output.device} (${output.point})`;
    const spans = spansOf(evidence, output);
    const due = clearFrom({ disturbances }, Math.max(fire.from, (fire.due ?? 0) - REACTS_MS), output.device, REACTS_MS);
    if (due === undefined || due > fire.to) return [];
    const first = spans.find(({ to }) => to > fire.from);
    const late = (first?.from ?? Number.POSITIVE_INFINITY) - due;
    hold('F7', late <= LOOK_MS, () => `fire: ${named} was released ${Math.round(late)} ms too late`);
    // Held by the board itself, whatever becomes of the gateway, until somebody on site has reset the panel.
    const lasts = first !== undefined && first.to >= Math.min(fire.to, evidence.endedAt) - LOOK_MS;
    hold('F1', lasts, () => `fire: ${named} was let go ${Math.round(fire.to - (first?.to ?? 0))} ms before the reset`);
    const undisturbed = due === fire.from + REACTS_MS;
    return undisturbed ? [Math.max(0, (first?.from ?? 0) - fire.from)] : [];
  });
}

/** Held while an e-bike is in the car, let go when it leaves, and never while people are trapped or it burns. */
function checkElevators(evidence: Evidence, fires: readonly Fire[]): number {
  let count = 0;
  for (const { id: guard, zone } of evidence.layout.boards.filter(({ profile }) => profile.endsWith('ebike-guard'))) {
    const car = evidence.layout.boards.find((board) => board.zone === zone && board.profile.endsWith('elevator'))?.id;
    const held = spansOf(evidence, { device: guard, point: 'held', value: true });
    const bikes = occurrencesOf(evidence, 'ebikeInCar').filter(({ device }) => device === guard);
    const isHeldAt = (at: number) => held.some(({ from, to }) => from <= at && to > at);
    for (const { off } of bikes) {
      count++;
      const due = clearFrom(evidence, off, guard, REACTS_MS);
      const again = bikes.some(({ on }) => on > off && on <= (due ?? 0) + LOOK_MS);
      if (due === undefined || again || due > evidence.endedAt) continue;
      hold('F3', !isHeldAt(due + LOOK_MS), () => `${guard} is held ${REACTS_MS} ms after the e-bike has left`);
    }
    const forbidden = [
      ...fires.map(({ from, to, due }) => ({ from: due === undefined ? to : from, to })),
      ...occurrencesOf(evidence, 'trapped')
        .filter(({ device }) => device === car)
        .map(({ on, off }) => ({ from: on, to: off })),
    ];
    for (const { from, to } of forbidden) {
      const disturbances = [...evidence.disturbances.filter(isExcuse), ...asOf(evidence, car, guard)];
      const due = clearFrom({ disturbances }, from, guard, REACTS_MS);
      if (due === undefined || due > Math.min(to, evidence.endedAt)) continue;
      hold('F3', !isHeldAt(due + LOOK_MS), () => `${guard} is held ${REACTS_MS} ms into what forbids it`);
    }
  }
  return count;
}

/** What is wrong with one device keeps another from being told of it. */
const asOf = ({ disturbances }: Evidence, device: string | undefined, other: string): Disturbance[] =>
  disturbances
    .filter((one) => one.device !== undefined && one.device === device)
    .map((one) => ({ ...one, device: other }));

/** Cut off when it is hot, and not live again by itself. */
function checkCharging(evidence: Evidence): number {
  let count = 0;
  for (const { device, on, off } of occurrencesOf(evidence, 'overTemperature')) {
    count++;
    const due = clearFrom(evidence, on, device, REACTS_MS);
    if (due === undefined || due > off) continue;
    const cut = spansOf(evidence, { device, point: 'cutOff', value: true });
    const span = cut.find(({ from, to }) => from <= due + LOOK_MS && to > due);
    hold('F4', span !== undefined, () => `${device} is hot and was not cut off`);
    hold('F4', span.to > off, () => `${device} is live again while it is hot`);
  }
  return count;
}
