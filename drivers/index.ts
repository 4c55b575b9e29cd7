import type { Driver } from './driver.ts';
import { modbus } from './modbus/driver.ts';
import { mqttJson } from './mqtt-json/driver.ts';
import { vzenith } from './vzenith/driver.ts';

/** Every protocol the gateway speaks to devices: the only registry. */
export const drivers: readonly Driver[] = [modbus, vzenith, mqttJson];

const byProtocol = new Map(drivers.map((driver) => [driver.protocol, driver]));

/** @returns undefined for a protocol nobody speaks. */
export const driverOf = (protocol: string): Driver | undefined => byProtocol.get(protocol);
