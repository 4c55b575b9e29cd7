import type { Scenario } from './contract.ts';
import { ebikeCharging } from './ebike-charging.ts';
import { ebikeElevatorAlarm } from './ebike-elevator-alarm.ts';
import { elevatorMonitoring } from './elevator-monitoring.ts';
import { environmentMonitoring } from './environment-monitoring.ts';
import { evCharging } from './ev-charging.ts';
import { fireAlarm } from './fire-alarm.ts';
import { gatewayScenario } from './gateway.ts';
import { householdGasAlarm } from './household-gas-alarm.ts';
import { pedestrianGate } from './pedestrian-gate.ts';
import { perimeterGuard } from './perimeter-guard.ts';
import { publicBroadcast } from './public-broadcast.ts';
import { smokeAlarm } from './smoke-alarm.ts';
import { vehicleGate } from './vehicle-gate.ts';

/** Every scenario of the compound: the only registry. */
export const scenarios: readonly Scenario[] = [
  vehicleGate,
  pedestrianGate,
  elevatorMonitoring,
  ebikeElevatorAlarm,
  fireAlarm,
  smokeAlarm,
  householdGasAlarm,
  ebikeCharging,
  evCharging,
  publicBroadcast,
  perimeterGuard,
  environmentMonitoring,
];

const byId = new Map([...scenarios, gatewayScenario].map((scenario) => [scenario.id, scenario]));

/** Also finds `gateway`, the gateway's own. @returns undefined for an id no contract has. */
export const scenarioOf = (id: string): Scenario | undefined => byId.get(id);
