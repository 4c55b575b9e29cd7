import type { Scenario } from './contract.ts';
import { environmentMonitoring } from './environment-monitoring.ts';
import { gatewayScenario } from './gateway.ts';
import { perimeterGuard } from './perimeter-guard.ts';
import { smokeAlarm } from './smoke-alarm.ts';
import { vehicleGate } from './vehicle-gate.ts';

/** Every scenario of the compound: the only registry. */
export const scenarios: readonly Scenario[] = [vehicleGate, environmentMonitoring, smokeAlarm, perimeterGuard];

const byId = new Map([...scenarios, gatewayScenario].map((scenario) => [scenario.id, scenario]));

/** Also finds `gateway`, the gateway's own. @returns undefined for an id no contract has. */
export const scenarioOf = (id: string): Scenario | undefined => byId.get(id);
