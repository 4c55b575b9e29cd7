import type { Driver } from './driver.ts';
import { modbus } from './modbus/driver.ts';

/** Every protocol the gateway speaks to devices: the only registry. */
export const drivers: readonly Driver[] = [modbus];

const byProtocol = new Map(drivers.map((driver) => [driver.protocol, driver]));

/** @returns undefined for a protocol nobody speaks. */
export const driverOf = (protocol: string): Driver | undefined => byProtocol.get(protocol);
