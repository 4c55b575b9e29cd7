/** One linkage at work in one place: from its trigger until everything it held is let go. */

import type { Recorder } from '../commands/recorder.ts';
import type { LinkageWatch } from '../contracts/linkages.ts';
import { type DriveParts, Output } from './drive.ts';
import type { LinkedDevice, Place } from './places.ts';

/** What outlives a restart. */
export interface Episode {
  /** Of the record `linkage.started`, too. */
  readonly id: string;
  readonly linkage: string;
  readonly place: string;
  /** ms UTC */
  readonly since: number;
  readonly sources: readonly { readonly device: string; readonly alarm: string }[];
  /** `spent`: over, and not begun anew before its trigger was gone. */
  readonly phase: 'active' | 'ending' | 'spent';
  /** Commands by device that have been proved once. */
  readonly done: readonly string[];
}

export const outputKey = (device: string, command: string): string => `${device}/${command}`;

export interface RunParts extends DriveParts {
  readonly recorder: Recorder;
  readonly watched: (device: LinkedDevice, rule: LinkageWatch, held: boolean) => void;
}

export class Run {
  episode: Episode;
  place: Place;
  /** The record of its beginning is durable. */
  recorded = false;
  /** Ended by its longest time: not begun anew before its trigger was gone. */
  spent = false;
  readonly began: number;
  readonly recorder: Recorder;
  readonly #parts: RunParts;
  readonly #outputs = new Map<string, Output>();
  readonly #watching = new Map<string, { readonly until: number; told?: boolean }>();
  readonly #life: string;

  /** @param life distinguishes what is sent before and after a restart */
  constructor(episode: Episode, place: Place, life: string, parts: RunParts) {
    this.episode = episode;
    this.place = place;
    this.#life = life;
    this.#parts = parts;
    this.recorder = parts.recorder;
    this.began = parts.clock.mono() - Math.max(0, parts.clock.now() - episode.since);
  }

  /** The device answers again. */
  back(device: string): void {
    for (const output of this.#outputs.values()) if (output.order.device.id === device) output.wake();
  }

  drive(): void {
    for (const output of this.place.outputs) this.#output(output).drive();
    for (const { rule, device } of this.place.watches) this.#watch(rule, device);
  }

  /**
   * Lets go what it holds.
   * @param needed by another linkage that goes on: it stays
   * @returns true when all of it is let go
   */
  end(needed: (device: string, command: string) => boolean): boolean {
    let over = true;
    for (const output of this.place.outputs) {
      if (needed(output.device.id, output.rule.command)) continue;
      over = this.#output(output).end() && over;
    }
    return over;
  }

  #output({ rule, device }: Place['outputs'][number]): Output {
    const key = outputKey(device.id, rule.command);
    const known = this.#outputs.get(key);
    if (known) return known;
    const { id, linkage, done } = this.episode;
    const order = {
      ...{ rule, device, cause: id, key: `${id}${this.#life}`, resumed: done.includes(key) },
      who: { actor: `linkage:${linkage}`, sender: 'linkage' },
    } as const;
    const output = new Output(order, this.#parts);
    this.#outputs.set(key, output);
    return output;
  }

  /** It is the device that acts; after its time somebody has to be told that it did not. */
  #watch(rule: LinkageWatch, device: LinkedDevice): void {
    const key = outputKey(device.id, rule.point);
    const { clock, outputs, watched } = this.#parts;
    const entry = this.#watching.get(key) ?? { until: clock.mono() + rule.withinMs };
    this.#watching.set(key, entry);
    const held = outputs.latest(device.id, rule.point) === rule.equals;
    if (entry.told === held || (!held && clock.mono() < entry.until)) return;
    entry.told = held;
    watched(device, rule, held);
  }
}

export const runKey = ({ linkage, place }: Pick<Episode, 'linkage' | 'place'>): string => `${linkage}\n${place}`;
