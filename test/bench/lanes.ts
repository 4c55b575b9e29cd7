/**
 * Lanes of a compound with barriers that are real to the gateway: Modbus relay boards whose inputs follow a car through
 * the lane. The car moves one step each time the gateway has looked, so a lane is free again as fast as it is polled.
 */
import { ModbusSimulator, RelayBoard } from '../../drivers/modbus/simulator.ts';

/** FC05 there closes relay 0 for a while. */
export const OPEN_ORDER = 0x0200;
const RELAYS = 8;
/** What the inputs of the board say: open limit, closed limit, ground loop, arm contact. */
const STEPS = [
  { name: 'closed', inputs: [false, true, false, false] },
  { name: 'open', inputs: [true, false, false, false] },
  { name: 'car on the loop', inputs: [true, false, true, false] },
  { name: 'car gone', inputs: [true, false, false, false] },
] as const;
const LOOP = 2;

export interface Lane {
  readonly gate: string;
  readonly camera: string;
  readonly port: number;
  /** The time on `performance.now()` at which the relay that opens is ordered to close next. */
  opened(): Promise<number>;
  /** Resolves once the gateway has seen the barrier closed behind the last car. */
  free(): Promise<void>;
}

export interface Lanes extends AsyncDisposable {
  readonly list: readonly Lane[];
}

export async function openLanes(count: number): Promise<Lanes> {
  const closers: (() => Promise<void>)[] = [];
  const list: Lane[] = [];
  for (let n = 0; n < count; n++) {
    let step = 0;
    let seenClosed = true;
    let onOpen = (_at: number): void => {};
    let onFree = (): void => {};
    const board = new RelayBoard(RELAYS, {
      get(input) {
        const value = STEPS[step]?.inputs[input] ?? (input < RELAYS ? false : undefined);
        // The loop is read by polls only, after the two limits: the proof of a command does not move the car.
        if (input === LOOP) {
          if (step > 0) step = (step + 1) % STEPS.length;
          else if (!seenClosed) {
            seenClosed = true;
            onFree();
          }
        }
        return value;
      },
      set: () => undefined,
    });
    board.onWrite = ({ address }) => {
      if (address !== OPEN_ORDER) return;
      const at = performance.now();
      step = 1;
      seenClosed = false;
      onOpen(at);
    };
    const simulator = new ModbusSimulator([[1, board]]);
    closers.push(() => simulator.close());
    list.push({
      gate: `gate-${n}`,
      camera: `camera-${n}`,
      port: await simulator.listenTcp(),
      opened: () => new Promise((resolve) => (onOpen = resolve)),
      free: () => (seenClosed ? Promise.resolve() : new Promise((resolve) => (onFree = resolve))),
    });
  }
  return {
    list,
    async [Symbol.asyncDispose]() {
      for (const close of closers) await close();
    },
  };
}
