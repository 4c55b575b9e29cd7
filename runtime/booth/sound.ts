/** Plays the patterns. A browser lets a page sound only after a tap: log-in is that tap. */
import { computed, signal } from '@preact/signals';
import { patterns, type Sound } from './sound-patterns.ts';
import { remember, remembered } from './words/memory.ts';

const state = signal<AudioContextState | 'none'>('none');
/** False: alarms would be silent; the bar says so. */
export const soundOn = computed(() => state.value === 'running');
/** 40 to 100 per cent; no permanent mute. */
export const volume = signal(Number(remembered('volume') ?? '80'));

const P1_AT_LEAST = 60;
let context: AudioContext | undefined;
let output: GainNode | undefined;

/** Call it inside a tap. */
export async function unlockSound(): Promise<void> {
  if (!context) {
    context = new AudioContext();
    output = context.createGain();
    output.connect(context.destination);
    const made = context;
    made.addEventListener('statechange', () => {
      state.value = made.state;
    });
  }
  await context.resume();
  state.value = context.state;
}

export function setVolume(percent: number): void {
  volume.value = Math.min(100, Math.max(40, percent));
  remember('volume', String(volume.value));
}

/** Does nothing while sound is locked: the bar already says so. */
export function play(sound: Sound): void {
  if (!context || !output || context.state !== 'running') return;
  const level = (sound === 'p1' ? Math.max(volume.value, P1_AT_LEAST) : volume.value) / 100;
  const start = context.currentTime + 0.01;
  for (const pulse of patterns[sound]) {
    const tone = context.createOscillator();
    const shape = context.createGain();
    const from = start + pulse.at / 1000;
    const to = from + pulse.ms / 1000;
    tone.type = sound === 'refused' ? 'square' : 'triangle';
    tone.frequency.value = pulse.hz;
    // Short ramps: a hard edge clicks in the loudspeaker.
    shape.gain.setValueAtTime(0, from);
    shape.gain.linearRampToValueAtTime(level * pulse.gain, from + 0.008);
    shape.gain.setValueAtTime(level * pulse.gain, Math.max(from + 0.008, to - 0.02));
    shape.gain.linearRampToValueAtTime(0, to);
    tone.connect(shape).connect(output);
    tone.start(from);
    tone.stop(to + 0.02);
  }
}

/** Cuts off what is sounding now. */
export function hush(): void {
  if (!context || !output) return;
  output.disconnect();
  output = context.createGain();
  output.connect(context.destination);
}
