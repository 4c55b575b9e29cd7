/** A command of a profile → the one request that carries it out. Pure. */
import { GatehouseError } from '../../runtime/errors.ts';
import { COIL_OFF, COIL_ON, type WriteManyRequest, type WriteRequest } from './frame.ts';
import type { Command } from './schema.ts';

type Amount = Extract<Command, { write: 'register' }>['value'];

/**
 * @param input fits the contract; fields the profile names are numbers.
 * @throws {GatehouseError} `command.invalid` if a value does not fit the 16 bits it has on the wire.
 */
export function encodeCommand(
  command: Command,
  unit: number,
  input: Readonly<Record<string, unknown>>,
): WriteRequest | WriteManyRequest {
  switch (command.write) {
    case 'coil':
      return { unit, function: 5, address: command.address, value: command.value ? COIL_ON : COIL_OFF };
    case 'pulse': {
      const units = resolve(command.units, input);
      // Boards read the time as int16; and a pulse of nothing is no order at all.
      if (units < 1 || units > 0x7fff) throw invalid(`a pulse of ${units} units does not fit`);
      return { unit, function: 5, address: command.base + command.coil, value: units };
    }
    case 'register':
      return { unit, function: 6, address: command.address, value: word(command.value, input) };
    case 'registers':
      return {
        unit,
        function: 16,
        address: command.address,
        values: command.values.map((value) => word(value, input)),
      };
  }
}

const invalid = (what: string): GatehouseError => new GatehouseError('command.invalid', what);

function resolve(amount: Amount, input: Readonly<Record<string, unknown>>): number {
  if (typeof amount === 'number') return Math.round(amount);
  const value = input[amount.field] ?? amount.otherwise;
  if (typeof value !== 'number' || !Number.isFinite(value))
    throw invalid(`input field ${amount.field} is not a number`);
  return Math.round(value * (amount.times ?? 1));
}

function word(amount: Amount, input: Readonly<Record<string, unknown>>): number {
  const value = resolve(amount, input);
  if (value < -0x8000 || value > 0xffff) throw invalid(`${value} does not fit a register`);
  return value & 0xffff;
}
