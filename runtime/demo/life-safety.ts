/** The devices of the demo compound that life can depend on, and what can be made to happen to them. */
import { SimulatedSlave, table } from '../../drivers/modbus/simulator.ts';
import type { Clock } from '../clock.ts';
import { ChargingZone } from './charging-zone.ts';
import { Door } from './door.ts';
import { Elevator } from './elevator.ts';
import { FirePanel } from './fire-panel.ts';
import { GasAlarm } from './gas-alarm.ts';

/** A siren tells by its own contact that it sounds. */
function siren(): SimulatedSlave {
  const coils = table(0, [false]);
  const sounding = (address: number) => (address === 0 ? coils.get(0) : undefined);
  return new SimulatedSlave({ coils, discreteInputs: { get: sounding, set: () => undefined } });
}

const amplifier = (): SimulatedSlave =>
  new SimulatedSlave({ holdingRegisters: table(0, [0]), discreteInputs: table(0, [false]) });

export class LifeSafety {
  /** By device. */
  readonly slaves: Readonly<Record<string, SimulatedSlave>>;
  /** By action; each answers with the device it concerns. */
  readonly actions: Readonly<Record<string, () => string>>;
  readonly #panel = new FirePanel();
  readonly #elevator: Elevator;
  readonly #shed = new ChargingZone();
  readonly #garage = new ChargingZone();
  readonly #gas: GasAlarm;

  constructor(clock: Clock) {
    this.#elevator = new Elevator(clock);
    this.#gas = new GasAlarm(clock);
    this.slaves = {
      'fire-panel': this.#panel.slave,
      'door-b3-1': new Door(clock).board,
      'elevator-b3-1': this.#elevator.controller,
      'ebike-guard-b3-1': this.#elevator.guard,
      'charging-shed': this.#shed.slave,
      'charging-garage': this.#garage.slave,
      'gas-b3-1-502': this.#gas.slave,
      'broadcast-garden': amplifier(),
      'siren-b3-1': siren(),
    };
    const at = (device: string, act: () => void) => () => {
      act();
      return device;
    };
    this.actions = {
      fire: at('fire-panel', () => this.#panel.fire()),
      'one-detector': at('fire-panel', () => this.#panel.detect(1)),
      'two-detectors': at('fire-panel', () => this.#panel.detect(2)),
      'ebike-in-elevator': at('ebike-guard-b3-1', () => this.#elevator.ebikeEnters()),
      'ebike-leaves': at('ebike-guard-b3-1', () => this.#elevator.ebikeLeaves()),
      entrapment: at('elevator-b3-1', () => this.#elevator.trap()),
      'charger-overheat': at('charging-shed', () => this.#shed.overheat(false)),
      'charger-welded': at('charging-shed', () => this.#shed.overheat(true)),
      'site-key': at('charging-shed', () => this.#shed.turnKey(true)),
      gas: at('gas-b3-1-502', () => this.#gas.leak(false)),
      'gas-valve-stuck': at('gas-b3-1-502', () => this.#gas.leak(true)),
    };
  }

  clear(): void {
    this.#panel.reset();
    this.#elevator.clear();
    this.#shed.clear();
    this.#garage.clear();
    this.#gas.clear();
  }
}
