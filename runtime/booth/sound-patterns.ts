/** Pulses of each sound: the pattern, not the pitch, carries the priority (ux.md 2). Times in ms. */
export interface Pulse {
  readonly at: number;
  readonly ms: number;
  readonly hz: number;
  readonly gain: number;
}

export type Sound = 'p1' | 'p2' | 'p3' | 'lost' | 'done' | 'refused' | 'test';

const pulses = (count: number, every: number, ms: number, hz: number, from = 0): Pulse[] =>
  Array.from({ length: count }, (_, index) => ({ at: from + index * every, ms, hz, gain: 1 }));

export const patterns: Readonly<Record<Sound, readonly Pulse[]>> = {
  p1: [...pulses(5, 190, 110, 880), ...pulses(5, 190, 110, 880, 1350)],
  p2: pulses(3, 340, 190, 660),
  p3: [
    { at: 0, ms: 220, hz: 523, gain: 0.45 },
    { at: 260, ms: 260, hz: 440, gain: 0.45 },
  ],
  lost: [
    { at: 0, ms: 380, hz: 587, gain: 0.8 },
    { at: 420, ms: 520, hz: 392, gain: 0.8 },
  ],
  done: [{ at: 0, ms: 30, hz: 1200, gain: 0.5 }],
  refused: [{ at: 0, ms: 320, hz: 150, gain: 0.9 }],
  test: [
    { at: 0, ms: 180, hz: 523, gain: 0.8 },
    { at: 220, ms: 180, hz: 659, gain: 0.8 },
    { at: 440, ms: 320, hz: 784, gain: 0.8 },
  ],
};
