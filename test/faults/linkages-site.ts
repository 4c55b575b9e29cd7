/** Boards for the trial of the safety linkages: a fire panel, and outputs that note when they were ordered. */
import { ModbusSimulator, RelayBoard, SimulatedSlave, table } from '../../drivers/modbus/simulator.ts';
import type { Gateway } from '../site.ts';

const ADMIN = 'demo-admin';
const HOST = '127.0.0.1';
const RELAYS = 8;

export interface OutputBoard {
  readonly id: string;
  readonly profile: string;
  /** The relay, or register, that fire switches on. */
  readonly relay: number;
  readonly slave: SimulatedSlave;
  /** Monotonic ms of the first order since the last reset. */
  orderedAt: number | undefined;
}

/** A barrier whose arm is where its relays say. */
function barrier(): RelayBoard {
  const on = (relay: number) => board.tables.coils?.get(relay) === true;
  const inputs = () => [on(2), !on(2), false, false, false, false, false, false];
  const board: RelayBoard = new RelayBoard(RELAYS, { get: (address) => inputs()[address], set: () => undefined });
  return board;
}

function door(): RelayBoard {
  const on = (relay: number) => board.tables.coils?.get(relay) === true;
  const inputs = () => [false, !on(1), on(1), false, false, false, false, false];
  const board: RelayBoard = new RelayBoard(RELAYS, { get: (address) => inputs()[address], set: () => undefined });
  return board;
}

function chargingZone(): SimulatedSlave {
  const coils = table(0, [false]);
  const inputs = () => [coils.get(0) === true, false, false];
  const registers = () => [coils.get(0) === true ? 0 : 1250, 310];
  return new SimulatedSlave({
    coils,
    discreteInputs: { get: (address) => inputs()[address], set: () => undefined },
    inputRegisters: { get: (address) => registers()[address], set: () => undefined },
  });
}

function siren(): SimulatedSlave {
  const coils = table(0, [false]);
  const sounding = (address: number) => (address === 0 ? coils.get(0) : undefined);
  return new SimulatedSlave({ coils, discreteInputs: { get: sounding, set: () => undefined } });
}

const KINDS = [
  { name: 'barrier', profile: 'waveshare/relay-8ch-barrier', relay: 2, make: barrier },
  { name: 'door', profile: 'generic/relay-door', relay: 1, make: door },
  { name: 'zone', profile: 'generic/io-ebike-zone', relay: 0, make: chargingZone },
  { name: 'siren', profile: 'generic/relay-siren', relay: 0, make: siren },
] as const;

export interface FireSite extends AsyncDisposable {
  readonly outputs: readonly OutputBoard[];
  /** The contact of the panel. */
  fire(on: boolean): void;
  /** Everything is as before a fire, by somebody on site. */
  restore(): void;
}

/** @param each boards of each kind */
export async function openFireSite(gateway: Gateway, each: number): Promise<FireSite> {
  const contacts = [false, true, true, false, false];
  const panel = new SimulatedSlave({ discreteInputs: { get: (address) => contacts[address], set: () => undefined } });
  const lines: ModbusSimulator[] = [];
  const add = async (id: string, profile: string, slave: SimulatedSlave) => {
    const line = new ModbusSimulator([[1, slave]]);
    lines.push(line);
    const port = await line.listenTcp();
    const address = { host: HOST, port, unit: 1 };
    await gateway.post('/devices', { id, name: id, zone: 'garden', profile, address }, ADMIN);
  };
  await add('trial-panel', 'generic/di-fire-panel', panel);
  const outputs: OutputBoard[] = [];
  for (const { name, profile, relay, make } of KINDS) {
    for (let n = 0; n < each; n++) {
      const output: OutputBoard = { id: `trial-${name}-${n}`, profile, relay, slave: make(), orderedAt: undefined };
      output.slave.onWrite = () => {
        if (output.slave.tables.coils?.get(relay)) output.orderedAt ??= performance.now();
      };
      outputs.push(output);
      await add(output.id, profile, output.slave);
    }
  }
  return {
    outputs,
    fire(on) {
      contacts[0] = on;
    },
    restore() {
      for (const output of outputs) {
        output.slave.tables.coils?.set(output.relay, false);
        output.orderedAt = undefined;
      }
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(lines.map((line) => line.close()));
    },
  };
}
