/**
 * One node type per scenario, all served from here: the input takes commands, output 1 gives the records that are ticked,
 * output 2 the commands that succeeded. A scenario whose commands are not for flows has one output and no input.
 */
import type { CommandView, DeviceView } from '../runtime/contracts/api.ts';
import type { Scenario } from '../runtime/contracts/contract.ts';
import { scenarioOf } from '../runtime/contracts/index.ts';
import { actOnInput, type Run } from './acting.ts';
import { flowCommands, type Order, readOrder } from './commands.ts';
import { serveEditor } from './editor-routes.ts';
import { NodeFailure } from './failures.ts';
import { beganWithDeploy, type Gateway, gatewayOf } from './gateway.ts';
import { createLight } from './light.ts';
import type { FlowNode, NodeDefinition, Red } from './red.ts';
import { type Pick, readPick, readTicks } from './selection.ts';
import { followLink, followRecords, readMaxAge } from './source.ts';

/** The one device a command is for: named by the message within what the node picks, or the only one that has it. */
async function targetOf(gateway: Gateway, scenario: Scenario, pick: Pick, order: Order): Promise<string> {
  const bad = (reason: string, values: Record<string, string>) => new NodeFailure('GH_BAD_INPUT', reason, values);
  if (pick.by === 'device') {
    if (order.device !== undefined && order.device !== pick.device) {
      throw bad('otherDevice', { device: order.device, picked: pick.device });
    }
    return pick.device;
  }
  const zone = pick.by === 'zone' ? pick.zone : undefined;
  if (order.device !== undefined && zone === undefined) return order.device;
  const able = (await gateway.devices({ scenario: scenario.id, ...(zone === undefined ? {} : { zone }) })).filter(
    ({ id, commands }: DeviceView) => commands.includes(order.command) && (order.device ?? id) === id,
  );
  const [only] = able;
  if (order.device !== undefined && !only) throw bad('notInZone', { device: order.device, zone: zone ?? '' });
  if (!only) throw bad('nobody', { command: order.command });
  if (able.length > 1) throw bad('several', { command: order.command, devices: able.map(({ id }) => id).join(', ') });
  return only.id;
}

/** What leaves by output 2: strict, whatever shape the request had. */
const outcomeOf = ({ id, device, command, state, proven, createdAt, updatedAt }: CommandView) => ({
  id,
  device,
  command,
  state,
  proven: proven === true,
  tookMs: updatedAt - createdAt,
});

/** Registers `gh-<scenario>`. @throws Error for a scenario that no contract has */
export function registerScenario(red: Red, scenarioId: string): void {
  const scenario = scenarioOf(scenarioId);
  if (!scenario) throw new Error(`No scenario ${scenarioId}`);
  serveEditor(red);
  const commands = flowCommands(scenario);
  red.nodes.registerType(`gh-${scenario.id}`, function create(this: FlowNode, definition: NodeDefinition) {
    red.nodes.createNode(this, definition);
    const gateway = gatewayOf(red);
    const light = createLight(red, this, () => gateway.site()?.timeZone);
    const pick = readPick(definition);
    const ends = [() => light.close()];
    if (!pick) light.set({ unconfigured: true });
    else {
      const selection = { scenarios: [scenario.id], pick, ticks: readTicks(definition.records) };
      ends.push(followRecords({ gateway, node: this, light, selection, maxAgeSeconds: readMaxAge(definition) }));
      if (pick.by === 'device') ends.push(followLink(gateway, light, [scenario.id], pick.device));
    }
    const fallback = (commands.find(([id]) => id === definition.command) ?? commands[0])?.[0];
    if (fallback !== undefined) {
      const run: Run = async (message, actingFor) => {
        if (!pick) throw new NodeFailure('GH_BAD_INPUT', 'unconfigured');
        const order = readOrder(scenario, message.payload, fallback);
        const device = await targetOf(gateway, scenario, pick, order);
        const { command, input } = order;
        const acting = actingFor(`${device}.${command}`);
        if (acting.cause === undefined && beganWithDeploy(red)) throw new NodeFailure('GH_REFUSED', 'beganWithDeploy');
        const view = await gateway.command({ device, command, input }, acting);
        return [null, { ...message, topic: `${scenario.id}/${device}/${command}`, payload: outcomeOf(view) }];
      };
      ends.push(actOnInput({ red, node: this, light, run }));
    }
    this.on('close', () => {
      for (const end of ends) end();
    });
  });
}
