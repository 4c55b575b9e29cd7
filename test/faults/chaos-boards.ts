/** The devices life depends on, as boards behind Modbus: fire panel, door, elevator, its e-bike guard, charging, gas, siren. */
import type { Request } from '../../drivers/modbus/frame.ts';
import { RelayBoard, SimulatedSlave } from '../../drivers/modbus/simulator.ts';
import { systemClock } from '../../runtime/clock.ts';

export type Value = string | number | boolean;

/** Something that happens at a board, and the alarms it is by the contract. */
export interface Trouble {
  readonly alarm: string;
  begin(): void;
  end(): void;
}

export class Board extends RelayBoard {
  readonly inputs: boolean[];
  readonly relays: boolean[] = [];
  /** Input registers, of which the first voice register is written, too. */
  readonly registers: number[];
  /** What was so, by the names of the contract. */
  truths: () => Readonly<Record<string, Value>> = () => ({});
  readonly troubles: Record<string, Trouble> = {};
  readonly #words: SimulatedSlave;

  constructor(inputs: readonly boolean[], registers: readonly number[] = []) {
    const state = [...inputs];
    super(8, { get: (address) => state[address] ?? false, set: () => undefined });
    this.inputs = state;
    this.registers = [...registers];
    const words = {
      get: (address: number) => this.registers[address],
      set: (address: number, value: number) => {
        this.registers[address] = value;
      },
    };
    this.#words = new SimulatedSlave({ inputRegisters: words, holdingRegisters: words });
    this.#words.onWrite = (request) => this.onWrite(request);
    this.onRelay = (relay, closed) => {
      this.relays[relay] = closed;
    };
  }

  override answer(request: Request): Buffer {
    const isOfWords = [3, 4, 6, 16].includes(request.function) && this.behaviour.exception === undefined;
    return isOfWords ? this.#words.answer(request) : super.answer(request);
  }

  /** An input that is on while something lasts. */
  contact(what: string, alarm: string, input: number): void {
    const set = (on: boolean) => () => {
      this.inputs[input] = on;
    };
    this.troubles[what] = { alarm, begin: set(true), end: set(false) };
  }

  /** A register that is high while something lasts. */
  measure(what: string, alarm: string, register: number, high: number): void {
    const before = this.registers[register] ?? 0;
    const set = (value: number) => () => {
      this.registers[register] = value;
    };
    this.troubles[what] = { alarm, begin: set(high), end: set(before) };
  }

  is(relay: number): boolean {
    return this.relays[relay] === true;
  }
}

const DEGREES_OK = 250;
const DEGREES_HOT = 900;
const AMPERES = 1200;
const CURRENT_FALLS_MS = 150;
const GAS_LEAK = 300;
const VALVE_MS = 500;

function panel(): Board {
  const board = new Board([false, true, true, false, false]);
  board.contact('fire', 'fire', 0);
  board.truths = () => ({ fire: board.inputs[0] === true });
  return board;
}

/** Relay 1 opens for a passage, relay 2 cuts the power of the lock, relay 3 locks down. */
function door(): Board {
  const board = new Board([false, true, false, false]);
  board.onRelay = (relay, closed) => {
    board.relays[relay] = closed;
    board.inputs[1] = !board.is(0) && !board.is(1);
    board.inputs[2] = board.is(1);
  };
  board.truths = () => ({
    lockState: board.is(1) ? 'released' : board.is(0) ? 'unlocked' : 'locked',
    held: board.is(2),
  });
  return board;
}

function car(): Board {
  const board = new Board([false, true, false, false, false, false], [3]);
  board.contact('trapped', 'trapped', 3);
  board.onRelay = (relay, closed) => {
    board.relays[relay] = closed;
    board.inputs[4] = board.is(0); // the controller obeys
  };
  board.truths = () => ({ fireMode: board.is(0), trapped: board.inputs[3] === true });
  return board;
}

function guard(): Board {
  const board = new Board([false, false, true], [0]);
  board.contact('ebike', 'ebikeInCar', 0);
  board.onRelay = (relay, closed) => {
    board.relays[relay] = closed;
    board.inputs[1] = board.is(0);
  };
  board.truths = () => ({ held: board.is(0), ebikePresent: board.inputs[0] === true });
  return board;
}

/** The contactor falls, and then no current flows; a contact that is welded says that it fell. */
function zone(): Board {
  const board = new Board([false, true, false], [AMPERES, DEGREES_OK]);
  let welded = false;
  const settle = () => {
    board.registers[0] = board.is(0) && !welded ? 0 : AMPERES;
  };
  board.onRelay = (relay, closed) => {
    board.relays[relay] = closed;
    board.inputs[0] = board.is(0);
    systemClock.after(CURRENT_FALLS_MS, settle);
  };
  board.measure('hot', 'overTemperature', 1, DEGREES_HOT);
  const { hot } = board.troubles;
  if (hot) {
    board.troubles['hot, welded'] = {
      alarm: hot.alarm,
      begin() {
        welded = true;
        settle();
        hot.begin();
      },
      end() {
        welded = false;
        settle();
        hot.end();
      },
    };
  }
  board.truths = () => ({ cutOff: board.is(0), current: (board.registers[0] ?? 0) / 100, welded });
  return board;
}

/** Detector and valve work by themselves, unless the valve is stuck. */
function gas(): Board {
  const board = new Board([false], [0]);
  board.measure('leak', 'gasLeak', 0, GAS_LEAK);
  const { leak } = board.troubles;
  if (leak) {
    const turn = (closed: boolean) => () => {
      board.inputs[0] = closed;
    };
    board.troubles.leak = {
      alarm: leak.alarm,
      begin() {
        leak.begin();
        systemClock.after(VALVE_MS, turn(true));
      },
      end() {
        leak.end();
        systemClock.after(VALVE_MS, turn(false));
      },
    };
    board.troubles['leak, valve stuck'] = leak;
  }
  board.truths = () => ({ valveClosed: board.inputs[0] === true });
  return board;
}

function siren(): Board {
  const board = new Board([false]);
  board.onRelay = (relay, closed) => {
    board.relays[relay] = closed;
    board.inputs[0] = board.is(0);
  };
  board.truths = () => ({ sounding: board.is(0) });
  return board;
}

/** By the profile they speak. */
export const boards: Readonly<Record<string, () => Board>> = {
  'generic/di-fire-panel': panel,
  'generic/relay-door': door,
  'generic/io-elevator': car,
  'generic/relay-ebike-guard': guard,
  'generic/io-ebike-zone': zone,
  'generic/io-gas-alarm': gas,
  'generic/relay-siren': siren,
};
