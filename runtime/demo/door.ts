/** A unit door 单元门 behind a relay board: relay 0 opens for a passage, relay 1 cuts the lock's power, relay 2 locks down. */
import { RelayBoard } from '../../drivers/modbus/simulator.ts';
import type { Clock } from '../clock.ts';

const RELAYS = 8;

export class Door {
  readonly board: RelayBoard;

  constructor(clock: Clock) {
    const on = (relay: number): boolean => this.board.tables.coils?.get(relay) === true;
    const inputs = () => {
      const released = on(1); // without power the bolt is free, whatever else is ordered
      const locked = !released && (on(2) || !on(0));
      return [!locked && !released && on(0), locked, released, false];
    };
    this.board = new RelayBoard(RELAYS, { get: (address) => inputs()[address], set: () => undefined }, clock);
  }
}
